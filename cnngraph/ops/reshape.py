"""Ops that change the layout of a tensor, or split or slice it."""

from __future__ import annotations

import math
from typing import ClassVar

from cnngraph.fields import Either, Int, ListOf, Optional, field, show_value
from cnngraph.numbers import show_sizes
from cnngraph.ops.kinds import AXIS_LIMIT, Axis, AxisLetters, Index
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, describe, named_axes, need_divisible, torch_axis, unless_default
from cnngraph.tensor_type import CHANNELS, OTHER, TensorType

MAX_TENSORS = 10_000  # that a split or chunk returns


class Flatten(Op):
    """Merges a range of axes into one, by default all of them: C×H×W becomes a vector of C·H·W features.

    `start_dim: 2` turns a map into C×(H·W). If the channels are among the merged axes, the new axis is the channels.
    """

    name: ClassVar[str] = "flatten"
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    start_dim: int | str = field(Axis(), "first axis to merge", 1)
    end_dim: int | str = field(Axis(), "last axis to merge", -1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (120,)),
        Example({}, ((12,),), (12,)),
        Example({"start_dim": 2}, ((4, 5, 6),), (4, 30)),
        Example({"end_dim": "width"}, ((5, 6, 4),), (30, 4), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's axes with the range merged."""
        (tensor,) = inputs
        start, end = self._range(tensor)
        merged = tensor.axes[start : end + 1]
        name = merged[0] if len(merged) == 1 else CHANNELS if CHANNELS in merged else OTHER
        if len(merged) == tensor.rank:
            name = CHANNELS
        return TensorType(
            (*tensor.sizes[:start], math.prod(tensor.sizes[start : end + 1]), *tensor.sizes[end + 1 :]),
            (*tensor.axes[:start], name, *tensor.axes[end + 1 :]),
        )

    def _range(self, tensor: TensorType) -> tuple[int, int]:
        start = axis_index(self.name, tensor, self.start_dim, "start_dim")
        end = axis_index(self.name, tensor, self.end_dim, "end_dim")
        if start > end:
            message = f"`start_dim` {self.start_dim} comes after `end_dim` {self.end_dim}"
            raise OpError(message, code="E205", parameter="start_dim")
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


class Reshape(Op):
    """The same elements in the same order with other sizes (without the batch). One size may be -1 and is inferred.

    Three sizes become C×H×W, one becomes C, and of any other number the first becomes C, unless `axes` names the axes.
    """

    name: ClassVar[str] = "reshape"
    takes_parameters: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("view",)
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    shape: tuple[int, ...] = field(ListOf(Index(), most=AXIS_LIMIT - 1), "new sizes, without the batch; one may be -1")
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
            message = (
                f"the sizes in `shape` must be at least 1, except that one may be -1, got `{show_value(self.shape)}`"
            )
            raise OpError(message, code="E205", parameter="shape")
        if tensor.count % known or (-1 not in self.shape and tensor.count != known):
            message = f"cannot reshape {describe(tensor)} ({tensor.count:,} elements) to {show_sizes(self.shape)}"
            raise OpError(message, code="E203", parameter="shape")
        sizes = tuple(tensor.count // known if size == -1 else size for size in self.shape)
        if self.axes is None and tensor.batched:
            return TensorType.of(sizes)
        return TensorType(sizes, named_axes(self.axes, sizes), tensor.batched)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Tensor.reshape."""
        batch = f"{arguments[0]}.shape[0], " if inputs[0].batched else ""
        return f"{arguments[0]}.reshape({batch}{', '.join(map(str, self.shape))})"


class Permute(Op):
    """Reorders the axes. Each axis keeps its name, so `.channels` is still the number of channels.

    `dims` counts axes as PyTorch does; the batch is 0 and must come first. [0, 2, 3, 1] turns C×H×W into H×W×C, and
    [0, 3, 1, 2] turns it back. [0, 1, 3, 2] swaps height and width: the output is still a map, but its first spatial
    axis is the width, so the first number of a kernel or size applies to the width.
    """

    name: ClassVar[str] = "permute"
    takes_parameters: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("transpose",)
    kind: ClassVar[str] = "reshape"

    dims: tuple[int, ...] = field(
        ListOf(Int(0, AXIS_LIMIT), most=AXIS_LIMIT), "for each new axis, the index of the old one; the first must be 0"
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"dims": [0, 2, 3, 1]}, ((4, 5, 6),), (5, 6, 4)),
        Example({"dims": [0, 3, 1, 2]}, ((5, 6, 4),), (4, 5, 6), axes=("HWC",)),
        Example({"dims": [0, 2, 1]}, ((4, 30),), (30, 4)),
        Example({"dims": [0, 1, 3, 2]}, ((4, 5, 6),), (4, 6, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sizes and axes in the new order."""
        (tensor,) = inputs
        if sorted(self.dims) != list(range(tensor.rank + 1)) or self.dims[0] != 0:
            others = f" followed by the axes 1 to {tensor.rank} in any order" if tensor.rank else ", the only axis"
            raise OpError(
                f"`dims` must be 0 (the batch){others}, got `{show_value(self.dims)}`",
                code="E205",
                parameter="dims",
                help="to move the channels last, write `dims: [0, 2, 3, 1]`" if tensor.is_map else None,
            )
        order = [dim - 1 for dim in self.dims[1:]]
        sizes = tuple(tensor.sizes[index] for index in order)
        axes = tuple(tensor.axes[index] for index in order)
        return TensorType(sizes, axes, tensor.batched)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Tensor.permute."""
        dims = self.dims if inputs[0].batched else [dim - 1 for dim in self.dims[1:]]
        return f"{arguments[0]}.permute({', '.join(map(str, dims)) or '()'})"


def _resized(tensor: TensorType, index: int, size: int) -> TensorType:
    """The type with another size of the axis at `index`."""
    return TensorType((*tensor.sizes[:index], size, *tensor.sizes[index + 1 :]), tensor.axes, tensor.batched)


class Chunk(Op):
    """Splits a tensor into equal chunks along an axis, by default the channels.

    The output is a list of tensors: those of a node `halves` are `halves[0]` and `halves[1]`.
    """

    name: ClassVar[str] = "chunk"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "reshape"

    chunks: int = field(Int(1), "number of chunks; must divide the size of the axis")
    dim: str | int = field(Axis(), "axis to split", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"chunks": 2}, ((4, 5, 6),), [(2, 5, 6), (2, 5, 6)]),
        Example({"chunks": 3, "dim": "width"}, ((4, 5, 6),), [(4, 5, 2)] * 3),
        Example({"chunks": 1}, ((12,),), [(12,)]),
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """One type per chunk."""
        (tensor,) = inputs
        index = axis_index(self.name, tensor, self.dim)
        if self.chunks > MAX_TENSORS:
            message = f"`chunk` returns at most {MAX_TENSORS:,} tensors, got `chunks: {self.chunks}`"
            raise OpError(message, code="E502", parameter="chunks")
        need_divisible(tensor.sizes[index], self.chunks, "size of the axis", "chunks")
        return (_resized(tensor, index, tensor.sizes[index] // self.chunks),) * self.chunks

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.chunk."""
        return f"torch.chunk({arguments[0]}, {self.chunks}, {torch_axis(self.name, inputs[0], self.dim)})"


class Split(Op):
    """Splits a tensor into pieces of given sizes along an axis, by default the channels. The output is a list."""

    name: ClassVar[str] = "split"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "reshape"
    mixes_sizes: ClassVar[bool] = True

    sizes: tuple[int, ...] | int = field(
        Either((Int(1), ListOf(Int(1)))), "size of each piece, or one size for all (the last piece may be smaller)"
    )
    dim: str | int = field(Axis(), "axis to split", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"sizes": [3, 1]}, ((4, 5, 6),), [(3, 5, 6), (1, 5, 6)]),
        Example({"sizes": 2, "dim": "height"}, ((4, 5, 6),), [(4, 2, 6), (4, 2, 6), (4, 1, 6)]),
    )

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """One type per piece."""
        (tensor,) = inputs
        index = axis_index(self.name, tensor, self.dim)
        total = tensor.sizes[index]
        if isinstance(self.sizes, int):
            count = -(-total // self.sizes)
            if count > MAX_TENSORS:
                message = f"`split` returns at most {MAX_TENSORS:,} tensors, but `sizes: {self.sizes}` gives {count:,}"
                raise OpError(message, code="E502", parameter="sizes")
            sizes = tuple(min(self.sizes, total - start) for start in range(0, total, self.sizes))
        else:
            sizes = self.sizes
            if sum(sizes) != total:
                message = f"`sizes` add up to {sum(sizes)}, but the axis has size {total}"
                raise OpError(message, code="E208", parameter="sizes")
        types = {size: _resized(tensor, index, size) for size in set(sizes)}
        return tuple(types[size] for size in sizes)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.split."""
        sizes = self.sizes if isinstance(self.sizes, int) else list(self.sizes)
        return f"torch.split({arguments[0]}, {sizes}, {torch_axis(self.name, inputs[0], self.dim)})"


class Slice(Op):
    """A slice along an axis, by default the channels: `start:stop:step`, as in Python.

    Negative indices count from the end.
    """

    name: ClassVar[str] = "slice"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "reshape"

    start: int = field(Index(), "first index", 0)
    stop: int | None = field(Optional(Index()), "index after the last; null means the end", None)
    step: int = field(Int(1), "step between indices", 1)
    dim: str | int = field(Axis(), "axis to split", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"stop": 3}, ((4, 5, 6),), (3, 5, 6)),
        Example({"start": -2}, ((12,),), (2,)),
        Example({"start": 1, "step": 2, "dim": "width"}, ((4, 5, 6),), (4, 5, 3)),
        Example({"start": 1, "stop": -1, "dim": 2}, ((4, 5, 6),), (4, 3, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's with the length of the slice on the axis."""
        (tensor,) = inputs
        index = axis_index(self.name, tensor, self.dim)
        size = len(range(*slice(self.start, self.stop, self.step).indices(tensor.sizes[index])))
        if not size:
            raise OpError(
                f"the slice is empty: the axis has size {tensor.sizes[index]}",
                code="E205",
                parameter="stop" if self.stop else "start",
            )
        return _resized(tensor, index, size)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`x[:, start:stop]`."""
        axis = torch_axis(self.name, inputs[0], self.dim)
        stop = "" if self.stop is None else self.stop
        step = "" if self.step == 1 else f":{self.step}"
        return f"{arguments[0]}[{':, ' * axis}{self.start or ''}:{stop}{step}]"


class Identity(Op):
    """Returns its input, or the list of its inputs. Use it to name a tensor, or to collect tensors under one name."""

    name: ClassVar[str] = "identity"
    takes_parameters: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("skip",)
    kind: ClassVar[str] = "reshape"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((4, 5, 6), (12,)), [(4, 5, 6), (12,)]),
    )

    def infer(self, *inputs: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The type of the input, or the types of all inputs."""
        return inputs[0] if len(inputs) == 1 else inputs

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """The argument, or a tuple of the arguments."""
        return arguments[0] if len(arguments) == 1 else f"({', '.join(arguments)})"

    def chain_layer(self, *inputs: TensorType) -> Layer | None:
        """torch.nn.Identity, for a single input."""
        return layer("Identity") if len(inputs) == 1 else None


OPS: tuple[type[Op], ...] = (Flatten, Reshape, Permute, Chunk, Split, Slice, Identity)
