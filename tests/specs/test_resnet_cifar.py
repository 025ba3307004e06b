"""ResNet for CIFAR computes the formulas of He et al. 2016, with every order of activation and every shortcut."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

import cnngraph
from tests.library import NETWORKS, network

FAMILY = network("resnet_cifar")

ORDERS: dict[str, dict[str, Any]] = {
    "original": {},
    "bn_after_addition": {"bn": "after"},
    "relu_before_addition": {"relu": "inside"},
    "relu_only_preactivation": {"relu": "before"},
    "full_preactivation": {"bn": "before", "relu": "before"},
}
SHORTCUTS: dict[str, dict[str, Any]] = {
    "original": {},
    "constant_scaling": {"join": "constant_scaling"},
    "exclusive_gating": {"join": "exclusive_gating"},
    "shortcut_only_gating": {"join": "shortcut_only_gating"},
    "dropout_shortcut": {"join": "dropout_shortcut"},
    "conv_shortcut": {"option": "C"},
}


def nontrivial_network(**params: Any) -> nn.Module:
    """A small network in eval mode with non-trivial batch norms and half-open gates."""
    torch.manual_seed(0)
    depth = 20 if params.get("bottleneck") else 14
    model = cnngraph.build(FAMILY, depth=depth, gate_bias=0, **params)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_()
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model.eval()


def convolutions(unit: nn.Module, x: Tensor) -> Tensor:
    """Two layers, or three in a bottleneck, with activations between them only."""
    conv1, bn1, conv2 = (unit.get_submodule(name) for name in ("conv1", "bn1", "conv2"))
    y: Tensor = conv2(relu(bn1(conv1(x))))
    if hasattr(unit, "conv3"):
        bn2, conv3 = unit.get_submodule("bn2"), unit.get_submodule("conv3")
        y = conv3(relu(bn2(y)))
    return y


def identity(unit: nn.Module, x: Tensor) -> Tensor:
    """The shortcut: x itself; where the shape changes, x padded with zeros or a projection."""
    if hasattr(unit, "project"):
        projected: Tensor = unit.get_submodule("project")(x)
        return projected
    conv1 = unit.get_submodule("conv1")
    assert isinstance(conv1, nn.Conv2d)
    if conv1.stride == (2, 2):
        x = x[:, :, ::2, ::2]
        return torch.cat((x, torch.zeros_like(x)), 1)
    return x


def joined(shortcut: str, unit: nn.Module, f: Tensor, x: Tensor) -> Tensor:
    """Table 1 of the paper, in eval mode."""
    if shortcut == "constant_scaling":
        return 0.5 * x + 0.5 * f
    if shortcut in ("exclusive_gating", "shortcut_only_gating"):
        gate = unit.get_submodule("join")
        assert isinstance(gate.weight, Tensor)
        assert isinstance(gate.bias, Tensor)
        g = torch.sigmoid(torch.einsum("oi,bihw->bohw", gate.weight[:, :, 0, 0], x) + gate.bias[:, None, None])
        return (g * f if shortcut == "exclusive_gating" else f) + (1 - g) * x
    return x + f


def by_formula(order: str, shortcut: str, unit: nn.Module, x: Tensor, first: bool) -> Tensor:
    """A unit of figure 4. In the first unit and where the shape changes, both paths are pre-activated (appendix)."""
    bn: dict[str, Callable[[Tensor], Tensor]] = {
        name: unit.get_submodule(f"{name}.bn")
        for name in ("before", "inside", "after")
        if hasattr(getattr(unit, name, None), "bn")
    }
    both = first or unit.get_submodule("conv1").stride == (2, 2)

    def join(f: Tensor, h: Tensor) -> Tensor:
        return joined(shortcut, unit, f, identity(unit, h))

    match order:
        case "original":
            return relu(join(bn["inside"](convolutions(unit, x)), x))
        case "bn_after_addition":
            return relu(bn["after"](join(convolutions(unit, x), x)))
        case "relu_before_addition":
            return join(relu(bn["inside"](convolutions(unit, x))), x)
        case "relu_only_preactivation":
            y = relu(x)
            return join(bn["inside"](convolutions(unit, y)), y if both else x)
        case _:
            y = relu(bn["before"](x))
            return join(convolutions(unit, y), y if both else x)


def network_by_formula(order: str, shortcut: str, model: nn.Module, x: Tensor) -> Tensor:
    """The network: a convolution, three stages of units, the last activation, the head."""
    x = model.get_submodule("conv")(x)
    if order != "full_preactivation":
        x = model.get_submodule("bn")(x)
    if "preactivation" not in order:
        x = relu(x)
    units = [unit for number in (1, 2, 3) for unit in model.get_submodule(f"layer{number}").children()]
    for unit in units:
        x = by_formula(order, shortcut, unit, x, first=unit is units[0])
    if order == "full_preactivation":
        x = model.get_submodule("last.bn")(x)
    if "preactivation" in order:
        x = relu(x)
    logits: Tensor = model.get_submodule("fc")(x.mean((2, 3)))
    return logits


@pytest.mark.parametrize("bottleneck", [False, True], ids=["basic", "bottleneck"])
@pytest.mark.parametrize(("order", "shortcut"), list(product(ORDERS, SHORTCUTS)))
def test_the_network_computes_its_formulas(order: str, shortcut: str, bottleneck: bool) -> None:
    model = nontrivial_network(bottleneck=bottleneck, **ORDERS[order], **SHORTCUTS[shortcut])
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(
            model(images), network_by_formula(order, shortcut, model, images), rtol=1e-4, atol=1e-4
        )


MEMBERS: dict[str, dict[str, Any]] = {
    **{f"resnet_cifar_{depth}": {"depth": depth} for depth in (20, 32, 44, 56, 110, 1202)},
    **{f"resnet_cifar_{depth}": {"depth": depth, "bottleneck": True} for depth in (164, 1001)},
    **{
        f"resnet_cifar_110_{shortcut}": {"depth": 110, **SHORTCUTS[shortcut]}
        for shortcut in SHORTCUTS
        if shortcut != "original"
    },
    **{f"resnet_cifar_110_{order}": {"depth": 110, **ORDERS[order]} for order in ORDERS if order != "original"},
    **{
        f"resnet_cifar_164_{order}": {"depth": 164, "bottleneck": True, **ORDERS[order]}
        for order in ORDERS
        if order != "original"
    },
    "resnet_cifar_1001_full_preactivation": {"depth": 1001, "bottleneck": True, **ORDERS["full_preactivation"]},
}


def test_members_match_their_names() -> None:
    names = {path.stem for path in NETWORKS if path.parent == FAMILY.parent and "222" not in path.stem}
    assert names == {*MEMBERS, "resnet_cifar"}
    for name, params in MEMBERS.items():
        member = cnngraph.load(network(name)).params
        assert member == cnngraph.load(FAMILY, **params).params


# Deep Residual Learning, table 6; Identity Mappings, table 4. In millions.
@pytest.mark.parametrize(
    ("depth", "published"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7), (1202, 19.4), (164, 1.7)]
)
def test_parameter_counts(depth: int, published: float) -> None:
    millions = cnngraph.load(network(f"resnet_cifar_{depth}")).num_params / 1e6
    assert millions == pytest.approx(published, abs=0.005 if published < 1 else 0.05)


def test_the_number_of_weighted_layers_matches_the_name() -> None:
    for depth in (20, 110, 164, 1001, 1202):
        graph = cnngraph.load(network(f"resnet_cifar_{depth}"))
        layers = [node for node in graph.nodes if node.op in ("conv", "linear") and ".project." not in node.path]
        assert len(layers) == depth


def test_initial_weights() -> None:
    torch.manual_seed(0)
    model = cnngraph.build(FAMILY, depth=8, join="exclusive_gating")
    gate, conv = model.get_submodule("layer3.0.join"), model.get_submodule("layer3.0.conv2")
    assert isinstance(gate.bias, Tensor)
    assert isinstance(gate.weight, Tensor)
    assert isinstance(conv.weight, Tensor)
    assert gate.bias.unique().tolist() == [-6]
    assert gate.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.05)
