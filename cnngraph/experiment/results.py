"""The results of an experiment by variant, read from the folders of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.frozen import frozen
from cnngraph.runs.overview import RunRow, read_run


@frozen(slots=False)
class Variant:
    """One network, recipe and setting: its finished `runs` in order of their seeds, out of `planned` ones."""

    name: str
    runs: tuple[RunRow, ...]
    planned: int
    parameters: int
    macs: int

    @property
    def accuracies(self) -> list[float]:
        """The accuracy that each run reports."""
        return [run.accuracy for run in self.runs if run.accuracy is not None]

    @property
    def by_seed(self) -> dict[int, float]:
        """The accuracy that each run reports, by its seed."""
        return {run.recipe["seed"]: run.accuracy for run in self.runs if run.accuracy is not None}

    @property
    def highest(self) -> list[float]:
        """The highest accuracy over all epochs of each run."""
        return [max(run.curve("accuracy")) for run in self.runs if run.epochs]

    @property
    def seconds(self) -> float:
        """The mean time of a run."""
        return mean(run.seconds for run in self.runs) if self.runs else 0.0

    def curve(self, name: str) -> list[list[float]]:
        """By epoch, the `accuracy` or `loss` of all runs on the validation images (else the test images)."""
        return [list(values) for values in zip(*(run.curve(name) for run in self.runs), strict=False)]


def read_results(plan: Plan, root: Path) -> list[Variant]:
    """The results of each variant, finished or not."""
    by_variant: dict[str, list[Trial]] = {}
    for trial in plan.trials:
        by_variant.setdefault(trial.variant, []).append(trial)
    variants = []
    for name, trials in by_variant.items():
        rows = [read_run(root / trial.folder) for trial in trials]
        graph = trials[0].graph
        runs = tuple(row for row in rows if row.finished)
        variants.append(Variant(name, runs, len(trials), graph.num_params, graph.macs))
    return variants


def mean_and_std(values: Sequence[float]) -> str:
    """Mean and sample standard deviation of fractions, as `98.83 ± 0.07 %`; of a single one, only its value."""
    if not values:
        return ""
    deviation = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.2f}{deviation} %"
