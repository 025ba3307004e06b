"""Ops that make one tensor of several."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Bool, Choice, Either, Float, Int, ListOf, Optional, field
from cnngraph.ops.kinds import Axis
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, common_axes, describe, need_equal_sizes, need_map, unless_default
from cnngraph.tensor_type import OTHER, TensorType


def _equal(op: str, inputs: tuple[TensorType, ...]) -> TensorType:
    """The type of inputs that must be equal; free parameters take part with the sizes of one image."""
    axes = common_axes(op, inputs)
    need_equal_sizes(op, inputs, axes)
    return TensorType(inputs[0].sizes, axes, any(each.batched for each in inputs))


def _chain(sign: str, arguments: tuple[str, ...]) -> str:
    """`a + b + c`; of a single argument a copy, since a result that is the input itself could be overwritten."""
    return f" {sign} ".join(arguments) if len(arguments) > 1 else f"torch.clone({arguments[0]})"


class Concat(Op):
    """The inputs one after the other along an axis, by default the channels. All other sizes must be equal."""

    name: ClassVar[str] = "concat"
    elsewhere: ClassVar[tuple[str, ...]] = ("cat", "concatenate", "concatenation", "depthconcatenation")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    output_is_free: ClassVar[bool] = True

    dim: str | int = field(Axis(), "the axis that grows", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (3, 5, 6), (1, 5, 6)), (8, 5, 6)),
        Example({}, ((4,), (3,)), (7,)),
        Example({"dim": "height"}, ((4, 5, 6), (4, 2, 6)), (4, 7, 6)),
        Example({}, ((5, 6, 4), (5, 6, 2)), (5, 6, 6), axes=("HWC", "HWC")),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sum of the sizes along the axis."""
        axes = common_axes(self.name, inputs)
        joined = TensorType(inputs[0].sizes, axes)
        place = axis_index(self.name, joined, self.dim)
        need_equal_sizes(self.name, inputs, axes, skip=place)
        sizes = list(joined.sizes)
        sizes[place] = sum(each.sizes[place] for each in inputs)
        return TensorType(tuple(sizes), axes)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.cat."""
        joined = TensorType(inputs[0].sizes, common_axes(self.name, inputs))
        tensors = ", ".join(arguments) if len(arguments) > 1 else f"{arguments[0]},"
        return f"torch.cat(({tensors}), {axis_index(self.name, joined, self.dim) + 1})"


class Add(Op):
    """The sum of the inputs, number by number: y = x₁ + x₂ + … All shapes must be equal; nothing broadcasts."""

    name: ClassVar[str] = "add"
    elsewhere: ClassVar[tuple[str, ...]] = ("plus", "sum", "addition")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,), (12,)), (12,)),
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6), free=(1,)),
        Example({}, ((12,),), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The inputs'."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a + b`."""
        return _chain("+", arguments)


class Sub(Op):
    """The first input less the second, number by number: y = x₁ − x₂. The shapes must be equal; nothing broadcasts."""

    name: ClassVar[str] = "sub"
    elsewhere: ClassVar[tuple[str, ...]] = ("minus", "subtract")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,)), (12,), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The inputs'."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a - b`."""
        return _chain("-", arguments)


class Mul(Op):
    """The product of the inputs, number by number: y = x₁ · x₂ · … It alone broadcasts.

    Where sizes differ, one of them must be 1 and is repeated: a C×1×1 gate weighs the channels of a C×H×W map. Inputs
    need equally many axes, except that a free parameter may have fewer: they are matched from the last axis on, so
    a parameter C×1×1 (or a single number, of shape []) scales a map, and one of shape C scales H×W×C.
    """

    name: ClassVar[str] = "mul"
    elsewhere: ClassVar[tuple[str, ...]] = ("times", "mult", "multiply", "multiplication")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 1, 1), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (1, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (4, 1, 1)), (4, 5, 6), free=(1,)),
        Example({}, ((), (4, 5, 6)), (4, 5, 6), free=(0,)),
        Example({}, ((5, 6, 4), (4,)), (5, 6, 4), axes=("HWC",), free=(1,)),
        Example({}, ((12,), (12,), (1,)), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger of the sizes on each axis."""
        images = [each for each in inputs if each.batched]
        rank = max(each.rank for each in images or inputs)
        for each in inputs:
            if each.rank != rank and (each.batched or each.rank > rank):
                raise OpError(
                    f"mul needs inputs with equally many axes, got {describe(inputs[0])} and "
                    f"{describe(next(other for other in inputs if other.rank != inputs[0].rank))}",
                    code="E211",
                    help=_as_map(inputs),
                )
        wide = tuple(_widened(each, rank) for each in inputs)
        axes = common_axes(self.name, wide)
        sizes = tuple(map(max, zip(*(each.sizes for each in wide), strict=True)))
        fits = tuple(
            TensorType(tuple(b if a == 1 else a for a, b in zip(each.sizes, sizes, strict=True)), each.axes)
            for each in wide
        )
        try:
            need_equal_sizes(self.name, fits, axes)
        except OpError as error:
            raise OpError(error.message, code=error.code, help=_per_channel(inputs) or error.help) from None
        return TensorType(sizes, axes, bool(images))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a * b`."""
        return _chain("*", arguments)


def _widened(tensor: TensorType, rank: int) -> TensorType:
    """With axes of size 1 put in front, as PyTorch broadcasts."""
    extra = rank - tensor.rank
    return TensorType((1,) * extra + tensor.sizes, (OTHER,) * extra + tensor.axes)


def _per_channel(inputs: tuple[TensorType, ...]) -> str | None:
    """The fix for a free parameter with a number for each channel of a map: it is matched from the last axis on."""
    map_ = next((each for each in inputs if each.is_map), None)
    vector = next((each for each in inputs if not each.batched and each.rank == 1), None)
    if map_ is None or vector is None or vector.sizes != (map_.channels,):
        return None
    return f"give the parameter shape: [{map_.channels}, 1, 1], to scale each channel of the map"


def _as_map(inputs: tuple[TensorType, ...]) -> str | None:
    """The mend for a vector times a map."""
    vector = next((each for each in inputs if each.axes == ("C",)), None)
    if vector is None or not any(each.is_map for each in inputs):
        return None
    return f"{{op: reshape, shape: [{vector.channels}, 1, 1]}} makes a map of the vector"


class Maximum(Op):
    """The largest of the inputs, number by number (maxout, Goodfellow et al. 2013). All shapes must be equal."""

    name: ClassVar[str] = "maximum"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,), (12,)), (12,)),
        Example({}, ((12,), (12,)), (12,), free=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The inputs'."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.maximum, once for each further input; of many inputs as a tree, since Python bounds nested calls."""
        if len(arguments) == 1:
            return f"torch.clone({arguments[0]})"
        if len(arguments) > MOST_NESTED:
            half = len(arguments) // 2
            return f"torch.maximum({self.code(arguments[:half])}, {self.code(arguments[half:])})"
        largest = arguments[0]
        for each in arguments[1:]:
            largest = f"torch.maximum({largest}, {each})"
        return largest


MOST_NESTED = 50  # calls within each other: Python's parser refuses 200 parentheses


class Mean(Op):
    """The mean of several inputs, number by number; or with `dim` the mean of one input over some of its axes.

    Several inputs: y = (x₁ + x₂ + …) / n, all shapes equal, as FractalNet joins its columns (Larsson et al. 2017).
    With `dim` the axes go, or stay with size 1 where `keepdim` is true: `dim: [height, width], keepdim: true` is
    the squeeze of squeeze-and-excitation, C×1×1.
    """

    name: ClassVar[str] = "mean"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    output_is_free: ClassVar[bool] = True

    dim: tuple[str | int, ...] | str | int | None = field(
        Optional(Either((Axis(), ListOf(Axis())))), "the axes to average; null averages the inputs", None
    )
    keepdim: bool = field(Bool(), "whether averaged axes stay, with size 1", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"dim": ["height", "width"], "keepdim": True}, ((4, 5, 6),), (4, 1, 1)),
        Example({"dim": ["height", "width"]}, ((5, 6, 4),), (4,), axes=("HWC",)),
        Example({"dim": "channels", "keepdim": True}, ((4, 5, 6),), (1, 5, 6)),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The inputs', or the input's with fewer or smaller axes."""
        if self.dim is None:
            if len(inputs) == 1:
                raise OpError(
                    "mean of a single input needs the axes to average",
                    code="E205",
                    help="dim: [height, width] averages over the positions",
                )
            return _equal(self.name, inputs)
        if len(inputs) > 1:
            raise OpError(f"mean with dim reads one tensor, got {len(inputs)}", code="E210", word="dim")
        places = self._places(inputs[0])
        kept = [
            (1 if place in places else size, axis)
            for place, (size, axis) in enumerate(zip(inputs[0].sizes, inputs[0].axes, strict=True))
            if self.keepdim or place not in places
        ]
        return TensorType(tuple(size for size, _ in kept), tuple(axis for _, axis in kept))

    def _places(self, tensor: TensorType) -> list[int]:
        dims = self.dim if isinstance(self.dim, tuple) else (self.dim,)
        places = sorted(axis_index(self.name, tensor, each) for each in dims if each is not None)
        if len(set(places)) < len(places):
            raise OpError("dim names an axis twice", code="E205", word="dim")
        return places

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`(a + b) / 2`, or torch.mean."""
        if self.dim is None:
            return f"({' + '.join(arguments)}) / {len(arguments)}"
        dims = ", ".join(str(place + 1) for place in self._places(inputs[0]))
        return f"{arguments[0]}.mean(({dims},){', keepdim=True' if self.keepdim else ''})"


class Gate(Op):
    """The gated shortcut of Highway networks (Srivastava et al. 2015) and He et al. 2016.

    From [transform, carry], with g = sigmoid(conv(carry)): `exclusive` gives g·transform + (1 − g)·carry,
    `shortcut` gives transform + (1 − g)·carry. Both shapes must be equal, and stay. The convolution is 1×1 or of
    another odd kernel, its weights are the node's own; a strongly negative bias (He et al. use −6) lets the shortcut
    pass at first. Multiply-accumulates: those of the convolution, C·C·H·W·kernel².
    """

    name: ClassVar[str] = "gate"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    input_names: ClassVar[tuple[str, ...]] = ("transform", "carry")
    output_is_free: ClassVar[bool] = True

    mode: str = field(Choice(("exclusive", "shortcut")), "whether the transform is gated too, or the shortcut alone")
    bias: float | None = field(
        Optional(Float()), "the gate's initial bias; null leaves PyTorch's default for a convolution", None
    )
    kernel: int = field(Int(1), "height and width of its kernel, an odd number", 1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"mode": "exclusive", "bias": -6}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"mode": "shortcut"}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"mode": "exclusive", "kernel": 3, "bias": -2}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The inputs'."""
        if self.kernel % 2 == 0:
            raise OpError("a gate's kernel must be odd, for the map to keep its size", code="E205", word="kernel")
        for each in inputs:
            need_map(self.name, each)
        return _equal(self.name, inputs)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C×C×kernel×kernel, `bias` C."""
        channels = inputs[1].channels
        return {"weight": (channels, channels, self.kernel, self.kernel), "bias": (channels,)}

    def macs(self, *inputs: TensorType) -> int:
        """C·C·H·W·kernel²."""
        return inputs[1].count * inputs[1].channels * self.kernel**2

    def layer(self, *inputs: TensorType) -> Layer:
        """Gate of backend/modules/layers.py."""
        return layer(
            "Gate",
            inputs[1].channels,
            mode=self.mode,
            **unless_default(bias=(self.bias, None), kernel=(self.kernel, 1)),
        )


OPS: tuple[type[Op], ...] = (Concat, Add, Sub, Mul, Maximum, Mean, Gate)
