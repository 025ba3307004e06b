"""The inputs of a run (`Job`), and how far it has got (`Position`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cnngraph.frozen import frozen
from cnngraph.recipe import Recipe
from cnngraph.train.data.split import Splits
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.progress import Reporter, Silent
from cnngraph.train.record.records import Epoch, InitialMetrics
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.world import SINGLE_PROCESS, World


@frozen(slots=False, eq=False)
class Job:
    """A model, the recipe and images to train it with, and the folder for metrics and checkpoints.

    The model returns logits (N×classes), or a tuple of logits and auxiliary logits. `network` is its name. `images` is
    a digest of the images, and `documents` are digests of the folder's files; both are saved with the state. `handlers`
    are attached to the engine: see `cnngraph.train.loop.handlers`. A model `has_weights` if it is not random: it is
    evaluated before the first step.
    """

    model: nn.Module
    recipe: Recipe
    splits: Splits
    folder: RunFolder
    network: str
    device: torch.device
    reporter: Reporter = field(default_factory=Silent)
    world: World = SINGLE_PROCESS
    images: str | None = None
    documents: Mapping[str, str] = field(default_factory=dict)
    handlers: tuple[Any, ...] = ()
    has_weights: bool = False


@dataclass
class Position:
    """How far a run has got: the finished `epochs`, which took `seconds`, and the steps done since its start.

    `counters` and `clock` belong to the current epoch. `initial` are the metrics before the first step, if measured.
    """

    steps_per_epoch: int
    counters: Counters
    clock: Clock = field(default_factory=Clock)
    steps_done: int = 0
    epochs: tuple[Epoch, ...] = ()
    seconds: float = 0.0
    initial: InitialMetrics | None = None

    @property
    def step(self) -> int:
        """The number of steps done in the current epoch; 0 between two epochs."""
        return self.steps_done % self.steps_per_epoch

    def add(self, epoch: Epoch) -> None:
        """Add a finished epoch."""
        self.epochs += (epoch,)
        self.seconds += epoch.seconds
