"""Folders of an experiment whose runs are not those that it asks for."""

from __future__ import annotations

from pathlib import Path

from cnngraph import run_files
from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.graph.graph import Graph
from cnngraph.recipe import load_recipe, to_dict
from cnngraph.runs.overview import KEYS_WITHOUT_EFFECT


def other_runs(plan: Plan, root: Path) -> list[Diagnostic]:
    """Folders of the experiment that hold runs of other networks or recipes: the file was changed in between."""
    found = []
    for trial in plan.trials:
        folder = root / trial.folder
        if (folder / run_files.SPEC).is_file() and not _is_run_of(folder, trial):
            help = "remove the folder, or begin elsewhere with --out"
            message = f"the run in {folder} is of another network or recipe than the experiment says"
            found.append(Diagnostic("E662", message, help=help))
    return found


def _is_run_of(folder: Path, trial: Trial) -> bool:
    measured = {"normalize"} if trial.recipe.measures else set()  # the recipe of a run contains the measured values
    free = KEYS_WITHOUT_EFFECT | measured
    try:
        recipe = to_dict(load_recipe(str(folder / run_files.RECIPE)))
    except SpecError:
        return False
    wanted = to_dict(trial.recipe)
    graph = compile_spec(str(folder / run_files.SPEC)).graph
    return (
        graph is not None
        and {key: each for key, each in recipe.items() if key not in free}
        == {key: each for key, each in wanted.items() if key not in free}
        and _operations(graph) == _operations(trial.graph)
    )


def _operations(graph: Graph) -> list[object]:
    return [(each.path, each.operation, each.reads, each.parameters) for each in graph.nodes]
