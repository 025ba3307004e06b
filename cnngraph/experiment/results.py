"""What came out of an experiment: one row for each variant, over its seeds. Read from the runs' folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.runs.overview import RunRow, read_run


@dataclass(frozen=True)
class Variant:
    """What is compared: its finished runs, in the order of their seeds, of all that there should be."""

    name: str
    runs: tuple[RunRow, ...]
    planned: int
    parameters: int
    macs: int

    @property
    def accuracies(self) -> list[float]:
        """The accuracy that each run reports."""
        return [each.accuracy for each in self.runs if each.accuracy is not None]

    @property
    def highest(self) -> list[float]:
        """The highest accuracy of any epoch, of each run."""
        return [max(each.curve("accuracy")) for each in self.runs if each.epochs]

    @property
    def seconds(self) -> float:
        """The mean time of a run."""
        return mean(each.seconds for each in self.runs) if self.runs else 0.0

    def curve(self, name: str) -> list[list[float]]:
        """For each epoch the figures (`accuracy` or `loss`) of all runs on the part that is held aside."""
        return [list(each) for each in zip(*(run.curve(name) for run in self.runs), strict=False)]


def results(plan: Plan, root: Path) -> list[Variant]:
    """A row for each variant that has a finished run, or will have one."""
    by_variant: dict[str, list[Trial]] = {}
    for each in plan.trials:
        by_variant.setdefault(each.variant, []).append(each)
    found = []
    for name, trials in by_variant.items():
        rows = [read_run(root / each.folder) for each in trials]
        graph = trials[0].graph
        runs = tuple(each for each in rows if each.finished)
        found.append(Variant(name, runs, len(trials), graph.num_params, graph.macs))
    return found


def spread(values: Sequence[float]) -> str:
    """`98.83 ± 0.07 %`, mean and deviation of parts of 1; of a single one no deviation."""
    if not values:
        return ""
    deviation = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.2f}{deviation} %"
