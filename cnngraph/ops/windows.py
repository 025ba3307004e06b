"""Ops that pick or shift entries of a tensor, and that turn windows of a map into columns and back."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from cnngraph.fields import Either, ListOf, Optional, Pair, field
from cnngraph.ops.kinds import AXIS_LIMIT, Axis, Index
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, describe, need_divisible, need_map, side, slide, torch_axis, unless_default
from cnngraph.tensor_type import CHANNELS, OTHER, TensorType

MAX_INDICES = 4096  # they are written out in the generated source
ENTRY = Index()


class IndexOp(Op):
    """Picks entries along an axis, by default the channels: one entry, without the axis, or a list of them.

    `{op: index, dim: 1, index: 0}` takes the class token of a ViT (Dosovitskiy et al. 2021) out of the tokens. A list
    keeps the axis and may repeat or reorder entries. Negative indices count from the end. Instead of `index`, a second
    input may have the indices: a `constant` with `dtype: int64`, whose axes replace the axis. Swin (Liu et al. 2021)
    looks up its relative position bias like this, and so does `swin_t` of specs/examples.
    """

    name: ClassVar[str] = "index"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("select", "indexselect", "gather", "take")
    kind: ClassVar[str] = "reshape"
    inputs: ClassVar[tuple[int, int | None]] = (1, 2)
    input_names: ClassVar[tuple[str, ...]] = ("tensor", "indices")
    takes_parameters: ClassVar[bool] = True
    takes_indices: ClassVar[bool] = True

    index: int | tuple[int, ...] | None = field(
        Optional(Either((ENTRY, ListOf(ENTRY, 1, MAX_INDICES)))),
        "the index of the entry, or a list; null if there is a second input",
        None,
    )
    dim: str | int = field(Axis(), "axis to pick from", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"dim": 1, "index": 0}, ((10, 4),), (4,), axes=("?C",)),
        Example({"index": [2, 1, 0]}, ((3, 5, 6),), (3, 5, 6)),
        Example({"index": [0, -1], "dim": "width"}, ((4, 5, 6),), (4, 5, 2)),
        Example({"index": -1, "dim": 2}, ((4, 5, 6),), (4, 6)),
        Example({"index": [0, 0, 1], "dim": 1}, ((2, 4),), (3, 4), free=(0,)),
        Example({"dim": 1}, ((25, 2), (9, 9)), (9, 9, 2), free=(0,), indices=(1,)),
        Example({}, ((3, 5, 6), (4,)), (4, 5, 6), indices=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's without the axis, or with as many entries as indices."""
        tensor = inputs[0]
        if tensor.indices:
            raise OpError("`index` picks entries of a tensor of numbers, but its first input has integers", code="E212")
        place = axis_index(self.name, tensor, self.dim)
        size = tensor.sizes[place]
        shape, used = self._indices(inputs)
        for index in used:
            if not -size <= index < size:
                message = f"there is no entry {index}: the axis has size {size}, so that indices are 0 to {size - 1}"
                raise OpError(message, code="E205", parameter="index" if len(inputs) == 1 else None)
        names = tensor.axes[place : place + 1] if len(shape) == 1 else (OTHER,) * len(shape)
        return TensorType(
            (*tensor.sizes[:place], *shape, *tensor.sizes[place + 1 :]),
            (*tensor.axes[:place], *names, *tensor.axes[place + 1 :]),
            tensor.batched,
        )

    def _indices(self, inputs: tuple[TensorType, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape of the indices, and all of them, or the smallest and the largest. Raises OpError without any."""
        if len(inputs) == 2 and self.index is None:
            if inputs[1].indices is None:
                message = f"the second input of `index` must have integers, got {describe(inputs[1])}"
                raise OpError(message, code="E212", help="write a `constant` with `dtype: int64`")
            return inputs[1].sizes, inputs[1].indices
        if len(inputs) == 2 or self.index is None:
            message = "`index` needs either the parameter `index` or a second input with the indices"
            raise OpError(message, code="E205", parameter="index" if len(inputs) == 2 else None)
        return ((len(self.index),), self.index) if isinstance(self.index, tuple) else ((), (self.index,))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`x[:, 0]`."""
        index = list(self.index) if isinstance(self.index, tuple) else self.index
        before = ":, " * torch_axis(self.name, inputs[0], self.dim)
        return f"{arguments[0]}[{before}{arguments[1] if index is None else index}]"


class Roll(Op):
    """Shifts the entries along one or several axes; those that leave at one end come in at the other.

    The shifted windows of Swin (Liu et al. 2021) are windows of a map that was rolled by half a window:
    `{op: roll, shifts: [-3, -3], dims: [height, width]}`.
    """

    name: ClassVar[str] = "roll"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("circshift", "circularshift", "cyclicshift")
    kind: ClassVar[str] = "reshape"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    shifts: int | tuple[int, ...] = field(
        Either((ENTRY, ListOf(ENTRY, 1, AXIS_LIMIT))), "number of positions, to higher indices; one for each of `dims`"
    )
    dims: str | int | tuple[str | int, ...] = field(
        Either((Axis(), ListOf(Axis(), 1, AXIS_LIMIT))), "axis to shift along, or a list of axes"
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"shifts": [-3, -2], "dims": ["height", "width"]}, ((4, 5, 6),), (4, 5, 6)),
        Example({"shifts": [1, -2], "dims": [1, 2]}, ((5, 6, 4),), (5, 6, 4), axes=("HWC",)),
        Example({"shifts": 1, "dims": 2}, ((3, 9),), (3, 9), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's."""
        shifts, dims = _as_tuple(self.shifts), _as_tuple(self.dims)
        if len(shifts) != len(dims):
            message = f"`roll` needs one shift for each axis, got {len(shifts)} in `shifts` and {len(dims)} in `dims`"
            raise OpError(message, code="E205", parameter="shifts")
        for dim in dims:
            axis_index(self.name, inputs[0], dim, "dims")
        return inputs[0]

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.roll."""
        dims = tuple(torch_axis(self.name, inputs[0], dim) for dim in _as_tuple(self.dims))
        return f"torch.roll({arguments[0]}, {_as_tuple(self.shifts)}, {dims})"


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


KERNEL = "size of the window"
SPACING = "spacing between the points of the window"


class Unfold(Op):
    """Extracts the windows of a map as columns: C×H×W becomes (C·kernel height·kernel width)×L, one column per window.

    There are as many windows as positions in the output of a `conv`. Involution (Li et al. 2021) and local attention
    read the neighbours of a position this way. The windows of a free parameter C×(2H−1)×(2W−1), in reverse order, are
    its values at the offsets between the positions of a map, as in `relative_position` of `blocks/attention.yaml`.
    """

    name: ClassVar[str] = "unfold"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("imtocol", "extractpatches", "extractimagepatches")
    kind: ClassVar[str] = "reshape"
    takes_parameters: ClassVar[bool] = True

    kernel: tuple[int, int] = field(Pair(1), KERNEL)
    dilation: tuple[int, int] = field(Pair(1), SPACING, (1, 1))
    padding: tuple[int, int] = field(Pair(0), "rows and columns of zeros on each side", (0, 0))
    stride: tuple[int, int] = field(Pair(1), "stride of the window", (1, 1))

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"kernel": 3, "padding": 1}, ((4, 5, 6),), (36, 30)),
        Example({"kernel": [2, 3], "stride": 2, "dilation": [1, 2]}, ((4, 5, 7),), (24, 4)),
        Example({"kernel": [2, 3]}, ((4, 3, 5),), (24, 6), axes=("CHW",), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """(C·kernel)×L."""
        (image,) = inputs
        need_map(self.name, image)
        height, width = slide(image, self.kernel, self.stride, self.padding, self.dilation)
        sizes = image.channels * math.prod(self.kernel), height * width
        return TensorType(sizes, (CHANNELS, OTHER), image.batched)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Unfold."""
        return layer("Unfold", kernel_size=side(self.kernel), **_window(self))


class Fold(Op):
    """Adds columns back into a map, where windows overlap: the inverse of `unfold`, up to the number of windows.

    (C·kernel height·kernel width)×L becomes C×output, where L must be the number of windows in a map of that size.
    """

    name: ClassVar[str] = "fold"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("coltoim",)
    kind: ClassVar[str] = "reshape"

    output: tuple[int, int] = field(Pair(1), "height and width of the map")
    kernel: tuple[int, int] = field(Pair(1), KERNEL)
    dilation: tuple[int, int] = field(Pair(1), SPACING, (1, 1))
    padding: tuple[int, int] = field(Pair(0), "rows and columns around the map, which are dropped", (0, 0))
    stride: tuple[int, int] = field(Pair(1), "stride of the window", (1, 1))

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"output": [5, 6], "kernel": 3, "padding": 1}, ((36, 30),), (4, 5, 6)),
        Example({"output": 8, "kernel": 2, "stride": 2}, ((12, 16),), (3, 8, 8)),
        Example({"output": [5, 7], "kernel": [2, 3], "stride": 2, "dilation": [1, 2]}, ((24, 4),), (4, 5, 7)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×output."""
        (columns,) = inputs
        if columns.rank != 2 or columns.axes[0] != CHANNELS:
            message = f"`fold` needs columns with the channels as the first of two axes, got {describe(columns)}"
            raise OpError(message, code="E211")
        need_divisible(columns.channels, math.prod(self.kernel), "number of input channels", "kernel")
        image = TensorType.map(columns.channels // math.prod(self.kernel), *self.output)
        height, width = slide(image, self.kernel, self.stride, self.padding, self.dilation)
        if columns.sizes[1] != height * width:
            message = f"a map of {side(self.output)} has {height * width} windows, got {columns.sizes[1]} columns"
            raise OpError(message, code="E203", parameter="output")
        return image

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Fold."""
        return layer("Fold", output_size=side(self.output), kernel_size=side(self.kernel), **_window(self))


def _window(op: Unfold | Fold) -> dict[str, int | tuple[int, int]]:
    return unless_default(dilation=(side(op.dilation), 1), padding=(side(op.padding), 0), stride=(side(op.stride), 1))


OPS: tuple[type[Op], ...] = (IndexOp, Roll, Unfold, Fold)
