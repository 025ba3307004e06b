"""Pooling to a given output size, and over the whole map."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Optional, field
from cnngraph.ops.kinds import OutputSize
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import need_map_or_signal, resized_map, side, size_of_second
from cnngraph.tensor_type import TensorType


class AdaptiveAvgPool(Op):
    """The mean over windows chosen such that the output has the given size, whatever the size of the input.

    C×H×W becomes C×output. The output is still a map: flatten it before a linear layer, or use `global_avg_pool`.
    With two inputs, the first is pooled to the height and width of the second, whatever they are when the network runs.
    """

    name: ClassVar[str] = "adaptive_avg_pool"
    inputs: ClassVar[tuple[int, int | None]] = (1, 2)
    input_names: ClassVar[tuple[str, ...]] = ("map", "like")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    output: tuple[int | None, int | None] | None = field(
        Optional(OutputSize()), "height and width of the output; required with one input", None
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"output": 1}, ((4, 9, 8),), (4, 1, 1)),
        Example({"output": [7, 3]}, ((4, 9, 2),), (4, 7, 3)),
        Example({"output": [None, 1]}, ((4, 9, 2),), (4, 9, 1)),
        Example({}, ((4, 9, 8), (2, 4, 5)), (4, 4, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×output."""
        return _adapt(self.name, inputs, self.output)

    def layer(self, *inputs: TensorType) -> Layer | None:
        """torch.nn.AdaptiveAvgPool2d; None with two inputs."""
        if self.output is None:
            return None
        return layer("AdaptiveAvgPool2d", self.output if None in self.output else side(self.output))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """With two inputs, the function that the module calls."""
        return f"F.adaptive_avg_pool2d({arguments[0]}, {arguments[1]}.shape[-2:])"


class AdaptiveMaxPool(Op):
    """The maximum over windows chosen such that the output has the given size, whatever the size of the input.

    C×H×W becomes C×output. The output is still a map: flatten it before a linear layer, or use `global_max_pool`.
    With two inputs, the first is pooled to the height and width of the second, whatever they are when the network runs,
    as the large maps of a balanced feature pyramid (Pang et al. 2019): `{op: adaptive_max_pool, from: [fine, middle]}`.
    """

    name: ClassVar[str] = "adaptive_max_pool"
    inputs: ClassVar[tuple[int, int | None]] = (1, 2)
    input_names: ClassVar[tuple[str, ...]] = ("map", "like")
    kind: ClassVar[str] = "pool"
    output_is_free: ClassVar[bool] = True

    output: tuple[int | None, int | None] | None = field(
        Optional(OutputSize()), "height and width of the output; required with one input", None
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"output": 1}, ((4, 9, 8),), (4, 1, 1)),
        Example({"output": [7, 3]}, ((4, 9, 2),), (4, 7, 3)),
        Example({}, ((4, 9, 8), (2, 4, 5)), (4, 4, 5)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """C×output."""
        return _adapt(self.name, inputs, self.output)

    def layer(self, *inputs: TensorType) -> Layer | None:
        """torch.nn.AdaptiveMaxPool2d; None with two inputs."""
        if self.output is None:
            return None
        return layer("AdaptiveMaxPool2d", self.output if None in self.output else side(self.output))

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """With two inputs, the function that the module calls."""
        return f"F.adaptive_max_pool2d({arguments[0]}, {arguments[1]}.shape[-2:])"


def _adapt(op: str, inputs: tuple[TensorType, ...], output: tuple[int | None, int | None] | None) -> TensorType:
    image = inputs[0]
    like = size_of_second(op, inputs, "output" if output is not None else None)
    if like is None and output is None:
        message = f"`{op}` needs `output`, or a second input of the wanted size"
        raise OpError(message, code="E205", parameter="output")
    height, width = like or (new or size for new, size in zip(output or (None, None), image.sizes[1:], strict=True))
    return resized_map(image, height, width)


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
