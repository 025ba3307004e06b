"""Checks files by their kind, and whether recipes and data fit the networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.checking.finding import KINDS, Target, find_targets, is_new, is_relevant
from cnngraph.checking.report import CheckReport, FileReport, Kind
from cnngraph.compilation import Compilation, compile_text, limits_for
from cnngraph.diagnostics import Diagnostic, Source, SpecError, has_errors
from cnngraph.document import Limits, Table, Value, parse, read_file
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.file_kinds import kind_of
from cnngraph.frozen import frozen
from cnngraph.lint.run import Lint
from cnngraph.lint.selection import EVERYTHING, Selection
from cnngraph.lint.training import misfits
from cnngraph.ops.registry import Registry, load_ops

if TYPE_CHECKING:  # recipes and experiments are imported lazily, because most specs need neither
    from cnngraph.graph.graph import Graph
    from cnngraph.language.load import Override
    from cnngraph.recipe import Recipe
    from cnngraph.recipe.fit import ImageFacts, ReadImages


@frozen(slots=False)
class CheckOptions:
    """How to check files. `params` and `input` change specs, `train` changes their recipes.

    With `recipe`, a name or path, that recipe must fit every network; with `images`, which reads a recipe's data, the
    data must fit, too. With neither, a spec's recipe that does not fit is only a warning.
    """

    params: tuple[Override, ...] = ()
    train: tuple[Override, ...] = ()  # names without `train.`
    input: Value | None = None
    plugins: tuple[str, ...] = ()
    max_nodes: int = MAX_NODES
    recipe: str | None = None
    images: ReadImages | None = None
    selection: Selection = EVERYTHING  # of warnings

    @property
    def limits(self) -> Limits:
        """The limits on the size of files."""
        return limits_for(self.max_nodes)


def check_paths(
    paths: Iterable[str], options: CheckOptions | None = None, standard_input: Source | None = None
) -> CheckReport:
    """Check files, all YAML files in folders and their subfolders, and bundled networks, recipes and experiments.

    `-` stands for `standard_input`; imports are relative to its name. Errors are reported, not raised. In a folder,
    files that are not for cnngraph are skipped. Each file is checked once.
    """
    options = options or CheckOptions()
    reports: list[FileReport] = []
    skipped: list[str] = []
    seen: set[str] = set()
    for text in paths:
        if text == "-" and standard_input:
            reports.append(check_text(standard_input, Path(standard_input.name), options))
            continue
        try:
            found = list(find_targets(text))
        except SpecError as error:
            reports.append(FileReport(text, None, error.diagnostics))
            continue
        targets = [target for target in found if not target.in_folder or is_relevant(target.path, options.limits)]
        skipped += [target.name for target in found if target not in targets]
        reports += [check_file(target, options) for target in targets if is_new(target.path, seen)]
        if not targets:
            message = f"there is no spec, recipe or experiment in {text}"
            reports.append(FileReport(text, None, (Diagnostic("E101", message),)))
    return CheckReport(tuple(reports), tuple(skipped))


def expanded(paths: Iterable[str], options: CheckOptions) -> list[str]:
    """The paths, with folders replaced by the files to check in them."""
    found: list[str] = []
    for text in paths:
        try:
            targets = list(find_targets(text))
        except SpecError:
            targets = []
        inside = [target.name for target in targets if target.in_folder and is_relevant(target.path, options.limits)]
        found += inside or [text]
    return found


def check_file(target: Target, options: CheckOptions) -> FileReport:
    """Check one file."""
    try:
        source = read_file(target.path, target.shown, options.limits)
    except SpecError as error:
        return FileReport(target.name, None, error.diagnostics)
    return replace(check_text(source, target.path, options), file=target.name)


def check_text(source: Source, path: Path, options: CheckOptions) -> FileReport:
    """Check a text as the content of the file at `path`, which need not exist."""
    value, errors = parse(source, options.limits)
    if isinstance(value, Table):
        found = kind_of(value)
        kind = KINDS[found[0]] if found else None
        if kind is Kind.RECIPE:
            from cnngraph.recipe import read_recipe

            return FileReport(source.name, kind, (*errors, *read_recipe(value, name=path.stem)[1]))
        if kind is Kind.EXPERIMENT:
            return _experiment(source, path, options)
    return _spec(source, path, options)


def _experiment(source: Source, path: Path, options: CheckOptions) -> FileReport:
    from cnngraph.experiment_plan.plan import check_plan
    from cnngraph.experiment_plan.reading import read_source

    try:
        checked = check_plan(read_source(source, path), options.images, options.selection)
    except SpecError as error:
        return FileReport(source.name, Kind.EXPERIMENT, error.diagnostics)
    plan = checked.plan
    facts = {"variants": len(plan.variants), "runs": len(plan.trials)} if plan else {}
    return FileReport(source.name, Kind.EXPERIMENT, checked.diagnostics, facts)


def _spec(source: Source, path: Path, options: CheckOptions) -> FileReport:
    try:
        registry = Registry(load_ops(options.plugins))
    except SpecError as error:
        return FileReport(source.name, Kind.SPEC, error.diagnostics)
    compilation = compile_text(
        source,
        path.parent,
        options.params,
        options.input,
        registry=registry,
        max_nodes=options.max_nodes,
        fixes=True,
    )
    graph, spec = compilation.graph, compilation.spec
    if graph is None or spec is None or not compilation.ok:
        found = Lint(selection=options.selection).run(compilation).diagnostics
        if spec is None or not compilation.ok:
            return FileReport(source.name, Kind.SPEC, found)
        return FileReport(source.name, Kind.BLOCKS, found, {"blocks": len(spec.library.blocks)})
    found, facts = _fit(compilation, graph, options)
    size = {"parameters": graph.num_params, "macs": graph.macs}
    return FileReport(source.name, Kind.SPEC, found, size | facts)


def _fit(
    compilation: Compilation, graph: Graph, options: CheckOptions
) -> tuple[tuple[Diagnostic, ...], dict[str, int | str]]:
    """The diagnostics of a network, its recipe and data, and facts about recipe and data."""
    own = Lint(own=True, changes=options.train, selection=options.selection)
    if options.recipe is None and options.images is None and not options.train:
        return own.run(compilation).diagnostics, {}

    from cnngraph.recipe.changed import find_table, read_changed

    assert compilation.spec
    try:
        table, name = find_table(compilation.spec.train, options.recipe)
        recipe = read_changed(table, options.train, name)
        if options.recipe is None and options.images is None:
            return own.run(compilation).diagnostics, {}
        found, images = recipe_and_data(recipe, graph, options.images)
    except SpecError as error:
        return (*Lint(selection=options.selection).run(compilation).diagnostics, *error.diagnostics), {}
    warnings = Lint(recipe, selection=options.selection).run(compilation).diagnostics
    facts: dict[str, int | str] = {"recipe": name}
    if images:
        facts |= {"images": images.count or 0, "classes": images.classes}
    return (*warnings, *found), facts


def recipe_and_data(
    recipe: Recipe, graph: Graph, images: ReadImages | None
) -> tuple[list[Diagnostic], ImageFacts | None]:
    """The errors of training a network with a recipe, and if `images` is given, on its data. Raises SpecError."""
    found = misfits(recipe, graph)
    if has_errors(found) or images is None:
        return found, None
    facts = images(recipe, next(iter(graph.inputs.values())))
    return misfits(recipe, graph, images=facts), facts
