"""What is counted while batches go by: loss, hits and seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnngraph.train.augment.mixing import hard
from cnngraph.train.record.records import Figures
from cnngraph.train.world import ALONE, World


class Counters:
    """Loss and hits of the images seen, in all processes.

    Each process sums its own on the device; the sums of all are read only when asked for, by all of them at once.
    """

    def __init__(self, device: torch.device, world: World = ALONE, state: Mapping[str, Any] | None = None) -> None:
        self.world = world
        known = state is not None and world.leads  # the others begin at 0: it is the sum that was saved
        sums = state["sums"] if state and known else torch.zeros(2, dtype=torch.float64)
        self.loss: Tensor
        self.hits: Tensor
        self.loss, self.hits = sums.to(device, copy=True)
        self.images: int = state["images"] if state and known else 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch, by its mean loss."""
        count = len(labels)
        self.loss.add_(loss, alpha=count)
        self.hits.add_((logits.argmax(1) == hard(labels)).sum())
        self.images += count

    def read(self) -> Counted:
        """The mean over the images counted, and how many they are."""
        loss, hits, images = self._totals().tolist()
        return Counted(Figures(loss / max(1, images), hits / max(1, images)), round(images))

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        *_, images = totals = self._totals().cpu()
        return {"sums": totals[:2].clone(), "images": int(images)}

    def _totals(self) -> Tensor:
        """Loss, hits and images of all processes."""
        return self.world.sum(torch.stack([self.loss, self.hits, self.loss.new_tensor(self.images)]))


class Counted(NamedTuple):
    """What was counted."""

    figures: Figures
    images: int


@dataclass
class Clock:
    """The seconds of an epoch, those before an interruption included."""

    before: float = 0.0
    began: float = 0.0

    def start(self) -> None:
        """Run from now on."""
        self.began = time.perf_counter()

    def seconds(self) -> float:
        """How long the epoch has taken so far."""
        return self.before + time.perf_counter() - self.began
