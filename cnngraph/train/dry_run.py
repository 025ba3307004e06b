"""`dry_run`: everything that a run does before its first step, without writing anything."""

from __future__ import annotations

import torch

from cnngraph.backend import check_weights, lower, refuse_misfit
from cnngraph.diagnostics import warnings_of
from cnngraph.frozen import frozen
from cnngraph.lint.freezing import check_initial_weights, frozen_count
from cnngraph.lint.training import misfits
from cnngraph.train.data.data_reader import DataReader
from cnngraph.train.data.identity import named_splits
from cnngraph.train.data.load_splits import announce, facts_of
from cnngraph.train.data.normalization import with_normalization
from cnngraph.train.loop.device import check_device, choose_device, set_threads
from cnngraph.train.loop.handlers import check_handlers
from cnngraph.train.loop.loader import steps_per_epoch
from cnngraph.train.loop.loggers import check_loggers
from cnngraph.train.record.records import RunSummary
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import Request, data_title


@frozen
class DryRun:
    """The facts of a run, and its steps per epoch; None if the data must be downloaded first."""

    facts: RunSummary
    batch_size: int
    steps: int | None


def dry_run(request: Request, data: DataReader, folder: RunFolder) -> DryRun:
    """Do what a new run does before its first step: read the data, check the device, build the network.

    `folder` is the run's folder, from `RunFolder.planned`. A data set that is not there is not downloaded; the check
    then uses its known properties.
    Raises the same SpecError or PackageError as the run.
    """
    graph, recipe = request.graph, request.recipe
    check_handlers(request.handlers)
    check_loggers(request.log)
    device = choose_device(request.device or recipe.device)
    known = misfits(recipe, graph)
    for warning in warnings_of([*known, *check_device(recipe, device)]):
        data.note(str(warning))
    report = check_weights(request.weights, graph) if request.weights else None
    if report:
        refuse_misfit(report, graph.name)
    for warning in check_initial_weights(recipe, graph, report.loaded if report else ()):
        data.note(str(warning))
    splits = data.splits(recipe, next(iter(graph.inputs.values())))
    title = data_title(recipe)
    if splits:
        announce(splits, data.note)
        for warning in warnings_of(misfits(recipe, graph, images=facts_of(splits))):
            if warning not in known:
                data.note(str(warning))
        with_normalization(recipe, splits.train, data.note)
    else:
        data.note(f"{title} is not in {data.root}: the run will download it")
    lower(graph)
    threads = set_threads(request.cores, None)
    facts = RunSummary(
        network=graph.name,
        parameters=graph.num_params,
        data=title,
        splits={name: len(split) for name, split in named_splits(splits).items()} if splits else {},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else threads,
        epochs=recipe.epochs,
        folder=folder.path,
        frozen=frozen_count(recipe, graph),
    )
    return DryRun(facts, recipe.batch_size, steps_per_epoch(len(splits.train), recipe.batch_size) if splits else None)
