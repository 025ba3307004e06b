"""`conduct`: run an experiment's plan and write the report. Importing this loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnngraph.diagnostics import Diagnostic
from cnngraph.experiment.images import different_images
from cnngraph.experiment.report import write_report
from cnngraph.experiment.results import Variant, read_results
from cnngraph.experiment.running import ExperimentOutcome, ExperimentReporter, run_experiment
from cnngraph.experiment_plan.plan import Plan
from cnngraph.frozen import frozen
from cnngraph.launch import Cores

RUNS = Path("runs")


@frozen(slots=False)
class ConductedExperiment:
    """The outcome of an experiment. `page` is its report, None without a finished run.

    `image_warnings` report runs that were trained on other images than the first.
    """

    plan: Plan
    root: Path
    outcome: ExperimentOutcome
    variants: list[Variant]
    page: Path | None
    image_warnings: list[Diagnostic]


def conduct(
    plan: Plan,
    root: Path | None = None,
    *,
    data_dir: Path | None = None,
    device: str | None = None,
    reporter: ExperimentReporter | None = None,
    cores: Callable[[], Cores | None] | None = None,
) -> ConductedExperiment:
    """Train all runs that are not finished, in folders below `root` (by default runs/NAME), and write the report.

    See `run_experiment` for the other arguments and the errors.
    """
    root = root or RUNS / plan.name
    outcome = run_experiment(plan, root, data_dir=data_dir, device=device, reporter=reporter, cores=cores)
    variants = read_results(plan, root)
    page = write_report(plan, variants, root) if any(variant.runs for variant in variants) else None
    return ConductedExperiment(plan, root, outcome, variants, page, different_images(plan, root))
