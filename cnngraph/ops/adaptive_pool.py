"""Pooling to a given output size, and over the whole map."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import field
from cnngraph.ops.kinds import OutputSize
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import describe, need_map_or_signal, resized, side, spatial
from cnngraph.tensor_type import TensorType


class AdaptiveAvgPool(Op):
    """The mean over windows chosen such that the output has the given size, whatever the size of the input.

    C×H×W becomes C×output. The output is still a map: flatten it before a linear layer, or use `global_avg_pool`. A
    signal C×L is pooled along L.
    """

    name: ClassVar[str] = "adaptive_avg_pool"
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    output: tuple[int | None, int | None] = field(OutputSize(), "height and width of the output")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"output": 1}, ((4, 9, 8),), (4, 1, 1)),
        Example({"output": [7, 3]}, ((4, 9, 2),), (4, 7, 3)),
        Example({"output": 3}, ((4, 9),), (4, 3)),
        Example({"output": [None, 1]}, ((4, 9, 2),), (4, 9, 1)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×output."""
        return resized(inputs[0], (inputs[0].channels, *_output(self, inputs[0])))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.AdaptiveAvgPool2d or AdaptiveAvgPool1d."""
        return _layer("AdaptiveAvgPool", self, inputs[0])


class AdaptiveMaxPool(Op):
    """The maximum over windows chosen such that the output has the given size, whatever the size of the input.

    C×H×W becomes C×output. The output is still a map: flatten it before a linear layer, or use `global_max_pool`. A
    signal C×L is pooled along L.
    """

    name: ClassVar[str] = "adaptive_max_pool"
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    output: tuple[int | None, int | None] = field(OutputSize(), "height and width of the output")

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"output": 1}, ((4, 9, 8),), (4, 1, 1)),
        Example({"output": [7, 3]}, ((4, 9, 2),), (4, 7, 3)),
        Example({"output": 3}, ((4, 9),), (4, 3)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×output."""
        return resized(inputs[0], (inputs[0].channels, *_output(self, inputs[0])))

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.AdaptiveMaxPool2d or AdaptiveMaxPool1d."""
        return _layer("AdaptiveMaxPool", self, inputs[0])


def _output(op: AdaptiveAvgPool | AdaptiveMaxPool, tensor: TensorType) -> tuple[int, ...]:
    need_map_or_signal(op.name, tensor)
    wanted: tuple[int | None, ...] = spatial(tensor, vars(op), "output")
    if wanted == (None,):
        message = f"`{op.name}` of {describe(tensor)} needs the length of its output"
        raise OpError(message, code="E205", parameter="output")
    return tuple(new or size for new, size in zip(wanted, tensor.sizes[1:], strict=True))


def _layer(kind: str, op: AdaptiveAvgPool | AdaptiveMaxPool, tensor: TensorType) -> Layer:
    wanted = spatial(tensor, vars(op), "output")
    return layer(f"{kind}{tensor.rank - 1}d", wanted if None in wanted else side(wanted))


class GlobalAvgPool(Op):
    """The mean of each channel over all positions. C×H×W or C×L becomes a vector C, the input of a linear layer."""

    name: ClassVar[str] = "global_avg_pool"
    elsewhere: ClassVar[tuple[str, ...]] = ("gap", "globalaveragepooling", "globalaveragepool")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 9, 8),), (4,)),
        Example({}, ((4, 1, 1),), (4,)),
        Example({}, ((4, 9),), (4,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C."""
        need_map_or_signal(self.name, inputs[0])
        return TensorType.vector(inputs[0].channels)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """The mean over height and width."""
        return f"{arguments[0]}.mean({'(2, 3)' if inputs[0].rank == 3 else 2})"


class GlobalMaxPool(Op):
    """The maximum of each channel over all positions. C×H×W or C×L becomes a vector C, the input of a linear layer."""

    name: ClassVar[str] = "global_max_pool"
    elsewhere: ClassVar[tuple[str, ...]] = ("gmp", "globalmaxpooling")
    kind: ClassVar[str] = "pool"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((4, 9, 8),), (4,)),
        Example({}, ((4, 1, 1),), (4,)),
        Example({}, ((4, 9),), (4,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C."""
        need_map_or_signal(self.name, inputs[0])
        return TensorType.vector(inputs[0].channels)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """The maximum over height and width; its gradient goes to one position, as with nn.AdaptiveMaxPool2d."""
        return f"torch.flatten(F.adaptive_max_pool{inputs[0].rank - 1}d({arguments[0]}, 1), 1)"


OPS: tuple[type[Op], ...] = (AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool)
