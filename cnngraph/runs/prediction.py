"""Classifying images with a trained network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from cnngraph.runs.classifier import Classifier
from cnngraph.runs.image_files import PreparedImage, read_images
from cnngraph.train.loop.objective import logits_of

BATCH_SIZE = 32


class Guess(NamedTuple):
    """A class and its predicted probability."""

    name: str
    probability: float


class Prediction(NamedTuple):
    """The most probable classes of an image, in descending order, or the `problem` if it cannot be read.

    `file` is None for an image in memory.
    """

    file: Path | None
    guesses: tuple[Guess, ...]
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain values, for JSON."""
        if self.problem:
            return {"image": str(self.file), "error": self.problem}
        guesses = [{"class": guess.name, "probability": round(guess.probability, 6)} for guess in self.guesses]
        return {"image": str(self.file), "predictions": guesses}


def predict(classifier: Classifier, images: Iterable[Path | Image.Image], top: int) -> Iterator[Prediction]:
    """The `top` most probable classes of each image, in the order of the images."""
    prepared = read_images(images, classifier.reader)
    while batch := list(islice(prepared, BATCH_SIZE)):
        guesses = iter(_guesses(classifier, [image for image in batch if image.tensor is not None], top))
        for image in batch:
            file = image.source if isinstance(image.source, Path) else None
            yield Prediction(file, () if image.problem else next(guesses), image.problem)


def _guesses(classifier: Classifier, images: Sequence[PreparedImage[Any]], top: int) -> list[tuple[Guess, ...]]:
    tensors = [image.tensor for image in images if image.tensor is not None]
    if not tensors:
        return []
    probabilities = torch.softmax(logits_of(classifier.run(classifier.model, tensors)).float(), 1)
    best = probabilities.topk(min(top, len(classifier.classes)), 1)
    return [
        tuple(Guess(classifier.classes[label], value) for value, label in zip(values, labels, strict=True))
        for values, labels in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
