"""Computing feature maps: the output of a node for an image."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor

from cnngraph.backend import lower
from cnngraph.diagnostics import SpecError
from cnngraph.numbers import show_sizes
from cnngraph.passes.tap import tapped, tensor_at
from cnngraph.runs.classifier import Classifier
from cnngraph.runs.feature_maps import FeatureMaps
from cnngraph.train.data.decoding import ImageError, load_upright


def features(classifier: Classifier, path: str, image: Path | Image.Image) -> FeatureMaps:
    """The output of the node or block at a path for an image.

    Raises SpecError: E652 if there is no such node or its output is neither maps nor a vector, E621 if the image cannot
    be read.
    """
    graph = classifier.graph
    ref = tensor_at(graph, path)
    output = graph.type_of(ref)
    if not output.is_map and output.rank != 1:
        message = f"the output of `{path}` is {show_sizes(output.sizes)}, neither feature maps nor a vector"
        raise SpecError.of("E652", message)
    try:
        tensor = classifier.reader.read(image)
        upright = load_upright(image, "RGB")
    except ImageError as error:
        raise SpecError.of("E621", str(error)) from None
    inner = lower(tapped(graph, {"features": ref}))
    inner.load_state_dict(classifier.model.state_dict())
    maps: Tensor = classifier.run(inner.to(classifier.device).eval(), [tensor])[0].float().cpu()
    left, top, right, bottom = map(round, classifier.reader.visible_box(*upright.size))
    seen = upright.crop((left, top, right, bottom))
    maps = maps.reshape(len(maps), *(maps.shape[1:] or (1, 1)))
    return FeatureMaps(graph.name, path, image, seen, maps, output.sizes)
