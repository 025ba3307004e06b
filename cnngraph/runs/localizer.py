"""Localisation of a class in images, without extra training (Zhou et al. 2016, Yu et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.runs.class_maps import choose_class_maps
from cnngraph.runs.classifier import Box, Classifier
from cnngraph.runs.image_files import read_images
from cnngraph.runs.localization import THRESHOLD, Localization, upsampled
from cnngraph.train.data.decoding import load_upright


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

    def localize(self, images: Iterable[Path | Image.Image]) -> Iterator[Localization]:
        """Find the class in each image."""
        for image in read_images(images, self.classifier.reader):
            if image.tensor is None:
                yield Localization(image.source, error=image.problem)
            else:
                yield self.localize_prepared(image.source, image.tensor)

    def localize_prepared(self, source: Path | Image.Image, tensor: Tensor) -> Localization:
        """Find the class in one image; `tensor` is the network's input for it."""
        logits, label, scores = self.maps.compute(tensor, self.label)
        size = load_upright(source, "RGB").size
        visible = self.classifier.reader.visible_box(*size)
        return Localization(
            source,
            self.classifier.classes[label],
            score=float(logits[label]),
            probability=float(logits.softmax(0)[label]),
            map=scores,
            method=self.maps.method,
            layer=self.maps.layer,
            threshold=self.threshold,
            visible=visible,
            box=bounding_box(scores, self.threshold, visible),
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


def _label(classes: tuple[str, ...], name: str | None) -> int | None:
    """The label of a class. Raises SpecError (E651)."""
    if name is None:
        return None
    if name not in classes:
        first = ", ".join(classes[:12]) + (" …" if len(classes) > 12 else "")
        help = did_you_mean(name, classes) or f"its classes are {first}"
        raise SpecError.of("E651", f"there is no class `{name}`", help=help)
    return classes.index(name)
