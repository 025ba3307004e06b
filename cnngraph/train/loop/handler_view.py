"""A run as its handlers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from ignite.engine import Engine
from torch import nn

from cnngraph.recipe import Recipe
from cnngraph.train.record.records import SplitMetrics

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Training:
    """A run that is about to begin, as handlers see it.

    `trainer` is its engine: an iteration is a step, `state.output` has `loss`, `logits` and `labels` of the step, and
    `state.metrics` those of the latest epoch by their names in metrics.csv. `evaluators` are the engines that
    evaluate, by split (`validation`, `test`). Of several processes one `leads`; handlers are attached in all of them.
    """

    trainer: Engine
    evaluators: Mapping[str, Engine]
    model: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: Recipe
    network: str
    folder: Path
    device: torch.device
    leads: bool
    evaluate: Callable[[str], SplitMetrics]  # runs the evaluator of a split, on the network as it is
    opened: ExitStack

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context that is left when the run ends, however it ends: ignite's loggers close themselves so."""
        return self.opened.enter_context(manager)
