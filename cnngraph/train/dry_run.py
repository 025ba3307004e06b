"""What a run would be: everything but training is done, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnngraph.backend import WeightsFile, check_weights, lower, refuse_misfit
from cnngraph.diagnostics import warnings_of
from cnngraph.graph.graph import Graph
from cnngraph.launch import Cores
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe
from cnngraph.train.data.facts import DataReader
from cnngraph.train.data.identity import named
from cnngraph.train.data.normalization import with_figures
from cnngraph.train.data.open import announce, facts_of
from cnngraph.train.loop.loader import steps_of
from cnngraph.train.loop.machine import check_machine, choose_device, settle_threads
from cnngraph.train.record.records import Facts
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import title_of


@dataclass(frozen=True, slots=True)
class DryRun:
    """A run that was not made. `steps` are those of an epoch, None where the data must be downloaded first."""

    facts: Facts
    batch_size: int
    steps: int | None


def dry_run(
    graph: Graph,
    recipe: Recipe,
    data: DataReader,
    folder: RunFolder,
    *,
    device: str | None = None,
    weights: WeightsFile | None = None,
    cores: Cores | None = None,
) -> DryRun:
    """Do what a run does before its first step: read the data, and build the network.

    `folder` is where it would be: see `RunFolder.planned`. A data set that must be downloaded is not, and what is known
    of it is compared instead.
    Raises SpecError for all that would keep the run from starting.
    """
    chosen = choose_device(recipe.device if device is None else device)
    for warning in warnings_of([*misfits(recipe, graph), *check_machine(recipe, chosen)]):
        data.note(str(warning))
    if weights:
        refuse_misfit(check_weights(weights, graph), graph.name)
    parts = data.parts(recipe, next(iter(graph.inputs.values())))
    title = title_of(recipe)
    if parts:
        announce(parts, data.note)
        warnings_of(misfits(recipe, graph, images=facts_of(parts)))
        with_figures(recipe, parts.train, data.note)
    else:
        data.note(f"{title} is not in {data.root}: the run downloads it")
    lower(graph)
    threads = settle_threads(cores, None)
    facts = Facts(
        network=graph.name,
        parameters=graph.num_params,
        data=title,
        parts={name: len(part) for name, part in named(parts).items()} if parts else {},
        device=torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else threads,
        epochs=recipe.epochs,
        folder=folder.path,
    )
    return DryRun(facts, recipe.batch_size, steps_of(len(parts.train), recipe.batch_size) if parts else None)
