"""Finds folders of an experiment that hold runs of other networks or recipes."""

from __future__ import annotations

from pathlib import Path

from cnngraph import run_files
from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.graph.graph import Graph
from cnngraph.initial_weights import is_published
from cnngraph.recipe import load_recipe, to_dict
from cnngraph.runs.overview import KEYS_WITHOUT_EFFECT
from cnngraph.train.record.run_folder import RunFolder

HELP = "remove the folder, or use another one with `--out`"


def mismatched_runs(plan: Plan, root: Path) -> list[Diagnostic]:
    """An error (E662) for each folder with a run of another network or recipe: the experiment was changed since."""
    found = []
    for trial in plan.trials:
        folder = root / trial.folder
        if (folder / run_files.SPEC).is_file() and not _is_run_of(folder, trial):
            message = f"the run in {folder} has a different network or recipe than the experiment"
            found.append(Diagnostic("E662", message, help=HELP))
        elif (folder / run_files.SPEC).is_file() and not _has_weights_of(folder, trial):
            message = f"the run in {folder} was started from other weights than those of the experiment"
            found.append(Diagnostic("E662", message, help=HELP))
    return found


def _has_weights_of(folder: Path, trial: Trial) -> bool:
    """Whether a run was started from the weights of the experiment, as far as it records that."""
    recorded = RunFolder(folder).weights
    expected = trial.weights.identity()
    if recorded is None:
        return expected["weights"] is None and not (trial.graph.weights and trial.weights.source is None)
    chosen = recorded.get("chosen")
    if not chosen:
        return True
    source = trial.weights.source
    if source is not None and expected["weights"] == source and not is_published(source):
        expected["weights"] = chosen.get("weights")  # the file is not there any more
    return all(chosen.get(key) == value for key, value in expected.items())


def _is_run_of(folder: Path, trial: Trial) -> bool:
    ignored = KEYS_WITHOUT_EFFECT | (
        {"normalize"} if trial.recipe.measures else set()
    )  # a run records the values it measured
    try:
        recipe = to_dict(load_recipe(str(folder / run_files.RECIPE)))
    except SpecError:
        return False
    expected = to_dict(trial.recipe)
    graph = compile_spec(str(folder / run_files.SPEC)).graph
    return (
        graph is not None
        and {key: value for key, value in recipe.items() if key not in ignored}
        == {key: value for key, value in expected.items() if key not in ignored}
        and _operations(graph) == _operations(trial.graph)
    )


def _operations(graph: Graph) -> list[object]:
    return [(node.path, node.operation, node.reads, node.parameters) for node in graph.nodes]
