"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cnngraph.fields import Bool, Float, Int, Optional, field
from cnngraph.ops.kinds import Positive
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import describe, need_channels_first, need_divisible, unless_default
from cnngraph.tensor_type import CHANNELS, TensorType

EPS = "added to the variance for numerical stability"
AFFINE = "whether each channel has a learnable weight and bias"


def affine_state(channels: int, present: bool, bias: bool = True) -> dict[str, tuple[int, ...]]:
    """`weight` and perhaps `bias` of C elements, if they are present."""
    if not present:
        return {}
    return {"weight": (channels,), "bias": (channels,)} if bias else {"weight": (channels,)}


def _statistics(channels: int, present: bool) -> dict[str, tuple[int, ...]]:
    if not present:
        return {}
    return {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}


def _fits(norm: BatchNorm | InstanceNorm, made_for: TensorType, tensor: TensorType) -> bool:
    stateless = not (norm.affine or norm.track_running_stats)
    same_class = norm.layer(made_for).kind == norm.layer(tensor).kind
    return same_class and (stateless or made_for.channels == tensor.channels)


class BatchNorm(Op):
    """Batch normalisation (Ioffe & Szegedy 2015) over each channel of a batch.

    y = weight·(x − mean) / √(var + eps) + bias. In training mode mean and variance are those of the batch, and running
    estimates of them are updated; eval mode uses the running estimates. The shape is unchanged; both C×H×W and a vector
    C are accepted. Without running estimates a vector, or a map with a single position, is an error: in a batch of one
    image the variance would be 0.
    """

    name: ClassVar[str] = "batch_norm"
    elsewhere: ClassVar[tuple[str, ...]] = ("bn", "batchnormalization")
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    eps: float = field(Positive(), EPS, 1e-5)
    momentum: float | None = field(
        Optional(Float(0, 1)), "weight of the new batch in the running estimates; null means a cumulative average", 0.1
    )
    affine: bool = field(Bool(), AFFINE, True)
    track_running_stats: bool = field(
        Bool(), "whether to keep running estimates; if not, eval mode also uses batch statistics", True
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"eps": 1e-3, "momentum": 0.01}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((12,),), (12,)),
        Example({"momentum": None}, ((4, 9),), (4, 9)),
        Example({"affine": False, "track_running_stats": False}, ((4, 5, 6),), (4, 5, 6)),
        Example({}, ((4, 2, 3, 5),), (4, 2, 3, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        need_channels_first(self.name, tensor)
        if tensor.rank > 4:
            raise OpError(f"`batch_norm` accepts at most 4 axes, got {describe(tensor)}", code="E211")
        if not self.track_running_stats and tensor.count == tensor.channels:
            raise OpError(
                "`batch_norm` without running estimates needs more than one value per channel: in a batch of one "
                "image the variance would be 0",
                parameter="track_running_stats",
                help="remove `track_running_stats: false`, or use `layer_norm`",
            )
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C, `bias` C."""
        return affine_state(inputs[0].channels, self.affine)

    def buffers(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """running_mean C, running_var C, num_batches_tracked."""
        return _statistics(inputs[0].channels, self.track_running_stats)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.BatchNorm2d, or BatchNorm1d and BatchNorm3d for other numbers of axes."""
        return layer(
            f"BatchNorm{max(1, inputs[0].rank - 1)}d",
            inputs[0].channels,
            **unless_default(
                eps=(self.eps, 1e-5),
                momentum=(self.momentum, 0.1),
                affine=(self.affine, True),
                track_running_stats=(self.track_running_stats, True),
            ),
        )

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the class and the channels are the same; channels do not matter if there is no state per channel."""
        return _fits(self, made_for[0], inputs[0])


class GroupNorm(Op):
    """Group normalisation (Wu & He 2018) over each group of channels of each image.

    y = weight·(x − mean) / √(var + eps) + bias, with mean and variance over the channels of a group and all positions.
    The shape is unchanged. With `num_groups: 1` it is a layer norm over the whole map, with C groups an instance norm.
    A group with a single value is an error, because its variance is 0.
    """

    name: ClassVar[str] = "group_norm"
    elsewhere: ClassVar[tuple[str, ...]] = ("gn", "groupnormalization")
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    num_groups: int = field(Int(1), "number of groups; must divide the channels")
    eps: float = field(Positive(), EPS, 1e-5)
    affine: bool = field(Bool(), AFFINE, True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"num_groups": 2}, ((4, 5, 6),), (4, 5, 6)),
        Example({"num_groups": 4, "affine": False}, ((4, 5, 6),), (4, 5, 6)),
        Example({"num_groups": 1}, ((12,),), (12,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        need_channels_first(self.name, tensor)
        need_divisible(tensor.channels, self.num_groups, "number of input channels", "num_groups")
        if tensor.count == self.num_groups:
            raise OpError(
                f"`group_norm` needs more than one value per group, but all {self.num_groups} groups have one",
                parameter="num_groups",
                help="use fewer groups",
            )
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C, `bias` C."""
        return affine_state(inputs[0].channels, self.affine)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.GroupNorm."""
        return layer(
            "GroupNorm",
            self.num_groups,
            inputs[0].channels,
            **unless_default(eps=(self.eps, 1e-5), affine=(self.affine, True)),
        )

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the channels are the same; they do not matter without weights."""
        return made_for[0].channels == inputs[0].channels or not self.affine


class LayerNorm(Op):
    """Layer normalisation (Ba et al. 2016) over the channels of each position.

    y = weight·(x − mean) / √(var + eps) + bias, with mean and variance over the channels. The shape is unchanged. The
    channels can be the first axis (C×H×W, as in ConvNeXt) or the last (H×W×C, a sequence of tokens, a vector).
    """

    name: ClassVar[str] = "layer_norm"
    elsewhere: ClassVar[tuple[str, ...]] = ("ln", "layernormalization")
    kind: ClassVar[str] = "norm"
    output_is_free: ClassVar[bool] = True

    eps: float = field(Positive(), EPS, 1e-5)
    elementwise_affine: bool = field(Bool(), AFFINE, True)
    bias: bool = field(Bool(), "whether there is a bias in addition to the weight", True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"eps": 1e-6}, ((5, 6, 4),), (5, 6, 4), axes=("HWC",)),
        Example({"bias": False}, ((12,),), (12,)),
        Example({"elementwise_affine": False}, ((49, 4),), (49, 4), axes=("?C",)),
        Example({"bias": False, "eps": 1e-6}, ((4, 49),), (4, 49)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        if CHANNELS not in (*tensor.axes[:1], *tensor.axes[-1:]):
            message = f"`layer_norm` needs the channels as the first or last axis, got {describe(tensor)}"
            raise OpError(message, code="E211")
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C, `bias` C."""
        return affine_state(inputs[0].channels, self.elementwise_affine, self.bias)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.LayerNorm if the channels are last, otherwise ChannelLayerNorm of backend/modules/own_layers.py."""
        last = inputs[0].axes[-1] == CHANNELS
        return layer(
            "LayerNorm" if last else "ChannelLayerNorm",
            inputs[0].channels,
            **unless_default(
                eps=(self.eps, 1e-5),
                elementwise_affine=(self.elementwise_affine, True),
                bias=(self.bias, True),
            ),
        )

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the channels and their position are the same; those of a vector are both first and last."""
        first, other = made_for[0], inputs[0]
        index = -1 if first.axes[-1] == CHANNELS else 0
        return first.channels == other.channels and other.axes[index] == CHANNELS


class InstanceNorm(Op):
    """Instance normalisation (Ulyanov et al. 2016) over each channel of each image.

    y = (x − mean) / √(var + eps), with mean and variance over the positions of one channel of one image; `affine`
    adds weight and bias. The shape is unchanged. A map with a single position is an error, because its variance is 0.
    """

    name: ClassVar[str] = "instance_norm"
    elsewhere: ClassVar[tuple[str, ...]] = ("instancenormalization",)
    kind: ClassVar[str] = "norm"

    eps: float = field(Positive(), EPS, 1e-5)
    momentum: float | None = field(Optional(Float(0, 1)), "weight of the new batch in the running estimates", 0.1)
    affine: bool = field(Bool(), AFFINE, False)
    track_running_stats: bool = field(Bool(), "whether to keep running estimates for eval mode", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"affine": True, "track_running_stats": True, "momentum": 0.2}, ((4, 1, 2),), (4, 1, 2)),
        Example({"affine": True}, ((4, 9),), (4, 9)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (tensor,) = inputs
        need_channels_first(self.name, tensor, least_rank=2)
        if tensor.rank > 4:
            raise OpError(f"`instance_norm` accepts at most 4 axes, got {describe(tensor)}", code="E211")
        if tensor.count == tensor.channels:
            raise OpError(
                f"`instance_norm` needs more than one position per channel, got {describe(tensor)}",
                help="use `layer_norm`, which accepts a single position",
            )
        return tensor

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C, `bias` C."""
        return affine_state(inputs[0].channels, self.affine)

    def buffers(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """running_mean C, running_var C, num_batches_tracked."""
        return _statistics(inputs[0].channels, self.track_running_stats)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.InstanceNorm2d, or InstanceNorm1d and InstanceNorm3d for other numbers of axes."""
        return layer(
            f"InstanceNorm{inputs[0].rank - 1}d",
            inputs[0].channels,
            **unless_default(
                eps=(self.eps, 1e-5),
                momentum=(self.momentum, 0.1),
                affine=(self.affine, False),
                track_running_stats=(self.track_running_stats, False),
            ),
        )

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the class and the channels are the same; channels do not matter if there is no state per channel."""
        return _fits(self, made_for[0], inputs[0])


OPS: tuple[type[Op], ...] = (BatchNorm, GroupNorm, LayerNorm, InstanceNorm)
