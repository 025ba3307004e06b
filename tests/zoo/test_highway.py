"""The convolutional highway network has the parameter count and computes the formula of its paper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import cnngraph
from tests.zoo.originals import SPECS


def test_the_parameter_count_of_the_paper() -> None:
    # 39 K and 151 K in table 1 of Srivastava et al. 2015: nine 3x3 convolutions, eight of them gated by another one,
    # and a linear layer over a 3x3 map.
    for width, printed in ((16, 39), (32, 151)):
        graph = cnngraph.load(SPECS[f"highway_10_{width}"])
        gated = 2 * (width * width * 9 + width)
        assert graph.num_params == 9 * width + width + 8 * gated + 9 * width * 10 + 10
        assert round(graph.num_params / 1000) == printed


@pytest.mark.parametrize("depth", [4, 5, 6, 10, 20, 51])
def test_depth_is_the_number_of_layers(depth: int) -> None:
    graph = cnngraph.load(SPECS["highway"], depth=depth)
    assert sum(node.op in ("conv", "linear") for node in graph.nodes) == depth
    assert sum(node.op == "gate" for node in graph.nodes) == depth - 2


def test_a_layer_computes_its_formula() -> None:
    model = cnngraph.build(SPECS["highway"], bias=-3)
    layer = model.get_submodule("stage1.0")
    state = layer.state_dict()
    assert (state["gate.bias"] == -3).all()
    x = torch.randn(2, 16, 9, 9)
    transform = F.relu(F.conv2d(x, state["conv.weight"], state["conv.bias"], padding=1))
    gate = torch.sigmoid(F.conv2d(x, state["gate.weight"], state["gate.bias"], padding=1))
    torch.testing.assert_close(layer(x), transform * gate + x * (1 - gate))
