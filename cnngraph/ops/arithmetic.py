"""Elementwise arithmetic."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import (
    Either,
    Float,
    ListOf,
    field,
)
from cnngraph.ops.op import Example, Op, OpError
from cnngraph.ops.shapes import axis_index, torch_axis
from cnngraph.tensor_type import TensorType

MAX_CHANNELS = 64  # numbers per channel are written out in the generated source
PER_CHANNEL = Either((Float(), ListOf(Float(), 1, MAX_CHANNELS)))


class Scale(Op):
    """Multiplies by a constant and adds another: y = factor·x + shift. The shape is unchanged.

    Either constant may be a list with one number per channel, for example to normalise images with another mean and
    standard deviation.
    """

    name: ClassVar[str] = "scale"
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    factor: float | tuple[float, ...] = field(PER_CHANNEL, "factor, or a list with one factor per channel")
    shift: float | tuple[float, ...] = field(PER_CHANNEL, "constant to add, or a list of one per channel", 0.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"factor": 0.5}, ((4, 5, 6),), (4, 5, 6)),
        Example({"factor": -1}, ((12,),), (12,)),
        Example({"factor": 2, "shift": -1}, ((3, 5, 6),), (3, 5, 6)),
        Example({"factor": [0.5, 0.4, 0.3], "shift": [0, -0.1, 1]}, ((3, 5, 6),), (3, 5, 6)),
        Example({"factor": 2, "shift": [0.1, 0.2]}, ((5, 6, 2),), (5, 6, 2), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        for parameter in ("factor", "shift"):
            numbers = getattr(self, parameter)
            if not isinstance(numbers, tuple):
                continue
            size = tensor.sizes[axis_index(self.name, tensor, "channels", parameter)]
            if len(numbers) != size:
                message = f"`{parameter}` has {len(numbers)} numbers, but the input has {size} channels"
                raise OpError(message, code="E202", parameter=parameter)
        return tensor

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`x * 0.5 - 0.1`, or the concatenation of such expressions per channel."""
        factors = self.factor if isinstance(self.factor, tuple) else (self.factor,)
        shifts = self.shift if isinstance(self.shift, tuple) else (self.shift,)
        count = max(len(factors), len(shifts))
        if not isinstance(self.factor, tuple) and not isinstance(self.shift, tuple):
            return _scaled(arguments[0], self.factor, self.shift)
        axis = torch_axis(self.name, inputs[0], "channels")
        before = ":, " * axis
        channels = [
            _scaled(f"{arguments[0]}[{before}{c}:{c + 1}]", factors[c % len(factors)], shifts[c % len(shifts)])
            for c in range(count)
        ]
        return f"torch.cat(({', '.join(channels)},), {axis})"


def _scaled(x: str, factor: float, shift: float) -> str:
    """`x * 0.5 - 0.1`."""
    added = f" {'-' if shift < 0 else '+'} {abs(shift)!r}" if shift else ""
    return f"{x} * {factor!r}{added}"


class Abs(Op):
    """The elementwise absolute value. The shape is unchanged."""

    name: ClassVar[str] = "abs"
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.abs."""
        return f"torch.abs({arguments[0]})"


class Sqrt(Op):
    """The elementwise square root, which is NaN for negative numbers. The shape is unchanged."""

    name: ClassVar[str] = "sqrt"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("squareroot",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
        Example({}, ((3, 1, 1),), (3, 1, 1), free=(0,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.sqrt."""
        return f"torch.sqrt({arguments[0]})"


class Exp(Op):
    """The elementwise exponential function. The shape is unchanged.

    The scale of Swin V2's cosine attention (Liu et al. 2022) is the exponential of a free parameter.
    """

    name: ClassVar[str] = "exp"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("exponential",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
        Example({}, ((3, 1, 1),), (3, 1, 1), free=(0,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.exp."""
        return f"torch.exp({arguments[0]})"


class Log(Op):
    """The elementwise natural logarithm. The shape is unchanged.

    It is NaN for negative numbers. The offsets of Swin V2 (Liu et al. 2022) are logarithms of constants.
    """

    name: ClassVar[str] = "log"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("logarithm",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((9, 4),), (9, 4), free=(0,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.log."""
        return f"torch.log({arguments[0]})"


class Sin(Op):
    """The elementwise sine. The shape is unchanged.

    The positional embedding of Vaswani et al. 2017 consists of sines and cosines of constants, as does
    `sincos_position` of `blocks/attention.yaml`.
    """

    name: ClassVar[str] = "sin"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("sine",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((9, 4),), (9, 4), free=(0,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.sin."""
        return f"torch.sin({arguments[0]})"


class Cos(Op):
    """The elementwise cosine. The shape is unchanged."""

    name: ClassVar[str] = "cos"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("cosine",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((9, 4),), (9, 4), free=(0,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.cos."""
        return f"torch.cos({arguments[0]})"


class Pow(Op):
    """Raises each element to a constant power: y = x^exponent. The shape is unchanged.

    GeM pooling (Radenović et al. 2019) is the p-th root of a mean of p-th powers. A negative number to a power that is
    not an integer is NaN.
    """

    name: ClassVar[str] = "pow"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("power",)
    kind: ClassVar[str] = "arithmetic"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    exponent: float = field(Float(), "the power")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"exponent": 2}, ((4, 5, 6),), (4, 5, 6)),
        Example({"exponent": -1}, ((12,),), (12,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`x ** 2`."""
        exponent = int(self.exponent) if self.exponent.is_integer() else self.exponent
        return f"{arguments[0]} ** {exponent}"


OPS: tuple[type[Op], ...] = (Scale, Abs, Sqrt, Exp, Log, Sin, Cos, Pow)
