"""Ops that combine several tensors into one."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Choice, Float, Int, Optional, field
from cnngraph.ops.broadcasting import aligned_arguments, aligned_types, broadcast
from cnngraph.ops.kinds import Axis
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, common_axes, need_equal_sizes, need_map, torch_axis, unless_default
from cnngraph.tensor_type import TensorType


def equal_type(op: str, inputs: tuple[TensorType, ...]) -> TensorType:
    """The common type of inputs that must have equal shapes."""
    axes = common_axes(op, inputs)
    need_equal_sizes(op, inputs, axes)
    return TensorType(inputs[0].sizes, axes, any(tensor.batched for tensor in inputs))


def _chain(sign: str, arguments: tuple[str, ...]) -> str:
    """`a + b + c`. A single argument is copied, since a later in-place op could otherwise overwrite the input."""
    return f" {sign} ".join(arguments) if len(arguments) > 1 else f"torch.clone({arguments[0]})"


class Concat(Op):
    """Concatenates the inputs along an axis, by default the channels. All other sizes must be equal.

    A free parameter is repeated for each image of the batch: the class token of ViT (Dosovitskiy et al. 2021) is a
    parameter of shape [1, 1, C], which `dim: 1` puts before the tokens.
    """

    name: ClassVar[str] = "concat"
    elsewhere: ClassVar[tuple[str, ...]] = ("cat", "concatenate", "concatenation", "depthconcatenation")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    dim: str | int = field(Axis(), "axis of concatenation", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (3, 5, 6), (1, 5, 6)), (8, 5, 6)),
        Example({}, ((4,), (3,)), (7,)),
        Example({"dim": "height"}, ((4, 5, 6), (4, 2, 6)), (4, 7, 6)),
        Example({}, ((5, 6, 4), (5, 6, 2)), (5, 6, 6), axes=("HWC", "HWC")),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5, 6)),
        Example({"dim": 1}, ((1, 1, 4), (9, 4)), (10, 4), axes=("???", "?C"), free=(0,)),
        Example({"dim": 1}, ((3, 4), (2, 4)), (5, 4), axes=("?C", "?C"), free=(0, 1)),
        Example({}, ((4,), ()), (5,), free=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The sizes of the inputs, summed along the axis."""
        aligned = aligned_types(self.name, inputs)
        joined = self._joined(inputs, aligned)
        index = axis_index(self.name, joined, self.dim)
        need_equal_sizes(self.name, aligned, joined.axes, skip=index)
        sizes = list(joined.sizes)
        sizes[index] = sum(tensor.sizes[index] for tensor in aligned)
        return TensorType(tuple(sizes), joined.axes, joined.batched)

    def _joined(self, inputs: tuple[TensorType, ...], aligned: tuple[TensorType, ...]) -> TensorType:
        """The type of the result, but with the sizes of the first input."""
        axes = common_axes(self.name, aligned)
        return TensorType(aligned[0].sizes, axes, any(tensor.batched for tensor in inputs))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.cat."""
        aligned = aligned_types(self.name, inputs)
        joined = self._joined(inputs, aligned)
        image = next((argument for argument, tensor in zip(arguments, inputs, strict=True) if tensor.batched), "")
        expanded = [
            _expanded(argument, tensor, sizes.sizes, image)
            for argument, tensor, sizes in zip(
                aligned_arguments(self.name, arguments, inputs), inputs, aligned, strict=True
            )
        ]
        tensors = ", ".join(expanded) if len(expanded) > 1 else f"{expanded[0]},"
        return f"torch.cat(({tensors}), {torch_axis(self.name, joined, self.dim)})"


def _expanded(argument: str, tensor: TensorType, aligned: tuple[int, ...], image: str) -> str:
    """An input of torch.cat, which repeats nothing: a parameter gets the batch axis and others that it lacks."""
    if tensor.batched or (not image and tensor.rank == len(aligned)):
        return argument
    kept = tensor.rank >= len(aligned)
    sizes = ["-1" if kept else str(size) for size in aligned]
    return f"{argument}.expand({', '.join([f'{image}.shape[0]', *sizes] if image else sizes)})"


class Add(Op):
    """The elementwise sum of the inputs: y = x₁ + x₂ + … Sizes are matched as in `mul`.

    The positional embedding of ViT (Dosovitskiy et al. 2021) is a free parameter of shape [1, tokens, C].
    """

    name: ClassVar[str] = "add"
    elsewhere: ClassVar[tuple[str, ...]] = ("plus", "addition")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    is_commutative: ClassVar[bool] = True
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,), (12,)), (12,)),
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6), free=(1,)),
        Example({}, ((10, 4), (1, 10, 4)), (10, 4), axes=("?C",), free=(1,)),
        Example({}, ((4, 5, 6), (4,)), (4, 5, 6), axes=("CHW", "C"), free=(1,)),
        Example({}, ((4, 5, 6), (4, 1, 1)), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger size on each axis."""
        return broadcast(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a + b`."""
        return _chain("+", aligned_arguments(self.name, arguments, inputs))


class Sub(Op):
    """The elementwise difference of two inputs: y = x₁ − x₂. Sizes are matched as in `mul`."""

    name: ClassVar[str] = "sub"
    elsewhere: ClassVar[tuple[str, ...]] = ("minus", "subtract")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    second_sign: ClassVar[str] = "−"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,)), (12,), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger size on each axis."""
        return broadcast(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a - b`."""
        return _chain("-", aligned_arguments(self.name, arguments, inputs))


class Mul(Op):
    """The elementwise product of the inputs: y = x₁ · x₂ · …

    Where sizes differ, one of them must be 1 and is repeated: a C×1×1 gate scales the channels of a C×H×W map. All
    inputs need the same number of axes, except free parameters. A parameter with named axes is matched by name: one of
    shape [C] with `axes: C` scales the channels, wherever they are. Without names its axes are aligned from the last
    one, so that the shape [C, 1, 1], or [] for a single number, scales a map. It may have an axis of size 1 in front,
    which is the batch. LayerScale (Touvron et al. 2021) is a product with a parameter that starts at 1e-6.
    """

    name: ClassVar[str] = "mul"
    elsewhere: ClassVar[tuple[str, ...]] = ("times", "mult", "multiply", "multiplication")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    is_commutative: ClassVar[bool] = True
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 1, 1), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (1, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (4, 1, 1)), (4, 5, 6), free=(1,)),
        Example({}, ((), (4, 5, 6)), (4, 5, 6), free=(0,)),
        Example({}, ((5, 6, 4), (4,)), (5, 6, 4), axes=("HWC",), free=(1,)),
        Example({}, ((4, 5, 6), (4,)), (4, 5, 6), axes=("CHW", "C"), free=(1,)),
        Example({}, ((4, 5, 6), (4, 6)), (4, 5, 6), axes=("CHW", "CW"), free=(1,)),
        Example({}, ((4, 5, 6), (1, 4, 1, 1)), (4, 5, 6), free=(1,)),
        Example({}, ((12,), (12,), (1,)), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger size on each axis."""
        return broadcast(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a * b`."""
        return _chain("*", aligned_arguments(self.name, arguments, inputs))


class Div(Op):
    """The elementwise quotient of two inputs: y = x₁ / x₂. Sizes are matched as in `mul`.

    Nothing is added to the denominator, so that a 0 in it gives an infinite result.
    """

    name: ClassVar[str] = "div"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("divide", "division", "truediv", "quotient")
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    second_sign: ClassVar[str] = "÷"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (1, 5, 6)), (4, 5, 6)),
        Example({}, ((4, 5, 6), (4,)), (4, 5, 6), axes=("CHW", "C"), free=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger size on each axis."""
        return broadcast(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a / b`."""
        return _chain("/", aligned_arguments(self.name, arguments, inputs))


class Maximum(Op):
    """The elementwise maximum of the inputs (maxout, Goodfellow et al. 2013). Sizes are matched as in `mul`."""

    name: ClassVar[str] = "maximum"
    kind: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    is_commutative: ClassVar[bool] = True
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)),
        Example({}, ((12,), (12,), (12,)), (12,)),
        Example({}, ((12,), (12,)), (12,), free=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The larger size on each axis."""
        return broadcast(self.name, inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Nested calls of torch.maximum; for many inputs a balanced tree, since Python's parser bounds nesting."""
        if len(arguments) == 1:
            return f"torch.clone({arguments[0]})"
        return _nested_maximum(aligned_arguments(self.name, arguments, inputs))


def _nested_maximum(arguments: tuple[str, ...]) -> str:
    if len(arguments) > MOST_NESTED:
        half = len(arguments) // 2
        return f"torch.maximum({_nested_maximum(arguments[:half])}, {_nested_maximum(arguments[half:])})"
    largest = arguments[0]
    for argument in arguments[1:]:
        largest = f"torch.maximum({largest}, {argument})"
    return largest


MOST_NESTED = 50  # nested calls; Python's parser rejects 200 nested parentheses


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
        return equal_type(self.name, inputs)

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


OPS: tuple[type[Op], ...] = (Concat, Add, Sub, Mul, Div, Maximum, Gate)
