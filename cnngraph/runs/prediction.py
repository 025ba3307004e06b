"""What a trained network takes images for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from cnngraph.runs.classifier import Classifier
from cnngraph.runs.image_files import Picture, read_pictures
from cnngraph.train.loop.objective import logits_of

BATCH = 32  # images that go through the network at once


class Guess(NamedTuple):
    """A class, and how likely the network holds it to be."""

    name: str
    probability: float


class Prediction(NamedTuple):
    """The likeliest classes of an image, the first one first; or what is wrong with it. `file` is None in memory."""

    file: Path | None
    guesses: tuple[Guess, ...]
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything by its name, for JSON."""
        if self.problem:
            return {"image": str(self.file), "error": self.problem}
        guesses = [{"class": each.name, "probability": round(each.probability, 6)} for each in self.guesses]
        return {"image": str(self.file), "predictions": guesses}


def predict(classifier: Classifier, files: Iterable[Path | Image.Image], top: int) -> Iterator[Prediction]:
    """The `top` likeliest classes of each file, in the order of the files."""
    waiting = read_pictures(files, classifier.reader)
    while batch := list(islice(waiting, BATCH)):
        guesses = iter(_guesses(classifier, [each for each in batch if each.tensor is not None], top))
        for each in batch:
            file = each.file if isinstance(each.file, Path) else None
            yield Prediction(file, () if each.problem else next(guesses), each.problem)


def _guesses(classifier: Classifier, pictures: Sequence[Picture[Any]], top: int) -> list[tuple[Guess, ...]]:
    tensors = [each.tensor for each in pictures if each.tensor is not None]
    if not tensors:
        return []
    probabilities = torch.softmax(logits_of(classifier.run(classifier.model, tensors)).float(), 1)
    best = probabilities.topk(min(top, len(classifier.classes)), 1)
    return [
        tuple(Guess(classifier.classes[label], value) for value, label in zip(values, labels, strict=True))
        for values, labels in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
