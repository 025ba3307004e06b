"""A built network refuses inputs for which its spec would have an error, or would describe other weights."""

from __future__ import annotations

import copy
import pickle
from typing import Any, ClassVar

import pytest
import torch

from cnngraph.backend import lower
from cnngraph.backend.modules import input_check
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.ops.op import Op, infer_types
from cnngraph.ops.registry import Registry, builtin_ops
from cnngraph.tensor_type import TensorType
from tests.backend.support import built, graph_of
from tests.library import LIBRARY

REFUSED = {
    "chunks of unequal size": (
        "nodes: {a: {op: chunk, chunks: 2, dim: height, unused: false}, b: {op: concat, dim: height}}",
        (4, 7, 6),
        "`a` (`chunk`) at test.yaml:4: the size of the axis must be divisible by `chunks`: 7 is not a multiple of 2",
    ),
    "a mean that would be broadcast": (
        "nodes: {a: {op: max_pool, kernel: 2}, b: {op: adaptive_avg_pool, output: 3, from: in},"
        " c: {op: mean, from: [a, b]}}",
        (4, 2, 2),
        "`c` (`mean`)",
    ),
    "an empty map": (
        "nodes: {a: {op: conv_transpose, out: 2, kernel: 1, padding: 1}, b: global_avg_pool}",
        (4, 2, 6),
        "`a` (`conv_transpose`)",
    ),
    "a maximum over padding": (
        "nodes: {a: {op: max_pool, kernel: 2, stride: 1, padding: 1, dilation: 3}}",
        (4, 4, 1),
        "`a` (`max_pool`)",
    ),
    "a number of channels in an expression": (
        "nodes: {a: {op: slice, stop: $in.channels // 2}, b: {op: conv, out: 3, kernel: 1}}",
        (6, 6, 6),
        "built for inputs of N×4×6×6, got 2×6×6×6",
    ),
    "no batch axis": ("nodes: {a: {op: softmax, dim: 1}}", None, "built for inputs of N×4×6×6, got 4×6×6"),
    "another length of a vector": (
        "input: [6]\nnodes: {a: {op: slice, stop: $in.channels // 2}}",
        (8,),
        "built for inputs of N×6, got 2×8",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_input_that_the_spec_does_not_allow_is_refused(case: str) -> None:
    text, shape, message = REFUSED[case]
    graph = graph_of(text)
    model = lower(graph).eval()
    model(torch.randn(2, *graph.input_shapes["in"]))
    image = torch.randn(4, 6, 6) if shape is None else torch.randn(2, *shape)
    for network in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for _ in range(2):
            with pytest.raises(ValueError, match="this network was built for inputs of") as caught:
                network(image)
            assert message in str(caught.value)


PERCEPTRON = "input: [6]\nnodes: [{op: linear, out: 8}, %s, relu, {op: linear, out: 3}]"


@pytest.mark.parametrize("between", ["sigmoid", "layer_norm", "{op: dropout, p: 0.5}"])
def test_further_axes_are_accepted_where_they_change_nothing(between: str) -> None:
    model = built(PERCEPTRON % between).eval()
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(model(x), model(x.flatten(0, 2)).unflatten(0, (2, 4, 5)))
    with pytest.raises(ValueError, match="built for inputs of N×6, got 2×6×5"):
        model(torch.randn(2, 6, 5))


@pytest.mark.parametrize(
    "between", ["batch_norm", "{op: softmax, dim: 1}", "{op: flatten}", "{op: reshape, shape: [2, 4]}"]
)
def test_further_axes_are_refused_where_they_would_be_computed_with(between: str) -> None:
    model = built(PERCEPTRON.replace(", relu, {op: linear, out: 3}", "") % between).eval()
    with pytest.raises(ValueError, match="this network was built for inputs of N×6, got 2×8×6"):
        model(torch.randn(2, 8, 6))


def test_a_head_for_training_is_checked_in_training_mode() -> None:
    model = built("""
    nodes:
      a: {op: conv, out: 2, kernel: 1}
      aux: {from: a, nodes: [{op: max_pool, kernel: 2, dilation: 3, padding: 1}]}
      main: {op: global_avg_pool, from: a}
    outputs: {main: main, aux: aux}
    training_only: [aux]
    """)
    small = torch.randn(2, 4, 4, 1)
    assert model.eval()(small).shape == (2, 2)
    with pytest.raises(ValueError, match=r"`aux\.0` \(`max_pool`\)"):
        model.train()(small)


def test_a_shape_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def infer(op: Op, types: tuple[TensorType, ...]) -> Any:
        calls.append(op.name)
        return infer_types(op, types)

    monkeypatch.setattr(input_check, "infer_types", infer)
    model = built("nodes: [{op: conv, out: 2, kernel: 3}, relu]").eval()
    for size in (6, 6, 9, 9, 8, 9):
        model(torch.randn(3, 4, size, 6))
    assert calls == ["conv", "relu"] * 2  # not for the size that it was built for
    model.train()(torch.randn(1, 4, 9, 6))
    assert calls == ["conv", "relu"] * 3


class RowsOp(Op):
    """An op of a plugin with the height of its input in its code."""

    name: ClassVar[str] = "rows"
    kind: ClassVar[str] = "reshape"

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        return f"{arguments[0]} * {inputs[0].height}"


def plugin_graph() -> Graph:
    text = "cnngraph: 1\ninput: [2, 5, 5]\nnodes: {a: rows}\n"
    registry = Registry({**builtin_ops(), "rows": RowsOp})
    graph = compile_text(Source("net.yaml", text), LIBRARY, registry=registry).graph
    assert graph is not None
    return graph


def test_code_that_depends_on_the_size_is_refused() -> None:
    model = lower(plugin_graph())
    assert torch.equal(model(torch.ones(1, 2, 5, 3)), torch.full((1, 2, 5, 3), 5.0))
    with pytest.raises(ValueError, match=r"`a` \(`rows`\) at net.yaml:3: it would be a different module"):
        model(torch.ones(1, 2, 6, 5))
