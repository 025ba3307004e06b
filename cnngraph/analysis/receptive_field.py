"""Receptive fields: how large a region of the input each output position of a node depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.ops.op import Op
from cnngraph.tensor_type import CHANNELS, TensorType

INTERPOLATED = {"bilinear", "bicubic"}


@frozen
class Axis:
    """The receptive field along one axis, in pixels.

    A position sees `seen` pixels, and a window over several positions `spread` more, in whole `grain`s: after
    upsampling, several positions see the same. `step` is from one position to the next.
    """

    seen: Fraction
    step: Fraction
    spread: Fraction = Fraction(0)
    grain: Fraction = Fraction(1)

    @property
    def size(self) -> Fraction:
        """The size of the field, for the position that sees the most."""
        return self.seen + ceil(self.spread / self.grain) * self.grain

    def windowed(self, span: int, stride: int) -> Axis:
        """After a window that spans `span` positions."""
        return replace(self, spread=self.spread + (span - 1) * self.step, step=self.step * stride)

    def enlarged(self, reads: int, factor: Fraction) -> Axis:
        """After upsampling by a factor, where a new position reads at most `reads` old ones."""
        return Axis(self.size + (reads - 1) * self.step, self.step / factor, grain=self.step)

    def united(self, positions: int) -> Axis:
        """Of all positions of the axis together."""
        return self.windowed(positions, 1)


Field = tuple[Axis, ...] | None  # of height and width, or the length of a signal; empty: no pixel; None: all pixels
POINT = Axis(Fraction(1), Fraction(1))


def receptive_fields(graph: Graph) -> list[tuple[int, ...] | None]:
    """The height and width of the receptive field of each node's output, in pixels, in the order of the nodes.

    It is that of the theory: it ignores the border of the input, so it can be larger than the input. Where paths meet,
    it is the larger one, as if all paddings were symmetric. The statistics that a norm computes do not count. A node
    that reads no pixel has the empty tuple, and one that always reads all of them, because of attention, None.
    """
    found: list[Field] = []
    inputs = [(POINT,) * max(1, type_.rank - 1) for type_ in graph.inputs.values()]
    for node in graph.nodes:
        fields = [inputs[-1 - ref.node] if ref.node < 0 else found[ref.node] for ref in node.reads]
        found.append(_field(node, [graph.type_of(ref) for ref in node.reads], fields))
    return [None if field is None else tuple(ceil(axis.size) for axis in field) for field in found]


def _field(node: Node, types: Sequence[TensorType], fields: Sequence[Field]) -> Field:
    operation = node.operation
    if operation.name == "upsample":  # a second input only gives the size
        types, fields = types[:1], fields[:1]
    results = [
        None if field is None else _after(operation, type_, node.types[0], field)
        for type_, field in zip(types, fields, strict=True)
        if field != ()
    ]
    known = [field for field in results if field is not None]
    return _largest(known) if len(known) == len(results) else None


def _largest(fields: Sequence[tuple[Axis, ...]]) -> tuple[Axis, ...]:
    length = max(map(len, fields), default=0)
    padded = [field + field[-1:] * (length - len(field)) for field in fields]
    return tuple(max(axes, key=lambda axis: (axis.size, axis.step)) for axes in zip(*padded, strict=True))


def _after(operation: Op, before: TensorType, after: TensorType, field: tuple[Axis, ...]) -> Field:
    """The field of an output, from that of one input."""
    old, new, name = _positions(before, field), _positions(after, field), operation.name
    if name in ("attention", "matmul"):
        return None
    if old is None:  # tokens, or a vector: positions have no places any more
        return field
    if name == "linear" and before.axes[-1] != CHANNELS:
        return _united(field, old)
    if new is None:
        return field if after.rank > 1 else _united(field, old)
    if name == "conv_transpose":
        return tuple(_enlarged(operation, axis, place) for place, axis in enumerate(field))
    if hasattr(operation, "kernel") and operation.kind != "merge":
        return tuple(_windowed(operation, axis, place) for place, axis in enumerate(field))
    return tuple(_resized(operation, *sizes) for sizes in zip(field, old, new, strict=True))


def _positions(type_: TensorType, field: tuple[Axis, ...]) -> tuple[int, ...] | None:
    """The sizes of the spatial axes, in order; None if the tensor has no such axes."""
    if CHANNELS not in type_.axes or type_.rank != len(field) + 1:
        return None
    if len(field) > 1 and not {"H", "W"} <= set(type_.axes):
        return None
    return tuple(size for size, axis in zip(type_.sizes, type_.axes, strict=True) if axis != CHANNELS)


def _united(field: tuple[Axis, ...], positions: Sequence[int]) -> tuple[Axis, ...]:
    return tuple(axis.united(count) for axis, count in zip(field, positions, strict=True))


def _window(operation: Op, place: int) -> tuple[int, int]:
    """The span and stride of an op's window along an axis."""
    values = [getattr(operation, name, None) for name in ("kernel", "stride", "dilation")]
    kernel, stride, dilation = (value[place] if isinstance(value, tuple) else value for value in values)
    kernel = int(kernel or 1)
    return (kernel - 1) * int(dilation or 1) + 1, int(kernel if stride is None else stride)


def _windowed(operation: Op, axis: Axis, place: int) -> Axis:
    return axis.windowed(*_window(operation, place))


def _enlarged(operation: Op, axis: Axis, place: int) -> Axis:
    """A transposed convolution: an output position reads at most ⌈span / stride⌉ positions."""
    span, stride = _window(operation, place)
    return axis.enlarged(ceil(Fraction(span, stride)), Fraction(stride))


def _resized(operation: Op, axis: Axis, old: int, new: int) -> Axis:
    """Ops without a window: resizing keeps or refines the positions, pooling and reductions unite them."""
    if operation.name in ("pad", "slice"):
        return axis.windowed(1, getattr(operation, "step", 1))
    if new == old:
        return axis
    if new > old:
        reads = 2 if getattr(operation, "mode", "") in INTERPOLATED else 1
        return axis.enlarged(reads, Fraction(new, old))
    return axis.windowed(ceil(Fraction(old, new)) if new > 1 else old, max(1, old // max(new, 1)))
