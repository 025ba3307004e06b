"""Inputs of nodes: absent iterations, nodes without inputs, inputs that are outputs, equal names."""

from __future__ import annotations

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from tests.backend.support import graph_of
from tests.library import LIBRARY

CONV = "op: conv, out: 4, kernel: 1, carry: concat"


@pytest.mark.parametrize(
    ("nodes", "channels", "paths"),
    [
        (f"d: {{repeat: 3, {CONV}, last: {{when: false}}}}", 12, ["d.0", "d.1.in", "d.1", "d.2.in"]),
        (
            f"d: {{repeat: [{{}}, {{when: false}}, {{}}], {CONV}}}",
            12,
            ["d.0", "d.1.in", "d.2", "d.concat"],
        ),
        (f"d: {{repeat: 1, {CONV}, first: {{when: false}}}}\n  e: relu", 4, ["e"]),
        (f"d: {{repeat: 2, {CONV}, flat: true, name: d1, first: {{when: false}}}}", 8, ["d2", "d"]),
    ],
)
def test_an_absent_iteration_adds_nothing_to_a_concatenation(nodes: str, channels: int, paths: list[str]) -> None:
    graph = graph_of(f"nodes:\n  {nodes}")
    assert graph.output_shapes["output"][0] == channels
    assert [node.path for node in graph.nodes] == paths


def test_if_every_iteration_is_absent_nothing_is_concatenated() -> None:
    graph = graph_of(f"nodes: [{{repeat: 1, {CONV}, flat: true, first: {{when: false}}}}, relu]")
    assert [node.inputs for node in graph.nodes] == [("in",)]


@pytest.mark.parametrize("above", ["a: {op: mul, from: [in, gamma]}", "z: relu\n  a: {op: mul, from: [z, gamma]}"])
def test_a_free_parameter_may_follow_its_reader(above: str) -> None:
    graph = graph_of(f"nodes:\n  {above}\n  gamma: {{op: parameter, shape: [], init: 0.5}}\n  b: {{op: relu, from: a}}")
    assert graph.nodes[-1].inputs == ("a",)


def test_an_input_may_be_an_output() -> None:
    graph = graph_of("input: {x: [3], y: [3]}\nnodes: {n: {op: relu, from: y}}\noutputs: {o: x, p: n}")
    assert graph.output_shapes == {"o": (3,), "p": (3,)}


@pytest.mark.parametrize(
    "text",
    [
        "input: {x: [3], y: [3]}\nnodes: {n: {op: add, from: [x, y]}, y: {op: tanh, from: n}}",
        "input: [3]\nblocks: {b: {inputs: [x], nodes: {x: {op: add, from: [x, x]}}}}\nnodes: [b]",
    ],
)
def test_a_node_with_the_name_of_an_input_is_an_error(text: str) -> None:
    result = compile_text(Source("net.yaml", f"cnngraph: 1\n{text}\n"), LIBRARY)
    assert [diagnostic.code for diagnostic in result.diagnostics] == ["E305"]
