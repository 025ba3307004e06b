"""A network and the recipe to train it with, read for a new run or for one to resume. Does not need PyTorch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cnngraph import run_files
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, SpecError, warnings_of
from cnngraph.document import Table
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.plain_spec import one_file
from cnngraph.language.load import Override
from cnngraph.lint.run import Lint
from cnngraph.recipe import Recipe, to_dict
from cnngraph.recipe.changed import find_table, read_changed


@frozen
class TrainingJob:
    """A network and the recipe to train it with, and warnings about them.

    `spec_text` is the spec as one file, with the recipe in it.
    """

    graph: Graph
    recipe: Recipe
    spec_text: str
    warnings: tuple[Diagnostic, ...] = ()


def new_job(
    compilation: Compilation, name: str, recipe: str | Table | None, changes: Iterable[Override]
) -> TrainingJob:
    """The job of a new run. `name` is the spec's for messages; without a `recipe` the spec's own is used.

    Raises SpecError for errors in either.
    """
    graph = network_of(compilation, name)
    assert compilation.spec
    table, title = (recipe, "recipe") if isinstance(recipe, Table) else find_table(compilation.spec.train, recipe)
    changed = read_changed(table, changes, title)
    warnings = warnings_of(Lint(changed).run(compilation).diagnostics)
    return TrainingJob(graph, changed, one_file(compilation.spec, graph, to_dict(changed)), warnings)


def resumed_job(
    run: Path, changes: Iterable[Override], *, plugins: Iterable[str] = (), max_nodes: int = MAX_NODES
) -> TrainingJob:
    """The job of the run in a folder, from its own spec and recipe. Raises SpecError (E631 if there is no run)."""
    for name in (run_files.SPEC, run_files.RECIPE):
        if not (run / name).is_file():
            raise SpecError.of("E631", f"{run} is not a run folder: it contains no {name}")
    spec = str(run / run_files.SPEC)
    compilation = compile_spec(spec, plugins=plugins, max_nodes=max_nodes)
    return new_job(compilation, spec, str(run / run_files.RECIPE), changes)


def same_network(job: TrainingJob, compilation: Compilation, name: str, run: Path) -> None:
    """Raise SpecError (E631) if the spec passed with a run to resume is not the run's network."""
    if network_of(compilation, name).state != job.graph.state:
        raise SpecError.of("E631", f"the run in {run} trains a different network than {name}")
