"""Free parameters and constants: tensors that belong to no layer and have no batch axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from cnngraph.fields import Bool, Choice, FieldError, Float, Int, Json, Kind, ListOf, Optional, field, show_value
from cnngraph.ops.init import Init, InitCall
from cnngraph.ops.kinds import AXIS_LIMIT, AxisLetters
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import named_axes, unless_default
from cnngraph.tensor_type import TensorType


class Parameter(Op):
    """A free parameter: a learnable tensor that belongs to no layer.

    It has no inputs, and its state_dict key is the path of the node. `axes` names its axes, so that `mul`, `add` and
    other ops can match them with those of a tensor. LayerScale (Touvron et al. 2021) multiplies a branch by a parameter
    of shape [C] that starts at 1e-6; ReZero (Bachlechner et al. 2020) multiplies it by a single number, `shape: []`,
    that starts at 0.
    """

    name: ClassVar[str] = "parameter"
    kind: ClassVar[str] = "arithmetic"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)
    is_attribute: ClassVar[bool] = True

    shape: tuple[int, ...] = field(
        ListOf(Int(1), 0, AXIS_LIMIT - 1), "shape of the parameter, which has no batch axis; `[]` for a single number"
    )
    init: float | InitCall = field(Init(), "initial value", 1.0)
    axes: tuple[str, ...] | None = field(Optional(AxisLetters()), "names of the axes", None)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"shape": [8, 1, 1], "init": 1e-6}, (), (8, 1, 1)),
        Example({"shape": [], "init": 0}, (), ()),
        Example({"shape": [4, 5, 6], "init": {"trunc_normal": {"std": 0.02}}}, (), (4, 5, 6)),
        Example({"shape": [8], "axes": "C"}, (), (8,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """Its shape, without a batch."""
        refusal = self.init.refusal(self.shape) if isinstance(self.init, InitCall) else None
        if refusal:
            raise OpError(refusal, code="E205", parameter="init")
        return TensorType(self.shape, named_axes(self.axes, self.shape), batched=False)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """The node itself, under an empty name."""
        return {"": self.shape}

    def layer(self, *inputs: TensorType) -> Layer:
        """`parameter` of backend/modules/own_layers.py, which returns a torch.nn.Parameter rather than a module."""
        if isinstance(self.init, InitCall):
            return layer("parameter", self.shape, self.init.function, **self.init.kwargs)
        return layer("parameter", self.shape, self.init)


class Numbers(Kind):
    """A number, or a list of numbers or of such lists. Stored as nested tuples."""

    def convert(self, value: object) -> Any:
        """The number, or the lists as tuples."""
        if isinstance(value, list | tuple):
            return tuple(map(self.convert, value))
        try:
            return Float().convert(value)
        except FieldError as error:
            raise FieldError(f"must be {self.describe()}, got `{show_value(value)}`", error.help) from None

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return {"anyOf": [{"type": "number"}, {"type": "array"}]}

    def describe(self) -> str:
        """A short description for the manual."""
        return "a number, or a list of numbers or lists"


class Constant(Op):
    """A constant tensor, such as a mask or a fixed kernel. It has no inputs, and is not trained.

    `value` is a number or a list, nested for several axes: `[[1, 0], [0, 1]]` has the shape 2×2. `shape` repeats a
    number. Like a free parameter it has no batch axis, and can be an input of the same ops. It moves with the network
    to a device and a precision. Long lists are written
    [with a `for`](reference/expressions.md#lists-with-a-for). With `dtype: int64` it holds indices for `index`. With
    `persistent: true` it is in the state_dict, under the path of the node, as `relative_position_index` of
    torchvision's Swin (Liu et al. 2021), and weights that are loaded replace it.
    """

    name: ClassVar[str] = "constant"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("const", "buffer", "tensor")
    kind: ClassVar[str] = "arithmetic"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)
    is_attribute: ClassVar[bool] = True

    value: Any = field(Numbers(), "the numbers")
    shape: tuple[int, ...] | None = field(
        Optional(ListOf(Int(1), 0, AXIS_LIMIT - 1)), "shape of a constant whose value is one number", None
    )
    axes: tuple[str, ...] | None = field(Optional(AxisLetters()), "names of the axes", None)
    dtype: str = field(
        Choice(("float", "int64")), "whether it holds numbers, or integers to be used as indices", "float"
    )
    persistent: bool = field(Bool(), "whether it is in the state_dict", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"value": [0.229, 0.224, 0.225], "axes": "C"}, (), (3,)),
        Example({"value": [[1, 0, 2], [0, 1, 2]]}, (), (2, 3)),
        Example({"value": 0.5, "shape": [4, 1, 1]}, (), (4, 1, 1)),
        Example({"value": 2}, (), ()),
        Example({"value": [[0, 1], [1, 0]], "dtype": "int64", "persistent": True}, (), (2, 2)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The shape of the lists, without a batch."""
        sizes = _sizes(self.value)
        if self.shape is not None and sizes:
            raise OpError(
                "`shape` is for a single number; the lists in `value` have their own", code="E205", parameter="shape"
            )
        sizes = sizes or self.shape or ()
        return TensorType(sizes, named_axes(self.axes, sizes), batched=False, indices=self._indices())

    def _indices(self) -> tuple[int, int] | None:
        """The smallest and the largest index."""
        if self.dtype == "float":
            return None
        numbers = list(_numbers(self.value))
        if wrong := [number for number in numbers if not number.is_integer()]:
            message = f"with `dtype: int64` the numbers in `value` must be integers, got `{wrong[0]}`"
            raise OpError(message, code="E205", parameter="value")
        return int(min(numbers)), int(max(numbers))

    def buffers(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """The node itself, under an empty name, if it is persistent."""
        return {"": self.infer().sizes} if self.persistent else {}

    def layer(self, *inputs: TensorType) -> Layer:
        """`constant` of backend/modules/own_layers.py, which returns a torch.nn.Buffer rather than a module."""
        optional = unless_default(
            shape=(self.shape or (), ()), dtype=(self.dtype, "float"), persistent=(self.persistent, False)
        )
        return layer("constant", self.value if self.dtype == "float" else _integers(self.value), **optional)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


def _integers(value: Any) -> Any:
    return tuple(map(_integers, value)) if isinstance(value, tuple) else int(value)


def _sizes(value: Any) -> tuple[int, ...]:
    """The sizes of nested lists. Raises OpError if those on one level differ."""
    if not isinstance(value, tuple):
        return ()
    inner = {_sizes(item) for item in value}
    if len(inner) != 1:
        message = "the lists in `value` must have the same length on each level, and at least one number"
        raise OpError(message, code="E205", parameter="value")
    return (len(value), *inner.pop())


OPS: tuple[type[Op], ...] = (Parameter, Constant)
