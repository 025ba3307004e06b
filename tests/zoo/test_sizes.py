"""Every network of the library at sizes that it was not built for: larger, smaller and odd, and not square.

Published networks are compared with torchvision at that size, others with a network built for it. A network that does
not allow a size, such as a vision transformer with its positions, refuses it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnngraph
from cnngraph.api.arguments import input_value
from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import has_errors
from cnngraph.elaborate.elaborate import elaborate
from cnngraph.graph.graph import Graph
from cnngraph.language.without_expect import without_expect
from cnngraph.ops.registry import Registry
from tests.library import networks
from tests.zoo.originals import NAMES, original

OTHER_CODE = {"swin_t", "swin_v2_t"}  # windows are padded only if the size of a map is no multiple of theirs
LARGER, ODD = 1.25, (0.72, 0.61)  # factors of the height and width that a network is built for


def other_shapes(graph: Graph) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of the inputs at two other sizes."""
    larger, odd = {}, {}
    for name, (channels, *sizes) in graph.input_shapes.items():
        larger[name] = (channels, *(round(LARGER * size) for size in sizes))
        odd[name] = (channels, *(int(factor * size) // 2 * 2 + 1 for factor, size in zip(ODD, sizes, strict=True)))
    return [larger, odd]


def graph_for(path: Path, shapes: dict[str, tuple[int, ...]]) -> Graph | None:
    """The network for these shapes, without the expected shapes in its spec; None if it has an error."""
    given: Any = shapes if list(shapes) != ["in"] else shapes["in"]
    spec = compile_spec(path, input=input_value(given)).spec
    assert spec is not None
    result = elaborate(without_expect(spec), Registry())
    return None if has_errors(result.diagnostics) else result.graph


def outputs(model: nn.Module, images: list[Tensor]) -> list[Tensor]:
    """The outputs in eval mode."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model(*images)
    return [tensor for tensor in (found if isinstance(found, tuple) else (found,)) if tensor is not None]


def with_weights_of(model: nn.Module, other: nn.Module) -> nn.Module:
    """The model with the weights of another."""
    model.load_state_dict(other.state_dict(), assign=True)
    return model.eval()


def weaken(model: nn.Module) -> None:
    """Scale what batch norms compute, so that the activations of a thousand layers stay finite."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.1)


@pytest.mark.parametrize("path", networks())
def test_other_sizes(path: Path) -> None:
    torch.manual_seed(0)
    graph = cnngraph.load(path)
    model = cnngraph.build(graph).eval()
    published = original(path.stem) if path.stem in NAMES else None
    if published is not None:
        model = with_weights_of(model, published.eval())
    else:
        weaken(model)
    for shapes in other_shapes(graph):
        images = [torch.randn(2, *shape) for shape in shapes.values()]
        fresh = graph_for(path, shapes)
        differs = fresh is None or dict(fresh.state) != dict(graph.state)
        if published is None and graph.training_only and differs:
            continue  # the heads that differ do not run in eval mode
        if differs and published is None:
            with pytest.raises(ValueError, match="this network was built for inputs of"):
                model(*images)
            continue
        if path.stem in OTHER_CODE:
            with pytest.raises(ValueError, match=r"this network was built for inputs of .*\bwhen at"):
                model(*images)
            continue
        reference = published or with_weights_of(cnngraph.build(fresh or graph), model)
        for found, expected in zip(outputs(model, images), outputs(reference, images), strict=True):
            assert found.isfinite().all()
            assert torch.equal(found, expected), f"{(found - expected).abs().max():.3g} at {shapes}"
