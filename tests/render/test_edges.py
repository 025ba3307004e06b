"""Every edge of the graph is in the drawing and in the table of `show`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from cnngraph import load
from cnngraph.cli.table import TreeTable
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source, SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.plain_spec import plain_spec
from cnngraph.render.compose import compose
from cnngraph.render.dot import dot
from cnngraph.render.mermaid import mermaid
from cnngraph.render.picture import Picture
from cnngraph.render.settings import Settings
from cnngraph.render.tree import build_tree
from tests.library import CHOSEN

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\nnodes:\n"
REPEATED = {
    "both parts of one chunk": ("h: {op: chunk, chunks: 2}\n  c: {op: concat, from: [h.0, h.1]}", 2),
    "one part twice": (
        "h: {op: chunk, chunks: 2}\n  r: {op: relu, from: h.1}\n  c: {op: concat, from: [h.0, r, h.0]}",
        3,
    ),
    "a list": ("h: {op: split, sizes: [3, 3, 2]}\n  c: {op: concat, from: h}", 3),
    "a sum with itself": ("r: relu\n  c: {op: add, from: [r, r]}", 2),
    "the input with itself": ("c: {op: mul, from: [in, in]}", 2),
    "a difference": ("r: relu\n  c: {op: sub, from: [r, r]}", 2),
    "a gate": ("r: relu\n  c: {op: gate, from: [r, r], mode: exclusive}", 2),
    "one node four times": ("r: relu\n  c: {op: concat, from: [r, r, r, r]}", 4),
    "more than are drawn apart": ("r: relu\n  c: {op: concat, from: [r, r, r, r, r, r, r]}", 7),
    "parts of a closed scope": ("h: [relu, {op: chunk, chunks: 4}]\n  c: {op: concat, from: h}", 4),
    "more parts than are drawn apart": ("h: [relu, {op: chunk, chunks: 8}]\n  c: {op: concat, from: h}", 8),
}


def graph_of(nodes: str) -> Graph:
    compilation = compile_text(Source("net.yaml", f"{HEAD}  {nodes}\n"), Path())
    assert compilation.graph is not None, compilation.diagnostics
    return compilation.graph


def into(picture: Picture, head: str) -> int:
    """The number of tensors that enter a box, including those that one arrow counts."""
    counted = 0
    for arrow in picture.arrows:
        if arrow.head == head:
            several = re.match(r"(\d+) tensors", arrow.label)
            counted += int(several[1]) if several else 1
    return counted


@pytest.mark.parametrize("depth", [None, 1])
@pytest.mark.parametrize(("nodes", "reads"), REPEATED.values(), ids=REPEATED)
def test_a_tensor_read_several_times_is_counted(nodes: str, reads: int, depth: int | None) -> None:
    graph = graph_of(nodes)
    (last,) = (index for index, node in enumerate(graph.nodes) if node.path == "c")
    picture = compose(graph, Settings(page=None, depth=depth))
    assert into(picture, f"node{last}") == len(graph.nodes[last].reads) == reads
    text, lines = dot(picture), mermaid(picture).splitlines()
    if reads <= 4:
        assert len(re.findall(rf"-> node{last}\b", text)) == reads
        assert sum(1 for line in lines if line.endswith(f" node{last}")) == reads
    else:
        assert f"{reads} tensors of " in text
        assert any(f"{reads} tensors of " in line for line in lines)


@pytest.mark.parametrize(("nodes", "reads"), REPEATED.values(), ids=REPEATED)
def test_show_lists_every_input(nodes: str, reads: int) -> None:
    (row,) = (row for row in TreeTable(graph_of(nodes)).rows() if row.name == "c")
    shown = re.search(r"\((\d+) in total\)", row.reads)
    assert (int(shown[1]) if shown else len(row.reads.split(", "))) == reads


def check_every_edge(graph: Graph) -> None:
    tree = build_tree(graph)
    picture = compose(graph, Settings(page=None, depth=tree.height + 1, fold=False))
    boxes = {box.key for box in picture.boxes()}
    expected = Counter({f"node{index}": len(tree.reads[index]) for index in range(len(graph.nodes))})
    for key, reads in expected.items():
        if key in boxes:
            assert into(picture, key) == reads, graph.nodes[int(key[4:])].path


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_every_edge_of_bundled_networks_is_drawn(path: Path) -> None:
    try:
        check_every_edge(load(path))
    except SpecError:
        pytest.skip("too large to draw unfolded")


@pytest.mark.parametrize(
    "carry",
    ["1", "$i + 1", "range(1, $i + 2)", "[1, min(2, $i + 1)]", "[$n for $n in [1, 2, 4] if ($i + 1) % $n == 0]"],
)
@pytest.mark.parametrize("op", ["op: add", "nodes: [{op: concat}, {op: conv, out: 8, kernel: 1}]"])
def test_iterations_that_read_back(carry: str, op: str) -> None:
    graph = graph_of(f"r: relu\n  x: {{{op}, repeat: 5, carry: '{carry}', gives: all}}\n  c: {{op: concat, from: x}}")
    check_every_edge(graph)
    plain = compile_text(Source("plain.yaml", plain_spec(graph)), Path()).graph
    assert plain is not None
    assert [node.inputs for node in plain.nodes] == [node.inputs for node in graph.nodes]
    check_every_edge(plain)
