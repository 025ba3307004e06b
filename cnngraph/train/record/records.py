"""What a run measures, as plain values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple


class Figures(NamedTuple):
    """The mean loss of some images, and the part of them that was classified rightly."""

    loss: float
    accuracy: float

    @property
    def finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.loss)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch. `train` was counted while the network learned, `held` afterwards, in eval mode, on other images.

    `held_part` says which images those were: validation, or test where nothing is chosen. `rate` is training images
    a second, `seconds` the whole epoch with its evaluation.
    """

    number: int
    learning_rate: float
    train: Figures
    held: Figures
    held_part: str
    seconds: float
    rate: float

    def row(self) -> dict[str, float]:
        """The figures by the names they have in metrics.csv and metrics.json."""
        return {
            "epoch": self.number,
            "learning_rate": self.learning_rate,
            "train_loss": self.train.loss,
            "train_accuracy": self.train.accuracy,
            f"{self.held_part}_loss": self.held.loss,
            f"{self.held_part}_accuracy": self.held.accuracy,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.rate, 1),
        }

    def metrics(self) -> dict[str, float]:
        """The metrics of the row, without its number."""
        return {name: value for name, value in self.row().items() if name != "epoch"}

    def plain(self) -> dict[str, Any]:
        """The epoch as plain values, for the state of a run."""
        return asdict(self) | {"train": list(self.train), "held": list(self.held)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Epoch:
        """The epoch that `plain` wrote."""
        return cls(**plain | {"train": Figures(*plain["train"]), "held": Figures(*plain["held"])})


def best_of(epochs: tuple[Epoch, ...]) -> Epoch | None:
    """The epoch of the highest validation accuracy, among equals the lowest loss; None where nothing may be chosen."""
    judged = [each for each in epochs if each.held_part == "validation"]
    return max(judged, key=lambda each: (each.held.accuracy, -each.held.loss), default=None)


def settled(epochs: tuple[Epoch, ...], patience: int | None) -> bool:
    """Whether so many epochs have passed since the best one that no other is waited for."""
    best = best_of(epochs)
    return bool(patience and best) and epochs[-1].number - best.number >= patience  # type: ignore[union-attr,operator]


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of a run.

    `best` is the epoch whose weights were kept, None where the last ones are. `test` are the figures of the kept
    weights on the test images; None for a set without test images, and for a run that was interrupted.
    """

    folder: Path
    epochs: tuple[Epoch, ...]
    best: Epoch | None
    test: Figures | None
    interrupted: bool
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """The accuracy to report: on the test images, or where there are none the best one on validation images."""
        if self.test:
            return self.test.accuracy
        return self.best.held.accuracy if self.best else None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run is about, told before it begins. `parts` are the numbers of images by part."""

    network: str
    parameters: int
    data: str
    parts: dict[str, int]
    device: str
    epochs: int
    folder: Path
    resumed_at: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an epoch is: steps done of all, what was counted so far, images a second and seconds left in the run."""

    epoch: int
    step: int
    steps: int
    train: Figures
    rate: float
    seconds_left: float
