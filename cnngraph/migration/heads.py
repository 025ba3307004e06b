"""The last layers of a network: those whose number of outputs is the number of classes."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node


def last_layers(graph: Graph) -> Iterator[Node]:
    """The nodes with no further layer after them: the last convolution or linear layer of an output, and the rest."""
    before: set[int] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        is_layer = any(len(shape) > 1 for shape in node.parameters.values())
        if (is_layer or index in before) and not node.unused:
            before.update(ref.node for ref in node.reads)
    earlier = {graph.nodes[index].shares or graph.nodes[index].path for index in before if index >= 0}
    return (node for node in graph.nodes if node.path not in earlier)


def last_modules(graph: Graph) -> list[str]:
    """The paths of the last layers that have weights."""
    return [node.path for node in last_layers(graph) if node.parameters and not node.shares]
