"""The metrics and results of a run, as plain values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from cnngraph.frozen import frozen


class SplitMetrics(NamedTuple):
    """The mean loss and the accuracy over the images of a split."""

    loss: float
    accuracy: float

    @property
    def finite(self) -> bool:
        """Whether the loss is finite."""
        return math.isfinite(self.loss)


@frozen
class InitialMetrics:
    """The metrics of initial weights before the first step, on the split that is evaluated after every epoch."""

    split: str
    metrics: SplitMetrics

    def plain(self) -> dict[str, Any]:
        """The metrics as plain values, as in metrics.json and a run's state file."""
        return {"split": self.split, **self.metrics._asdict()}

    @classmethod
    def of(cls, plain: dict[str, Any] | None) -> InitialMetrics | None:
        """The metrics whose values `plain` returned; None for None."""
        return cls(plain["split"], SplitMetrics(plain["loss"], plain["accuracy"])) if plain else None


@frozen
class Epoch:
    """The metrics of one epoch: `train` during training, `evaluation` afterwards, in eval mode, on `evaluation_split`.

    That split is `validation`, or `test` if the recipe has no validation split. `rate` is training images per second,
    `seconds` the duration of the epoch with its evaluation.
    """

    number: int
    learning_rate: float
    train: SplitMetrics
    evaluation: SplitMetrics
    evaluation_split: str
    seconds: float
    rate: float

    def row(self) -> dict[str, float]:
        """The metrics by their names in metrics.csv and metrics.json."""
        return {
            "epoch": self.number,
            "learning_rate": self.learning_rate,
            "train_loss": self.train.loss,
            "train_accuracy": self.train.accuracy,
            f"{self.evaluation_split}_loss": self.evaluation.loss,
            f"{self.evaluation_split}_accuracy": self.evaluation.accuracy,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.rate, 1),
        }

    def metrics(self) -> dict[str, float]:
        """The metrics of the row, without its number."""
        return {name: value for name, value in self.row().items() if name != "epoch"}

    def plain(self) -> dict[str, Any]:
        """The epoch as plain values, with the keys of a run's state file."""
        return {
            "number": self.number,
            "learning_rate": self.learning_rate,
            "train": list(self.train),
            "held": list(self.evaluation),
            "held_part": self.evaluation_split,
            "seconds": self.seconds,
            "rate": self.rate,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Epoch:
        """The epoch whose values `plain` returned."""
        return cls(
            number=plain["number"],
            learning_rate=plain["learning_rate"],
            train=SplitMetrics(*plain["train"]),
            evaluation=SplitMetrics(*plain["held"]),
            evaluation_split=plain["held_part"],
            seconds=plain["seconds"],
            rate=plain["rate"],
        )


def best_of(epochs: tuple[Epoch, ...]) -> Epoch | None:
    """The epoch with the highest validation accuracy, then the lowest validation loss; None without validation."""
    validated = [epoch for epoch in epochs if epoch.evaluation_split == "validation"]
    return max(validated, key=lambda epoch: (epoch.evaluation.accuracy, -epoch.evaluation.loss), default=None)


def stopped_early(epochs: tuple[Epoch, ...], patience: int | None) -> bool:
    """Whether `patience` epochs have passed since the best one, so that training stops early."""
    best = best_of(epochs)
    return bool(patience and best) and epochs[-1].number - best.number >= patience  # type: ignore[union-attr,operator]


@frozen
class Result:
    """The result of a run.

    `best` is the epoch whose weights were kept, or None if the last weights are. `test` has the metrics of these
    weights on the test images, or None without test images or if the run was interrupted. `initial` are those of the
    initial weights; None for random ones.
    """

    folder: Path
    epochs: tuple[Epoch, ...]
    best: Epoch | None
    test: SplitMetrics | None
    interrupted: bool
    seconds: float
    initial: InitialMetrics | None = None

    @property
    def accuracy(self) -> float | None:
        """The accuracy on the test images or, without these, the best one on the validation images."""
        if self.test:
            return self.test.accuracy
        return self.best.evaluation.accuracy if self.best else None


@frozen
class RunSummary:
    """A run as reported before it starts. `splits` has the number of images of each split.

    `frozen` is the number of parameters that are frozen at this time.
    """

    network: str
    parameters: int
    data: str
    splits: dict[str, int]
    device: str
    epochs: int
    folder: Path
    resumed_at: int = 0
    frozen: int = 0


@frozen
class Progress:
    """The progress of an epoch: steps done, metrics so far, images per second and seconds left in the run."""

    epoch: int
    step: int
    steps: int
    train: SplitMetrics
    rate: float
    seconds_left: float
