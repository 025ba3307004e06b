"""What a run would be: everything but training is done, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnngraph.backend import check_weights, lower, refuse_misfit
from cnngraph.diagnostics import warnings_of
from cnngraph.lint.training import misfits
from cnngraph.train.data.data_reader import DataReader
from cnngraph.train.data.identity import named_splits
from cnngraph.train.data.normalization import with_normalization
from cnngraph.train.data.splits import announce, facts_of
from cnngraph.train.loop.device import check_machine, choose_device, settle_threads
from cnngraph.train.loop.handlers import check_handlers
from cnngraph.train.loop.loader import steps_of
from cnngraph.train.loop.loggers import check_loggers
from cnngraph.train.record.records import RunSummary
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import Request, title_of


@dataclass(frozen=True, slots=True)
class DryRun:
    """A run that was not made. `steps` are those of an epoch, None where the data must be downloaded first."""

    facts: RunSummary
    batch_size: int
    steps: int | None


def dry_run(request: Request, data: DataReader, folder: RunFolder) -> DryRun:
    """Do what a new run does before its first step: read the data, look at the device, build the network.

    `folder` is where it would be: see `RunFolder.planned`. A data set that must be downloaded is not, and what is known
    of it is compared instead.
    Raises SpecError for all that would keep the run from starting, and PackageError as it does.
    """
    graph, recipe = request.graph, request.recipe
    check_handlers(request.handlers)
    check_loggers(request.log)
    device = choose_device(request.device or recipe.device)
    known = misfits(recipe, graph)
    for warning in warnings_of([*known, *check_machine(recipe, device)]):
        data.note(str(warning))
    if request.weights:
        refuse_misfit(check_weights(request.weights, graph), graph.name)
    splits = data.splits(recipe, next(iter(graph.inputs.values())))
    title = title_of(recipe)
    if splits:
        announce(splits, data.note)
        warnings = warnings_of(misfits(recipe, graph, images=facts_of(splits)))
        for warning in (warning for warning in warnings if warning not in known):
            data.note(str(warning))
        with_normalization(recipe, splits.train, data.note)
    else:
        data.note(f"{title} is not in {data.root}: the run downloads it")
    lower(graph)
    threads = settle_threads(request.cores, None)
    facts = RunSummary(
        network=graph.name,
        parameters=graph.num_params,
        data=title,
        splits={name: len(part) for name, part in named_splits(splits).items()} if splits else {},
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else threads,
        epochs=recipe.epochs,
        folder=folder.path,
    )
    return DryRun(facts, recipe.batch_size, steps_of(len(splits.train), recipe.batch_size) if splits else None)
