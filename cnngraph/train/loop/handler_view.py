"""The view of a run that handlers get: its engines, model, optimizer and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import torch
from ignite.engine import Engine
from torch import nn

from cnngraph.frozen import frozen
from cnngraph.recipe import Recipe
from cnngraph.train.record.records import SplitMetrics

T = TypeVar("T")


@frozen(slots=False, eq=False)
class HandlerView:
    """A run as handlers see it before its first step.

    An iteration of the engine `trainer` is a step; its `state.output` has the step's `loss`, `logits` and `labels`, and
    its `state.metrics` the metrics of the latest epoch by their names in metrics.csv. `evaluators` are the engines that
    evaluate, by split (`validation`, `test`). Handlers are attached in every process; one of the processes `leads`.
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
    evaluate: Callable[[str], SplitMetrics]  # evaluates the network as it is now on a split
    opened: ExitStack

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context that is exited when the run ends, even by an exception; ignite's loggers are contexts."""
        return self.opened.enter_context(manager)
