"""The variants of specs/examples: what they keep of the networks that they change, and what they are equal to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torchvision
from torch import Tensor
from torchvision.ops import FeaturePyramidNetwork

import cnngraph
from tests.library import network


@pytest.mark.parametrize(
    ("name", "base", "other"),
    [
        ("seresnet50", "resnet50", set()),
        ("resnet50_silu", "resnet50", set()),
        ("resnet50_small", "resnet50", {"conv1.weight", "fc.weight", "fc.bias"}),
        ("resnet18_two_heads", "resnet18", set()),
        ("cbamresnet50", "resnet50", set()),
        ("ecaresnet50", "resnet50", set()),
        ("botnet50", "resnet50", {f"layer4.{unit}.conv2.weight" for unit in range(3)}),
    ],
)
def test_a_variant_keeps_the_weights_of_its_base(name: str, base: str, other: set[str]) -> None:
    variant, published = cnngraph.load(network(name)).state, cnngraph.load(base).state
    assert {key for key in published if variant.get(key) != published[key]} == other


def test_se_resnet50_has_the_weights_of_the_paper() -> None:
    graph = cnngraph.load(network("seresnet50"))
    assert graph.num_params == 28_088_024  # Hu et al. 2018, table 2, and timm's seresnet50
    added = sorted(key for key in graph.state if key.startswith("layer1.0.se"))
    assert added == [f"layer1.0.se.{layer}.{key}" for layer in ("fc1", "fc2") for key in ("bias", "weight")]


def _by_order(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of another network whose weights have the same shapes in the same order."""
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    return dict(zip(ours, theirs.values(), strict=True))


def test_drn_c_by_change_equals_drn_c() -> None:
    theirs = cnngraph.build("drn_c_26", input=(3, 64, 64)).eval()
    ours = cnngraph.build(network("drn_c_26_by_change"), input=(3, 64, 64)).eval()
    state = theirs.state_dict()
    state["fc.weight"] = state["fc.weight"].flatten(1)  # a convolution of kernel 1 there
    ours.load_state_dict(_by_order(ours.state_dict(), state))
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs(images))


def test_the_feature_pyramid_equals_torchvisions() -> None:
    ours = cnngraph.build(network("resnet50_fpn"), input=(3, 64, 64), width=16).eval()
    body = torchvision.models.resnet50(weights=None).eval()
    pyramid = FeaturePyramidNetwork([256, 512, 1024, 2048], 16).eval()
    weights = {f"body.{key}": value for key, value in body.state_dict().items() if not key.startswith("fc")}
    ours.load_state_dict({**weights, **pyramid.state_dict()})
    for size in (64, 96):  # the sizes of the levels are known when it runs
        images = torch.randn(1, 3, size, size)
        features, value = {}, images
        for name, module in list(body.named_children())[:-2]:
            value = module(value)
            if name.startswith("layer"):
                features[name] = value
        for level, expected in zip(ours(images), pyramid(features).values(), strict=True):
            torch.testing.assert_close(level, expected)


def test_a_siamese_network_sees_no_difference_between_equal_images() -> None:
    model = cnngraph.build(network("siamese_resnet18"), input={"left": (3, 64, 64), "right": (3, 64, 64)}).eval()
    images = torch.randn(2, 3, 64, 64)
    assert not model(images, images).any()
    assert model(images, images.flip(3)).any()
