"""`Graph.to_networkx`, and networkx as an independent check of order, cycles, liveness and counts."""

from __future__ import annotations

import json
import random
import re
from itertools import pairwise
from pathlib import Path

import networkx
import pytest

import cnngraph
from cnngraph.compilation import Compilation, compile_text
from cnngraph.diagnostics import Source
from tests.library import NETWORKS

SOME = NETWORKS[::4]
SPEC = """
cnngraph: 1
input: {left: [4, 8, 8], right: [4, 8, 8]}
nodes:
  stem: {op: conv, from: left, out: 4, kernel: 3, padding: half, bias: false}
  again: {share: stem, from: right}
  twice: {op: add, from: [stem, stem, again]}
  parts: {op: split, from: twice, sizes: [1, 3]}
  first: {op: identity, from: parts.0}
  second: {op: global_avg_pool, from: parts.1}
  logits: {op: linear, from: second, out: 2}
  p: {op: parameter, shape: [4, 8, 8], init: {normal: {std: 0.02}}}
  side: {op: mul, from: [twice, p]}
  hidden: {op: relu, from: first, unused: true}
outputs: {logits: logits, side: side, map: first}
training_only: side
"""


def compiled(text: str) -> Compilation:
    return compile_text(Source("t.yaml", text), Path())


def test_nodes_and_edges_have_all_attributes() -> None:
    graph = compiled(SPEC).graph
    assert graph is not None
    exported = graph.to_networkx()
    assert isinstance(exported, networkx.MultiDiGraph)
    assert exported.graph == {"name": "t", "about": "", "num_params": graph.num_params, "macs": graph.macs}
    assert exported.nodes["stem"] == {
        "kind": "operation",
        "index": 0,
        "path": "stem",
        "op": "conv",
        "parameters": {
            "out": 4,
            "kernel": (3, 3),
            "stride": (1, 1),
            "padding": "half",
            "dilation": (1, 1),
            "groups": 1,
            "bias": False,
            "padding_mode": "zeros",
            "standardize": False,
            "eps": 1e-06,
            "gamma": None,
        },
        "weights": {"weight": [4, 4, 3, 3]},
        "shapes": [(4, 8, 8)],
        "num_params": 144,
        "macs": 144 * 64,
        "is_list": False,
        "training_only": False,
        "unused": False,
        "shares": None,
        "file": "t.yaml",
        "line": 5,
    }
    again = exported.nodes["again"]
    assert (again["shares"], again["num_params"], again["line"]) == ("stem", 0, 6)
    assert exported.nodes["side"]["training_only"]
    assert exported.nodes["hidden"]["unused"]
    assert exported.nodes["parts"]["shapes"] == [(1, 8, 8), (3, 8, 8)]
    assert exported.nodes["p"]["parameters"]["init"] == {"normal": {"std": 0.02}}
    assert exported.nodes["input:left"] == {"kind": "input", "name": "left", "shapes": [(4, 8, 8)]}
    expected = {"kind": "output", "name": "side", "shapes": [(4, 8, 8)], "training_only": True}
    assert exported.nodes["output:side"] == expected
    assert [data["position"] for data in exported["stem"]["twice"].values()] == [0, 1]
    assert exported["parts"]["second"][0] == {"position": 0, "tensor": 1, "shape": (3, 8, 8)}
    assert list(exported.successors("logits")) == ["output:logits"]
    assert json.loads(json.dumps(networkx.node_link_data(exported, edges="edges")))["multigraph"]


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_the_order_of_execution_is_topological(path: Path) -> None:
    graph = cnngraph.load(path)
    exported = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(exported)
    index = networkx.get_node_attributes(exported, "index")
    assert [graph.nodes[position].path for position in index.values()] == list(index)
    assert all(index[giver] < index[reader] for giver, reader in exported.edges() if {giver, reader} <= index.keys())
    assert exported.number_of_edges() == sum(len(node.reads) for node in graph.nodes) + len(graph.outputs)


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.stem)
def test_live_nodes_are_the_ancestors_of_outputs(path: Path) -> None:
    graph = cnngraph.load(path)
    exported = graph.to_networkx()
    outputs = [name for name, data in exported.nodes(data=True) if data["kind"] == "output"]
    in_eval = [name for name in outputs if not exported.nodes[name]["training_only"]]
    live, always = (
        {node for name in names for node in networkx.ancestors(exported, name)} for names in (outputs, in_eval)
    )
    for node in graph.nodes:
        assert node.training_only == (node.path in live - always)
        assert (node.path in live) or node.unused
    macs = networkx.get_node_attributes(exported, "macs")
    assert graph.macs == sum(count for name, count in macs.items() if name in always)
    assert graph.num_params == sum(networkx.get_node_attributes(exported, "num_params").values())


@pytest.mark.parametrize("seed", range(150))
def test_cycles_are_found_exactly_where_networkx_finds_them(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"n{number}" for number in range(rng.randint(2, 10))]
    rng.shuffle(names)
    rank = {name: rng.random() for name in names}
    reads: dict[str, list[str]] = {}
    for name in names:
        earlier = [other for other in names if rank[other] < rank[name]]
        options = names if rng.random() < 0.25 else earlier  # a path that may close a cycle
        reads[name] = ["in", *rng.sample(options, min(len(options), rng.randint(0, 2)))]
    expected = networkx.DiGraph((other, name) for name, others in reads.items() for other in others)
    lines = [f"  {name}: {{op: add, from: [{', '.join(others)}]}}" for name, others in reads.items()]
    result = compiled("\n".join(["cnngraph: 1", "input: [2, 4, 4]", "nodes:", *lines, "  all: relu"]))
    cycles = [diagnostic for diagnostic in result.diagnostics if diagnostic.code == "E315"]
    assert bool(cycles) != networkx.is_directed_acyclic_graph(expected)
    for diagnostic in cycles:
        path = re.findall(r"n\d+", diagnostic.message)
        around = [*path, path[0]] if len(path) == 1 else path
        assert around[0] == around[-1]
        assert all(expected.has_edge(giver, reader) for reader, giver in pairwise(around))
    if not cycles and result.graph is not None:
        ran = [node.path for node in result.graph.nodes if node.path in rank]
        position = {name: number for number, name in enumerate(ran)}
        assert sorted(ran) == sorted(names)
        assert all(position[giver] < position[reader] for giver, reader in expected.edges() if giver != "in")
