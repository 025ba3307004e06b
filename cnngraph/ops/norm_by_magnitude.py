"""Normalisation by magnitude: no mean is subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cnngraph.fields import Bool, Float, Int, Optional, field
from cnngraph.ops.kinds import Axis, Positive
from cnngraph.ops.norm import affine_state
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import describe, need_channels_first, torch_axis, unless_default
from cnngraph.tensor_type import CHANNELS, HEIGHT, WIDTH, TensorType


class RmsNorm(Op):
    """Root mean square normalisation (Zhang & Sennrich 2019) over the channels of each position.

    y = weight·x / √(mean(x²) + eps). The shape is unchanged. The channels can be the first axis (C×H×W) or the last
    (H×W×C, a sequence of tokens, a vector).
    """

    name: ClassVar[str] = "rms_norm"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("rmsnormalization",)
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    eps: float | None = field(
        Optional(Positive()), "added to the mean square; null means the smallest eps of the precision", None
    )
    elementwise_affine: bool = field(Bool(), "whether each channel has a learnable weight", True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((49, 4),), (49, 4), axes=("?C",)),
        Example({"eps": 1e-6}, ((4, 5, 6),), (4, 5, 6)),
        Example({"elementwise_affine": False}, ((12,),), (12,)),
        Example({"elementwise_affine": False}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        if CHANNELS not in (*tensor.axes[:1], *tensor.axes[-1:]):
            message = f"`rms_norm` needs the channels as the first or last axis, got {describe(tensor)}"
            raise OpError(message, code="E211")
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C."""
        return affine_state(inputs[0].channels, self.elementwise_affine, bias=False)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.RMSNorm if the channels are last, otherwise ChannelRMSNorm of backend/modules/own_layers.py."""
        return layer(
            "RMSNorm" if inputs[0].axes[-1] == CHANNELS else "ChannelRMSNorm",
            inputs[0].channels,
            **unless_default(eps=(self.eps, None), elementwise_affine=(self.elementwise_affine, True)),
        )

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the channels and their position are the same; those of a vector are both first and last."""
        first, other = made_for[0], inputs[0]
        index = -1 if first.axes[-1] == CHANNELS else 0
        return first.channels == other.channels and other.axes[index] == CHANNELS


class L2Normalize(Op):
    """Divides by the Euclidean length over one axis, by default the channels: y = x / max(‖x‖, eps).

    The shape is unchanged. The cosine attention of Swin V2 (Liu et al. 2022) normalises queries and keys so.
    """

    name: ClassVar[str] = "l2_normalize"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("normalize", "l2norm", "l2normalization", "unitnormalization")
    kind: ClassVar[str] = "norm"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    dim: str | int = field(Axis(), "axis over which to take the length", "channels")
    eps: float = field(Positive(), "smallest divisor", 1e-12)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"dim": -1, "eps": 1e-6}, ((9, 4),), (9, 4), axes=("?C",)),
        Example({}, ((12,),), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        torch_axis(self.name, inputs[0], self.dim)
        return inputs[0]

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.nn.functional.normalize."""
        eps = "" if self.eps == 1e-12 else f", eps={self.eps!r}"
        return f"F.normalize({arguments[0]}, dim={torch_axis(self.name, inputs[0], self.dim)}{eps})"


class GlobalResponseNorm(Op):
    """Global response normalisation (Woo et al. 2023), between the linear layers of ConvNeXt V2.

    With g the Euclidean length of each channel over all positions, y = x + weight·x·g / (mean(g) + eps) + bias, where
    the mean is over the channels. Weight and bias start at 0, so that it starts as the identity. The shape, a map
    C×H×W or H×W×C, is unchanged.
    """

    name: ClassVar[str] = "global_response_norm"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("grn",)
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    eps: float = field(Positive(), "added to the mean", 1e-6)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"eps": 1e-3}, ((5, 6, 4),), (5, 6, 4), axes=("HWC",)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        if sorted(tensor.axes) != sorted((CHANNELS, HEIGHT, WIDTH)) or tensor.axes[1] == CHANNELS:
            message = f"`global_response_norm` needs a map with channels first or last, got {describe(tensor)}"
            raise OpError(message, code="E211")
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C, `bias` C."""
        return affine_state(inputs[0].channels, present=True)

    def layer(self, *inputs: TensorType) -> Layer:
        """GlobalResponseNorm of backend/modules/own_layers.py."""
        channels_last = inputs[0].axes[-1] == CHANNELS
        return layer(
            "GlobalResponseNorm",
            inputs[0].channels,
            **unless_default(eps=(self.eps, 1e-6), channels_last=(channels_last, False)),
        )


class LocalResponseNorm(Op):
    """Local response normalisation (Krizhevsky et al. 2012) across neighbouring channels.

    y = x / (k + alpha/size · Σ x²)^beta, where the sum is over `size` neighbouring channels. The shape is unchanged.
    """

    name: ClassVar[str] = "local_response_norm"
    elsewhere: ClassVar[tuple[str, ...]] = ("lrn", "localresponsenormalization", "crosschannelnormalization")
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    size: int = field(Int(1), "number of neighbouring channels in the sum")
    alpha: float = field(Float(), "factor of the sum", 1e-4)
    beta: float = field(Float(), "exponent", 0.75)
    k: float = field(Float(), "constant added to the sum", 1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"size": 5}, ((8, 5, 6),), (8, 5, 6)),
        Example({"size": 2, "alpha": 1e-3, "beta": 0.5, "k": 2}, ((4, 5, 6),), (4, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        need_channels_first(self.name, inputs[0], least_rank=2)
        return inputs[0]

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.LocalResponseNorm."""
        return layer(
            "LocalResponseNorm",
            self.size,
            **unless_default(alpha=(self.alpha, 1e-4), beta=(self.beta, 0.75), k=(self.k, 1.0)),
        )


OPS: tuple[type[Op], ...] = (RmsNorm, L2Normalize, GlobalResponseNorm, LocalResponseNorm)
