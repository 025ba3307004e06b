"""Pooling over sliding windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from cnngraph.fields import Bool, Choice, Either, Int, Optional, Pair, field
from cnngraph.numbers import show_sizes
from cnngraph.ops.kinds import Positive, padding_kind
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.padding import padding_advice
from cnngraph.ops.shapes import (
    check_padding_mode,
    need_map,
    need_map_or_signal,
    resized,
    resized_map,
    resolve_padding,
    side,
    slide,
    spatial,
    unless_default,
)
from cnngraph.tensor_type import TensorType

KERNEL = "size of the window"
STRIDE = "stride of the window; null means the kernel size"
CEIL = "whether to round the output size up, so that the last window may extend past the edge"


Sizes: TypeAlias = tuple[int, ...]


def _window(pool: MaxPool | AvgPool, image: TensorType) -> tuple[Sizes, Sizes, Sizes]:
    """Kernel, stride and padding of a pooling, with one size for each spatial axis of its input."""
    values = {**vars(pool), "stride": pool.stride or pool.kernel}
    kernel, stride = spatial(image, values, "kernel"), spatial(image, values, "stride")
    if isinstance(pool.padding, tuple):
        return kernel, stride, spatial(image, values, "padding")
    padding = resolve_padding(pool.padding, pool.kernel, getattr(pool, "dilation", (1, 1)))
    return kernel, stride, padding[: image.rank - 1]


def _check_padding(padding: Sizes, kernel: Sizes) -> None:
    if any(2 * added > size for added, size in zip(padding, kernel, strict=True)):
        raise OpError(
            f"the padding of pooling can be at most half the kernel, got {side(padding)} for kernel {side(kernel)}",
            code="E205",
            parameter="padding",
        )


def _covers_only_padding(size: int, count: int, kernel: int, stride: int, padding: int, dilation: int) -> bool:
    """Whether a window along one axis has no point on the map; with dilation its points can straddle a small map."""
    starts = range(-padding, min(0, count * stride - padding), stride) if dilation > 1 else ()
    for start in starts:  # a window that starts on the map has its first point there
        inside = start % dilation
        if inside >= size or inside - start > dilation * (kernel - 1):
            return True
    return False


class MaxPool(Op):
    """The maximum over each window of each channel.

    C×H×W becomes C×H'×W' with H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1; with `ceil_mode` the
    quotient is rounded up, provided that the last window starts inside the map or its left padding. A window that
    covers only padding, which is possible with dilation on a small map, is an error. C×L becomes C×L'.
    """

    name: ClassVar[str] = "max_pool"
    elsewhere: ClassVar[tuple[str, ...]] = ("pool", "maxpooling")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    kernel: tuple[int, int] = field(Pair(1), KERNEL)
    stride: tuple[int, int] | None = field(Optional(Pair(1)), STRIDE, None)
    padding: tuple[int, int] | str = field(
        padding_kind("half"), "rows and columns of −∞ on each side, at most half the kernel; `half` as in conv", (0, 0)
    )
    dilation: tuple[int, int] = field(Pair(1), "spacing between the points of the window", (1, 1))
    ceil_mode: bool = field(Bool(), CEIL, False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"kernel": 2}, ((4, 9, 8),), (4, 4, 4)),
        Example({"kernel": 3, "stride": 2, "padding": 1}, ((4, 8, 8),), (4, 4, 4)),
        Example({"kernel": 3, "stride": 2, "ceil_mode": True}, ((4, 8, 9),), (4, 4, 4)),
        Example({"kernel": 2, "stride": 2, "padding": 1, "ceil_mode": True}, ((4, 5, 4),), (4, 3, 3)),
        Example({"kernel": 3, "stride": 1, "padding": "half"}, ((4, 5, 5),), (4, 5, 5)),
        Example({"kernel": [1, 3], "stride": [1, 2], "dilation": [1, 2]}, ((4, 5, 9),), (4, 5, 3)),
        Example({"kernel": 3, "stride": 2, "padding": 1}, ((4, 9),), (4, 5)),
    )

    @classmethod
    def advice(cls, parameter: str, value: object, arguments: Mapping[str, object]) -> str | None:
        """TensorFlow's padding as a `pad`."""
        return padding_advice(cls.name, value, arguments) if parameter == "padding" else None

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×H'×W'."""
        (image,) = inputs
        need_map_or_signal(self.name, image)
        kernel, stride, padding = _window(self, image)
        dilation = spatial(image, vars(self), "dilation")
        _check_padding(padding, kernel)
        out = slide(image, kernel, stride, padding, dilation, ceil=self.ceil_mode)
        sides = zip(image.sizes[1:], out, kernel, stride, padding, dilation, strict=True)
        if any(_covers_only_padding(*axis) for axis in sides):
            raise OpError(
                f"a window with dilation {side(dilation)} straddles the map {show_sizes(image.sizes[1:])} "
                "and covers only padding, so its maximum would be −∞",
                code="E205",
                parameter="padding",
                help="use a smaller padding or dilation",
            )
        return resized(image, (image.channels, *out))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.MaxPool2d or MaxPool1d."""
        kernel, stride, padding = _window(self, inputs[0])
        return layer(
            f"MaxPool{len(kernel)}d",
            kernel_size=side(kernel),
            stride=side(stride),
            **unless_default(
                padding=(side(padding), 0),
                dilation=(side(spatial(inputs[0], vars(self), "dilation")), 1),
                ceil_mode=(self.ceil_mode, False),
            ),
        )


class AvgPool(Op):
    """The mean over each window of each channel.

    C×H×W becomes C×H'×W', where H' and W' are those of `max_pool` with dilation 1. C×L becomes C×L'.
    """

    name: ClassVar[str] = "avg_pool"
    elsewhere: ClassVar[tuple[str, ...]] = ("averagepooling", "averagepool")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    kernel: tuple[int, int] = field(Pair(1), KERNEL)
    stride: tuple[int, int] | None = field(Optional(Pair(1)), STRIDE, None)
    padding: tuple[int, int] | str = field(
        padding_kind("half"),
        "rows and columns of zeros on each side, at most half the kernel; `half` as in conv",
        (0, 0),
    )
    ceil_mode: bool = field(Bool(), CEIL, False)
    count_include_pad: bool = field(Bool(), "whether the mean includes the zero padding", True)
    divisor_override: int | None = field(
        Optional(Int(1)), "number to divide the sum by, instead of the window size", None
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"kernel": 2}, ((4, 9, 8),), (4, 4, 4)),
        Example({"kernel": 3, "stride": 1, "padding": "half", "count_include_pad": False}, ((4, 5, 7),), (4, 5, 7)),
        Example({"kernel": 3, "stride": 2, "padding": 1}, ((4, 8),), (4, 4)),
        Example({"kernel": [2, 3], "stride": 2, "ceil_mode": True, "divisor_override": 4}, ((4, 5, 8),), (4, 3, 4)),
    )

    @classmethod
    def advice(cls, parameter: str, value: object, arguments: Mapping[str, object]) -> str | None:
        """TensorFlow's padding as a `pad`."""
        return padding_advice(cls.name, value, arguments) if parameter == "padding" else None

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×H'×W'."""
        (image,) = inputs
        need_map_or_signal(self.name, image)
        kernel, stride, padding = _window(self, image)
        _check_padding(padding, kernel)
        if self.divisor_override is not None and image.rank == 2:
            message = "`divisor_override` is for maps: nn.AvgPool1d does not have it"
            raise OpError(message, code="E205", parameter="divisor_override")
        return resized(image, (image.channels, *slide(image, kernel, stride, padding, ceil=self.ceil_mode)))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.AvgPool2d or AvgPool1d."""
        kernel, stride, padding = _window(self, inputs[0])
        return layer(
            f"AvgPool{len(kernel)}d",
            kernel_size=side(kernel),
            stride=side(stride),
            **unless_default(
                padding=(side(padding), 0),
                ceil_mode=(self.ceil_mode, False),
                count_include_pad=(self.count_include_pad, True),
                divisor_override=(self.divisor_override, None),
            ),
        )


class LpPool(Op):
    """The p-norm of each window of each channel: the p-th root of the sum of p-th powers.

    C×H×W becomes C×H'×W', where H' and W' are those of `avg_pool` without padding. With `norm_type: 1` it is the sum;
    as `norm_type` grows it approaches the maximum. A signal C×L is pooled along L.
    """

    name: ClassVar[str] = "lp_pool"
    kind: ClassVar[str] = "pool"

    norm_type: float = field(Positive(), "p, the exponent of the norm")
    kernel: tuple[int, int] = field(Pair(1), KERNEL)
    stride: tuple[int, int] | None = field(Optional(Pair(1)), STRIDE, None)
    ceil_mode: bool = field(Bool(), CEIL, False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"norm_type": 2, "kernel": 2}, ((4, 9, 8),), (4, 4, 4)),
        Example({"norm_type": 1, "kernel": [3, 2], "stride": 2, "ceil_mode": True}, ((4, 8, 7),), (4, 4, 4)),
        Example({"norm_type": 2, "kernel": 3, "stride": 2}, ((4, 9),), (4, 4)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×H'×W'."""
        (image,) = inputs
        need_map_or_signal(self.name, image)
        kernel, stride = self._window(image)
        return resized(image, (image.channels, *slide(image, kernel, stride, (0,) * len(kernel), ceil=self.ceil_mode)))

    def _window(self, image: TensorType) -> tuple[tuple[int, ...], tuple[int, ...]]:
        kernel = spatial(image, vars(self), "kernel")
        return kernel, kernel if self.stride is None else spatial(image, vars(self), "stride")

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.LPPool2d or LPPool1d."""
        kernel, stride = self._window(inputs[0])
        norm = int(self.norm_type) if self.norm_type.is_integer() else self.norm_type
        return layer(
            f"LPPool{inputs[0].rank - 1}d",
            norm,
            kernel_size=side(kernel),
            stride=side(stride),
            **unless_default(ceil_mode=(self.ceil_mode, False)),
        )


class BlurPool(Op):
    """A blur before subsampling, which makes a network less sensitive to shifts (Zhang 2019).

    Each channel is convolved with the binomial filter of the given size (1 2 1 for 3) and a stride. C×H×W becomes
    C×H'×W' as with a `conv`. The filter is fixed. Multiply-accumulates: C·H'·W'·kernel².
    """

    name: ClassVar[str] = "blur_pool"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("antialias", "aa")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    kernel: int = field(Int(1), "size of the filter (height and width)", 3)
    stride: int = field(Int(1), "stride of the filter", 2)
    padding: int | str = field(
        Either((Choice(("half",)), Int(0))), "rows and columns on each side; `half` is (kernel−1)//2", "half"
    )
    padding_mode: str = field(Choice(("reflect", "zeros", "replicate", "circular")), "what fills them", "reflect")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 8, 7),), (4, 4, 4)),
        Example({"kernel": 4, "padding": 2, "padding_mode": "zeros"}, ((4, 8, 8),), (4, 5, 5)),
        Example({"kernel": 5, "stride": 1, "padding_mode": "replicate"}, ((4, 6, 5),), (4, 6, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×H'×W'."""
        (image,) = inputs
        need_map(self.name, image)
        check_padding_mode(self.padding_mode, (self._padding,) * 2, image)
        height, width = slide(image, (self.kernel,) * 2, (self.stride,) * 2, (self._padding,) * 2)
        return resized_map(image, height, width)

    @property
    def _padding(self) -> int:
        return self.padding if isinstance(self.padding, int) else (self.kernel - 1) // 2

    def macs(self, *inputs: TensorType) -> int:
        """C·H'·W'·kernel²."""
        return self.infer(*inputs).count * self.kernel**2

    def layer(self, *inputs: TensorType) -> Layer:
        """BlurPool of backend/modules/own_layers.py."""
        return layer(
            "BlurPool",
            self.kernel,
            self.stride,
            **unless_default(padding=(self._padding, 0), padding_mode=(self.padding_mode, "reflect")),
        )


OPS: tuple[type[Op], ...] = (MaxPool, AvgPool, LpPool, BlurPool)
