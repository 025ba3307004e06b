"""Labels of operations along an axis whose name has no meaning: a `reshape` calls any second axis of three `height`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.ops.op import Op
from cnngraph.ops.reshape import Chunk, Reshape
from cnngraph.ops.shapes import axis_index
from cnngraph.render.label import MAP_AXES, row_label
from cnngraph.render.tree import Tree

KEEPING = frozenset({"activation", "dropout", "norm"})  # kinds that keep the axes


def text_of(operation: Op, index: int, tree: Tree) -> str:
    """The label of the operation of a node: `softmax over branches`, or `softmax dim 2` for a nameless axis."""
    graph = tree.graph
    node = graph.nodes[index]
    types = tuple(map(graph.type_of, node.reads))
    dim = getattr(operation, "dim", None)
    if isinstance(dim, str) and dim in MAP_AXES and _is_nameless(node.reads[0], graph):
        if node.operation.kind == "activation" and _weighs_branches(index, tree):
            return f"{node.op} over branches"
        number: dict[str, Any] = {"dim": axis_index(node.op, types[0], dim) + 1}
        operation = replace(operation, **number)
    return row_label(operation, types)


def _is_nameless(ref: Ref, graph: Graph) -> bool:
    """Whether the height and width of a tensor were channels before a reshape that does not name its axes."""
    while ref.node >= 0:
        node = graph.nodes[ref.node]
        if isinstance(node.operation, Reshape):
            before = graph.type_of(node.reads[0])
            return node.operation.axes is None and before.count == max(before.sizes)
        if node.operation.kind not in KEEPING:
            return False
        ref = node.reads[0]
    return False


def _weighs_branches(index: int, tree: Tree) -> bool:
    """Whether a result is cut into single slices along its axis, and each of them multiplies something."""
    nodes, readers = tree.graph.nodes, tree.readers[index]
    if len(readers) != 1 or readers[0] < 0 or not isinstance(chunk := nodes[readers[0]].operation, Chunk):
        return False
    type_, dim = nodes[index].types[0], getattr(nodes[index].operation, "dim", 0)
    axes = axis_index("chunk", type_, chunk.dim), axis_index(nodes[index].op, type_, dim)
    after = tree.readers[readers[0]]
    return (
        axes[0] == axes[1]
        and type_.sizes[axes[0]] == chunk.chunks
        and all(reader >= 0 and nodes[reader].op == "mul" for reader in after)
    )
