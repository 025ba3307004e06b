"""A constant factor, the absolute value, and free parameters."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Either, Float, Int, ListOf, field
from cnngraph.ops.init import Init, InitCall
from cnngraph.ops.kinds import AXIS_LIMIT
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index
from cnngraph.tensor_type import OTHER, TensorType

MAX_CHANNELS = 64  # numbers for each channel are written out in the generated source
EACH_CHANNEL = Either((Float(), ListOf(Float(), 1, MAX_CHANNELS)))


class Scale(Op):
    """The input times a constant factor, plus a constant: y = factor·x + shift. The shape stays.

    Either may be a list of a number for each channel, as images are brought to another mean and deviation.
    """

    name: ClassVar[str] = "scale"
    kind: ClassVar[str] = "arithmetic"
    output_is_free: ClassVar[bool] = True

    factor: float | tuple[float, ...] = field(EACH_CHANNEL, "the factor, or one for each channel")
    shift: float | tuple[float, ...] = field(EACH_CHANNEL, "what is added, or a number for each channel", 0.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"factor": 0.5}, ((4, 5, 6),), (4, 5, 6)),
        Example({"factor": -1}, ((12,),), (12,)),
        Example({"factor": 2, "shift": -1}, ((3, 5, 6),), (3, 5, 6)),
        Example({"factor": [0.5, 0.4, 0.3], "shift": [0, -0.1, 1]}, ((3, 5, 6),), (3, 5, 6)),
        Example({"factor": 2, "shift": [0.1, 0.2]}, ((5, 6, 2),), (5, 6, 2), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's."""
        (tensor,) = inputs
        for word in ("factor", "shift"):
            numbers = getattr(self, word)
            if not isinstance(numbers, tuple):
                continue
            size = tensor.sizes[axis_index(self.name, tensor, "channels", word)]
            if len(numbers) != size:
                message = f"{word} has {len(numbers)} numbers, and the input {size} channels"
                raise OpError(message, code="E202", word=word)
        return tensor

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`x * 0.5 - 0.1`, or that for each channel apart, concatenated."""
        factors, shifts = (each if isinstance(each, tuple) else (each,) for each in (self.factor, self.shift))
        count = max(len(factors), len(shifts))
        if not isinstance(self.factor, tuple) and not isinstance(self.shift, tuple):
            return _line(arguments[0], self.factor, self.shift)
        place = axis_index(self.name, inputs[0], "channels")
        index = ":, " * (place + 1)
        lines = [
            _line(f"{arguments[0]}[{index}{each}:{each + 1}]", factors[each % len(factors)], shifts[each % len(shifts)])
            for each in range(count)
        ]
        return f"torch.cat(({', '.join(lines)},), {place + 1})"


def _line(x: str, factor: float, shift: float) -> str:
    """`x * 0.5 - 0.1`."""
    added = f" {'-' if shift < 0 else '+'} {abs(shift)!r}" if shift else ""
    return f"{x} * {factor!r}{added}"


class Abs(Op):
    """The absolute value of each number. The shape stays."""

    name: ClassVar[str] = "abs"
    kind: ClassVar[str] = "arithmetic"
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
    )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.abs."""
        return f"torch.abs({arguments[0]})"


class Parameter(Op):
    """A free parameter: a learned tensor that no layer owns. It reads nothing, and its key is the node's own path.

    `mul`, `add`, `sub` and `maximum` take it beside a tensor. LayerScale (Touvron et al. 2021) multiplies a branch by
    a parameter C×1×1 that starts at 1e-6, ReZero (Bachlechner et al. 2020) by a single number, `shape: []`, that
    starts at 0.
    """

    name: ClassVar[str] = "parameter"
    kind: ClassVar[str] = "arithmetic"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)

    shape: tuple[int, ...] = field(
        ListOf(Int(1), 0, AXIS_LIMIT - 1), "its sizes, without a batch; [] is a single number"
    )
    init: float | InitCall = field(Init(), "its initial value", 1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"shape": [8, 1, 1], "init": 1e-6}, (), (8, 1, 1)),
        Example({"shape": [], "init": 0}, (), ()),
        Example({"shape": [4, 5, 6], "init": {"trunc_normal": {"std": 0.02}}}, (), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """Its shape, of nameless axes and without a batch."""
        refusal = self.init.refusal(self.shape) if isinstance(self.init, InitCall) else None
        if refusal:
            raise OpError(refusal, code="E205", word="init")
        return TensorType(self.shape, (OTHER,) * len(self.shape), batched=False)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """The node itself."""
        return {"": self.shape}

    def layer(self, *inputs: TensorType) -> Layer:
        """`parameter` of backend/modules/layers.py, which gives a torch.nn.Parameter rather than a module."""
        if isinstance(self.init, InitCall):
            return layer("parameter", self.shape, self.init.function, **self.init.kwargs)
        return layer("parameter", self.shape, self.init)


OPS: tuple[type[Op], ...] = (Scale, Abs, Parameter)
