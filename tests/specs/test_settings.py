"""Settings that counts and eval-mode probes cannot check: dropout rates, initial weights, one shortcut."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import relu

import cnngraph
from tests.library import network


@pytest.mark.parametrize(
    ("name", "kind", "rates"),
    [
        ("cifar2_width", nn.Dropout2d, []),
        ("cifar2_dropout", nn.Dropout2d, [0.4, 0.4]),
        ("cifar2_batchnorm_dropout", nn.Dropout2d, [0.4, 0.4]),
        ("residual_mnist_dropout_shortcut", nn.Dropout, [0.5, 0.5]),
        ("inception_v1_bn", nn.Dropout, [0.4]),
    ],
)
def test_dropout_rates(name: str, kind: type[nn.Dropout | nn.Dropout2d], rates: list[float]) -> None:
    model = cnngraph.build(network(name))
    assert [module.p for module in model.modules() if isinstance(module, kind)] == rates


def test_initial_weights_of_cifar2_deep() -> None:
    torch.manual_seed(0)
    model = cnngraph.build(network("cifar2_deep_10"))
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 0.5).all()
            assert (module.bias == 0).all()
        elif isinstance(module, nn.Conv2d) and name.startswith("units."):
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * 32)), rel=0.1)


def test_conv_shortcut_computes_its_formula() -> None:
    unit = cnngraph.build(network("residual_mnist_conv_shortcut")).get_submodule("unit1")
    conv1, conv2, shortcut = (unit.get_submodule(path) for path in ("conv1", "conv2", "join.conv"))
    x = torch.randn(2, 16, 12, 12)
    torch.testing.assert_close(unit(x), relu(conv2(relu(conv1(x))) + shortcut(x)))


@pytest.mark.parametrize("bc", [True, False])
def test_densenet_for_cifar_has_dropout_after_all_convolutions_but_the_first(bc: bool) -> None:
    graph = cnngraph.load(network("densenet_cifar"), depth=16, bc=bc, dropout=0.2)
    readers = {node.reads[0].node: node for node in graph.nodes}
    after = [readers[index] for index, node in enumerate(graph.nodes) if node.op == "conv"][1:]
    assert {(node.op, vars(node.operation).get("p")) for node in after} == {("dropout", 0.2)}
