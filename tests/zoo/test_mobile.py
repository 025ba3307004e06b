"""The params of mobile networks mean what the arguments of torchvision's builders mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import MNASNet, efficientnet_b0, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small

import cnngraph
from tests.library import network

CASES: dict[str, tuple[str, dict[str, Any], Callable[[], nn.Module]]] = {
    "narrow v2": ("mobilenet_v2", {"width": 0.35}, lambda: mobilenet_v2(width_mult=0.35)),
    "wide v2": ("mobilenet_v2", {"width": 1.4}, lambda: mobilenet_v2(width_mult=1.4)),
    "narrow large v3": ("mobilenet_v3_large", {"width": 0.75}, lambda: mobilenet_v3_large(width_mult=0.75)),
    "wide small v3": ("mobilenet_v3_small", {"width": 1.3}, lambda: mobilenet_v3_small(width_mult=1.3)),
    "narrow mnasnet": ("mnasnet", {"width": 0.35}, lambda: MNASNet(0.35)),
    # the initial weights of the last layer depend on the number of classes
    "ten classes": ("efficientnet_b0", {"classes": 10}, lambda: efficientnet_b0(num_classes=10)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_param_equals_the_argument_of_the_original(case: str) -> None:
    name, params, original = CASES[case]
    torch.manual_seed(0)
    theirs = original().eval()
    torch.manual_seed(0)
    ours = cnngraph.build(network(name), **params).eval()
    mine, others = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(others)
    assert [key for key in mine if not torch.equal(mine[key], others[key])] == []
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
