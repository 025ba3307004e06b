"""Ops that combine several tensors into one."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Bool, Choice, Either, Float, Int, ListOf, Optional, field
from cnngraph.ops.kinds import Axis
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, common_axes, describe, need_equal_sizes, need_map, unless_default
from cnngraph.tensor_type import OTHER, TensorType


def _equal(op: str, inputs: tuple[TensorType, ...]) -> TensorType:
    """The common type of inputs that must have equal shapes; free parameters have the shape of one image."""
    axes = common_axes(op, inputs)
    need_equal_sizes(op, inputs, axes)
    return TensorType(inputs[0].sizes, axes, any(tensor.batched for tensor in inputs))


def _chain(sign: str, arguments: tuple[str, ...]) -> str:
    """`a + b + c`. A single argument is copied, since a later in-place op could otherwise overwrite the input."""
    return f" {sign} ".join(arguments) if len(arguments) > 1 else f"torch.clone({arguments[0]})"


class Concat(Op):
    """Concatenates the inputs along an axis, by default the channels. All other sizes must be equal."""

    name: ClassVar[str] = "concat"
    elsewhere: ClassVar[tuple[str, ...]] = ("cat", "concatenate", "concatenation", "depthconcatenation")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    output_is_free: ClassVar[bool] = True

    dim: str | int = field(Axis(), "axis of concatenation", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (3, 5, 6), (1, 5, 6)), (8, 5, 6)),
        Example({}, ((4,), (3,)), (7,)),
        Example({"dim": "height"}, ((4, 5, 6), (4, 2, 6)), (4, 7, 6)),
        Example({}, ((5, 6, 4), (5, 6, 2)), (5, 6, 6), axes=("HWC", "HWC")),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sizes of the inputs, summed along the axis."""
        axes = common_axes(self.name, inputs)
        joined = TensorType(inputs[0].sizes, axes)
        index = axis_index(self.name, joined, self.dim)
        need_equal_sizes(self.name, inputs, axes, skip=index)
        sizes = list(joined.sizes)
        sizes[index] = sum(tensor.sizes[index] for tensor in inputs)
        return TensorType(tuple(sizes), axes)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.cat."""
        joined = TensorType(inputs[0].sizes, common_axes(self.name, inputs))
        tensors = ", ".join(arguments) if len(arguments) > 1 else f"{arguments[0]},"
        return f"torch.cat(({tensors}), {axis_index(self.name, joined, self.dim) + 1})"


class Add(Op):
    """The elementwise sum of the inputs: y = x₁ + x₂ + … All shapes must be equal; there is no broadcasting."""

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
        """The common type of the inputs."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a + b`."""
        return _chain("+", arguments)


class Sub(Op):
    """The elementwise difference of two inputs: y = x₁ − x₂. The shapes must be equal; there is no broadcasting."""

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
        """The common type of the inputs."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a - b`."""
        return _chain("-", arguments)


class Mul(Op):
    """The elementwise product of the inputs: y = x₁ · x₂ · … This is the only op that broadcasts.

    Where sizes differ, one of them must be 1: a C×1×1 gate scales the channels of a C×H×W map. All inputs need the same
    number of axes, except that a free parameter may have fewer; its axes are aligned from the last one. So a parameter
    of shape [C, 1, 1], or [] for a single number, scales a map, and one of shape [C] scales H×W×C.
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
        """The broadcast type: the larger size on each axis."""
        images = [tensor for tensor in inputs if tensor.batched]
        rank = max(tensor.rank for tensor in images or inputs)
        for tensor in inputs:
            if tensor.rank != rank and (tensor.batched or tensor.rank > rank):
                raise OpError(
                    f"`mul` needs inputs with the same number of axes, got {describe(inputs[0])} and "
                    f"{describe(next(other for other in inputs if other.rank != inputs[0].rank))}",
                    code="E211",
                    help=_as_map(inputs),
                )
        expanded = tuple(_expanded(tensor, rank) for tensor in inputs)
        axes = common_axes(self.name, expanded)
        sizes = tuple(map(max, zip(*(tensor.sizes for tensor in expanded), strict=True)))
        broadcast = tuple(
            TensorType(tuple(b if a == 1 else a for a, b in zip(tensor.sizes, sizes, strict=True)), tensor.axes)
            for tensor in expanded
        )
        try:
            need_equal_sizes(self.name, broadcast, axes)
        except OpError as error:
            raise OpError(error.message, code=error.code, help=_per_channel(inputs) or error.help) from None
        return TensorType(sizes, axes, bool(images))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a * b`."""
        return _chain("*", arguments)


def _expanded(tensor: TensorType, rank: int) -> TensorType:
    """The type with axes of size 1 prepended, as PyTorch broadcasts."""
    extra = rank - tensor.rank
    return TensorType((1,) * extra + tensor.sizes, (OTHER,) * extra + tensor.axes)


def _per_channel(inputs: tuple[TensorType, ...]) -> str | None:
    """The fix for a free parameter with one number per channel of a map, whose axes align from the last one."""
    map_ = next((tensor for tensor in inputs if tensor.is_map), None)
    vector = next((tensor for tensor in inputs if not tensor.batched and tensor.rank == 1), None)
    if map_ is None or vector is None or vector.sizes != (map_.channels,):
        return None
    return f"give the parameter `shape: [{map_.channels}, 1, 1]` to scale each channel of the map"


def _as_map(inputs: tuple[TensorType, ...]) -> str | None:
    """The fix for a vector times a map."""
    vector = next((tensor for tensor in inputs if tensor.axes == ("C",)), None)
    if vector is None or not any(tensor.is_map for tensor in inputs):
        return None
    return f"insert `{{op: reshape, shape: [{vector.channels}, 1, 1]}}` to make the vector a map"


class Maximum(Op):
    """The elementwise maximum of the inputs (maxout, Goodfellow et al. 2013). All shapes must be equal."""

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
        """The common type of the inputs."""
        return _equal(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Nested calls of torch.maximum; for many inputs a balanced tree, since Python's parser bounds nesting."""
        if len(arguments) == 1:
            return f"torch.clone({arguments[0]})"
        if len(arguments) > MOST_NESTED:
            half = len(arguments) // 2
            return f"torch.maximum({self.code(arguments[:half])}, {self.code(arguments[half:])})"
        largest = arguments[0]
        for argument in arguments[1:]:
            largest = f"torch.maximum({largest}, {argument})"
        return largest


MOST_NESTED = 50  # nested calls; Python's parser rejects 200 nested parentheses


class Mean(Op):
    """The elementwise mean of several inputs, or with `dim` the mean of one input over some of its axes.

    Several inputs: y = (x₁ + x₂ + …) / n, all shapes equal, as in the joins of FractalNet (Larsson et al. 2017). With
    `dim` the averaged axes are removed, or kept with size 1 if `keepdim` is true: `dim: [height, width], keepdim: true`
    is the squeeze of squeeze-and-excitation, C×1×1.
    """

    name: ClassVar[str] = "mean"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    output_is_free: ClassVar[bool] = True

    dim: tuple[str | int, ...] | str | int | None = field(
        Optional(Either((Axis(), ListOf(Axis())))), "axes to average over; null averages the inputs", None
    )
    keepdim: bool = field(Bool(), "whether to keep the averaged axes with size 1", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"dim": ["height", "width"], "keepdim": True}, ((4, 5, 6),), (4, 1, 1)),
        Example({"dim": ["height", "width"]}, ((5, 6, 4),), (4,), axes=("HWC",)),
        Example({"dim": "channels", "keepdim": True}, ((4, 5, 6),), (1, 5, 6)),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The common type of the inputs, or that of the one input without the averaged axes."""
        if self.dim is None:
            if len(inputs) == 1:
                raise OpError(
                    "`mean` of a single input needs `dim`, the axes to average over",
                    code="E205",
                    help="to average over all positions, add `dim: [height, width]`",
                )
            return _equal(self.name, inputs)
        if len(inputs) > 1:
            raise OpError(f"`mean` with `dim` reads one tensor, got {len(inputs)}", code="E210", parameter="dim")
        averaged = self._indices(inputs[0])
        kept = [
            (1 if index in averaged else size, axis)
            for index, (size, axis) in enumerate(zip(inputs[0].sizes, inputs[0].axes, strict=True))
            if self.keepdim or index not in averaged
        ]
        return TensorType(tuple(size for size, _ in kept), tuple(axis for _, axis in kept))

    def _indices(self, tensor: TensorType) -> list[int]:
        dims = self.dim if isinstance(self.dim, tuple) else (self.dim,)
        indices = sorted(axis_index(self.name, tensor, dim) for dim in dims if dim is not None)
        if len(set(indices)) < len(indices):
            raise OpError("`dim` names the same axis twice", code="E205", parameter="dim")
        return indices

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`(a + b) / 2`, or torch.mean."""
        if self.dim is None:
            return f"({' + '.join(arguments)}) / {len(arguments)}"
        dims = ", ".join(str(index + 1) for index in self._indices(inputs[0]))
        return f"{arguments[0]}.mean(({dims},){', keepdim=True' if self.keepdim else ''})"


class Gate(Op):
    """The gated shortcut of Highway networks (Srivastava et al. 2015) and of He et al. 2016.

    With g = sigmoid(conv(carry)), mode `exclusive` computes g·transform + (1 − g)·carry and mode `shortcut` computes
    transform + (1 − g)·carry. Both inputs must have the same shape, which is also that of the output. The convolution
    has an odd kernel, by default 1×1, and belongs to the node. A strongly negative bias (He et al. use −6) initially
    passes the shortcut through. Multiply-accumulates: those of the convolution, C·C·H·W·kernel².
    """

    name: ClassVar[str] = "gate"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    input_names: ClassVar[tuple[str, ...]] = ("transform", "carry")
    output_is_free: ClassVar[bool] = True

    mode: str = field(
        Choice(("exclusive", "shortcut")),
        "whether g also gates the transform (`exclusive`) or only the shortcut (`shortcut`)",
    )
    bias: float | None = field(Optional(Float()), "initial bias of the convolution; null means PyTorch's default", None)
    kernel: int = field(Int(1), "kernel size of the convolution, for both height and width; must be odd", 1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"mode": "exclusive", "bias": -6}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"mode": "shortcut"}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({"mode": "exclusive", "kernel": 3, "bias": -2}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The common type of the inputs."""
        if self.kernel % 2 == 0:
            message = f"`kernel` of `gate` must be odd, so that the map keeps its size, got `{self.kernel}`"
            raise OpError(message, code="E205", parameter="kernel")
        for tensor in inputs:
            need_map(self.name, tensor)
        return _equal(self.name, inputs)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C×C×kernel×kernel, `bias` C."""
        channels = inputs[1].channels
        return {"weight": (channels, channels, self.kernel, self.kernel), "bias": (channels,)}

    def macs(self, *inputs: TensorType) -> int:
        """C·C·H·W·kernel²."""
        return inputs[1].count * inputs[1].channels * self.kernel**2

    def layer(self, *inputs: TensorType) -> Layer:
        """Gate of backend/modules/own_layers.py."""
        return layer(
            "Gate",
            inputs[1].channels,
            mode=self.mode,
            **unless_default(bias=(self.bias, None), kernel=(self.kernel, 1)),
        )


OPS: tuple[type[Op], ...] = (Concat, Add, Sub, Mul, Maximum, Mean, Gate)
