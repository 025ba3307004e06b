"""Params of the Inception networks: removable heads and another range of input values."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model

import cnngraph
from tests.zoo.originals import SPECS, unfilled
from tests.zoo.test_originals import difference, disturb, evaluate, train, unequal
from tests.zoo.traces import operations

SIZES = {"googlenet": 64, "inception_v3": 299}  # the auxiliary classifier of Inception v3 needs a map of 17x17
members = pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.zoo)])


def original(name: str, **arguments: Any) -> nn.Module:
    model: nn.Module = get_model(name, weights=None, init_weights=True, **arguments)
    return model


def same_network(name: str, **arguments: Any) -> tuple[nn.Module, nn.Module]:
    """Our network and torchvision's with these arguments and equal weights."""
    theirs = original(name, **arguments)
    ours = cnngraph.build(SPECS[name], **arguments)
    disturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@members
def test_without_auxiliary_classifiers(name: str) -> None:
    torch.manual_seed(0)
    theirs = original(name, aux_logits=False)
    torch.manual_seed(0)
    ours = cnngraph.build(SPECS[f"{name}_no_aux"])
    assert unequal(ours, theirs) == []
    assert list(ours.state_dict()) == list(theirs.state_dict())
    train(ours, theirs, torch.randn(2, 3, SIZES[name], SIZES[name]))


@members
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_transform_input_equals_torchvision(name: str, dtype: torch.dtype) -> None:
    ours, theirs = same_network(name, transform_input=True)
    evaluate(ours.to(dtype), theirs.to(dtype), torch.randn(2, 3, 96, 96, dtype=dtype))
    assert not any("transform_input" in key for key in ours.state_dict())


@members
def test_classes_and_rates(name: str) -> None:
    rates = {"dropout": 0.1, "dropout_aux": 0.6} if name == "googlenet" else {"dropout": 0.1}
    with unfilled():
        ours = cnngraph.build(SPECS[name], classes=7, params=rates)
        theirs = original(name, num_classes=7, **rates)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    shape = (2, 3, SIZES[name], SIZES[name])
    assert difference(operations(ours.train(), shape), operations(theirs.train(), shape)) == ""


# Table 1 of Szegedy et al. 2015: map size and widths of each module (1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5,
# pool projection), its parameters in units of 1024 and its operations in millions, both as printed.
TABLE_1 = {
    "inception3a": (28, (64, 96, 128, 16, 32, 32), 159, 128),
    "inception3b": (28, (128, 128, 192, 32, 96, 64), 380, 304),
    "inception4a": (14, (192, 96, 208, 16, 48, 64), 364, 73),
    "inception4b": (14, (160, 112, 224, 24, 64, 64), 437, 88),
    "inception4c": (14, (128, 128, 256, 24, 64, 64), 463, 100),
    "inception4d": (14, (112, 144, 288, 32, 64, 64), 580, 119),
    "inception4e": (14, (256, 160, 320, 32, 128, 128), 840, 170),
    "inception5a": (7, (256, 160, 320, 32, 128, 128), 1072, 54),
    "inception5b": (7, (384, 192, 384, 48, 128, 128), 1388, 71),
}
OTHER_MAPS = {
    "conv1": (64, 112, 112),
    "maxpool1": (64, 56, 56),
    "conv3": (192, 56, 56),
    "maxpool2": (192, 28, 28),
    "maxpool3": (480, 14, 14),
    "maxpool4": (832, 7, 7),
    "avgpool": (1024,),
    "fc": (1000,),
}


def weights_and_biases(*convolutions: tuple[int, int, int]) -> tuple[int, int]:
    """The number of weights and biases of convolutions given as (input channels, output channels, kernel)."""
    return sum(a * b * k * k for a, b, k in convolutions), sum(b for _, b, _ in convolutions)


def test_the_googlenet_of_the_paper_matches_its_table_1() -> None:
    graph = cnngraph.load(SPECS["googlenet_lrn"])
    maps = {node.path: node.types[0].sizes for node in graph.nodes}
    assert {name: maps.get(name) or maps[f"{name}.relu"] for name in OTHER_MAPS} == OTHER_MAPS
    weights, biases = weights_and_biases((3, 64, 7), (64, 64, 1), (64, 192, 3), (1024, 1000, 1))
    macs = 112 * 112 * 3 * 64 * 49 + 56 * 56 * (64 * 64 + 64 * 192 * 9) + 1024 * 1000
    channels = 192
    for name, (size, (point, reduce3, out3, reduce5, out5, pooled), printed, operations_printed) in TABLE_1.items():
        branches = [(channels, point, 1), (channels, reduce3, 1), (reduce3, out3, 3)]
        branches += [(channels, reduce5, 1), (reduce5, out5, 5), (channels, pooled, 1)]
        count, offsets = weights_and_biases(*branches)
        channels = point + out3 + out5 + pooled
        assert maps[f"{name}.concat"] == (channels, size, size)
        state = {key: shape for key, shape in graph.state.items() if key.startswith(f"{name}.")}
        assert sum(map(math.prod, state.values())) == count + offsets
        assert count / 1024 == pytest.approx(printed, rel=0.08)  # the sums in the paper are slightly off
        assert count * size * size / 1e6 == pytest.approx(operations_printed, rel=0.06)
        weights, biases, macs = weights + count, biases + offsets, macs + count * size * size
    assert graph.macs == macs
    heads = sum(sum(weights_and_biases((width, 128, 1), (2048, 1024, 1), (1024, 1000, 1))) for width in (512, 528))
    assert graph.num_params == weights + biases + heads
    assert cnngraph.load(SPECS["googlenet_lrn"], aux_logits=False).num_params == weights + biases == 6_998_552


class Paper:
    """GoogLeNet implemented from the text of the paper, with our weights and without dropout."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = self.state[f"{name}.conv.weight"], self.state[f"{name}.conv.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2))

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def inception(self, name: str, x: Tensor) -> Tensor:
        branches = [
            self.conv(f"{name}.branch1", x),
            self.conv(f"{name}.branch2.1", self.conv(f"{name}.branch2.0", x)),
            self.conv(f"{name}.branch3.1", self.conv(f"{name}.branch3.0", x)),
            self.conv(f"{name}.branch4.1", F.max_pool2d(x, 3, 1, 1)),
        ]
        return torch.cat(branches, 1)

    def head(self, name: str, x: Tensor) -> Tensor:
        x = self.conv(f"{name}.conv", F.avg_pool2d(x, 5, 3)).flatten(1)
        return self.linear(f"{name}.fc2", F.relu(self.linear(f"{name}.fc1", x)))

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        x = F.local_response_norm(F.max_pool2d(self.conv("conv1", x, 2), 3, 2, ceil_mode=True), 5)
        x = F.local_response_norm(self.conv("conv3", self.conv("conv2", x)), 5)
        heads = {}
        for name in TABLE_1:
            if name in ("inception3a", "inception4a", "inception5a"):
                x = F.max_pool2d(x, 2 if name == "inception5a" else 3, 2, ceil_mode=True)
            x = self.inception(name, x)
            if name in ("inception4a", "inception4d"):
                heads[name] = self.head("aux1" if name == "inception4a" else "aux2", x)
        logits = self.linear("fc", x.mean((2, 3)))
        return {"logits": logits, "aux_logits2": heads["inception4d"], "aux_logits1": heads["inception4a"]}


def test_the_googlenet_of_the_paper_computes_what_the_paper_describes() -> None:
    torch.manual_seed(0)
    model = cnngraph.build(SPECS["googlenet_lrn"]).train()
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert sorted(rates) == [0.4, 0.7, 0.7]
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model = model.double()
    images = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        ours, expected = model(images)._asdict(), Paper(model.state_dict())(images)
    assert list(ours) == list(expected)
    for name, value in expected.items():
        assert value.std() > 0.01  # with initial weights, the signal reaches every head
        torch.testing.assert_close(ours[name], value, rtol=1e-10, atol=1e-12)
