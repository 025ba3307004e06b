"""The layers of a network, counted from its outputs: what `optimizer.layer_decay` and the pattern `head` refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope

Layer = str | int  # a block's path, or the index of a node that belongs to no block


def head_layers(graph: Graph) -> frozenset[str]:
    """The paths of the last convolutions or linear layers before each output, and of what follows them.

    For a classifier, this is the layer that computes its scores. Of a convolutional layer and a batch norm after it,
    both are in the set.
    """
    found = set[str]()
    waiting = [ref.node for ref in graph.outputs.values()]
    seen = set(waiting)
    while waiting:
        index = waiting.pop()
        if index < 0:
            continue
        node = graph.nodes[index]
        if node.parameters:
            found.add(node.shares or node.path)
        if not _is_layer(node):
            reads = {ref.node for ref in node.reads} - seen
            seen |= reads
            waiting += reads
    return frozenset(found)


def layer_depths(graph: Graph) -> dict[str, int]:
    """The depth of each module by path: the number of layers after it, on the longest way to an output.

    A layer is a block or an iteration of a repeat that has no repeat inside, and elsewhere a convolution, a linear
    layer or another operation with multiply-accumulates. Other operations have the depth of the layer before them. A
    module that is used several times has its largest depth.
    """
    layers = _layers(graph)
    readers: list[set[int]] = [set() for _ in graph.nodes]
    for index, node in enumerate(graph.nodes):
        for ref in node.reads:
            if ref.node >= 0:
                readers[ref.node].add(index)
    after: dict[Layer, int] = {}
    for index in reversed(range(len(graph.nodes))):  # a block's nodes are contiguous in order of execution
        own = layers.get(index, index)
        steps = (
            after[layer] + (reader in layers)
            for reader in readers[index]
            if (layer := layers.get(reader, reader)) != own
        )
        after[own] = max(after.get(own, 0), max(steps, default=0))
    depths: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        path = node.shares or node.path
        depths[path] = max(depths.get(path, 0), after[layers.get(index, index)])
    return depths


def _layers(graph: Graph) -> Mapping[int, Layer]:
    """The layer that each node belongs to, by index; a node that is no layer and belongs to none has no entry."""
    found: dict[int, Layer] = {}
    for block, indices in _blocks(graph.root, iteration=False):
        for index in indices:
            if block or _is_layer(graph.nodes[index]):
                found[index] = block or index
    return found


def _blocks(scope: Scope, iteration: bool) -> Iterator[tuple[str, list[int]]]:
    """The outermost blocks without repeats by path, with their nodes, and under the path "" all other nodes."""
    is_block = scope.kind == "block" or (scope.kind == "nodes" and iteration)
    if is_block and not any(inner.kind == "repeat" for inner in _inside(scope)):
        inside = (scope, *_inside(scope))
        yield scope.path, [child for inner in inside for child in inner.children if isinstance(child, int)]
        return
    yield "", [child for child in scope.children if isinstance(child, int)]
    for child in scope.children:
        if isinstance(child, Scope):
            yield from _blocks(child, scope.kind == "repeat")


def _inside(scope: Scope) -> Iterator[Scope]:
    """All scopes inside a scope."""
    for child in scope.children:
        if isinstance(child, Scope):
            yield child
            yield from _inside(child)


def _is_layer(node: Node) -> bool:
    """Whether an operation has weights that it multiplies with its input."""
    return bool(node.parameters) and node.macs > 0
