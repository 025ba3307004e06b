"""Dropout: in training mode some values are set to zero and the others scaled up; in eval mode it does nothing."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Choice, Float, Int, field
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import need_map, unless_default
from cnngraph.tensor_type import TensorType


class Dropout(Op):
    """Sets each value to zero with probability p and divides the others by 1 − p (Srivastava et al. 2014)."""

    name: ClassVar[str] = "dropout"
    kind: ClassVar[str] = "dropout"
    takes_parameters: ClassVar[bool] = True

    p: float = field(Float(0, 1), "probability of dropping a value", 0.5)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 5, 6),), (4, 5, 6)),
        Example({"p": 0.2}, ((12,),), (12,)),
        Example({"p": 1}, ((12,),), (12,)),
    )

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Dropout."""
        return layer("Dropout", **unless_default(p=(self.p, 0.5)))


class Dropout2d(Op):
    """Drops whole channels of C×H×W, each with probability p (Tompson et al. 2015)."""

    name: ClassVar[str] = "dropout2d"
    elsewhere: ClassVar[tuple[str, ...]] = ("spatialdropout",)
    kind: ClassVar[str] = "dropout"

    p: float = field(Float(0, 1), "probability of dropping a channel", 0.5)

    examples: ClassVar[tuple[Example, ...]] = (Example({"p": 0.4}, ((4, 5, 6),), (4, 5, 6)),)

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        need_map(self.name, inputs[0])
        return inputs[0]

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Dropout2d."""
        return layer("Dropout2d", **unless_default(p=(self.p, 0.5)))


class AlphaDropout(Op):
    """Dropout that preserves mean and variance, for use with selu (Klambauer et al. 2017)."""

    name: ClassVar[str] = "alpha_dropout"
    kind: ClassVar[str] = "dropout"

    p: float = field(Float(0, 1), "probability of dropping a value", 0.5)

    examples: ClassVar[tuple[Example, ...]] = (Example({"p": 0.1}, ((4, 5, 6),), (4, 5, 6)),)

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.AlphaDropout."""
        return layer("AlphaDropout", **unless_default(p=(self.p, 0.5)))


class DropPath(Op):
    """Stochastic depth (Huang et al. 2016): drops the entire branch of a residual unit.

    In training mode the input is set to zero with probability p and otherwise divided by 1 − p, independently for each
    image (`row`) or once for the whole batch (`batch`). With the same seed it draws the same random numbers as
    torchvision's stochastic_depth.
    """

    name: ClassVar[str] = "drop_path"
    elsewhere: ClassVar[tuple[str, ...]] = ("stochasticdepth",)
    kind: ClassVar[str] = "dropout"

    p: float = field(Float(0, 1), "probability of dropping the branch")
    mode: str = field(
        Choice(("row", "batch")), "`row`: drop each image independently; `batch`: drop all or none", "row"
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"p": 0.2}, ((4, 5, 6),), (4, 5, 6)),
        Example({"p": 0.0}, ((12,),), (12,)),
        Example({"p": 1, "mode": "batch"}, ((4, 5, 6),), (4, 5, 6)),
    )

    def layer(self, *inputs: TensorType) -> Layer:
        """DropPath of backend/modules/own_layers.py."""
        return layer("DropPath", p=self.p, **unless_default(mode=(self.mode, "row")))


class DropBlock(Op):
    """DropBlock (Ghiasi et al. 2018): drops square regions of each channel of C×H×W.

    p is approximately the fraction of values dropped. If the map is smaller than the block, the block shrinks to the
    shorter side of the map. With the same seed it draws the same random numbers as torchvision's drop_block2d.
    """

    name: ClassVar[str] = "drop_block"
    kind: ClassVar[str] = "dropout"

    p: float = field(Float(0, 1), "approximate fraction of values to drop")
    block: int = field(Int(1), "side length of the square regions; must be odd")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"p": 0.1, "block": 3}, ((4, 9, 8),), (4, 9, 8)),
        Example({"p": 0.1, "block": 7}, ((4, 3, 8),), (4, 3, 8)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the input."""
        (image,) = inputs
        need_map(self.name, image)
        if self.block % 2 == 0:
            raise OpError(f"`block` must be odd, got `{self.block}`", code="E205", parameter="block")
        shorter = min(image.sizes[1:])
        if self.block > shorter and shorter % 2 == 0:
            raise OpError(
                f"`block: {self.block}` shrinks to the shorter side of the map, {shorter}, which is not odd",
                code="E204",
                parameter="block",
                help=f"use `block: {max(1, shorter - 1)}`, which fits the map",
            )
        return image

    def layer(self, *inputs: TensorType) -> Layer:
        """DropBlock of backend/modules/own_layers.py."""
        return layer("DropBlock", p=self.p, block=self.block)


OPS: tuple[type[Op], ...] = (Dropout, Dropout2d, AlphaDropout, DropPath, DropBlock)
