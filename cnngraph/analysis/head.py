"""The head of a classifier: its global pooling and the linear layers after it."""

from __future__ import annotations

from typing import NamedTuple

from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from cnngraph.ops.conv import Conv
from cnngraph.ops.linear import Linear
from cnngraph.ops.pool import AvgPool
from cnngraph.ops.reduce import Mean

NO_CHANGE = {"flatten", "reshape", "identity", "dropout", "dropout2d", "alpha_dropout"}  # keep all values in eval mode
EXAMPLE = "resnet18"  # a bundled network that has such a head
ENDS = {"softmax", "log_softmax"}  # ops that may follow the scores


class Head(NamedTuple):
    """`map` is the input of the pooling, `scores` has a value per class, `layers` are the linear layers in between."""

    map: Ref
    scores: Ref
    layers: tuple[str, ...]


def find_head(graph: Graph) -> Head:
    """The head of a network that ends with global average pooling and linear layers. Raises SpecError (E654) otherwise.

    Everything between the pooling and the output is linear, so the result does not depend on when the pooling happens.
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
        elif node.op not in NO_CHANGE or len(node.reads) != 1:
            raise _refusal(graph, node)
        ref = node.reads[0]
    raise _refusal(graph, None)


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


def _refusal(graph: Graph, node: Node | None) -> SpecError:
    message = f"`{graph.name}` does not end with global average pooling and linear layers"
    note = "it has no global pooling"
    if node:
        note = f"`{node.path}` (`{node.op}`) is neither a linear layer nor global average pooling"
    help = f"use a network that ends with `global_avg_pool` and linear layers, for example {EXAMPLE}"
    return SpecError.of("E654", message, node.span if node else None, notes=(note,), help=help)
