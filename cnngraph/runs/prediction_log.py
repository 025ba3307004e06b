"""Collects the predictions of an evaluation, to find the wrong ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import torch
from ignite.engine import Engine
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from cnngraph.runs.wrong_predictions import WrongPrediction
from cnngraph.train.data.images import OnDisk
from cnngraph.train.data.split import Split


class PredictionLog:
    """Collects what an evaluator predicts: `add` is a handler of ITERATION_COMPLETED."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []

    def add(self, engine: Engine) -> None:
        """Add the batch that was evaluated: the label, the prediction and their probabilities of each image."""
        logits, labels = engine.state.output  # type: ignore[misc]
        if len(labels):
            probabilities = logits.float().softmax(1)
            most, predicted = probabilities.max(1)
            of_label = probabilities.gather(1, labels[:, None])[:, 0]
            self._rows.append(torch.stack([labels, predicted, most, of_label], 1).double().cpu())

    def wrong(self, splits: Sequence[tuple[str, Split]], classes: Sequence[str], count: int) -> list[WrongPrediction]:
        """The `count` most confident wrong predictions; `splits` are those that were evaluated, in order."""
        rows = torch.cat(self._rows).tolist() if self._rows else []
        places = [(name, split, index) for name, split in splits for index in _evaluated(split)]
        wrong = [
            (place, row) for place, row in zip(places, rows, strict=True) if row[0] != row[1]
        ]  # sorting is stable: equal ones stay in the order of the images
        wrong.sort(key=lambda item: 1.0 if math.isnan(item[1][2]) else -item[1][2])
        found = []
        for (name, split, index), (label, predicted, most, of_label) in islice(wrong, count):
            file = split.images.names[index] if split.images.names else None
            true, guess = classes[int(label)], classes[int(predicted)]
            image = _image(split, index)
            found.append(WrongPrediction(name, index, file, true, guess, most, of_label, image))
        return found


def _evaluated(split: Split) -> list[int]:
    """The indices of the images that were evaluated: files that cannot be read are left out of their batch."""
    images, indices = split.images, split.indices.tolist()
    if isinstance(images, OnDisk) and images.broken:
        broken = set(images.broken)
        return [index for index in indices if images.files[index] not in broken]
    return indices


def _image(split: Split, index: int) -> Image:
    ((pixels, _),) = split.images.batches([(torch.tensor([index]), None)], torch.device("cpu"))
    image: Image = to_pil_image(pixels[0].permute(2, 0, 1))
    return image
