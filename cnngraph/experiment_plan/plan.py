"""An experiment to the runs that it asks for, all of them checked before the first one begins."""

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
from cnngraph.experiment_plan.model import Entrant, Experiment
from cnngraph.experiment_plan.reading import Described
from cnngraph.fields import fields_of, show_value
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override
from cnngraph.language.model import Spec
from cnngraph.language.write import write_spec
from cnngraph.library import find_network, is_name
from cnngraph.lint.run import Lint
from cnngraph.lint.selection import EVERYTHING, Selection
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe, find_recipe, to_dict
from cnngraph.recipe.changed import find_table, in_recipe, read_changed
from cnngraph.recipe.fit import ReadImages

TRAIN = "train."
MAX_VARIANTS = 1_000  # each is compiled and checked before the first run
MAX_RUNS = 10_000
MAX_SETTINGS = 100
MAX_NAMED = 5  # combinations that a diagnostic lists
LONGEST_FOLDER = 200  # bytes; file systems take 255, and the seed follows


@dataclass(frozen=True)
class Trial:
    """One run of an experiment. Those of one `variant` differ in their seed alone; `folder` is its folder's name."""

    variant: str
    seed: int
    folder: str
    graph: Graph
    recipe: Recipe
    spec: Spec

    @property
    def spec_text(self) -> str:
        """The spec in one piece, with the recipe in it."""
        return write_spec(self.spec, to_dict(self.recipe))


@dataclass(frozen=True)
class Plan:
    """All runs of an experiment, in the order in which they are made, and what is likely wrong with their networks."""

    name: str
    about: str
    trials: tuple[Trial, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def variants(self) -> list[str]:
        """What is compared."""
        return list(dict.fromkeys(each.variant for each in self.trials))


@dataclass(frozen=True)
class Planned:
    """The plan of an experiment, None where there is an error, and all diagnostics, each of them once."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def plan(described: Described) -> Plan:
    """Every combination, compiled and checked: seed by seed, so that all are seen with one before the next.

    Raises SpecError with all that is wrong.
    """
    made = checked_plan(described)
    if made.plan is None:
        raise SpecError(made.diagnostics)
    return made.plan


def checked_plan(described: Described, images: ReadImages | None = None, selection: Selection = EVERYTHING) -> Planned:
    """The plan and all that is wrong with it; with `images` the data is read, and must fit networks and recipes, too.

    `selection` says which warnings about the networks are wanted.
    A diagnostic that does not hold for all combinations lists those for which it does.
    """
    if too_large := tuple(_over_bounds(described)):
        return Planned(None, too_large)
    planner = _Planner(described, images, selection)
    try:
        trials = list(planner.trials())
    except SpecError as error:  # more than anybody reads
        return Planned(None, error.diagnostics)
    found = planner.diagnostics()
    if not has_errors(found):
        found += tuple(_same_folders(trials, described))
    if has_errors(found):
        return Planned(None, found)
    return Planned(Plan(described.experiment.name, described.experiment.about, tuple(trials), found), found)


def _over_bounds(described: Described) -> Iterator[Diagnostic]:
    """What would make too many runs, told before anything is looked up, compiled or multiplied."""
    table = described.table
    counts = {word: _count(table, word) for word in ("specs", "recipes", "seeds")}
    given = table.get("settings")
    settings = given.value.entries if given and isinstance(given.value, Table) else ()
    if len(settings) > MAX_SETTINGS:
        message = f"an experiment has at most {MAX_SETTINGS} settings, this one has {len(settings):,}"
        yield Diagnostic("E505", message, given.key_span if given else None)
        return
    counts["settings"] = prod(len(_items(each.value)) for each in settings)
    variants = prod(counts[word] for word in counts if word != "seeds")
    for number, most, words, what in (
        (variants, MAX_VARIANTS, ("specs", "recipes", "settings"), "variants"),
        (variants * counts["seeds"], MAX_RUNS, tuple(counts), "runs"),
    ):
        if number > most:
            largest = max(words, key=counts.__getitem__)
            found = table.get(largest)
            factors = tuple(f"{counts[word]:,} from {word}" for word in words if counts[word] > 1)
            message = f"an experiment has at most {most:,} {what}, this one would have {_large(number)}"
            help = f"leave some {largest} out, or split it into several experiments"
            yield Diagnostic("E505", message, found.key_span if found else table.span, notes=factors, help=help)
            return


def _count(table: Table, word: str) -> int:
    """How many things a word lists, or says."""
    given = table.get(word)
    if given is None:
        default = fields_of(Experiment)["seeds"].default if word == "seeds" else None
        return default if isinstance(default, int) else 1
    if isinstance(given.value, Scalar):
        return given.value.value if isinstance(given.value.value, int) else 1
    return len(_items(given.value))


def _large(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"


def _same_folders(trials: Sequence[Trial], described: Described) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for each in trials:
        if each.folder in seen:
            seeds, given = described.experiment.all_seeds, described.table.get("seeds")
            twice = given.value.span if given and seeds.count(each.seed) > 1 else None
            help = f"seeds has {each.seed} twice" if twice else "leave one out, or give the networks a label: each"
            message = f"two runs of the experiment would both be {each.folder}"
            yield Diagnostic("E661", message, twice or described.table.span, help=help)
            return
        seen.add(each.folder)


@dataclass(frozen=True)
class _Variant:
    """What is compared with others, before it has a seed. `folder` begins the names of its runs' folders."""

    name: str
    folder: str
    graph: Graph
    recipe: Recipe
    spec: Spec


@dataclass
class _Planner:
    """Walks the combinations and gathers what is wrong with them."""

    described: Described
    images: ReadImages | None = None
    selection: Selection = EVERYTHING
    mistakes: DiagnosticList = field(default_factory=DiagnosticList)
    combinations: dict[Diagnostic, list[str]] = field(default_factory=dict)  # for which each holds; none: for all
    tried: int = 0
    compiled: dict[tuple[int, tuple[Override, ...]], Compilation] = field(default_factory=dict)

    def trials(self) -> Iterator[Trial]:
        """Every variant with every seed."""
        variants = list(self._variants())
        for seed, each in product(self.described.experiment.all_seeds, variants):
            recipe = replace(each.recipe, seed=seed)
            yield Trial(each.name, seed, f"{each.folder}-seed{seed}", each.graph, recipe, each.spec)

    def note(self, diagnostics: Iterable[Diagnostic], combination: str | None = None) -> None:
        """Note what is wrong, once. Raises SpecError where it is more than anybody reads."""
        for diagnostic in diagnostics:
            if diagnostic not in self.combinations:
                self.combinations[diagnostic] = []
                self.mistakes.append(diagnostic)
            if combination is not None:
                self.combinations[diagnostic].append(combination)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was noted, with the combinations of what does not hold for all of them."""
        return tuple(self._with_combinations(diagnostic) for diagnostic in self.mistakes)

    def _with_combinations(self, diagnostic: Diagnostic) -> Diagnostic:
        names = self.combinations[diagnostic]
        if not names or len(names) == self.tried:
            return diagnostic
        few = list(dict.fromkeys(names))
        more = f", and {len(few) - MAX_NAMED} more" if len(few) > MAX_NAMED else ""
        note = f"in {len(names)} of {self.tried} combinations: {', '.join(few[:MAX_NAMED])}{more}"
        return replace(diagnostic, notes=(*diagnostic.notes, note))

    def _variants(self) -> Iterator[_Variant]:
        networks = range(len(self.described.experiment.specs))
        for recipe, number, setting in product(self._recipes(), networks, self._settings()):
            self.tried += 1
            name = self._name(number, recipe, setting)
            try:
                yield self._variant(name, recipe, number, setting)
            except SpecError as error:
                self.note(error.diagnostics, name)

    def _recipes(self) -> list[str | None]:
        """The recipes as they are found from the working folder; None for the network's own."""
        given = self.described.table.get("recipes")
        found: list[str | None] = []
        for each in _items(given.value) if given else ():
            text = str(each.plain())
            text = text if is_name(text) else str(self.described.folder / text)
            try:
                find_recipe(text, each.span)
                found.append(text)
            except SpecError as error:
                self.note(error.diagnostics)
        return found if given else [None]

    def _settings(self) -> list[tuple[Override, ...]]:
        """The combinations of the settings."""
        given = self.described.table.get("settings")
        entries = given.value.entries if given and isinstance(given.value, Table) else ()
        for each in entries:
            if each.key == f"{TRAIN}seed":
                help = "seeds: [0, 1, 2]"
                self.note([Diagnostic("E605", "seeds are no setting", each.key_span, help=help)])
        return list(
            product(*([Override(each.key, one, in_recipe(each.key)) for one in _items(each.value)] for each in entries))
        )

    def _variant(self, title: str, recipe_name: str | None, number: int, setting: tuple[Override, ...]) -> _Variant:
        compilation = self._compile(number, tuple(each for each in setting if not each.name.startswith(TRAIN)))
        spec, graph = compilation.spec, compilation.graph
        assert spec
        assert graph
        table, name = find_table(spec.train, recipe_name)
        changes = [replace(each, name=each.name.removeprefix(TRAIN)) for each in setting if each.name.startswith(TRAIN)]
        recipe = read_changed(table, changes, name)
        span = self._item(number).span
        self.note(warnings_of(misfits(recipe, graph, span)), title)
        if self.images:
            facts = self.images(recipe, next(iter(graph.inputs.values())))
            self.note(warnings_of(misfits(recipe, graph, span, images=facts)), title)
        lint = Lint(recipe, selection=self.selection, verify=False)
        self.note(lint.run(compilation).diagnostics, title)
        return _Variant(title, self._folder(number, name, setting), graph, recipe, spec)

    def _name(self, number: int, recipe: str | None, setting: tuple[Override, ...]) -> str:
        """What the report calls a combination: what differs."""
        experiment = self.described.experiment
        differing = [each for each in setting if len((experiment.settings or {})[each.name]) > 1]
        recipes = [Path(recipe).stem] if recipe and len(experiment.recipes) > 1 else []
        return " · ".join([_title(experiment.specs[number]), *recipes, *map(_setting, differing)])

    def _folder(self, number: int, recipe: str, setting: tuple[Override, ...]) -> str:
        """What the folders of a combination begin with: all that is set."""
        settings = (_setting(each).replace(" ", "=", 1) for each in setting)
        return _short(_safe("-".join([_title(self.described.experiment.specs[number]), recipe, *settings])))

    def _compile(self, number: int, changes: tuple[Override, ...]) -> Compilation:
        """The network of an entrant with its own params and those of the setting. Raises SpecError."""
        key = number, changes
        if key not in self.compiled:
            self.compiled[key] = self._compiled(number, changes)
        compilation = self.compiled[key]
        if not compilation.ok:
            raise SpecError(Lint(selection=self.selection, verify=False).run(compilation).diagnostics)
        return compilation

    def _compiled(self, number: int, changes: tuple[Override, ...]) -> Compilation:
        table = self._item(number)
        entry, params = table.get("spec"), table.get("params")
        assert entry
        name = self.described.experiment.specs[number].spec
        if is_name(name):
            find_network(name, entry.value.span, self.described.folder)
        else:
            path = self.described.folder / name
            if not path.is_file():
                raise SpecError.of("E101", f"cannot read {path}: there is no such file", entry.value.span)
            name = str(path)
        own = params.value.entries if params and isinstance(params.value, Table) else ()
        compilation = compile_spec(name, [*(Override(each.key, each.value) for each in own), *changes])
        if compilation.ok and compilation.graph is None:
            message = f"{name} is a library of blocks: there is no network in it"
            raise SpecError.of("E107", message, entry.value.span)
        return compilation

    def _item(self, number: int) -> Table:
        specs = self.described.table.get("specs")
        assert specs
        item = _items(specs.value)[number]
        assert isinstance(item, Table)
        return item


def _items(value: Value) -> tuple[Value, ...]:
    return value.items if isinstance(value, Listing) else ()


def _title(entrant: Entrant) -> str:
    params = (f"{name} {show_value(value)}" for name, value in (entrant.params or {}).items())
    return entrant.label or ", ".join([Path(entrant.spec).stem if not is_name(entrant.spec) else entrant.spec, *params])


def _setting(override: Override) -> str:
    """A setting and its value, without the `train.` of a recipe's."""
    return f"{override.name.removeprefix(TRAIN)} {show_value(override.value.plain())}"


def _safe(name: str) -> str:
    """A text as a folder may be called."""
    return re.sub(r"[^\w.=-]+", "_", name).strip("._")


def _short(name: str) -> str:
    """A folder's name that every file system takes; what is cut off is told apart by a digest."""
    if len(name.encode()) <= LONGEST_FOLDER:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST_FOLDER - 9].decode(errors='ignore')}-{digest}"
