"""The source of generated forwards."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import pytest
import torch
from torch import nn

import cnngraph
from tests.backend.support import body, built, check_forward
from tests.library import network


def test_a_chain_reuses_x() -> None:
    model = built("nodes: {conv: {op: conv, out: 8, kernel: 1}, act: relu, pool: global_avg_pool}")
    check_forward(
        model,
        """
        x = self.conv(x)
        x = self.act(x)
        return x.mean((2, 3))
        """,
    )


def test_a_name_that_is_no_identifier_is_read_with_getattr() -> None:
    model = built(
        """
        nodes:
          block1:
            repeat: 2
            name: block1-0
            nodes:
              scale-to: {op: parameter, shape: [4, 1, 1], init: 2}
              conv-by: {op: conv, from: in, out: 4, kernel: 1}
              mul: {op: mul, from: [conv-by, scale-to]}
        """
    )
    check_forward(
        model.block1,
        """
        x = getattr(self, "block1-0")(x)
        return getattr(self, "block1-1")(x)
        """,
    )
    check_forward(
        model.get_submodule("block1.block1-1"),
        """
        x = getattr(self, "conv-by")(x)
        return x * getattr(self, "scale-to")
        """,
    )
    assert list(model.state_dict())[:2] == ["block1.block1-0.scale-to", "block1.block1-0.conv-by.weight"]


def test_a_residual_branch_uses_y() -> None:
    model = cnngraph.build(network("resnet_cifar_222"))
    with_projection = model.get_submodule("layer2.0")
    check_forward(
        with_projection,
        """
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        downsample = self.downsample(x)
        x = y + downsample
        return self.relu2(x)
        """,
    )


def test_branches_are_variables_with_their_names() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    check_forward(
        model.get_submodule("inception1"),
        """
        point = self.point(x)
        wide = self.wide(x)
        deep = self.deep(x)
        pool = self.pool(x)
        return torch.cat((point, wide, deep, pool), 1)
        """,
    )


def test_the_last_statement_of_a_branch_assigns_its_name() -> None:
    model = built("""
        nodes:
          a1: {op: conv, out: 4, kernel: 1}
          a2: relu
          b1: {op: conv, from: in, out: 4, kernel: 1}
          b2: relu
          c: {op: conv, from: in, out: 4, kernel: 1}
          cat: {op: concat, from: [a2, b2, c]}
        """)
    check_forward(
        model,
        """
        y = self.a1(x)
        a2 = self.a2(y)
        y = self.b1(x)
        b2 = self.b2(y)
        c = self.c(x)
        return torch.cat((a2, b2, c), 1)
        """,
    )


def test_a_dense_block() -> None:
    model = built("nodes: {dense: {repeat: 3, name: layer1, op: conv, out: 2, kernel: 1, carry: concat}, end: relu}")
    check_forward(
        model.get_submodule("dense"),
        """
        layer1 = self.layer1(x)
        y = torch.cat((x, layer1), 1)
        layer2 = self.layer2(y)
        y = torch.cat((x, layer1, layer2), 1)
        layer3 = self.layer3(y)
        return torch.cat((x, layer1, layer2, layer3), 1)
        """,
    )


def test_lists_are_tuples() -> None:
    model = built("""
        nodes:
          halves: {op: chunk, chunks: 2}
          left: {op: conv, from: halves.1, out: 2, kernel: 1}
          both: {repeat: 2, carry: none, op: conv, out: 2, kernel: 1}
          cat: {op: concat, from: [halves.0, both]}
        """)
    check_forward(
        model,
        """
        halves_0, halves_1 = torch.chunk(x, 2, 1)
        left = self.left(halves_1)
        both_0, both_1 = self.both(left)
        return torch.cat((halves_0, both_0, both_1), 1)
        """,
    )
    assert "-> tuple[Tensor, Tensor]:" in inspect.getsource(type(model.both))


def test_a_free_parameter_is_an_attribute() -> None:
    model = built("nodes: {act: relu, gamma: {op: parameter, shape: [4, 1, 1]}, mul: {op: mul, from: [act, gamma]}}")
    check_forward(
        model,
        """
        x = self.act(x)
        return x * self.gamma
        """,
    )
    assert list(model.state_dict()) == ["gamma"]


def test_dotted_keys_create_containers() -> None:
    model = built("""
        nodes:
          convs.0: {op: conv, out: 4, kernel: 1}
          bns.a: batch_norm
          convs.1: {op: conv, out: 4, kernel: 1}
        """)
    check_forward(
        model,
        """
        x = self.convs[0](x)
        x = self.bns.a(x)
        return self.convs[1](x)
        """,
    )
    assert isinstance(model.convs, nn.ModuleList)
    assert list(model.state_dict())[:2] == ["convs.0.weight", "convs.0.bias"]


def test_an_unused_node_is_built_and_never_run() -> None:
    model = built(
        "nodes: {dead: {unused: true, nodes: [{op: conv, out: 9, kernel: 1}, relu]}, act: {op: relu, from: in}}"
    )
    check_forward(model, "return self.act(x)")
    assert list(model.state_dict()) == ["dead.0.weight", "dead.0.bias"]


def test_several_inputs_keep_their_names() -> None:
    model = built("""
        input: {left: [4, 6, 6], right: [4, 6, 6]}
        nodes:
          a: {op: conv, from: right, out: 4, kernel: 1}
          end: {op: add, from: [left, a]}
        """)
    check_forward(
        model,
        """
        right = self.a(right)
        return left + right
        """,
    )
    left, right = torch.randn(2, 2, 4, 6, 6)
    assert torch.equal(model(left=left, right=right), model(left, right))


def test_unneeded_tensors_are_deleted() -> None:
    nodes = "\n".join(f"          c{number}: {{op: conv, out: 4, kernel: 1}}" for number in range(15))
    text = f"""
        nodes:
          left: {{op: conv, from: in, out: 4, kernel: 1}}
          right: {{op: conv, from: in, out: 4, kernel: 1}}
          cat: {{op: add, from: [left, right]}}
{nodes}
        """
    assert "del left, right" in body(built(text))


def test_a_numbered_chain_is_sequential() -> None:
    model: Any = cnngraph.build(network("googlenet_mnist"))
    assert type(model.classifier) is nn.Sequential
    assert [type(module).__name__ for module in model.classifier] == ["Flatten", "Linear"]


def test_numbered_scopes_can_be_indexed() -> None:
    model = built("nodes: {s: [{op: conv, out: 4, kernel: 1}, global_avg_pool, {op: linear, out: 3}]}")
    assert type(model.s) is not nn.Sequential
    assert model.s[2] is model.get_submodule("s.2")
    with pytest.raises(IndexError):
        model.s[1]


def test_identical_blocks_share_a_class() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    assert type(model.inception1) is type(model.inception2)
    assert type(model.inception1).__name__ == "Inception"
    assert type(model).__name__ == "GooglenetMnist"


def test_a_traceback_shows_the_source_line() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    with pytest.raises(RuntimeError) as caught:
        model(torch.randn(2, 1, 28, 28).double())
    assert "x = self.conv1(x)" in "".join(traceback.format_tb(caught.value.__traceback__))
