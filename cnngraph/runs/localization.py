"""Where in an image a network sees a class, without any training (Zhou et al. 2016, Yu et al. 2017).

The score of a class is the mean of a map of scores, if the layers behind the last pooling are linear: leave the
pooling out, and the map is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.analysis.head import Head, find_head
from cnngraph.backend import lower
from cnngraph.diagnostics import Diagnostic, SpecError, did_you_mean
from cnngraph.passes.tap import tapped
from cnngraph.runs.classifier import Box, Classifier
from cnngraph.runs.image_files import read_pictures
from cnngraph.train.data.decoding import load_upright

SHARE = 0.2  # of the largest score, by which Zhou et al. cut
NOWHERE = Box(0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a class is seen in a file, or what is wrong with the file.

    `scores` are by height and width of the network's last map, their mean is the class's `score`; `seen` is the part
    of the picture that the map lies over. `box` is None where no place speaks for the class.
    """

    file: Path
    name: str = ""
    score: float = 0.0
    probability: float = 0.0
    scores: Tensor | None = None
    seen: Box = NOWHERE
    box: Box | None = None
    size: tuple[int, int] = (0, 0)
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything by its name, for JSON; boxes in pixels of the picture."""
        if self.problem or self.scores is None:
            return {"image": str(self.file), "error": self.problem}
        return {
            "image": str(self.file),
            "width": self.size[0],
            "height": self.size[1],
            "class": self.name,
            "score": self.score,
            "probability": self.probability,
            "box": self.box and [round(each) for each in self.box],
            "map": [[round(each, 4) for each in row] for row in self.scores.tolist()],
        }


class Localizer:
    """A network that says where. Raises SpecError for one that cannot (E654), or has no class of that name (E651)."""

    def __init__(self, classifier: Classifier, name: str | None = None, share: float = SHARE) -> None:
        self.classifier, self.share = classifier, share
        self.label = _label(classifier.classes, name)
        self.head = find_head(classifier.graph)
        inner = lower(tapped(classifier.graph, {"map": self.head.map, "scores": self.head.scores}))
        inner.load_state_dict(classifier.model.state_dict())
        self.model = inner.to(classifier.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def places(self, files: Iterable[Path]) -> Iterator[Place]:
        """Where each file shows the class, by default the likeliest one."""
        for each in read_pictures(files, self.classifier.reader):
            if each.tensor is None:
                yield Place(each.file, problem=each.problem)
            else:
                yield self.place(each.file, each.tensor)

    @torch.inference_mode()
    def place(self, file: Path, tensor: Tensor) -> Place:
        """Where one prepared image shows it."""
        features, logits = self.classifier.run(self.model, [tensor])
        logits = logits.flatten().float()
        label = int(logits.argmax()) if self.label is None else self.label
        scores = scores_over_places(self.head, self.model, features.float())[0, label].cpu()
        size = load_upright(file, "RGB").size
        seen = self.classifier.reader.seen(*size)
        return Place(
            file=file,
            name=self.classifier.classes[label],
            score=float(logits[label]),
            probability=float(logits.softmax(0)[label]),
            scores=scores,
            seen=seen,
            box=smallest_box(scores, self.share, seen),
            size=size,
        )


def scores_over_places(head: Head, model: nn.Module, features: Tensor) -> Tensor:
    """The scores at every place of the map, N×classes×H×W: each layer of the head as a 1×1 convolution."""
    for path in head.layers:
        layer = model.get_submodule(path)
        if isinstance(layer, nn.Linear):
            features = F.conv2d(features, layer.weight[:, :, None, None], layer.bias)
        else:
            features = layer(features)
    return features


def smallest_box(scores: Tensor, share: float, seen: Box) -> Box | None:
    """The smallest box around all places whose score is at least a share of the largest; None where none is above 0.

    The map is laid over what the network saw and read between its places, as in the picture.
    """
    if float(scores.max()) <= 0:
        return None
    width, height = max(1, round(seen.right - seen.left)), max(1, round(seen.bottom - seen.top))
    rows, columns = torch.nonzero(enlarged(scores, height, width) >= share * float(scores.max()), as_tuple=True)
    if not len(rows):
        return None
    return Box(
        seen.left + int(columns.min()),
        seen.top + int(rows.min()),
        seen.left + int(columns.max()) + 1,
        seen.top + int(rows.max()) + 1,
    )


def enlarged(scores: Tensor, height: int, width: int) -> Tensor:
    """A map at another size, bilinear between the middles of its places."""
    return F.interpolate(scores[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]


def _label(classes: tuple[str, ...], name: str | None) -> int | None:
    if name is None:
        return None
    if name not in classes:
        some = ", ".join(classes[:12]) + (" …" if len(classes) > 12 else "")
        help = did_you_mean(name, classes) or f"its classes are {some}"
        raise SpecError([Diagnostic("E651", f"there is no class {name}", help=help)])
    return classes.index(name)
