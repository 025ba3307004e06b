"""What is known about a tensor of the new network: which tensor of the old network it equals, and in which channels."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from math import erf, exp, log1p, prod, sqrt, tanh

from cnngraph.fields import fields_of
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.migration.modules import owner, settings
from cnngraph.ops.op import Op
from cnngraph.tensor_type import CHANNELS, TensorType

HOMOGENEOUS = frozenset(  # a positive factor of the input is one of the output
    {"relu", "leaky_relu", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "global_avg_pool"}
    | {"global_max_pool", "flatten", "mean"}
)
CHANNELWISE = HOMOGENEOUS | {  # every channel of the output depends on that channel alone
    *("relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh", "hardswish", "hardsigmoid", "softplus", "abs"),
    *("lp_pool", "upsample", "add", "sub", "mul", "maximum"),
}
NONNEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "abs"})
KEEPS_SIGN = frozenset(
    {"max_pool", "avg_pool", "global_avg_pool", "global_max_pool", "flatten", "concat", "add", "mul"}
)
SAME_CONSTANT = frozenset(  # a constant map stays the same constant
    {"global_avg_pool", "global_max_pool", "adaptive_avg_pool", "adaptive_max_pool", "flatten", "reshape", "permute"}
    | {"identity", "upsample"}
)
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "hardsigmoid": lambda x: min(max(x + 3, 0.0), 6.0) / 6,
    "tanh": tanh,
    "silu": lambda x: x / (1 + exp(-x)),
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "hardswish": lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    "softplus": lambda x: log1p(exp(x)),
}


@frozen
class Known:
    """It equals `scale` times a tensor of the old network, in the channels `origin` (None: all in order).

    `without` is the old module whose bias is missing. `nearly` says that a gate is only nearly open, `grey` that it
    holds for inputs with equal channels only.
    """

    ref: Ref
    origin: tuple[int, ...] | None = None
    scale: float = 1.0
    without: str = ""
    nearly: bool = False
    grey: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether an op other than a layer can be applied as in the old network."""
        return self.scale == 1.0 and not self.without


@frozen
class Const:
    """All its elements have this value."""

    value: float


Value = Known | Const | None


@dataclass(slots=True)
class OldValues:
    """The tensors of the old network by what computes them; equal computations are one tensor."""

    graph: Graph
    alias: dict[Ref, Ref] = field(default_factory=dict)
    found: dict[Hashable, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, node in enumerate(self.graph.nodes):
            if node.unused:
                continue
            reads = tuple(self.canonical(ref) for ref in node.reads)
            if is_passed(node) or (node.op == "relu" and self.is_nonnegative(reads[0])):
                self.alias[Ref(index)] = reads[0]
            else:
                first = self.found.setdefault(_computation(node, reads), index)
                if first != index:
                    self.alias |= {Ref(index, number): Ref(first, number) for number in range(len(node.types))}

    def canonical(self, ref: Ref) -> Ref:
        """The first tensor that is equal to this one."""
        return self.alias.get(ref, ref)

    def lookup(self, node: Node, reads: tuple[Ref, ...]) -> int | None:
        """The index of the old node that computes the same from the same tensors of the old network."""
        return self.found.get(_computation(node, reads))

    def is_nonnegative(self, ref: Ref) -> bool:
        """Whether a tensor is known to have no negative elements."""
        waiting, seen = [ref], set[Ref]()
        while waiting:
            ref = waiting.pop()
            if ref in seen:
                continue
            seen.add(ref)
            if ref.node < 0 or len(seen) > 64:
                return False
            node = self.graph.nodes[ref.node]
            if node.op in NONNEGATIVE:
                continue
            if node.op not in KEEPS_SIGN and not is_passed(node):
                return False
            waiting += [self.canonical(read) for read in node.reads]
        return True


def is_passed(node: Node) -> bool:
    """Whether a node returns its input in eval mode."""
    return node.op == "identity" or (node.operation.kind == "dropout" and len(node.reads) == 1)


def _computation(node: Node, reads: tuple[Ref, ...]) -> Hashable:
    if node.parameters or node.buffers:
        return owner(node), reads
    ordered = tuple(sorted(reads)) if node.operation.is_commutative else reads
    return settings(node.operation), ordered


def channel_axis(type_: TensorType) -> int | None:
    """The index of the channels."""
    return type_.axes.index(CHANNELS) if CHANNELS in type_.axes else None


def plain_result(node: Node, values: list[Value], old: OldValues, types: list[TensorType]) -> list[Value]:
    """The values of an operation without weights."""
    outputs: list[Value] = [None] * len(node.types)
    if not values:
        return outputs
    first = values[0]
    if is_passed(node):
        return [first]
    if isinstance(first, Const) and len(values) == 1:
        return [_of_constant(node, first), *outputs[1:]]
    if node.op in ("add", "mul"):
        values = _simplified(node.op, values)
        if len(values) == 1:
            return values
    known = [value for value in values if isinstance(value, Known)]
    if len(known) != len(values) or any(value.without for value in known):
        return outputs
    if node.op == "relu" and old.is_nonnegative(known[0].ref) and known[0].scale > 0:
        return [known[0]]
    return _as_in_old(node, known, old, types) or outputs


def _as_in_old(node: Node, known: list[Known], old: OldValues, types: list[TensorType]) -> list[Value] | None:
    """The values if the old network has the same operation on the same tensors."""
    origins, scales = {value.origin for value in known}, {value.scale for value in known}
    if len(scales) != 1 or (scales != {1.0} and node.op not in HOMOGENEOUS | {"concat", "add"}):
        return None
    index = old.lookup(node, tuple(value.ref for value in known))
    if index is None:
        return None
    origin: tuple[int, ...] | None = None
    if origins != {None}:
        if node.op == "concat":
            origin = _concatenated(node, known, old, types)
        elif node.op == "flatten" and types[0].is_map:
            origin = _flattened(known[0], types[0])
        elif node.op in CHANNELWISE and len(origins) == 1 and channel_axis(types[0]) == channel_axis(node.types[0]):
            origin = known[0].origin
        if origin is None:
            return None
    same = Known(
        Ref(index),
        origin,
        known[0].scale,
        nearly=any(value.nearly for value in known),
        grey=any(value.grey for value in known),
    )
    return [replace(same, ref=old.canonical(Ref(index, number))) for number in range(len(node.types))]


def _simplified(op: str, values: list[Value]) -> list[Value]:
    """The terms of a sum without zeros, or the factors of a product without constants."""
    constants = [value.value for value in values if isinstance(value, Const)]
    others: list[Value] = [value for value in values if not isinstance(value, Const)]
    if not constants:
        return values
    if op == "add":
        return others or [Const(sum(constants))] if not any(constants) else [None, None]
    factor = prod(constants)
    if not others or factor == 0:
        return [Const(factor)]
    if len(others) == 1 and isinstance(others[0], Known):
        value = others[0]
        scale = value.scale * factor
        is_open = abs(scale - 1) < 1e-9
        nearly = value.nearly or (not is_open and 0.99 < scale < 1)
        return [replace(value, scale=1.0 if is_open or nearly else scale, nearly=nearly)]
    return [None, None]


def _of_constant(node: Node, value: Const) -> Value:
    function = FUNCTIONS.get(node.op)
    plain = not fields_of(type(node.operation)) or node.op == "gelu"
    if function and (plain or node.op == "softplus"):
        return Const(function(value.value))
    if node.op in SAME_CONSTANT or (value.value == 0 and node.op in ("max_pool", "avg_pool", "leaky_relu")):
        return value
    return None


def _concatenated(node: Node, known: list[Known], old: OldValues, types: list[TensorType]) -> tuple[int, ...] | None:
    """The channels of a concatenation of channels."""
    axis = channel_axis(node.types[0])
    sizes = {sum(type_.sizes[axis] for type_ in types)} if axis is not None else set()
    if axis is None or sizes != {node.types[0].sizes[axis]}:
        return None
    origin: list[int] = []
    start = 0
    for value, type_ in zip(known, types, strict=True):
        width = old.graph.type_of(value.ref).sizes[axis]
        origin += [start + channel for channel in value.origin or range(type_.sizes[axis])]
        start += width
    return tuple(origin)


def _flattened(value: Known, type_: TensorType) -> tuple[int, ...]:
    """The features of a flattened map."""
    positions = prod(type_.sizes[1:])
    assert value.origin is not None
    return tuple(channel * positions + at for channel in value.origin for at in range(positions))


def same_except(one: Op, other: Op, *names: str) -> bool:
    """Whether two ops of a kind have the same settings except for some."""
    return settings(one, frozenset(names)) == settings(other, frozenset(names))
