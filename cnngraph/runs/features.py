"""Feature maps: the output of a node for an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from cnngraph.backend import lower
from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.numbers import show_sizes
from cnngraph.passes.tap import tapped, tensor_at
from cnngraph.runs.classifier import Classifier
from cnngraph.train.data.decoding import ImageError, load_upright


@frozen(slots=False, eq=False)
class Features:
    """The output of a node for an image file: `maps` is C×H×W, or C×1×1 for a vector; `shape` is the node's shape.

    `seen` is what the network sees of the image: the image without what is cropped.
    """

    network: str
    node: str
    file: Path
    seen: Image.Image
    maps: Tensor
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The features as plain values, for JSON: statistics per channel instead of the maps."""
        rows = self.maps.flatten(1)
        statistics = zip(rows.amin(1).tolist(), rows.mean(1).tolist(), rows.amax(1).tolist(), strict=True)
        return {
            "network": self.network,
            "node": self.node,
            "image": str(self.file),
            "shape": self.shape,
            "channels": [{"min": low, "mean": mean, "max": high} for low, mean, high in statistics],
        }

    @property
    def zero_channels(self) -> int:
        """The number of channels that are 0 at every position."""
        return int((self.maps.flatten(1) == 0).all(1).sum())


def features(classifier: Classifier, path: str, file: Path) -> Features:
    """The output of the node or block at a path for an image file.

    Raises SpecError: E652 if there is no such node or its output is neither maps nor a vector, E621 if the file cannot
    be read as an image.
    """
    graph = classifier.graph
    ref = tensor_at(graph, path)
    output = graph.type_of(ref)
    if not output.is_map and output.rank != 1:
        message = f"the output of `{path}` is {show_sizes(output.sizes)}, neither feature maps nor a vector"
        raise SpecError.of("E652", message)
    try:
        image = classifier.reader.read(file)
        upright = load_upright(file, "RGB")
    except ImageError as error:
        raise SpecError.of("E621", str(error)) from None
    inner = lower(tapped(graph, {"features": ref}))
    inner.load_state_dict(classifier.model.state_dict())
    maps: Tensor = classifier.run(inner.to(classifier.device).eval(), [image])[0].float().cpu()
    left, top, right, bottom = map(round, classifier.reader.visible_box(*upright.size))
    seen = upright.crop((left, top, right, bottom))
    return Features(graph.name, path, file, seen, maps.reshape(len(maps), *(maps.shape[1:] or (1, 1))), output.sizes)
