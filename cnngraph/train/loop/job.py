"""What a run is given, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cnngraph.recipe import Recipe
from cnngraph.train.data.images import Splits
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.progress import Reporter, Silent
from cnngraph.train.record.records import Epoch
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.world import SINGLE_PROCESS, World


@dataclass(frozen=True, eq=False)
class Job:
    """A model, the recipe and the images that it is trained by, and the folder that metrics and checkpoints go to.

    The model returns logits, or a tuple whose first item they are and whose others are auxiliary logits. `network` is
    its name. `images` is a digest of the images, which the saved state keeps, and `documents` are those of the
    folder's files. `handlers` are attached to the engine: see `cnngraph.train.loop.handlers`.
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


@dataclass
class Position:
    """How far a run has come: so many steps are `done`, of which each epoch has `steps`.

    Counters and clock are those of the epoch at work; `epochs` are the finished ones, which took so many `seconds`.
    """

    steps: int
    counters: Counters
    clock: Clock = field(default_factory=Clock)
    done: int = 0
    epochs: tuple[Epoch, ...] = ()
    seconds: float = 0.0

    @property
    def step(self) -> int:
        """The number of steps done in the epoch at work; 0 where none is at work."""
        return self.done % self.steps

    def add(self, epoch: Epoch) -> None:
        """An epoch is finished."""
        self.epochs += (epoch,)
        self.seconds += epoch.seconds
