"""The plan of an experiment: its runs, all of them compiled and checked before the first one starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import product
from math import prod
from pathlib import Path

from cnngraph.compilation import Compilation, compile_spec
from cnngraph.diagnostics import Diagnostic, DiagnosticList, SpecError, has_errors, warnings_of
from cnngraph.document import Listing, Scalar, Table, Value
from cnngraph.experiment_plan.model import Experiment, NetworkEntry
from cnngraph.experiment_plan.reading import LoadedExperiment
from cnngraph.experiment_plan.weights import WeightsOfNetworks
from cnngraph.fields import fields_of, show_value
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.plain_spec import one_file
from cnngraph.initial_weights import InitialWeights
from cnngraph.language.load import Override
from cnngraph.language.model import Spec
from cnngraph.library import find_network, is_name
from cnngraph.lint.run import Lint
from cnngraph.lint.selection import EVERYTHING, Selection
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe, find_recipe, to_dict
from cnngraph.recipe.changed import find_table, in_recipe, read_changed
from cnngraph.recipe.fit import ReadImages

TRAIN = "train."
MAX_VARIANTS = 1_000  # each is compiled and checked
MAX_RUNS = 10_000
MAX_SETTINGS = 100
MAX_LISTED = 5  # combinations in a diagnostic
MAX_FOLDER_LENGTH = 200  # bytes; file systems allow 255, and the seed is appended


@frozen(slots=False)
class Trial:
    """One run of an experiment. Runs of the same `variant` differ only in their seed. `folder` is a name."""

    variant: str
    seed: int
    folder: str
    graph: Graph
    recipe: Recipe
    spec: Spec
    weights: InitialWeights = InitialWeights()

    @property
    def spec_text(self) -> str:
        """The spec as one file, with the recipe in it."""
        return one_file(self.spec, self.graph, to_dict(self.recipe))


@frozen(slots=False)
class Plan:
    """All runs of an experiment in order of execution, and warnings about their networks and recipes."""

    name: str
    about: str
    trials: tuple[Trial, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def variants(self) -> list[str]:
        """The names of the variants to compare."""
        return list(dict.fromkeys(trial.variant for trial in self.trials))


@frozen(slots=False)
class PlanResult:
    """The plan of an experiment, None if there is an error, and all diagnostics without duplicates."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def make_plan(loaded: LoadedExperiment) -> Plan:
    """The plan of all combinations, ordered by seed, so that every variant has run once before the second seed.

    Raises SpecError with all errors.
    """
    result = check_plan(loaded)
    if result.plan is None:
        raise SpecError(result.diagnostics)
    return result.plan


def check_plan(
    loaded: LoadedExperiment, images: ReadImages | None = None, selection: Selection = EVERYTHING
) -> PlanResult:
    """Plan and check an experiment. With `images`, the data is read, and must fit networks and recipes.

    `selection` selects the warnings about the networks. A diagnostic that does not apply to all combinations lists
    those to which it applies.
    """
    if too_large := tuple(_over_bounds(loaded)):
        return PlanResult(None, too_large)
    planner = _Planner(loaded, images, selection)
    try:
        trials = list(planner.trials())
    except SpecError as error:  # too many errors
        return PlanResult(None, error.diagnostics)
    found = planner.diagnostics()
    if not has_errors(found):
        found += tuple(_same_folders(trials, loaded))
    if has_errors(found):
        return PlanResult(None, found)
    return PlanResult(Plan(loaded.experiment.name, loaded.experiment.about, tuple(trials), found), found)


def _over_bounds(loaded: LoadedExperiment) -> Iterator[Diagnostic]:
    """The error for too many runs, found before any file is read or combinations are formed."""
    table = loaded.table
    counts = {key: _count(table, key) for key in ("specs", "recipes", "seeds")}
    entry = table.get("settings")
    settings = entry.value.entries if entry and isinstance(entry.value, Table) else ()
    if len(settings) > MAX_SETTINGS:
        message = f"an experiment can have at most {MAX_SETTINGS} settings, but this one has {len(settings):,}"
        yield Diagnostic("E505", message, entry.key_span if entry else None)
        return
    counts["settings"] = prod(len(_items(setting.value)) for setting in settings)
    variants = prod(counts[key] for key in counts if key != "seeds")
    for number, limit, keys, what in (
        (variants, MAX_VARIANTS, ("specs", "recipes", "settings"), "variants"),
        (variants * counts["seeds"], MAX_RUNS, tuple(counts), "runs"),
    ):
        if number > limit:
            largest = max(keys, key=counts.__getitem__)
            found = table.get(largest)
            factors = tuple(f"{counts[key]:,} from `{key}`" for key in keys if counts[key] > 1)
            message = f"an experiment can have at most {limit:,} {what}, but this one has {_large(number)}"
            help = f"remove some {largest}, or split the experiment into several"
            yield Diagnostic("E505", message, found.key_span if found else table.span, notes=factors, help=help)
            return


def _count(table: Table, key: str) -> int:
    """The number of items of a key: the length of its list, or its integer."""
    entry = table.get(key)
    if entry is None:
        default = fields_of(Experiment)["seeds"].default if key == "seeds" else None
        return default if isinstance(default, int) else 1
    if isinstance(entry.value, Scalar):
        return entry.value.value if isinstance(entry.value.value, int) else 1
    return len(_items(entry.value))


def _large(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"


def _same_folders(trials: Sequence[Trial], loaded: LoadedExperiment) -> Iterator[Diagnostic]:
    """The error for two runs that would have the same folder."""
    seen: set[str] = set()
    for trial in trials:
        if trial.folder in seen:
            seeds, entry = loaded.experiment.all_seeds, loaded.table.get("seeds")
            duplicate = entry.value.span if entry and seeds.count(trial.seed) > 1 else None
            help = "remove one of them, or give each network its own `label`"
            if duplicate:
                help = f"remove the second {trial.seed} from `seeds`"
            message = f"two runs of the experiment would have the same folder {trial.folder}"
            yield Diagnostic("E661", message, duplicate or loaded.table.span, help=help)
            return
        seen.add(trial.folder)


@frozen(slots=False)
class _Variant:
    """A combination of network, recipe and settings. The folders of its runs are `folder` with the seed appended."""

    name: str
    folder: str
    graph: Graph
    recipe: Recipe
    spec: Spec
    weights: InitialWeights


@dataclass
class _Planner:
    """Compiles and checks all combinations, and collects diagnostics."""

    loaded: LoadedExperiment
    images: ReadImages | None = None
    selection: Selection = EVERYTHING
    found: DiagnosticList = field(default_factory=DiagnosticList)
    combinations: dict[Diagnostic, list[str]] = field(default_factory=dict)  # to which each applies; empty: to all
    count: int = 0  # of the combinations
    compiled: dict[tuple[int, tuple[Override, ...]], Compilation] = field(default_factory=dict)
    weights: WeightsOfNetworks = field(init=False)

    def __post_init__(self) -> None:
        self.weights = WeightsOfNetworks(self.loaded)

    def trials(self) -> Iterator[Trial]:
        """The runs: every variant with every seed."""
        variants = list(self._variants())
        for seed, variant in product(self.loaded.experiment.all_seeds, variants):
            recipe = replace(variant.recipe, seed=seed)
            yield Trial(
                variant.name, seed, f"{variant.folder}-seed{seed}", variant.graph, recipe, variant.spec, variant.weights
            )

    def add(self, diagnostics: Iterable[Diagnostic], combination: str | None = None) -> None:
        """Add diagnostics that are not there yet. Raises SpecError if there are too many."""
        for diagnostic in diagnostics:
            if diagnostic not in self.combinations:
                self.combinations[diagnostic] = []
                self.found.append(diagnostic)
            if combination is not None:
                self.combinations[diagnostic].append(combination)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The diagnostics, with the combinations of those that do not apply to all."""
        return tuple(self._with_combinations(diagnostic) for diagnostic in self.found)

    def _with_combinations(self, diagnostic: Diagnostic) -> Diagnostic:
        names = self.combinations[diagnostic]
        if not names or len(names) == self.count:
            return diagnostic
        unique = list(dict.fromkeys(names))
        more = f", and {len(unique) - MAX_LISTED} more" if len(unique) > MAX_LISTED else ""
        note = f"in {len(names)} of {self.count} combinations: {', '.join(unique[:MAX_LISTED])}{more}"
        return replace(diagnostic, notes=(*diagnostic.notes, note))

    def _variants(self) -> Iterator[_Variant]:
        networks = range(len(self.loaded.experiment.specs))
        for recipe, number, setting in product(self._recipes(), networks, self._settings()):
            self.count += 1
            name = self._name(number, recipe, setting)
            try:
                yield self._variant(name, recipe, number, setting)
            except SpecError as error:
                self.add(error.diagnostics, name)

    def _recipes(self) -> list[str | None]:
        """The names and paths of the recipes; None for the network's own."""
        entry = self.loaded.table.get("recipes")
        found: list[str | None] = []
        for item in _items(entry.value) if entry else ():
            name = str(item.plain())
            name = name if is_name(name) else str(self.loaded.folder / name)
            try:
                find_recipe(name, item.span)
                found.append(name)
            except SpecError as error:
                self.add(error.diagnostics)
        return found if entry else [None]

    def _settings(self) -> list[tuple[Override, ...]]:
        """The combinations of the settings."""
        settings = self.loaded.table.get("settings")
        entries = settings.value.entries if settings and isinstance(settings.value, Table) else ()
        for entry in entries:
            if entry.key == f"{TRAIN}seed":
                message = f"`{entry.key}` cannot be a setting"
                self.add([Diagnostic("E605", message, entry.key_span, help="use `seeds: [0, 1, 2]`")])
        return list(
            product(
                *(
                    [Override(entry.key, value, in_recipe(entry.key)) for value in _items(entry.value)]
                    for entry in entries
                )
            )
        )

    def _variant(self, title: str, recipe_name: str | None, number: int, setting: tuple[Override, ...]) -> _Variant:
        compilation = self._compile(number, tuple(change for change in setting if not change.name.startswith(TRAIN)))
        spec, graph = compilation.spec, compilation.graph
        assert spec
        assert graph
        table, name = find_table(spec.train, recipe_name)
        changes = [
            replace(change, name=change.name.removeprefix(TRAIN)) for change in setting if change.name.startswith(TRAIN)
        ]
        recipe = read_changed(table, changes, name)
        span = self.weights.item(number).span
        self.add(warnings_of(misfits(recipe, graph, span)), title)
        if self.images:
            facts = self.images(recipe, next(iter(graph.inputs.values())))
            self.add(warnings_of(misfits(recipe, graph, span, images=facts)), title)
        lint = Lint(recipe, selection=self.selection, verify=False)
        self.add(lint.run(compilation).diagnostics, title)
        chosen = self.weights.of(number)
        self.add(self.weights.problems(number, chosen, graph), title)
        return _Variant(title, self._folder(number, name, setting), graph, recipe, spec, chosen)

    def _name(self, number: int, recipe: str | None, setting: tuple[Override, ...]) -> str:
        """A combination's name in the report: the network, and what differs between combinations."""
        experiment = self.loaded.experiment
        differing = [change for change in setting if len((experiment.settings or {})[change.name]) > 1]
        recipes = [Path(recipe).stem] if recipe and len(experiment.recipes) > 1 else []
        return " · ".join([_title(experiment.specs[number]), *recipes, *map(_setting, differing)])

    def _folder(self, number: int, recipe: str, setting: tuple[Override, ...]) -> str:
        """The start of the names of a combination's folders: network, recipe and all settings."""
        settings = (_setting(change).replace(" ", "=", 1) for change in setting)
        return _short(_safe("-".join([_title(self.loaded.experiment.specs[number]), recipe, *settings])))

    def _compile(self, number: int, changes: tuple[Override, ...]) -> Compilation:
        """A network of `specs` with its own params and those of the setting, cached. Raises SpecError."""
        key = number, changes
        if key not in self.compiled:
            self.compiled[key] = self._compiled(number, changes)
        compilation = self.compiled[key]
        if not compilation.ok:
            raise SpecError(Lint(selection=self.selection, verify=False).run(compilation).diagnostics)
        return compilation

    def _compiled(self, number: int, changes: tuple[Override, ...]) -> Compilation:
        table = self.weights.item(number)
        entry, params = table.get("spec"), table.get("params")
        assert entry
        name = self.loaded.experiment.specs[number].spec
        if is_name(name):
            find_network(name, entry.value.span, self.loaded.folder)
        else:
            path = self.loaded.folder / name
            if not path.is_file():
                raise SpecError.of("E101", f"cannot read {path}: file not found", entry.value.span)
            name = str(path)
        own = params.value.entries if params and isinstance(params.value, Table) else ()
        compilation = compile_spec(name, [*(Override(param.key, param.value) for param in own), *changes])
        if compilation.ok and compilation.graph is None:
            message = f"{name} is a library of blocks, not a network"
            raise SpecError.of("E107", message, entry.value.span)
        return compilation


def _items(value: Value) -> tuple[Value, ...]:
    return value.items if isinstance(value, Listing) else ()


def _title(entry: NetworkEntry) -> str:
    params = (f"{name} {show_value(value)}" for name, value in (entry.params or {}).items())
    return entry.label or ", ".join([Path(entry.spec).stem if not is_name(entry.spec) else entry.spec, *params])


def _setting(override: Override) -> str:
    """A setting and its value, without the prefix `train.`."""
    return f"{override.name.removeprefix(TRAIN)} {show_value(override.value.plain())}"


def _safe(name: str) -> str:
    """A string with all characters replaced that folder names should not have."""
    return re.sub(r"[^\w.=-]+", "_", name).strip("._")


def _short(name: str) -> str:
    """A folder name short enough for all file systems; a digest replaces the rest of a longer one."""
    if len(name.encode()) <= MAX_FOLDER_LENGTH:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_FOLDER_LENGTH - 9].decode(errors='ignore')}-{digest}"
