"""Running totals of an epoch: loss, correct images and time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnngraph.train.augment.mixing import hard_labels
from cnngraph.train.record.records import SplitMetrics
from cnngraph.train.world import SINGLE_PROCESS, World


class Counters:
    """Sums of loss and correct images over the images seen so far, in all processes.

    Each process sums its own images on the device. Reading reduces the sums over all processes, so all must read at
    the same time.
    """

    def __init__(
        self, device: torch.device, world: World = SINGLE_PROCESS, state: Mapping[str, Any] | None = None
    ) -> None:
        self.world = world
        known = state is not None and world.leads  # the saved sums cover all processes, so the others start at 0
        sums = state["sums"] if state and known else torch.zeros(2, dtype=torch.float64)
        self.loss: Tensor
        self.correct: Tensor
        self.loss, self.correct = sums.to(device, copy=True)
        self.images: int = state["images"] if state and known else 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch with its mean loss."""
        count = len(labels)
        self.loss.add_(loss, alpha=count)
        self.correct.add_((logits.argmax(1) == hard_labels(labels)).sum())
        self.images += count

    def read(self) -> Totals:
        """Mean loss and accuracy over the images counted so far, and their number."""
        loss, correct, images = self._totals().tolist()
        return Totals(SplitMetrics(loss / max(1, images), correct / max(1, images)), round(images))

    def state(self) -> dict[str, Any]:
        """The sums as plain values and tensors, for a checkpoint."""
        *_, images = totals = self._totals().cpu()
        return {"sums": totals[:2].clone(), "images": int(images)}

    def _totals(self) -> Tensor:
        """Loss, correct images and images, summed over all processes."""
        return self.world.sum(torch.stack([self.loss, self.correct, self.loss.new_tensor(self.images)]))


class Totals(NamedTuple):
    """Mean metrics over a number of images."""

    metrics: SplitMetrics
    images: int


@dataclass
class Clock:
    """The duration of an epoch in seconds, including the time before an interruption (`previous`)."""

    previous: float = 0.0
    started_at: float = 0.0

    def start(self) -> None:
        """Start the clock."""
        self.started_at = time.perf_counter()

    def seconds(self) -> float:
        """The seconds that the epoch has taken so far."""
        return self.previous + time.perf_counter() - self.started_at
