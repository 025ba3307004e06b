"""The linear layer."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.fields import Bool, Int, field
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import describe, unless_default
from cnngraph.tensor_type import CHANNELS, TensorType


class Linear(Op):
    """A fully connected layer: y = W·x + b over the channels, which must be the last axis.

    A vector C becomes a vector of `out` features; on H×W×C or a sequence of tokens it is applied at every position. A
    map C×H×W is an error, because the layer would be applied along the width: flatten it or use a global pooling first.
    Multiply-accumulates: C·out for each position.
    """

    name: ClassVar[str] = "linear"
    elsewhere: ClassVar[tuple[str, ...]] = ("fc", "dense", "fullyconnected", "innerproduct")
    kind: ClassVar[str] = "linear"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    out: int = field(Int(1), "number of output features")
    bias: bool = field(Bool(), "whether to add a learnable bias to each output", True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"out": 10}, ((512,),), (10,)),
        Example({"out": 3, "bias": False}, ((1,),), (3,)),
        Example({"out": 32}, ((7, 5, 8),), (7, 5, 32), axes=("HWC",)),
        Example({"out": 32}, ((49, 8),), (49, 32), axes=("?C",)),
        Example({"out": 32}, ((15, 15, 2),), (15, 15, 32), axes=("??C",), free=(0,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """The same axes with `out` channels."""
        (tensor,) = inputs
        if not tensor.axes or tensor.axes[-1] != CHANNELS:
            raise OpError(
                f"`linear` needs the channels as the last axis, got {describe(tensor)}",
                code="E211",
                help="insert `flatten` or `global_avg_pool` before it" if tensor.is_map else None,
            )
        return tensor.with_sizes(C=self.out)

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """`weight` out×C, `bias` out."""
        weight = (self.out, inputs[0].sizes[-1])
        return {"weight": weight, "bias": (self.out,)} if self.bias else {"weight": weight}

    def macs(self, *inputs: TensorType) -> int:
        """C·out for each position."""
        return inputs[0].count * self.out

    def layer(self, *inputs: TensorType) -> Layer:
        """torch.nn.Linear."""
        return layer("Linear", inputs[0].sizes[-1], self.out, **unless_default(bias=(self.bias, True)))


OPS: tuple[type[Op], ...] = (Linear,)
