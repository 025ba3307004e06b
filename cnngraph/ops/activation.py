"""Activations: elementwise functions, softmax and log_softmax."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Choice, Float, Int, field
from cnngraph.ops.kinds import Axis, Positive
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import axis_index, need_channels_first, torch_axis, unless_default
from cnngraph.tensor_type import TensorType

ANY_SHAPE = (Example({}, ((4, 5, 6),), (4, 5, 6)), Example({}, ((12,),), (12,)))


class Relu(Op):
    """max(0, x). The shape is unchanged."""

    name: ClassVar[str] = "relu"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "activation"
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.ReLU."""
        return layer("ReLU")


class Relu6(Op):
    """min(max(0, x), 6), as in MobileNet (Howard et al. 2017). The shape is unchanged."""

    name: ClassVar[str] = "relu6"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.ReLU6."""
        return layer("ReLU6")


class LeakyRelu(Op):
    """x if positive, otherwise negative_slope·x (Maas et al. 2013). The shape is unchanged."""

    name: ClassVar[str] = "leaky_relu"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True

    # PyTorch cannot compute the in-place gradient for a slope below 0.
    negative_slope: float = field(Float(0), "slope for negative inputs", 0.01)

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"negative_slope": 0.1}, ((4, 5, 6),), (4, 5, 6)),
        Example({"negative_slope": 0}, ((4, 5, 6),), (4, 5, 6)),
    )

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.LeakyReLU."""
        return layer("LeakyReLU", **unless_default(negative_slope=(self.negative_slope, 0.01)))


class PRelu(Op):
    """x if positive, otherwise a learnable weight times x (He et al. 2015). The shape is unchanged."""

    name: ClassVar[str] = "prelu"
    kind: ClassVar[str] = "activation"

    num_parameters: int = field(Int(1), "number of weights: 1 for all channels, or one per channel", 1)
    init: float = field(Float(), "initial value of the weights", 0.25)

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"num_parameters": 4, "init": 0.1}, ((4, 5, 6),), (4, 5, 6)),
        Example({"num_parameters": 12}, ((12,),), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        if self.num_parameters == 1:
            return tensor
        need_channels_first(self.name, tensor)
        if self.num_parameters != tensor.channels:
            raise OpError(
                f"`num_parameters` must be 1 or the number of input channels ({tensor.channels}), "
                f"got `{self.num_parameters}`",
                code="E202",
                parameter="num_parameters",
                help="write `num_parameters: $from.channels`, which follows the input",
            )
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` num_parameters."""
        return {"weight": (self.num_parameters,)}

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.PReLU."""
        return layer("PReLU", **unless_default(num_parameters=(self.num_parameters, 1), init=(self.init, 0.25)))


class Elu(Op):
    """x if positive, otherwise alpha·(exp(x) − 1) (Clevert et al. 2015). The shape is unchanged."""

    name: ClassVar[str] = "elu"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True

    # PyTorch cannot compute the in-place gradient for an alpha below 0.
    alpha: float = field(Float(0), "the output approaches −alpha for very negative inputs", 1.0)

    examples: ClassVar[tuple[Example, ...]] = (*ANY_SHAPE, Example({"alpha": 0.5}, ((4, 5, 6),), (4, 5, 6)))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.ELU."""
        return layer("ELU", **unless_default(alpha=(self.alpha, 1.0)))


class Selu(Op):
    """An elu whose constants keep mean 0 and variance 1 (Klambauer et al. 2017). The shape is unchanged.

    scale·x if x is positive, otherwise scale·alpha·(exp(x) − 1), with scale 1.0507 and alpha 1.6733.
    """

    name: ClassVar[str] = "selu"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.SELU."""
        return layer("SELU")


class Gelu(Op):
    """x·Φ(x), where Φ is the cumulative normal distribution (Hendrycks & Gimpel 2016). The shape is unchanged."""

    name: ClassVar[str] = "gelu"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True

    approximate: str = field(Choice(("none", "tanh")), "`tanh` approximates Φ with tanh", "none")

    examples: ClassVar[tuple[Example, ...]] = (*ANY_SHAPE, Example({"approximate": "tanh"}, ((4, 5, 6),), (4, 5, 6)))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.GELU."""
        return layer("GELU", **unless_default(approximate=(self.approximate, "none")))


class Silu(Op):
    """x·sigmoid(x), also called swish (Elfwing et al. 2017). The shape is unchanged."""

    name: ClassVar[str] = "silu"
    elsewhere: ClassVar[tuple[str, ...]] = ("swish",)
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.SiLU."""
        return layer("SiLU")


class Mish(Op):
    """x·tanh(softplus(x)) (Misra 2019). The shape is unchanged."""

    name: ClassVar[str] = "mish"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Mish."""
        return layer("Mish")


class Sigmoid(Op):
    """1 / (1 + exp(−x)). The shape is unchanged."""

    name: ClassVar[str] = "sigmoid"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "activation"
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Sigmoid."""
        return layer("Sigmoid")


class Tanh(Op):
    """The hyperbolic tangent. The shape is unchanged."""

    name: ClassVar[str] = "tanh"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "activation"
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Tanh."""
        return layer("Tanh")


class Hardswish(Op):
    """x·min(max(0, x + 3), 6) / 6, as in MobileNetV3 (Howard et al. 2019). The shape is unchanged."""

    name: ClassVar[str] = "hardswish"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Hardswish."""
        return layer("Hardswish")


class Hardsigmoid(Op):
    """min(max(0, x + 3), 6) / 6, as in MobileNetV3 (Howard et al. 2019). The shape is unchanged."""

    name: ClassVar[str] = "hardsigmoid"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True
    runs_inplace: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = ANY_SHAPE

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Hardsigmoid."""
        return layer("Hardsigmoid")


class Hardtanh(Op):
    """min(max(min_val, x), max_val), by default a piecewise linear tanh. The shape is unchanged."""

    name: ClassVar[str] = "hardtanh"
    takes_parameters: ClassVar[bool] = True
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("clip", "clamp", "clippedrelu")
    kind: ClassVar[str] = "activation"
    runs_inplace: ClassVar[bool] = True

    min_val: float = field(Float(), "lowest output", -1.0)
    max_val: float = field(Float(), "highest output; must be greater", 1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"min_val": 0, "max_val": 20}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        if self.min_val >= self.max_val:
            message = f"`min_val` {self.min_val:g} must be less than `max_val` {self.max_val:g}"
            raise OpError(message, code="E205", parameter="min_val")
        return inputs[0]

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Hardtanh."""
        return layer("Hardtanh", **unless_default(min_val=(self.min_val, -1.0), max_val=(self.max_val, 1.0)))


class Softplus(Op):
    """log(1 + exp(beta·x)) / beta, a smooth relu. The shape is unchanged."""

    name: ClassVar[str] = "softplus"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "activation"

    beta: float = field(Positive(), "sharpness of the bend", 1.0)
    threshold: float = field(Float(), "the output is x where beta·x is above this value", 20.0)

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"beta": 2, "threshold": 10}, ((4, 5, 6),), (4, 5, 6)),
    )

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Softplus."""
        return layer("Softplus", **unless_default(beta=(self.beta, 1.0), threshold=(self.threshold, 20.0)))


class Softmax(Op):
    """exp(x) divided by its sum along an axis: values between 0 and 1 that sum to 1. The shape is unchanged.

    Do not put it at the end of a classifier that you train: the cross-entropy loss expects logits.
    """

    name: ClassVar[str] = "softmax"
    takes_parameters: ClassVar[bool] = True
    kind: ClassVar[str] = "activation"

    dim: str | int = field(Axis(), "axis along which the values sum to 1", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"dim": "width"}, ((4, 5, 6),), (4, 5, 6)),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        axis_index(self.name, inputs[0], self.dim)
        return inputs[0]

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Softmax."""
        return layer("Softmax", dim=torch_axis(self.name, inputs[0], self.dim))


class LogSoftmax(Op):
    """The logarithm of softmax, computed in a numerically stable way. The shape is unchanged."""

    name: ClassVar[str] = "log_softmax"
    kind: ClassVar[str] = "activation"
    takes_parameters: ClassVar[bool] = True

    dim: str | int = field(Axis(), "axis along which the values sum to 1", "channels")

    examples: ClassVar[tuple[Example, ...]] = (
        *ANY_SHAPE,
        Example({"dim": 2}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        axis_index(self.name, inputs[0], self.dim)
        return inputs[0]

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.LogSoftmax."""
        return layer("LogSoftmax", dim=axis_index(self.name, inputs[0], self.dim) + 1)


OPS: tuple[type[Op], ...] = (
    Relu,
    Relu6,
    LeakyRelu,
    PRelu,
    Elu,
    Selu,
    Gelu,
    Silu,
    Mish,
    Sigmoid,
    Tanh,
    Softmax,
    LogSoftmax,
    Hardswish,
    Hardsigmoid,
    Hardtanh,
    Softplus,
)
