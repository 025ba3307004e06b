"""Ops that lay numbers out anew or take parts of them."""

from __future__ import annotations

import math
from typing import ClassVar

from cnngraph.fields import Either, FieldError, Int, Json, Kind, ListOf, Optional, field, show_value
from cnngraph.numbers import show_sizes
from cnngraph.ops.kinds import AXIS_LIMIT, Axis, Index
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, describe, need_divisible, unless_default
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH, TensorType

MAX_PARTS = 10_000  # that a split or chunk makes


class Flatten(Op):
    """Some axes in a row become one, by default all of them: C×H×W gives a vector of C·H·W features.

    `start_dim: 2` makes C×(H·W) of a map. An axis that takes in the channels is the channel axis of the result.
    """

    name: ClassVar[str] = "flatten"
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    start_dim: int | str = field(Axis(), "first axis to take", 1)
    end_dim: int | str = field(Axis(), "last axis to take", -1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (120,)),
        Example({}, ((12,),), (12,)),
        Example({"start_dim": 2}, ((4, 5, 6),), (4, 30)),
        Example({"end_dim": "width"}, ((5, 6, 4),), (30, 4), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """One axis for those taken."""
        (tensor,) = inputs
        start, end = self._range(tensor)
        taken = tensor.axes[start : end + 1]
        name = taken[0] if len(taken) == 1 else CHANNELS if CHANNELS in taken else OTHER
        if len(taken) == tensor.rank:
            name = CHANNELS
        return TensorType(
            (*tensor.sizes[:start], math.prod(tensor.sizes[start : end + 1]), *tensor.sizes[end + 1 :]),
            (*tensor.axes[:start], name, *tensor.axes[end + 1 :]),
        )

    def _range(self, tensor: TensorType) -> tuple[int, int]:
        start = axis_index(self.name, tensor, self.start_dim, "start_dim")
        end = axis_index(self.name, tensor, self.end_dim, "end_dim")
        if start > end:
            raise OpError("start_dim comes after end_dim", code="E205", word="start_dim")
        return start, end

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.flatten."""
        start, end = self._range(inputs[0])
        last = "" if end == inputs[0].rank - 1 else f", {end + 1}"
        return f"torch.flatten({arguments[0]}, {start + 1}{last})"

    def chain_layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Flatten."""
        start, end = self._range(inputs[0])
        last = -1 if end == inputs[0].rank - 1 else end + 1
        return layer("Flatten", **unless_default(start_dim=(start + 1, 1), end_dim=(last, -1)))


class AxisLetters(Kind):
    """Names of axes, a letter for each: C, H, W, or _ for a nameless one. Held as a tuple."""

    def convert(self, value: object) -> tuple[str, ...]:
        """The letters."""
        if not isinstance(value, str) or not set(value) <= {CHANNELS, HEIGHT, WIDTH, "_"}:
            raise FieldError(f"must be {self.describe()}, got {show_value(value)}")
        letters = tuple(value.replace("_", OTHER))
        if any(letters.count(each) > 1 for each in letters if each != OTHER):
            raise FieldError(f"must name each axis once, got {show_value(value)}")
        return letters

    def schema(self) -> Json:
        """Its JSON schema."""
        return {"type": "string", "pattern": "^[CHW_]*$"}

    def describe(self) -> str:
        """A few words for the manual."""
        return "a letter for each axis: C, H, W, or _ for one without a name"


class Reshape(Op):
    """The same numbers in the same order under other sizes, the batch not counted; one size may be -1, what is left.

    Three sizes are taken for C×H×W, one for C, of others the first for C; `axes` says otherwise.
    """

    name: ClassVar[str] = "reshape"
    elsewhere: ClassVar[tuple[str, ...]] = ("view",)
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    shape: tuple[int, ...] = field(ListOf(Index(), most=AXIS_LIMIT - 1), "the new sizes, without the batch")
    axes: tuple[str, ...] | None = field(Optional(AxisLetters()), "names of the new axes", None)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"shape": [2, 12, 5]}, ((4, 5, 6),), (2, 12, 5)),
        Example({"shape": [4, 1, 1]}, ((4,),), (4, 1, 1)),
        Example({"shape": [4, -1]}, ((4, 5, 6),), (4, 30)),
        Example({"shape": [30, 4], "axes": "_C"}, ((5, 6, 4),), (30, 4), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sizes of `shape`."""
        (tensor,) = inputs
        known = math.prod(size for size in self.shape if size != -1)
        if any(size < 1 and size != -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise OpError("shape takes sizes of at least 1, and a single -1", code="E205", word="shape")
        if tensor.count % known or (-1 not in self.shape and tensor.count != known):
            wanted = show_sizes(self.shape)
            raise OpError(
                f"{describe(tensor)} has {tensor.count} numbers, which do not fill {wanted}", code="E203", word="shape"
            )
        sizes = tuple(tensor.count // known if size == -1 else size for size in self.shape)
        if self.axes is None:
            return TensorType.of(sizes)
        if len(self.axes) != len(sizes):
            raise OpError(f"axes names {len(self.axes)} axes, shape has {len(sizes)}", code="E205", word="axes")
        return TensorType(sizes, self.axes)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Tensor.reshape."""
        return f"{arguments[0]}.reshape({arguments[0]}.shape[0], {', '.join(map(str, self.shape))})"


class Permute(Op):
    """The axes in another order; each keeps its name, so `.channels` stays right.

    `dims` counts as PyTorch does, with the batch as 0, which stays in front: [0, 2, 3, 1] makes H×W×C of C×H×W,
    [0, 3, 1, 2] goes back. [0, 1, 3, 2] exchanges height and width; the result is still a map, whose first spatial axis
    is the width: the first number of a kernel or a size applies to it.
    """

    name: ClassVar[str] = "permute"
    elsewhere: ClassVar[tuple[str, ...]] = ("transpose",)
    kind: ClassVar[str] = "reshape"

    dims: tuple[int, ...] = field(
        ListOf(Int(0, AXIS_LIMIT), most=AXIS_LIMIT), "for each new axis the number of the old one; 0 first"
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"dims": [0, 2, 3, 1]}, ((4, 5, 6),), (5, 6, 4)),
        Example({"dims": [0, 3, 1, 2]}, ((5, 6, 4),), (4, 5, 6), axes=("HWC",)),
        Example({"dims": [0, 2, 1]}, ((4, 30),), (30, 4)),
        Example({"dims": [0, 1, 3, 2]}, ((4, 5, 6),), (4, 6, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sizes and axes in their new order."""
        (tensor,) = inputs
        if sorted(self.dims) != list(range(tensor.rank + 1)) or self.dims[0] != 0:
            raise OpError(
                f"dims must be 0, which is the batch, and then the axes 1 to {tensor.rank} in some order, "
                f"got {show_value(self.dims)}",
                code="E205",
                word="dims",
                help="[0, 2, 3, 1] puts the channels last" if tensor.is_map else None,
            )
        order = [each - 1 for each in self.dims[1:]]
        return TensorType(tuple(tensor.sizes[each] for each in order), tuple(tensor.axes[each] for each in order))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Tensor.permute."""
        return f"{arguments[0]}.permute({', '.join(map(str, self.dims))})"


def _resized(tensor: TensorType, place: int, size: int) -> TensorType:
    return TensorType((*tensor.sizes[:place], size, *tensor.sizes[place + 1 :]), tensor.axes)


class Chunk(Op):
    """Equal parts along an axis, by default the channels: a list of tensors. The parts of `halves` are `halves.0`, …"""

    name: ClassVar[str] = "chunk"
    kind: ClassVar[str] = "reshape"

    chunks: int = field(Int(1), "how many parts; divides the axis")
    dim: str | int = field(Axis(), "the axis that is cut", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"chunks": 2}, ((4, 5, 6),), [(2, 5, 6), (2, 5, 6)]),
        Example({"chunks": 3, "dim": "width"}, ((4, 5, 6),), [(4, 5, 2)] * 3),
        Example({"chunks": 1}, ((12,),), [(12,)]),
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """As many equal tensors as there are chunks."""
        (tensor,) = inputs
        place = axis_index(self.name, tensor, self.dim)
        if self.chunks > MAX_PARTS:
            raise OpError(f"chunk makes at most {MAX_PARTS:,} parts", code="E502", word="chunks")
        need_divisible(tensor.sizes[place], self.chunks, "size of the axis", "chunks")
        return (_resized(tensor, place, tensor.sizes[place] // self.chunks),) * self.chunks

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.chunk."""
        return f"torch.chunk({arguments[0]}, {self.chunks}, {axis_index(self.name, inputs[0], self.dim) + 1})"


class Split(Op):
    """Parts of given sizes along an axis, by default the channels: a list of tensors."""

    name: ClassVar[str] = "split"
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    sizes: tuple[int, ...] | int = field(
        Either((Int(1), ListOf(Int(1)))), "the parts' sizes, or one size for all but perhaps a smaller last"
    )
    dim: str | int = field(Axis(), "the axis that is cut", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"sizes": [3, 1]}, ((4, 5, 6),), [(3, 5, 6), (1, 5, 6)]),
        Example({"sizes": 2, "dim": "height"}, ((4, 5, 6),), [(4, 2, 6), (4, 2, 6), (4, 1, 6)]),
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """A tensor for each part."""
        (tensor,) = inputs
        place = axis_index(self.name, tensor, self.dim)
        whole = tensor.sizes[place]
        if isinstance(self.sizes, int):
            if -(-whole // self.sizes) > MAX_PARTS:
                raise OpError(f"split makes at most {MAX_PARTS:,} parts", code="E502", word="sizes")
            parts = tuple(min(self.sizes, whole - start) for start in range(0, whole, self.sizes))
        else:
            parts = self.sizes
            if sum(parts) != whole:
                raise OpError(f"the sizes add up to {sum(parts)}, the axis has {whole}", code="E208", word="sizes")
        made = {part: _resized(tensor, place, part) for part in set(parts)}
        return tuple(made[part] for part in parts)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.split."""
        sizes = self.sizes if isinstance(self.sizes, int) else list(self.sizes)
        return f"torch.split({arguments[0]}, {sizes}, {axis_index(self.name, inputs[0], self.dim) + 1})"


class Slice(Op):
    """A part along an axis, by default the channels: from `start` up to, not with, `stop`, every `step`-th.

    Negative numbers count from the end, as in Python.
    """

    name: ClassVar[str] = "slice"
    kind: ClassVar[str] = "reshape"

    start: int = field(Index(), "first index", 0)
    stop: int | None = field(Optional(Index()), "index after the last; null is the end", None)
    step: int = field(Int(1), "distance between indices", 1)
    dim: str | int = field(Axis(), "the axis that is cut", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"stop": 3}, ((4, 5, 6),), (3, 5, 6)),
        Example({"start": -2}, ((12,),), (2,)),
        Example({"start": 1, "step": 2, "dim": "width"}, ((4, 5, 6),), (4, 5, 3)),
        Example({"start": 1, "stop": -1, "dim": 2}, ((4, 5, 6),), (4, 3, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """As many as the slice takes along the axis."""
        (tensor,) = inputs
        place = axis_index(self.name, tensor, self.dim)
        size = len(range(*slice(self.start, self.stop, self.step).indices(tensor.sizes[place])))
        if not size:
            raise OpError(
                f"the slice is empty: the axis has {tensor.sizes[place]}",
                code="E205",
                word="stop" if self.stop else "start",
            )
        return _resized(tensor, place, size)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """An index."""
        place = axis_index(self.name, inputs[0], self.dim)
        stop = "" if self.stop is None else self.stop
        step = "" if self.step == 1 else f":{self.step}"
        return f"{arguments[0]}[{':, ' * (place + 1)}{self.start or ''}:{stop}{step}]"


class Identity(Op):
    """The input itself; of several inputs the list of them. It names a tensor, or gathers tensors under one name."""

    name: ClassVar[str] = "identity"
    elsewhere: ClassVar[tuple[str, ...]] = ("skip",)
    kind: ClassVar[str] = "reshape"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((4, 5, 6), (12,)), [(4, 5, 6), (12,)]),
    )

    def infer(self, *inputs: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The input's, or a list of the inputs'."""
        return inputs[0] if len(inputs) == 1 else inputs

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """The name, or a tuple of the names."""
        return arguments[0] if len(arguments) == 1 else f"({', '.join(arguments)})"

    def chain_layer(self, *inputs: TensorType) -> Layer | None:
        """torch.nn.Identity, of one input."""
        return layer("Identity") if len(inputs) == 1 else None


OPS: tuple[type[Op], ...] = (Flatten, Reshape, Permute, Chunk, Split, Slice, Identity)
