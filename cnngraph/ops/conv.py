"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from cnngraph.fields import Bool, Choice, Int, Optional, Pair, field
from cnngraph.numbers import show_sizes
from cnngraph.ops.kinds import Positive, padding_kind
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.padding import padding_advice, same_advice
from cnngraph.ops.shapes import (
    check_padding_mode,
    need_divisible,
    need_map_or_signal,
    resized,
    resolve_padding,
    side,
    slide,
    spatial,
    unless_default,
)
from cnngraph.tensor_type import TensorType


class Conv(Op):
    """A 2D convolution over C×H×W, or a 1D convolution over C×L.

    Each output channel is a bias plus the sum of cross-correlations of the input channels of its group with learned
    kernels. The output is out×H'×W' with H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, and W'
    likewise. With `groups` equal to the input channels the convolution is depthwise. Multiply-accumulates:
    out·H'·W'·(C/groups)·kernel height·kernel width.

    A tensor with two axes, C×L, is convolved along L; every size is then one number. ECA (Wang et al. 2020) mixes
    neighbouring channels of a vector this way: reshaped to 1×C, it is the input of a convolution with one output.
    `standardize` gives every kernel mean 0 and variance 1 before it is applied (weight standardisation, Qiao et al.
    2019, in BiT); with a `gamma` the kernels have a learnable gain, as in NF-ResNet (Brock et al. 2021).
    """

    name: ClassVar[str] = "conv"
    elsewhere: ClassVar[tuple[str, ...]] = ("convolution", "convolutional")
    kind: ClassVar[str] = "conv"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    out: int = field(Int(1), "output channels")
    kernel: tuple[int, int] = field(Pair(1), "size of the kernel")
    stride: tuple[int, int] = field(Pair(1), "stride of the kernel", (1, 1))
    padding: tuple[int, int] | str = field(
        padding_kind("half", "same", "valid"),
        "rows and columns added on each side; `half` is dilation·(kernel−1)//2 and keeps the size at stride 1 for an "
        "odd kernel; `same` keeps the size for any kernel (stride 1 only); `valid` is 0",
        (0, 0),
    )
    dilation: tuple[int, int] = field(Pair(1), "spacing between the points of the kernel", (1, 1))
    groups: int = field(
        Int(1),
        "number of groups of channels that are convolved separately; must divide the input and output channels",
        1,
    )
    bias: bool = field(Bool(), "whether to add a learnable bias to each output channel", True)
    padding_mode: str = field(Choice(("zeros", "reflect", "replicate", "circular")), "what fills the padding", "zeros")
    standardize: bool = field(Bool(), "whether each kernel is shifted and scaled to mean 0 and variance 1", False)
    eps: float = field(Positive(), "added to the variance of a kernel (with `standardize`)", 1e-6)
    gamma: float | None = field(
        Optional(Positive()),
        "factor of the standardised kernels, which then also have a learnable gain and are divided by the square root "
        "of their number of elements; null means no gain",
        None,
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"out": 64, "kernel": 7, "stride": 2, "padding": 3, "bias": False}, ((3, 32, 32),), (64, 16, 16)),
        Example({"out": 8, "kernel": 1}, ((4, 5, 6),), (8, 5, 6)),
        Example({"out": 8, "kernel": [1, 7], "padding": "half"}, ((4, 9, 9),), (8, 9, 9)),
        Example({"out": 8, "kernel": [1, 7]}, ((4, 8, 9),), (8, 8, 3), axes=("CWH",)),
        Example({"out": 6, "kernel": 3, "padding": "half", "dilation": 2}, ((4, 9, 8),), (6, 9, 8)),
        Example({"out": 6, "kernel": 4, "padding": "same"}, ((4, 9, 8),), (6, 9, 8)),
        Example({"out": 6, "kernel": 4, "padding": "half"}, ((4, 9, 8),), (6, 8, 7)),
        Example({"out": 8, "kernel": 3, "stride": [2, 1], "padding": [1, 0], "groups": 4}, ((4, 9, 8),), (8, 5, 6)),
        Example({"out": 4, "kernel": 3, "groups": 4, "padding_mode": "reflect", "padding": 2}, ((4, 3, 3),), (4, 5, 5)),
        Example({"out": 4, "kernel": 3, "padding_mode": "circular", "padding": 3}, ((4, 3, 3),), (4, 7, 7)),
        Example({"out": 4, "kernel": 2, "padding_mode": "replicate", "padding": "same"}, ((4, 3, 3),), (4, 3, 3)),
        Example({"out": 1, "kernel": 3, "padding": "half", "bias": False}, ((1, 12),), (1, 12)),
        Example({"out": 8, "kernel": 5, "stride": 2, "groups": 2}, ((4, 9),), (8, 3)),
        Example({"out": 8, "kernel": 1}, ((4, 5, 6),), (8, 5, 6), axes=("CHW",), free=(0,)),
        Example({"out": 8, "kernel": 3, "standardize": True, "eps": 1e-8}, ((4, 5, 6),), (8, 3, 4)),
        Example({"out": 8, "kernel": 1, "standardize": True, "gamma": 1.7}, ((4, 5, 6),), (8, 5, 6)),
    )

    @classmethod
    def advice(cls, parameter: str, value: object, arguments: Mapping[str, object]) -> str | None:
        """TensorFlow's padding, written as a `pad` node."""
        return padding_advice(cls.name, value, arguments) if parameter == "padding" else None

    def infer(self, *inputs: TensorType) -> TensorType:
        """out×H'×W'."""
        (image,) = inputs
        need_map_or_signal(self.name, image)
        need_divisible(image.channels, self.groups, "number of input channels", "groups")
        need_divisible(self.out, self.groups, "number of output channels", "groups")
        self._check_standardize(image)
        kernel, stride, dilation = (spatial(image, vars(self), name) for name in ("kernel", "stride", "dilation"))
        padding = self._padding(image)
        if self.padding == "same" and set(stride) != {1}:
            raise OpError(
                f"`padding: same` needs stride 1, got `{side(stride)}`",
                code="E205",
                parameter="padding",
                help=same_advice(self.name, vars(self), image.sizes[1:]) if image.rank == 3 else None,
            )
        check_padding_mode(self.padding_mode, padding, image)
        if self.padding == "same":
            return image.with_sizes(C=self.out)
        return resized(image, (self.out, *slide(image, kernel, stride, padding, dilation)))

    def _check_standardize(self, image: TensorType) -> None:
        if not self.standardize and self.gamma is not None:
            raise OpError("`gamma` needs `standardize: true`", code="E205", parameter="gamma")
        if self.standardize and image.rank < 3:
            raise OpError("`standardize` is for convolutions of maps", code="E205", parameter="standardize")
        if self.standardize and math.prod(self.parameters(image)["weight"][1:]) == 1:
            message = "`standardize` needs kernels of more than one element, whose variance is not 0"
            raise OpError(message, code="E205", parameter="standardize")

    def _padding(self, image: TensorType) -> tuple[int, ...]:
        if isinstance(self.padding, tuple):
            return spatial(image, vars(self), "padding")
        return resolve_padding(self.padding, self.kernel, self.dilation)[: image.rank - 1]

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` out×(C/groups)×kernel, `bias` out, `gain` out×1×1×1."""
        kernel = self.kernel[: inputs[0].rank - 1]
        state: dict[str, tuple[int, ...]] = {"weight": (self.out, inputs[0].channels // self.groups, *kernel)}
        state |= {"bias": (self.out,)} if self.bias else {}
        return state | ({"gain": (self.out, 1, 1, 1)} if self.gamma is not None else {})

    def macs(self, *inputs: TensorType) -> int:
        """out·H'·W'·(C/groups)·kernel."""
        return self.infer(*inputs).count * math.prod(self.parameters(*inputs)["weight"][1:])

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Conv2d or Conv1d, or StandardizedConv2d of backend/modules/own_layers.py."""
        (image,) = inputs
        kind = "StandardizedConv2d" if self.standardize else "Conv2d" if image.rank == 3 else "Conv1d"
        kernel, stride, dilation = (side(spatial(image, vars(self), name)) for name in ("kernel", "stride", "dilation"))
        return layer(
            kind,
            image.channels,
            self.out,
            kernel_size=kernel,
            **unless_default(
                stride=(stride, 1),
                padding=("same" if self.padding == "same" else side(self._padding(image)), 0),
                dilation=(dilation, 1),
                groups=(self.groups, 1),
                bias=(self.bias, True),
                padding_mode=(self.padding_mode, "zeros"),
                eps=(self.eps if self.standardize else 1e-6, 1e-6),
                gamma=(self.gamma, None),
            ),
        )


class ConvTranspose(Op):
    """A transposed 2D convolution over C×H×W, which enlarges a map: the gradient of a convolution.

    The output is out×H'×W' with H' = (H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1, and W'
    likewise. `kernel: 2, stride: 2` doubles height and width, as in U-Net (Ronneberger et al. 2015). Over a signal
    C×L it is one-dimensional. Multiply-accumulates: H·W of the input times the number of elements of `weight`.
    """

    name: ClassVar[str] = "conv_transpose"
    elsewhere: ClassVar[tuple[str, ...]] = (
        "deconv",
        "deconvolution",
        "upconv",
        "transposedconv",
        "convolutiontranspose",
    )
    kind: ClassVar[str] = "conv"
    output_is_free: ClassVar[bool] = True

    out: int = field(Int(1), "output channels")
    kernel: tuple[int, int] = field(Pair(1), "size of the kernel")
    stride: tuple[int, int] = field(
        Pair(1), "factor by which the map grows (the stride of the corresponding convolution)", (1, 1)
    )
    padding: tuple[int, int] | str = field(
        padding_kind("half"), "rows and columns removed on each side; `half` is dilation·(kernel−1)//2", (0, 0)
    )
    output_padding: tuple[int, int] = field(
        Pair(0),
        "rows and columns added at the bottom and on the right; must be smaller than the stride or the dilation",
        (0, 0),
    )
    groups: int = field(
        Int(1),
        "number of groups of channels that are convolved separately; must divide the input and output channels",
        1,
    )
    bias: bool = field(Bool(), "whether to add a learnable bias to each output channel", True)
    dilation: tuple[int, int] = field(Pair(1), "spacing between the points of the kernel", (1, 1))

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"out": 4, "kernel": 2, "stride": 2}, ((8, 7, 5),), (4, 14, 10)),
        Example(
            {"out": 4, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False},
            ((8, 7, 5),),
            (4, 14, 10),
        ),
        Example({"out": 6, "kernel": [3, 1], "groups": 2, "dilation": 2, "padding": "half"}, ((8, 7, 5),), (6, 7, 5)),
        Example({"out": 1, "kernel": 4, "stride": 1}, ((8, 1, 1),), (1, 4, 4)),
        Example({"out": 4, "kernel": 4, "stride": 2, "padding": 1}, ((8, 7),), (4, 14)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """out×H'×W'."""
        (image,) = inputs
        need_map_or_signal(self.name, image)
        need_divisible(image.channels, self.groups, "input's channels", "groups")
        need_divisible(self.out, self.groups, "output channels", "groups")
        for added, step, spread in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if added >= max(step, spread):
                raise OpError(
                    f"`output_padding` must be smaller than `stride` or `dilation`, got `{added}`",
                    code="E205",
                    parameter="output_padding",
                )
        kernel, stride, padding, output_padding, dilation = self._window(image)
        sizes = zip(image.sizes[1:], kernel, stride, padding, output_padding, dilation, strict=True)
        out = tuple((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in sizes)
        if min(out) < 1:
            what = "map" if image.rank == 3 else "signal"
            message = f"`padding` {side(padding)} removes the whole {what}: its size would be {show_sizes(out)}"
            raise OpError(message, code="E205", parameter="padding")
        return resized(image, (self.out, *out))

    def _window(self, image: TensorType) -> tuple[tuple[int, ...], ...]:
        """Kernel, stride, padding, output padding and dilation, with one number for each axis."""
        padding = resolve_padding(self.padding, self.kernel, self.dilation)
        values = {**vars(self), "padding": padding}
        names = ("kernel", "stride", "padding", "output_padding", "dilation")
        return tuple(spatial(image, values, name) for name in names)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C×(out/groups)×kernel, `bias` out."""
        weight = (inputs[0].channels, self.out // self.groups, *self.kernel[: inputs[0].rank - 1])
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, *inputs: TensorType) -> int:
        """H·W of the input times the number of elements of `weight`."""
        return math.prod(inputs[0].sizes[1:]) * math.prod(self.parameters(*inputs)["weight"])

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.ConvTranspose2d or ConvTranspose1d."""
        kernel, stride, padding, output_padding, dilation = map(side, self._window(inputs[0]))
        return layer(
            f"ConvTranspose{inputs[0].rank - 1}d",
            inputs[0].channels,
            self.out,
            kernel_size=kernel,
            **unless_default(
                stride=(stride, 1),
                padding=(padding, 0),
                output_padding=(output_padding, 0),
                groups=(self.groups, 1),
                bias=(self.bias, True),
                dilation=(dilation, 1),
            ),
        )


OPS: tuple[type[Op], ...] = (Conv, ConvTranspose)
