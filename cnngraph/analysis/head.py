"""Where a classifier looks at the whole map at once: its last pooling, and the layers behind it."""

from __future__ import annotations

from typing import NamedTuple

from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.conv import Conv
from cnngraph.ops.linear import Linear
from cnngraph.ops.merge import Mean
from cnngraph.ops.pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool

PASSED = {"flatten", "reshape", "identity", "dropout", "dropout2d", "alpha_dropout"}  # which keep numbers, in eval mode
CAN = "resnet18"  # of the library
ENDS = {"softmax", "log_softmax"}  # behind the scores


class Head(NamedTuple):
    """`map` is what the pooling reads, `scores` what comes out by classes, `layers` the linear ones between them."""

    map: Ref
    scores: Ref
    layers: tuple[str, ...]


def find_head(graph: Graph) -> Head:
    """The head of a network whose score of a class is the mean of a map. Raises SpecError (E654) for any other.

    All that stands between the pooling and the output is linear, so pooling first or last gives the same.
    """
    ref = next(iter(graph.outputs.values()))
    while ref.node >= 0 and graph.nodes[ref.node].op in ENDS:
        (ref,) = graph.nodes[ref.node].reads
    scores, layers = ref, list[str]()
    while ref.node >= 0:
        node = graph.nodes[ref.node]
        if _pools_everything(graph, node):
            return Head(node.reads[0], scores, tuple(reversed(layers)))
        if _is_linear(node):
            layers.append(node.shares or node.path)
        elif node.op not in PASSED or len(node.reads) != 1:
            raise _refusal(graph, node)
        ref = node.reads[0]
    raise _refusal(graph, None)


def _pools_everything(graph: Graph, node: Node) -> bool:
    """Whether a node takes the mean of a whole map, which has more than one place."""
    given = graph.type_of(node.reads[0]) if node.reads else None
    if given is None or not given.is_map or given.sizes[1:] == (1, 1):
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
            return plain and operation.kernel == given.sizes[1:]
        case Mean():
            return node.types[0].sizes in ((given.sizes[0],), (given.sizes[0], 1, 1)) and len(node.reads) == 1
    return False


def _is_linear(node: Node) -> bool:
    """Whether a node can be laid over a map place by place: a linear layer, or a 1×1 convolution."""
    match node.operation:
        case Linear():
            return True
        case Conv(kernel=(1, 1), stride=(1, 1), padding=padding):
            return padding in ((0, 0), "half")
    return False


def _refusal(graph: Graph, node: Node | None) -> SpecError:
    message = f"{graph.name} has no pooling over the whole map before its classifier"
    note = f"going back from its output, {node.path} is {node.op}" if node else "it has no pooling at all"
    help = f"use a network that ends with global_avg_pool and linear layers, for example {CAN}"
    return SpecError.of("E654", message, node.span if node else None, notes=(note,), help=help)
