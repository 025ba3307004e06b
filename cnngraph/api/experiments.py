"""`experiment`: trains and compares several networks, recipes, seeds and settings."""

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

    The first argument is an experiment file by path, or a bundled experiment by name; or it is a sequence of specs, to
    train with each of `recipes` (by default their own) and `seeds` seeds each. Every run has a folder below `out`,
    by default runs/NAME. A second call resumes the runs that are not finished, for example after Ctrl-C. `data_dir`
    and `device` are as in `train`; `progress` is called with the events of all runs.

    Raises SpecError for all errors, before the first run if possible; TypeError if recipes are passed with an
    experiment file; PackageError, an ImportError, if a package is missing.
    """
    if is_launched():
        raise RuntimeError("torchrun can only run cnngraph.train, which trains one network in several processes")
    require_extra("train")  # all of it now, although the report needs some of it only at the end
    from cnngraph.api.experiment_reporting import ExperimentCallbackReporter
    from cnngraph.experiment.conducting import conduct
    from cnngraph.experiment_plan.plan import make_plan

    done = conduct(
        make_plan(_load_experiment(file_or_specs, recipes, seeds)),
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


def _load_experiment(
    file_or_specs: str | Path | Sequence[str | Path], recipes: Sequence[str | Path], seeds: int
) -> LoadedExperiment:
    from cnngraph.experiment_plan.reading import experiment_of_specs, load_experiment

    if not isinstance(file_or_specs, str | Path):
        return experiment_of_specs([str(spec) for spec in file_or_specs], [str(recipe) for recipe in recipes], seeds)
    if recipes:
        raise TypeError("an experiment file has its own recipes; pass `recipes` only with a sequence of specs")
    return load_experiment(str(file_or_specs))
