"""What is counted while batches go by: loss, hits and seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnngraph.train.mixing import hard
from cnngraph.train.records import Figures


class Counters:
    """Loss and hits of the images seen. They are summed on the device and read only when asked for."""

    def __init__(self, device: torch.device, state: Mapping[str, Any] | None = None) -> None:
        sums = state["sums"] if state else torch.zeros(2, dtype=torch.float64)
        self.sums: Tensor = sums.to(device)
        self.images: int = state["images"] if state else 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch, by its mean loss."""
        hits = (logits.argmax(1) == hard(labels)).sum()
        self.sums += torch.stack([loss.double() * len(labels), hits])
        self.images += len(labels)

    def read(self) -> Figures:
        """The mean over the images counted."""
        loss, hits = self.sums.tolist()
        return Figures(loss / max(1, self.images), hits / max(1, self.images))

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {"sums": self.sums.cpu(), "images": self.images}


@dataclass
class Clock:
    """The seconds of an epoch, those before an interruption included."""

    before: float = 0.0
    began: float = 0.0
    last_shown: float = 0.0

    def start(self) -> None:
        """Run from now on."""
        self.began = self.last_shown = time.perf_counter()

    def seconds(self) -> float:
        """How long the epoch has taken so far."""
        return self.before + time.perf_counter() - self.began

    def since_shown(self) -> float:
        """How long nothing was shown."""
        return time.perf_counter() - self.last_shown

    def shown(self) -> None:
        """Something is shown now."""
        self.last_shown = time.perf_counter()
