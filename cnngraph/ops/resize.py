"""Ops that rearrange channels and positions, or change the size of a map."""

from __future__ import annotations

import math
from typing import ClassVar

from cnngraph.fields import Bool, Choice, Float, Int, Optional, Pair, field
from cnngraph.ops.kinds import Factors, Sides
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import need_divisible, need_map, resized_map, side, unless_default
from cnngraph.tensor_type import TensorType


class ChannelShuffle(Op):
    """Interleaves the channels of all groups, as in ShuffleNet (Zhang et al. 2018).

    Channel i·(C/groups) + j of C×H×W becomes channel j·groups + i. The shape is unchanged.
    """

    name: ClassVar[str] = "channel_shuffle"
    kind: ClassVar[str] = "reshape"

    groups: int = field(Int(1), "number of groups; must divide the channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"groups": 2}, ((6, 5, 4),), (6, 5, 4)),
        Example({"groups": 6}, ((6, 5, 4),), (6, 5, 4)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (image,) = inputs
        need_map(self.name, image)
        need_divisible(image.channels, self.groups, "number of input channels", "groups")
        return image

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """Two reshapes around a transpose, which run on every backend of PyTorch, unlike nn.ChannelShuffle."""
        groups = (self.groups, inputs[0].channels // self.groups)
        return f"{arguments[0]}.unflatten(1, {groups}).transpose(1, 2).flatten(1, 2)"


class PixelShuffle(Op):
    """Moves channels to positions: C·r²×H×W becomes C×H·r×W·r, where r is `upscale_factor` (Shi et al. 2016)."""

    name: ClassVar[str] = "pixel_shuffle"
    elsewhere: ClassVar[tuple[str, ...]] = ("depthtospace",)
    kind: ClassVar[str] = "resize"

    upscale_factor: int = field(Int(1), "the factor r; r² must divide the channels")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"upscale_factor": 2}, ((12, 5, 4),), (3, 10, 8)),
        Example({"upscale_factor": 1}, ((3, 5, 4),), (3, 5, 4)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C/r²×H·r×W·r."""
        (image,) = inputs
        need_map(self.name, image)
        factor = self.upscale_factor
        if image.channels % factor**2:
            raise OpError(
                f"the number of input channels must be divisible by the square of `upscale_factor`: {image.channels} "
                f"is not a multiple of {factor**2}",
                code="E208",
                parameter="upscale_factor",
            )
        channels, height, width = image.sizes
        return resized_map(image, height * factor, width * factor, channels // factor**2)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.PixelShuffle."""
        return layer("PixelShuffle", self.upscale_factor)


class PixelUnshuffle(Op):
    """Moves positions to channels: C×H·r×W·r becomes C·r²×H×W, where r is `downscale_factor`. Inverts pixel_shuffle."""

    name: ClassVar[str] = "pixel_unshuffle"
    elsewhere: ClassVar[tuple[str, ...]] = ("spacetodepth",)
    kind: ClassVar[str] = "resize"

    downscale_factor: int = field(Int(1), "the factor r; must divide height and width")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"downscale_factor": 2}, ((3, 10, 8),), (12, 5, 4)),
        Example({"downscale_factor": 1}, ((3, 5, 4),), (3, 5, 4)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C·r²×H/r×W/r."""
        (image,) = inputs
        need_map(self.name, image)
        channels, height, width = image.sizes
        factor = self.downscale_factor
        need_divisible(height, factor, "height", "downscale_factor")
        need_divisible(width, factor, "width", "downscale_factor")
        return resized_map(image, height // factor, width // factor, channels * factor**2)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.PixelUnshuffle."""
        return layer("PixelUnshuffle", self.downscale_factor)


class Pad(Op):
    """Adds rows and columns around a map: C×H×W becomes C×(H + top + bottom)×(W + left + right).

    Negative numbers remove rows and columns (in mode `constant`). `channels` are appended after those of the map;
    filled with zeros they are the parameter-free shortcut of ResNet (He et al. 2016), which widens a map.
    """

    name: ClassVar[str] = "pad"
    elsewhere: ClassVar[tuple[str, ...]] = ("zeropad", "zeropadding")
    kind: ClassVar[str] = "resize"

    padding: tuple[int, int, int, int] = field(Sides(), "number of rows and columns on each side")
    mode: str = field(Choice(("constant", "reflect", "replicate", "circular")), "what fills them", "constant")
    value: float = field(Float(), "fill value in mode constant", 0.0)
    channels: int = field(Int(0), "number of channels to append (mode constant only)", 0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"padding": 1}, ((4, 5, 6),), (4, 7, 8)),
        Example({"padding": [0, 1, 0, 1]}, ((4, 5, 6),), (4, 6, 7)),
        Example({"padding": [1, 2], "mode": "reflect"}, ((4, 5, 6),), (4, 7, 10)),
        Example({"padding": 3, "mode": "circular"}, ((4, 3, 6),), (4, 9, 12)),
        Example({"padding": 4, "mode": "replicate"}, ((4, 3, 1),), (4, 11, 9)),
        Example({"padding": [-1, -1, 2, -2], "value": -1.5}, ((4, 5, 6),), (4, 5, 4)),
        Example({"padding": 0, "channels": 4}, ((4, 5, 6),), (8, 5, 6)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's with the padding and channels added."""
        (image,) = inputs
        need_map(self.name, image)
        channels, height, width = image.sizes
        left, right, top, bottom = self.padding
        for size, before, after in ((width, left, right), (height, top, bottom)):
            self._check_side(size, before, after)
        if self.channels and self.mode != "constant":
            raise OpError(f"`mode: {self.mode}` cannot add channels", code="E205", parameter="channels")
        return resized_map(image, height + top + bottom, width + left + right, channels + self.channels)

    def _check_side(self, size: int, before: int, after: int) -> None:
        if min(before, after) < 0 and self.mode != "constant":
            raise OpError(f"`mode: {self.mode}` cannot remove rows or columns", code="E205", parameter="padding")
        if size + min(before, 0) + min(after, 0) < 0 or size + before + after < 1:
            message = f"`padding` {before} and {after} removes all of a side of {size}"
            raise OpError(message, code="E205", parameter="padding")
        most = {"reflect": size - 1, "circular": size}.get(self.mode)
        if most is not None and max(before, after) > most:
            raise OpError(
                f"`mode: {self.mode}` can add at most {most} to a side of {size}, got {max(before, after)}",
                code="E205",
                parameter="padding",
            )

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.nn.functional.pad."""
        mode = "" if self.mode == "constant" else f", mode={self.mode!r}"
        value = f", value={self.value!r}" if self.value and not mode else ""
        padding = (*self.padding, 0, self.channels) if self.channels else self.padding
        return f"F.pad({arguments[0]}, {padding}{mode}{value})"


class Upsample(Op):
    """Resizes a map to a given size, by a factor, or to the size of a second map.

    C×H×W becomes C×size, or C×⌊H·scale_factor⌋×⌊W·scale_factor⌋. Exactly one of `size` and `scale_factor` is required
    with one input, and neither with two: the map is then resized to the height and width of the second one, whatever
    they are when the network runs, as in a feature pyramid (Lin et al. 2017): `{op: upsample, from: [top, lateral]}`. A
    positional embedding, a free parameter C×H×W with `axes: CHW`, is resized to that of a map in the same way.
    """

    name: ClassVar[str] = "upsample"
    inputs: ClassVar[tuple[int, int | None]] = (1, 2)
    input_names: ClassVar[tuple[str, ...]] = ("map", "like")
    elsewhere: ClassVar[tuple[str, ...]] = ("interpolate", "resize", "upsampling", "upscale")
    kind: ClassVar[str] = "resize"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    size: tuple[int, int] | None = field(Optional(Pair(1)), "height and width of the output", None)
    scale_factor: tuple[float, float] | None = field(Optional(Factors()), "factors of height and width", None)
    mode: str = field(Choice(("nearest", "nearest-exact", "bilinear", "bicubic", "area")), "interpolation", "nearest")
    align_corners: bool = field(
        Bool(), "whether the corner pixels of input and output align (modes bilinear and bicubic)", False
    )
    antialias: bool = field(Bool(), "whether to blur when the map becomes smaller (modes bilinear and bicubic)", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"scale_factor": 2}, ((4, 5, 6),), (4, 10, 12)),
        Example({"scale_factor": [1.5, 0.5], "mode": "bilinear"}, ((4, 5, 6),), (4, 7, 3)),
        Example({"size": [7, 9], "mode": "bicubic", "align_corners": True}, ((4, 5, 6),), (4, 7, 9)),
        Example({"size": 3, "mode": "area"}, ((4, 5, 6),), (4, 3, 3)),
        Example({"scale_factor": 1.3, "mode": "nearest-exact"}, ((4, 5, 6),), (4, 6, 7)),
        Example({}, ((4, 5, 6), (8, 9, 13)), (4, 9, 13)),
        Example({"mode": "bilinear"}, ((4, 5, 6), (1, 10, 12)), (4, 10, 12)),
        Example({"size": [3, 4], "mode": "bicubic", "antialias": True}, ((4, 5, 6),), (4, 3, 4)),
        Example({"mode": "bicubic"}, ((4, 5, 6), (8, 9, 13)), (4, 9, 13), axes=("CHW", "CHW"), free=(0,)),
        Example({"scale_factor": 2}, ((4, 5, 6),), (4, 10, 12), axes=("CHW",), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×size."""
        image = inputs[0]
        for tensor in inputs:
            need_map(self.name, tensor)
        given = next((name for name in ("size", "scale_factor") if getattr(self, name) is not None), None)
        if len(inputs) == 2 and given:
            message = f"`upsample` takes the size from its second input, so it cannot have `{given}`"
            raise OpError(message, code="E205", parameter=given)
        if len(inputs) == 1 and (self.size is None) == (self.scale_factor is None):
            message = "`upsample` needs exactly one of `size` and `scale_factor`, or a second input of the wanted size"
            raise OpError(message, code="E205", parameter="size")
        for option in ("align_corners", "antialias"):
            if getattr(self, option) and self.mode not in ("bilinear", "bicubic"):
                message = f"`{option}` needs `mode: bilinear` or `mode: bicubic`, got `mode: {self.mode}`"
                raise OpError(message, code="E205", parameter=option)
        if len(inputs) == 2:
            like = inputs[1]
            if like.axes[1:] != image.axes[1:]:
                help = "exchange height and width of one of them with `permute`"
                raise OpError("the maps differ in the order of height and width", code="E211", help=help)
            return resized_map(image, *like.sizes[1:])
        height, width = self.size or self._scaled(image)
        return resized_map(image, height, width)

    def _scaled(self, image: TensorType) -> tuple[int, int]:
        factors = self.scale_factor or (1.0, 1.0)
        height, width = (
            math.floor(min(size * factor, 2.0**62)) for size, factor in zip(image.sizes[1:], factors, strict=True)
        )
        if min(height, width) < 1:
            message = f"`scale_factor` is too small: the size of the map would be {height}×{width}"
            raise OpError(message, code="E205", parameter="scale_factor")
        return height, width

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Upsample, or Resize of backend/modules/own_layers.py for what that cannot do."""
        optional = unless_default(
            size=(side(self.size) if self.size else None, None),
            scale_factor=(side(self.scale_factor) if self.scale_factor else None, None),
            mode=(self.mode, "nearest"),
            align_corners=(self.align_corners or None, None),
            antialias=(self.antialias, False),
        )
        is_own = len(inputs) == 2 or self.antialias or not inputs[0].batched
        return layer("Resize" if is_own else "Upsample", **optional)


OPS: tuple[type[Op], ...] = (ChannelShuffle, PixelShuffle, PixelUnshuffle, Pad, Upsample)
