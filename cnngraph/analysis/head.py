"""The end of a classifier: its scores, its last feature map, and the linear layers after a global pooling."""

from __future__ import annotations

from typing import NamedTuple

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from cnngraph.ops.conv import Conv
from cnngraph.ops.linear import Linear
from cnngraph.ops.pool import AvgPool
from cnngraph.ops.reduce import Mean

NO_CHANGE = {"flatten", "reshape", "identity", "dropout", "dropout2d", "alpha_dropout"}  # keep all values in eval mode
ENDS = {"softmax", "log_softmax"}  # ops that may follow the scores


class Head(NamedTuple):
    """`map` is the input of the pooling, `scores` has a value per class, `layers` are the linear layers in between."""

    map: Ref
    scores: Ref
    layers: tuple[str, ...]


def class_scores(graph: Graph) -> Ref:
    """The scores of the classes: the first output, before a softmax."""
    ref = next(iter(graph.outputs.values()))
    while ref.node >= 0 and graph.nodes[ref.node].op in ENDS:
        (ref,) = graph.nodes[ref.node].reads
    return ref


def find_head(graph: Graph) -> Head | None:
    """The head of a network that ends with global average pooling and linear layers; None for any other network.

    Everything between the pooling and the output is linear, so the result does not depend on when the pooling happens.
    """
    ref = scores = class_scores(graph)
    layers: list[str] = []
    while ref.node >= 0:
        node = graph.nodes[ref.node]
        if _pools_everything(graph, node):
            return Head(node.reads[0], scores, tuple(reversed(layers)))
        if _is_linear(node):
            layers.append(node.shares or node.path)
        elif node.op not in NO_CHANGE or len(node.reads) != 1:
            return None
        ref = node.reads[0]
    return None


def last_map(graph: Graph) -> Ref | None:
    """The last feature map through which the whole image reaches the scores, before any pooling that follows it.

    If there are several such maps side by side and none after them, it is the last one to run; None if there is no map
    with more than one position.
    """
    frontier, found = {class_scores(graph)}, None  # the scores are a function of the tensors in the frontier
    while frontier:
        ref = max(frontier)
        if ref.node < 0:
            break
        if is_spatial(graph, ref):
            found = found or ref
            if len(frontier) == 1:
                return _before_pooling(graph, ref)
        frontier.remove(ref)
        frontier.update(graph.nodes[ref.node].reads)
    return found and _before_pooling(graph, found)


def is_spatial(graph: Graph, ref: Ref) -> bool:
    """Whether a tensor is the output of a node, and a map C×H×W with more than one position."""
    tensor = graph.type_of(ref)
    return ref.node >= 0 and tensor.batched and tensor.is_map and tensor.sizes[1:] != (1, 1)


def _before_pooling(graph: Graph, ref: Ref) -> Ref:
    """The map before the poolings, and what changes nothing, that end with this map: it has more positions."""
    node = graph.nodes[ref.node]
    while (node.op in NO_CHANGE or node.operation.kind == "pool") and is_spatial(graph, node.reads[0]):
        ref = node.reads[0]
        node = graph.nodes[ref.node]
    return ref


def _pools_everything(graph: Graph, node: Node) -> bool:
    """Whether a node computes the mean over a whole map with more than one position."""
    image = graph.type_of(node.reads[0]) if node.reads else None
    if image is None or not image.is_map or image.sizes[1:] == (1, 1):
        return False
    operation = node.operation
    match operation:
        case GlobalAvgPool():
            return True
        case AdaptiveAvgPool():
            return node.types[0].sizes[1:] == (1, 1)
        case AvgPool():
            plain = (
                operation.divisor_override is None and operation.padding in ((0, 0), "half") and not operation.ceil_mode
            )
            return plain and operation.kernel == image.sizes[1:]
        case Mean():
            return node.types[0].sizes in ((image.sizes[0],), (image.sizes[0], 1, 1)) and len(node.reads) == 1
    return False


def _is_linear(node: Node) -> bool:
    """Whether a node can be applied to each position of a map: a linear layer, or a 1×1 convolution."""
    match node.operation:
        case Linear():
            return True
        case Conv(kernel=(1, 1), stride=(1, 1), padding=padding):
            return padding in ((0, 0), "half")
    return False
