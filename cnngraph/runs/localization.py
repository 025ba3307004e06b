"""Localisation of a class in images, without extra training (Zhou et al. 2016, Yu et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.runs.class_maps import choose_class_maps
from cnngraph.runs.classifier import Box, Classifier
from cnngraph.runs.image_files import read_images
from cnngraph.train.data.decoding import load_upright

THRESHOLD = 0.2  # fraction of the maximum score, as in Zhou et al.
EMPTY_BOX = Box(0, 0, 0, 0)


@frozen(slots=False, eq=False)
class Localization:
    """Where a class appears in an image file, or the `problem` if the file cannot be read.

    `scores` is an H×W map that covers `visible_box` of the image, computed by `method` (CAM or Grad-CAM) from the
    feature map at `layer`. With CAM, its mean is `score`, the score of the class. `box` is the bounding box of the
    positions that score at least `threshold` times the maximum, or None if no score is above 0; `size` is the image's
    width and height.
    """

    file: Path
    name: str = ""
    score: float = 0.0
    probability: float = 0.0
    scores: Tensor | None = None
    method: str = ""
    layer: str = ""
    threshold: float = THRESHOLD
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
            "method": self.method,
            "layer": self.layer,
            "box": self.box and [round(side) for side in self.box],
            "map": [[float(f"{score:.6g}") for score in row] for row in self.scores.tolist()],
        }


class Localizer:
    """Finds a class in images: the class called `name`, or the most probable class of each image.

    `layer` is the path of the feature map for Grad-CAM; by default it is chosen, and CAM is used where it applies.
    Raises SpecError: E654 for a network without feature maps, E652 for an unsuitable layer, E651 for an unknown class.
    """

    def __init__(
        self,
        classifier: Classifier,
        name: str | None = None,
        threshold: float = THRESHOLD,
        layer: str | None = None,
    ) -> None:
        self.classifier, self.threshold = classifier, threshold
        self.label = _label(classifier.classes, name)
        self.maps = choose_class_maps(classifier, layer)

    def localize(self, files: Iterable[Path]) -> Iterator[Localization]:
        """Find the class in each file."""
        for image in read_images(files, self.classifier.reader):
            if image.tensor is None:
                yield Localization(image.source, problem=image.problem)
            else:
                yield self.localize_prepared(image.source, image.tensor)

    def localize_prepared(self, file: Path, tensor: Tensor) -> Localization:
        """Find the class in one image; `tensor` is the network's input for the file."""
        logits, label, scores = self.maps.compute(tensor, self.label)
        size = load_upright(file, "RGB").size
        visible_box = self.classifier.reader.visible_box(*size)
        return Localization(
            file=file,
            name=self.classifier.classes[label],
            score=float(logits[label]),
            probability=float(logits.softmax(0)[label]),
            scores=scores,
            method=self.maps.method,
            layer=self.maps.layer,
            threshold=self.threshold,
            visible_box=visible_box,
            box=bounding_box(scores, self.threshold, visible_box),
            size=size,
        )


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
