"""Which class images were taken for, counted class by class."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnngraph.train.world import World

MANY = 5  # as in top-5


class Scores:
    """Counts images by their class and the one they were taken for. The counts stay on the device until asked for."""

    def __init__(self, classes: tuple[str, ...], device: torch.device) -> None:
        self.classes = classes
        self.confusion = torch.zeros(len(classes) ** 2, dtype=torch.int64, device=device)
        self.near = torch.zeros((), dtype=torch.int64, device=device)
        self.loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch, by its mean loss."""
        count = len(self.classes)
        self.confusion += torch.bincount(labels * count + logits.argmax(1), minlength=count**2)
        near = logits.topk(min(MANY, count), 1).indices == labels[:, None]
        self.near += near.sum()
        self.loss += loss.double() * len(labels)

    def join(self, world: World) -> None:
        """Let the counts be those of all processes."""
        self.confusion, self.near, self.loss = map(world.sum, (self.confusion, self.near, self.loss))

    def read(self) -> Report:
        """What was counted, as plain values."""
        count = len(self.classes)
        rows = self.confusion.reshape(count, count).tolist()
        images = max(1, sum(map(sum, rows)))
        top5 = int(self.near) / images if count > MANY else None
        return Report(self.classes, tuple(map(tuple, rows)), float(self.loss) / images, top5)


class ClassScore(NamedTuple):
    """How one class fares. A part that there is nothing to measure on is None."""

    name: str
    images: int
    right: int
    taken: int  # images of any class that were taken for this one

    @property
    def recall(self) -> float | None:
        """The part of the class's images that was found."""
        return self.right / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """The part of those taken for the class that is of it."""
        return self.right / self.taken if self.taken else None

    def row(self) -> dict[str, Any]:
        """The figures by their names in tables and JSON."""
        return {"class": self.name, "images": self.images, "precision": self.precision, "recall": self.recall}


@dataclass(frozen=True, slots=True)
class Report:
    """Figures over all images, and `confusion`: a row for each class, a column for each class that was answered.

    `top5` is the part of the images whose class is among the five likeliest; None where there are no more classes.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    loss: float
    top5: float | None

    @property
    def images(self) -> int:
        """How many there were."""
        return sum(map(sum, self.confusion))

    @property
    def accuracy(self) -> float:
        """The part of them that was classified rightly."""
        return sum(each.right for each in self.by_class()) / max(1, self.images)

    def by_class(self) -> list[ClassScore]:
        """How each class fares, in the order of the labels."""
        taken = [sum(column) for column in zip(*self.confusion, strict=True)]
        return [
            ClassScore(name, sum(row), row[label], taken[label])
            for label, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
        ]


def class_table(report: Report) -> str:
    """A line for each class as CSV."""
    rows = [score.row() for score in report.by_class()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
