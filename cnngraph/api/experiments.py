"""`experiment`: several networks, recipes, seeds and settings, trained and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.api.progress import ProgressCallback, ignore_progress
from cnngraph.api.results import ExperimentResult, VariantResult
from cnngraph.launch import is_launched
from cnngraph.packages import explained, require_extra

if TYPE_CHECKING:
    from cnngraph.experiment_plan.reading import LoadedExperiment


@explained()
def experiment(
    file_or_specs: str | Path | Sequence[str | Path],
    /,
    *,
    recipes: Sequence[str | Path] = (),
    seeds: int = 3,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ExperimentResult:
    """Train several networks, or one in several ways, and compare them.

    The first argument is an experiment, a file or one of the library by its name; or a sequence of specs, which are
    trained by each of `recipes` (by default their own) with so many `seeds`. Every run has a folder below `out`, by
    default runs/NAME. A second call resumes what is not finished, after Ctrl-C, too. `data_dir` and `device` are as in
    `train`; `progress` is called with the events of all runs.

    Raises SpecError for all that is wrong, before the first run where it can be known then; TypeError where recipes are
    given to an experiment, which names its own; PackageError, an ImportError, for a package that is missing.
    """
    if is_launched():
        raise RuntimeError("torchrun trains one network in several processes: call cnngraph.train in them")
    require_extra("train")  # some of it is needed at the end only
    from cnngraph.api.experiment_reporting import ExperimentCallbackReporter
    from cnngraph.experiment.conducting import conduct
    from cnngraph.experiment_plan.plan import make_plan

    done = conduct(
        make_plan(_described(file_or_specs, recipes, seeds)),
        None if out is None else Path(out),
        data_dir=None if data_dir is None else Path(data_dir),
        device=device,
        reporter=ExperimentCallbackReporter(progress),
    )
    variants = tuple(
        VariantResult(
            name=variant.name,
            accuracies=tuple(variant.accuracies),
            runs=tuple(row.path for row in variant.runs),
            planned=variant.planned,
            parameters=variant.parameters,
            macs=variant.macs,
            seconds=variant.seconds,
        )
        for variant in done.variants
    )
    return ExperimentResult(
        name=done.plan.name,
        folder=done.root,
        variants=variants,
        report=done.page,
        failed=done.outcome.failed,
        interrupted=done.outcome.interrupted,
        warnings=(*done.plan.warnings, *done.image_warnings),
    )


def _described(
    file_or_specs: str | Path | Sequence[str | Path], recipes: Sequence[str | Path], seeds: int
) -> LoadedExperiment:
    from cnngraph.experiment_plan.reading import experiment_of_specs, load_experiment

    if not isinstance(file_or_specs, str | Path):
        return experiment_of_specs([str(spec) for spec in file_or_specs], [str(recipe) for recipe in recipes], seeds)
    if recipes:
        raise TypeError("an experiment names its own recipes; give recipes with a sequence of specs")
    return load_experiment(str(file_or_specs))
