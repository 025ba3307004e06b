"""An experiment from what it says to its report: planned, run, compared. Importing this loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnngraph.diagnostics import Diagnostic
from cnngraph.experiment.images import different_images
from cnngraph.experiment.report import write_report
from cnngraph.experiment.results import Variant, results
from cnngraph.experiment.running import Outcome, Shown, run_experiment
from cnngraph.experiment_plan.plan import Plan
from cnngraph.launch import Cores

RUNS = Path("runs")


@dataclass(frozen=True)
class Conducted:
    """An experiment that was run. `page` is its report, None where no run is finished.

    `different` are warnings about runs that were trained on other images than the first.
    """

    plan: Plan
    root: Path
    outcome: Outcome
    variants: list[Variant]
    page: Path | None
    different: list[Diagnostic]


def conduct(
    planned: Plan,
    root: Path | None = None,
    *,
    data_dir: Path | None = None,
    device: str | None = None,
    shown: Shown | None = None,
    cores: Callable[[], Cores | None] | None = None,
) -> Conducted:
    """Train what is not trained yet, in folders below `root` (by default runs/NAME), and write the report.

    Raises SpecError; see `run_experiment`.
    """
    root = root or RUNS / planned.name
    outcome = run_experiment(planned, root, data_dir=data_dir, device=device, shown=shown, cores=cores)
    variants = results(planned, root)
    page = write_report(planned, variants, root) if any(variant.runs for variant in variants) else None
    return Conducted(planned, root, outcome, variants, page, different_images(planned, root))
