"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from cnngraph.fields import Bool, Choice, Int, Pair, field
from cnngraph.ops.kinds import padding_kind
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.padding import padding_advice, same_advice
from cnngraph.ops.shapes import need_divisible, need_map, resized_map, resolve_padding, side, slide, unless_default
from cnngraph.tensor_type import TensorType


class Conv(Op):
    """A 2D convolution over C×H×W.

    Each output channel is a bias plus the sum of cross-correlations of the input channels of its group with learned
    kernels. The output is out×H'×W' with H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, and W'
    likewise. With `groups` equal to the input channels the convolution is depthwise. Multiply-accumulates:
    out·H'·W'·(C/groups)·kernel height·kernel width.
    """

    name: ClassVar[str] = "conv"
    elsewhere: ClassVar[tuple[str, ...]] = ("convolution", "convolutional")
    kind: ClassVar[str] = "conv"
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
    )

    @classmethod
    def advice(cls, parameter: str, value: object, arguments: Mapping[str, object]) -> str | None:
        """TensorFlow's padding, written as a `pad` node."""
        return padding_advice(cls.name, value, arguments) if parameter == "padding" else None

    def infer(self, *inputs: TensorType) -> TensorType:
        """out×H'×W'."""
        (image,) = inputs
        need_map(self.name, image)
        need_divisible(image.channels, self.groups, "number of input channels", "groups")
        need_divisible(self.out, self.groups, "number of output channels", "groups")
        if self.padding == "same" and self.stride != (1, 1):
            raise OpError(
                f"`padding: same` needs stride 1, got `{side(self.stride)}`",
                code="E205",
                parameter="padding",
                help=same_advice(self.name, vars(self), image.sizes[1:]),
            )
        self._check_padding_mode(image)
        if self.padding == "same":
            return image.with_sizes(C=self.out)
        height, width = slide(image, self.kernel, self.stride, self._padding, self.dilation)
        return resized_map(image, height, width, self.out)

    @property
    def _padding(self) -> tuple[int, int]:
        return resolve_padding(self.padding, self.kernel, self.dilation)

    def _check_padding_mode(self, image: TensorType) -> None:
        margin = {"reflect": -1, "circular": 0}.get(self.padding_mode)
        if margin is None:
            return
        for padding, size in zip(self._padding, image.sizes[1:], strict=True):
            if padding > size + margin:
                raise OpError(
                    f"`padding_mode: {self.padding_mode}` can add at most {size + margin} to a side of {size}, "
                    f"got {padding}",
                    code="E205",
                    parameter="padding",
                )

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` out×(C/groups)×kernel, `bias` out."""
        weight = (self.out, inputs[0].channels // self.groups, *self.kernel)
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, *inputs: TensorType) -> int:
        """out·H'·W'·(C/groups)·kernel."""
        return self.infer(*inputs).count * math.prod(self.parameters(*inputs)["weight"][1:])

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Conv2d."""
        padding = "same" if self.padding == "same" else side(self._padding)
        return layer(
            "Conv2d",
            inputs[0].channels,
            self.out,
            kernel_size=side(self.kernel),
            **unless_default(
                stride=(side(self.stride), 1),
                padding=(padding, 0),
                dilation=(side(self.dilation), 1),
                groups=(self.groups, 1),
                bias=(self.bias, True),
                padding_mode=(self.padding_mode, "zeros"),
            ),
        )


class ConvTranspose(Op):
    """A transposed 2D convolution over C×H×W, which enlarges a map: the gradient of a convolution.

    The output is out×H'×W' with H' = (H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1, and W'
    likewise. `kernel: 2, stride: 2` doubles height and width, as in U-Net (Ronneberger et al. 2015).
    Multiply-accumulates: H·W of the input times the number of elements of `weight`.
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
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """out×H'×W'."""
        (image,) = inputs
        need_map(self.name, image)
        need_divisible(image.channels, self.groups, "input's channels", "groups")
        need_divisible(self.out, self.groups, "output channels", "groups")
        for added, step, spread in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if added >= max(step, spread):
                raise OpError(
                    f"`output_padding` must be smaller than `stride` or `dilation`, got `{added}`",
                    code="E205",
                    parameter="output_padding",
                )
        sizes = zip(
            image.sizes[1:], self.kernel, self.stride, self._padding, self.output_padding, self.dilation, strict=True
        )
        out = [(n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in sizes]
        if min(out) < 1:
            message = f"`padding` {side(self._padding)} removes the whole map: its size would be {out[0]}×{out[1]}"
            raise OpError(message, code="E205", parameter="padding")
        return resized_map(image, out[0], out[1], self.out)

    @property
    def _padding(self) -> tuple[int, int]:
        return resolve_padding(self.padding, self.kernel, self.dilation)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` C×(out/groups)×kernel, `bias` out."""
        weight = (inputs[0].channels, self.out // self.groups, *self.kernel)
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, *inputs: TensorType) -> int:
        """H·W of the input times the number of elements of `weight`."""
        return math.prod(inputs[0].sizes[1:]) * math.prod(self.parameters(*inputs)["weight"])

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.ConvTranspose2d."""
        return layer(
            "ConvTranspose2d",
            inputs[0].channels,
            self.out,
            kernel_size=side(self.kernel),
            **unless_default(
                stride=(side(self.stride), 1),
                padding=(side(self._padding), 0),
                output_padding=(side(self.output_padding), 0),
                groups=(self.groups, 1),
                bias=(self.bias, True),
                dilation=(side(self.dilation), 1),
            ),
        )


OPS: tuple[type[Op], ...] = (Conv, ConvTranspose)
