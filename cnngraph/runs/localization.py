"""Localisation by class activation maps, without extra training (Zhou et al. 2016, Yu et al. 2017).

If all layers after the global average pooling are linear, they can be applied to each position of the last feature map
instead: the score of a class is the mean of the resulting map of scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.analysis.head import Head, find_head
from cnngraph.backend import lower
from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.passes.tap import tapped
from cnngraph.runs.classifier import Box, Classifier
from cnngraph.runs.image_files import read_images
from cnngraph.train.data.decoding import load_upright

THRESHOLD = 0.2  # fraction of the maximum score, as in Zhou et al.
EMPTY_BOX = Box(0, 0, 0, 0)


@frozen(slots=False, eq=False)
class Localization:
    """Where a class appears in an image file, or the `problem` if the file cannot be read.

    `scores` is the H×W map of class scores, whose mean is `score`; it covers `visible_box` of the image. `box` is the
    bounding box of the class, or None if no score is above 0; `size` is the image's width and height.
    """

    file: Path
    name: str = ""
    score: float = 0.0
    probability: float = 0.0
    scores: Tensor | None = None
    visible_box: Box = EMPTY_BOX
    box: Box | None = None
    size: tuple[int, int] = (0, 0)
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The localisation as plain values, for JSON; the box is in pixels of the image."""
        if self.problem or self.scores is None:
            return {"image": str(self.file), "error": self.problem}
        return {
            "image": str(self.file),
            "width": self.size[0],
            "height": self.size[1],
            "class": self.name,
            "score": self.score,
            "probability": self.probability,
            "box": self.box and [round(side) for side in self.box],
            "map": [[round(score, 4) for score in row] for row in self.scores.tolist()],
        }


class Localizer:
    """Finds a class in images: the class called `name`, or the most probable class of each image.

    Raises SpecError: E654 for a network without global average pooling and linear layers, E651 for an unknown class.
    """

    def __init__(self, classifier: Classifier, name: str | None = None, threshold: float = THRESHOLD) -> None:
        self.classifier, self.threshold = classifier, threshold
        self.label = _label(classifier.classes, name)
        self.head = find_head(classifier.graph)
        inner = lower(tapped(classifier.graph, {"map": self.head.map, "scores": self.head.scores}))
        inner.load_state_dict(classifier.model.state_dict())
        self.model = inner.to(classifier.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def localize(self, files: Iterable[Path]) -> Iterator[Localization]:
        """Find the class in each file."""
        for image in read_images(files, self.classifier.reader):
            if image.tensor is None:
                yield Localization(image.source, problem=image.problem)
            else:
                yield self.localize_prepared(image.source, image.tensor)

    @torch.inference_mode()
    def localize_prepared(self, file: Path, tensor: Tensor) -> Localization:
        """Find the class in one image; `tensor` is the network's input for the file."""
        features, logits = self.classifier.run(self.model, [tensor])
        logits = logits.flatten().float()
        label = int(logits.argmax()) if self.label is None else self.label
        scores = class_score_maps(self.head, self.model, features.float())[0, label].cpu()
        size = load_upright(file, "RGB").size
        visible_box = self.classifier.reader.visible_box(*size)
        return Localization(
            file=file,
            name=self.classifier.classes[label],
            score=float(logits[label]),
            probability=float(logits.softmax(0)[label]),
            scores=scores,
            visible_box=visible_box,
            box=bounding_box(scores, self.threshold, visible_box),
            size=size,
        )


def class_score_maps(head: Head, model: nn.Module, features: Tensor) -> Tensor:
    """The class scores at each position of a feature map, N×classes×H×W: linear layers act as 1×1 convolutions."""
    for path in head.layers:
        layer = model.get_submodule(path)
        if isinstance(layer, nn.Linear):
            features = F.conv2d(features, layer.weight[:, :, None, None], layer.bias)
        else:
            features = layer(features)
    return features


def bounding_box(scores: Tensor, threshold: float, visible: Box) -> Box | None:
    """The bounding box of all pixels that score at least `threshold` times the maximum; None if no score is above 0.

    `scores` (H×W) is interpolated to the size of `visible`, the rectangle of the image that the map covers.
    """
    if float(scores.max()) <= 0:
        return None
    width, height = max(1, round(visible.right - visible.left)), max(1, round(visible.bottom - visible.top))
    rows, columns = torch.nonzero(upsampled(scores, height, width) >= threshold * float(scores.max()), as_tuple=True)
    if not len(rows):
        return None
    return Box(
        visible.left + int(columns.min()),
        visible.top + int(rows.min()),
        visible.left + int(columns.max()) + 1,
        visible.top + int(rows.max()) + 1,
    )


def upsampled(scores: Tensor, height: int, width: int) -> Tensor:
    """An H×W map resized by bilinear interpolation."""
    return F.interpolate(scores[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]


def _label(classes: tuple[str, ...], name: str | None) -> int | None:
    """The label of a class. Raises SpecError (E651)."""
    if name is None:
        return None
    if name not in classes:
        first = ", ".join(classes[:12]) + (" …" if len(classes) > 12 else "")
        help = did_you_mean(name, classes) or f"its classes are {first}"
        raise SpecError.of("E651", f"there is no class `{name}`", help=help)
    return classes.index(name)
