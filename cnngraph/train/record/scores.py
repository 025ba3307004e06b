"""The confusion matrix of an evaluation, and the scores of each class."""

from __future__ import annotations

import csv
import io
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnngraph.frozen import frozen
from cnngraph.train.world import World

TOP_K = 5


class Scores:
    """Counts images by true and predicted class. The counts stay on the device until they are read."""

    def __init__(self, classes: tuple[str, ...], device: torch.device) -> None:
        self.classes = classes
        self.confusion = torch.zeros(len(classes) ** 2, dtype=torch.int64, device=device)
        self.top5_hits = torch.zeros((), dtype=torch.int64, device=device)
        self.loss = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch with its mean loss."""
        count = len(self.classes)
        self.confusion += torch.bincount(labels * count + logits.argmax(1), minlength=count**2)
        self.top5_hits += (logits.topk(min(TOP_K, count), 1).indices == labels[:, None]).sum()
        self.loss += loss.double() * len(labels)

    def reduce(self, world: World) -> None:
        """Sum the counts over all processes."""
        self.confusion, self.top5_hits, self.loss = map(world.sum, (self.confusion, self.top5_hits, self.loss))

    def read(self) -> Report:
        """The counts as plain values."""
        count = len(self.classes)
        rows = self.confusion.reshape(count, count).tolist()
        images = max(1, sum(map(sum, rows)))
        top5 = int(self.top5_hits) / images if count > TOP_K else None
        return Report(self.classes, tuple(map(tuple, rows)), float(self.loss) / images, top5)


class ClassScore(NamedTuple):
    """The scores of one class. Precision and recall are None if there are no images to compute them from."""

    name: str
    images: int
    correct: int
    predicted: int  # images of any class that were classified as this one

    @property
    def recall(self) -> float | None:
        """The fraction of the class's images that were classified correctly."""
        return self.correct / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """The fraction of the images classified as this class that belong to it."""
        return self.correct / self.predicted if self.predicted else None

    def row(self) -> dict[str, Any]:
        """The scores by their names in tables and JSON."""
        return {"class": self.name, "images": self.images, "precision": self.precision, "recall": self.recall}


@frozen
class Report:
    """Metrics over all images, and `confusion`: a row for each class, a column for each predicted class.

    `top5` is the fraction of images whose class is among the five likeliest; None for five classes or fewer.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    loss: float
    top5: float | None

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        """The number of images that were classified correctly."""
        return sum(row[label] for label, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        """The fraction of images that were classified correctly."""
        return self.correct / max(1, self.images)

    def by_class(self) -> list[ClassScore]:
        """The scores of each class, in the order of the labels."""
        predicted = [sum(column) for column in zip(*self.confusion, strict=True)]
        return [
            ClassScore(name, sum(row), row[label], predicted[label])
            for label, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
        ]


def class_table(report: Report) -> str:
    """The scores as CSV, one line per class."""
    rows = [score.row() for score in report.by_class()]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
