"""Two networks that use all of the language: EfficientNet, and He et al.'s variants for CIFAR."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

import cnngraph
from tests.library import DATA, network

EFFICIENTNET = DATA / "specs" / "efficientnet_b0.yaml"
RESNET_CIFAR = DATA / "specs" / "resnet_cifar.yaml"

ORDERS = ["original", "bn_after_addition", "relu_before_addition", "relu_only_preactivation", "full_preactivation"]
JOINS: list[dict[str, Any]] = [
    {"join": "add"},
    {"join": "constant_scaling"},
    {"join": "exclusive_gating"},
    {"join": "shortcut_only_gating"},
    {"join": "dropout_shortcut"},
    {"join": "add", "project": "always"},
]


def operations(path: Path) -> list[tuple[Any, ...]]:
    """The nodes of a network, without their places in the file."""
    return [(node.path, node.operation, node.reads, node.types) for node in cnngraph.load(path).nodes]


def test_efficientnet_with_rows_is_the_librarys_with_columns() -> None:
    """The library's is compared with the original in tests/zoo."""
    assert operations(EFFICIENTNET) == operations(network("efficientnet_b0"))


def test_resnet_110_builds() -> None:
    model = cnngraph.build(RESNET_CIFAR).eval()
    with torch.no_grad():
        assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    # 3 stages of 18 units: a 3x3 convolution from 3 to 16, two for each unit, two projections, and a linear layer
    convolutions = 9 * (3 * 16 + 36 * 16 * 16 + 16 * 32 + 35 * 32 * 32 + 32 * 64 + 35 * 64 * 64) + 16 * 32 + 32 * 64
    norms = 2 * (16 * 37 + 32 * 37 + 64 * 37)
    assert sum(each.numel() for each in model.parameters()) == convolutions + norms + 64 * 10 + 10


@pytest.mark.parametrize(("order", "join"), list(product(ORDERS, JOINS)))
def test_every_join_goes_with_every_order(order: str, join: dict[str, Any]) -> None:
    graph = cnngraph.load(RESNET_CIFAR, depth=110, order=order, **join)
    assert list(graph.output_shapes.values()) == [(10,)]


def by_formula(order: str, unit: nn.Module, x: Tensor) -> Tensor:
    """A unit as He et al. 2016 write it, figure 4."""
    names = ("conv1", "conv2", "bn0", "bn1", "bn2", "bn3", "downsample")
    conv1, conv2, bn0, bn1, bn2, bn3, shortcut = (getattr(unit, name, nn.Identity()) for name in names)
    y: Tensor
    match order:
        case "original":
            y = relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x))))))
        case "bn_after_addition":
            y = relu(bn3(shortcut(x) + conv2(relu(bn1(conv1(x))))))
        case "relu_before_addition":
            y = shortcut(x) + relu(bn2(conv2(relu(bn1(conv1(x))))))
        case "relu_only_preactivation":
            y = shortcut(x) + bn2(conv2(relu(bn1(conv1(relu(x))))))
        case _:  # full preactivation: one bn and relu for both paths where the shape changes
            first = relu(bn0(x))
            y = shortcut(first if hasattr(unit, "downsample") else x) + conv2(relu(bn1(conv1(first))))
    return y


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("path", "shape"), [("layer1.1", (2, 16, 8, 8)), ("layer2.0", (2, 16, 8, 8))])
def test_a_unit_follows_its_formula(order: str, path: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    unit = cnngraph.build(RESNET_CIFAR, depth=14, order=order).get_submodule(path)
    with torch.no_grad():
        for each in unit.modules():
            if isinstance(each, nn.BatchNorm2d):
                assert each.running_mean is not None
                each.running_mean.normal_()
                each.weight.normal_()
        x = torch.randn(shape)
        unit.eval()
        torch.testing.assert_close(unit(x), by_formula(order, unit, x))
