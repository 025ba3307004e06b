"""Base networks: the one before command-line changes, and those that its spec extends."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import cnngraph
from cnngraph import Graph
from cnngraph.diagnostics import Span
from cnngraph.document import read_file, value_of
from cnngraph.elaborate.bases import base_names, bases
from cnngraph.elaborate.elaborate import elaborate
from cnngraph.language.load import Override, load_spec
from cnngraph.ops.op import Op
from cnngraph.ops.registry import Registry
from cnngraph.tensor_type import TensorType

FAMILY = """\
cnngraph: 1
input: [3, 8, 8]
params: {classes: 10, width: 4}
nodes: [{op: conv, out: $width, kernel: 3}, global_avg_pool, {op: linear, out: $classes}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "family.yaml").write_text(FAMILY)
    (tmp_path / "wide.yaml").write_text("cnngraph: 1\nextends: family.yaml\nparams: {width: 8}\n")
    (tmp_path / "mine.yaml").write_text("cnngraph: 1\nextends: wide.yaml\nparams: {classes: 3}\n")
    return tmp_path


def facts(graph: Graph) -> list[tuple[str, object, object]]:
    return [(bas.name, bas.params["width"], bas.params["classes"]) for bas in bases(graph)]


def test_bases_are_the_specs_that_a_file_extends(folder: Path) -> None:
    graph = cnngraph.load(folder / "mine.yaml")
    assert facts(graph) == [("wide", 8, 10), ("family", 4, 10)]
    assert base_names(graph) == ["mine", "wide", "family"]


def test_the_first_base_is_the_unchanged_network(folder: Path) -> None:
    graph = cnngraph.load(folder / "wide.yaml", classes=7)
    assert facts(graph) == [("wide", 8, 10), ("family", 4, 10)]
    assert base_names(graph) == ["wide", "family"]
    assert facts(cnngraph.load(folder / "family.yaml")) == []


def test_a_base_with_errors_is_skipped(folder: Path) -> None:
    (folder / "family.yaml").write_text(FAMILY.replace("width: 4", "width: null"))
    assert facts(cnngraph.load(folder / "mine.yaml")) == [("wide", 8, 10)]


@dataclass(frozen=True)
class OwnOp(Op):
    name: ClassVar[str] = "own_op"

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        return arguments[0]


def test_a_base_may_use_a_plugin_op_that_the_network_does_not(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("cnngraph: 1\ninput: [3]\nparams: {own: true}\nnodes: [relu, {op: own_op, when: $own}]\n")
    source = read_file(path)
    spec, _ = load_spec(source, tmp_path, [Override("own", value_of(False, Span(source, 1, 1, 1, 1)))])
    assert spec
    graph = elaborate(spec, Registry({"own_op": OwnOp})).graph
    assert graph
    assert [[node.op for node in result.nodes] for result in (graph, *bases(graph))] == [["relu"], ["relu", "own_op"]]


def test_a_pickled_graph_has_no_base(folder: Path) -> None:
    graph = cnngraph.load(folder / "mine.yaml")
    again = pickle.loads(pickle.dumps(graph))
    assert (again.base, again.plugins, again.state) == (None, {}, graph.state)
