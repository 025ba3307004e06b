"""Opens the initial weights of an experiment's runs, and checks all of them before the first run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnngraph.backend import WeightsFile, check_initial, initial_weights
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.graph.graph import Graph
from cnngraph.train.record.run_folder import RunFolder


def weights_of(trial: Trial) -> WeightsFile | None:
    """The initial weights of a run, None for random ones. Raises SpecError (E704 to E707)."""
    return initial_weights(trial.weights, trial.graph, _old(trial))


def unusable_weights(plan: Plan, root: Path) -> list[Diagnostic]:
    """The errors of weights that runs which are not started yet would start from, with the names of the variants."""
    found: dict[Diagnostic, list[str]] = {}
    checked: set[str] = set()
    for trial in plan.trials:
        if trial.variant in checked or RunFolder(root / trial.folder).started:
            continue
        checked.add(trial.variant)
        try:
            check_initial(trial.weights, trial.graph, _old(trial))
        except SpecError as error:
            for diagnostic in error.diagnostics:
                found.setdefault(diagnostic, []).append(trial.variant)
    return [
        replace(diagnostic, notes=(*diagnostic.notes, f"the initial weights of {', '.join(variants)}"))
        for diagnostic, variants in found.items()
    ]


def _old(trial: Trial) -> Graph | None:
    return trial.weights.old if isinstance(trial.weights.old, Graph) else None
