"""Matrix products and attention."""

from __future__ import annotations

import math
from typing import ClassVar

from cnngraph.fields import Bool, Float, Int, Optional, field
from cnngraph.ops.broadcasting import broadcast
from cnngraph.ops.merge import equal_type
from cnngraph.ops.op import Example, Layer, Op, OpError, layer
from cnngraph.ops.shapes import describe, need_divisible, unless_default
from cnngraph.tensor_type import CHANNELS, OTHER, TensorType


class MatMul(Op):
    """The matrix product of two tensors over their last two axes: …×L×E times …×E×M becomes …×L×M.

    With `transpose: true` the second one is …×M×E, as the scores q·kᵀ of attention and a weight of PyTorch are. The
    axes before are matched as in `mul`. Either may be a free parameter. The cross-covariance attention of XCiT
    (El-Nouby et al. 2021) multiplies C×L by L×C, which gives C×C.
    Multiply-accumulates: E for each element of the output.
    """

    name: ClassVar[str] = "matmul"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("matrixproduct", "bmm", "mm", "batchmatmul", "dot")
    kind: ClassVar[str] = "attention"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    transpose: bool = field(Bool(), "whether to exchange the last two axes of the second tensor", False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((9, 5), (5, 4)), (9, 4), axes=("??", "?C")),
        Example({"transpose": True}, ((9, 4), (7, 4)), (9, 7), axes=("?C", "?C")),
        Example({"transpose": True}, ((3, 9, 4), (3, 7, 4)), (3, 9, 7), axes=("??C", "??C")),
        Example({}, ((9, 4), (4, 12)), (9, 12), axes=("?C", "?C"), free=(1,)),
        Example({}, ((5, 9), (9, 4)), (5, 4), axes=("??", "?C"), free=(0,)),
        Example({"transpose": True}, ((4,), (12, 4)), (12,), axes=("C", "C?"), free=(1,)),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """…×L×M."""
        left, right = inputs
        is_vector = left.batched and left.rank == 1  # its rows are the images
        if right.rank < 2 or (left.rank < 2 and not is_vector) or (is_vector and (right.batched or right.rank > 2)):
            short = right if right.rank < 2 else left
            raise OpError(f"`matmul` multiplies matrices, but one input is {describe(short)}", code="E211")
        last, summed = (-2, right.sizes[-1]) if self.transpose else (-1, right.sizes[-2])
        columns, name = right.sizes[last], right.axes[last]
        if left.sizes[-1] != summed:
            raise OpError(
                f"`matmul` sums over {left.sizes[-1]} columns of {describe(left)}, but {describe(right)} has {summed} "
                f"{'columns' if self.transpose else 'rows'}",
                code="E203",
                help=f"{'remove' if self.transpose else 'add'} `transpose: true`"
                if left.sizes[-1] == columns
                else None,
            )
        if is_vector:
            return TensorType((columns,), (name,))
        leading = broadcast(self.name, (_leading(left), _leading(right)))
        axes = (*leading.axes, left.axes[-2])
        name = OTHER if name in axes else name
        return TensorType((*leading.sizes, left.sizes[-2], columns), (*axes, name), leading.batched)

    def macs(self, *inputs: TensorType) -> int:
        """E for each element of the output."""
        return self.infer(*inputs).count * inputs[0].sizes[-1]

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`a @ b`."""
        return f"{arguments[0]} @ {arguments[1]}{'.transpose(-2, -1)' if self.transpose else ''}"


def _leading(tensor: TensorType) -> TensorType:
    """The axes before the matrix; those of a free parameter are matched from the last one, as PyTorch does."""
    axes = tensor.axes[:-2] if tensor.batched else (OTHER,) * (tensor.rank - 2)
    return TensorType(tensor.sizes[:-2], axes, tensor.batched)


class Attention(Op):
    """Scaled dot-product attention (Vaswani et al. 2017): softmax(q·kᵀ / √E + bias)·v, for each head.

    The channels, which must be the last axis, are divided among the heads, E for each. From queries L×C, keys S×C and
    values S×C' it computes L×C'; axes before them, such as the windows of Swin, must be equal and are kept. The
    optional fourth input is added to the scores: a tensor or free parameter that matches heads×L×S, as the relative
    position bias of Swin (Liu et al. 2021). The projections are separate nodes: in a ViT a `linear` with 3·C outputs,
    whose `chunk` gives q, k and v. Multiply-accumulates: L·S·(C + C').
    """

    name: ClassVar[str] = "attention"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("scaleddotproductattention", "sdpa", "dotproductattention")
    kind: ClassVar[str] = "attention"
    inputs: ClassVar[tuple[int, int | None]] = (3, 4)
    input_names: ClassVar[tuple[str, ...]] = ("q", "k", "v", "bias")
    takes_parameters: ClassVar[bool] = True

    num_heads: int = field(Int(1), "number of heads; must divide the channels", 1)
    dropout_p: float = field(Float(0, 1), "probability with which a weight is dropped in training mode", 0.0)
    is_causal: bool = field(Bool(), "whether each query sees only the keys up to its own position", False)
    scale: float | None = field(Optional(Float()), "factor of the scores; null means 1 / √E", None)

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"num_heads": 2}, ((9, 8), (9, 8), (9, 8)), (9, 8), axes=("?C", "?C", "?C")),
        Example({"scale": 1, "dropout_p": 0.1}, ((9, 8), (5, 8), (5, 6)), (9, 6), axes=("?C", "?C", "?C")),
        Example({"is_causal": True}, ((9, 8), (9, 8), (9, 8)), (9, 8), axes=("?C", "?C", "?C")),
        Example(
            {"num_heads": 2},
            ((4, 9, 8), (4, 9, 8), (4, 9, 8), (2, 9, 9)),
            (4, 9, 8),
            axes=("??C", "??C", "??C", "???"),
            free=(3,),
        ),
        Example({"num_heads": 2}, ((1, 8), (9, 8), (9, 8), (1, 1, 9)), (1, 8), axes=("?C", "?C", "?C", "???")),
    )

    def infer(self, *inputs: TensorType) -> TensorType:
        """…×L×C'."""
        for tensor in inputs[:3]:
            if tensor.rank < 2 or tensor.axes[-1] != CHANNELS or not tensor.batched:
                raise OpError(
                    f"`attention` needs tokens, with the channels as the last axis, got {describe(tensor)}",
                    code="E211",
                    help=TO_TOKENS if tensor.is_map else None,
                )
            need_divisible(tensor.channels, self.num_heads, "number of input channels", "num_heads")
        query, key, value = inputs[:3]
        if query.channels != key.channels:
            message = f"queries and keys need the same number of channels, got {query.channels} and {key.channels}"
            raise OpError(message, code="E202")
        if key.sizes[-2] != value.sizes[-2]:
            message = f"there must be one value per key, got {key.sizes[-2]} keys and {value.sizes[-2]} values"
            raise OpError(message, code="E203")
        leading = equal_type(self.name, tuple(map(_leading, inputs[:3])))
        if len(inputs) > 3:
            self._check_bias(leading, query, key, inputs[3])
        return TensorType((*leading.sizes, query.sizes[-2], value.channels), (*leading.axes, *query.axes[-2:]))

    def _check_bias(self, leading: TensorType, query: TensorType, key: TensorType, bias: TensorType) -> None:
        if self.is_causal:
            raise OpError("`is_causal: true` allows no bias as a fourth input", code="E205", parameter="is_causal")
        scores = (*leading.sizes, self.num_heads, query.sizes[-2], key.sizes[-2])
        wanted = TensorType(scores, (OTHER,) * len(scores))
        if bias.rank < 2:  # which PyTorch's function does not repeat
            message = f"the bias needs at least two axes, queries×keys, got {describe(bias)}"
            raise OpError(message, code="E211")
        unnamed = TensorType(bias.sizes, (OTHER,) * bias.rank, bias.batched)
        try:
            found = broadcast(self.name, (wanted, unnamed)).sizes
        except OpError:
            found = ()
        if found != scores:
            message = f"the bias must match the scores {wanted} (heads×queries×keys), got {bias}"
            raise OpError(message, code="E203", parameter=None)

    def macs(self, *inputs: TensorType) -> int:
        """L·S·(C + C')."""
        query, key, value = inputs[:3]
        leading = math.prod(self.infer(*inputs).sizes[:-2])
        return leading * query.sizes[-2] * key.sizes[-2] * (query.channels + value.channels)

    def layer(self, *inputs: TensorType) -> Layer:
        """Attention of backend/modules/own_layers.py."""
        return layer(
            "Attention",
            self.num_heads,
            **unless_default(
                dropout_p=(self.dropout_p, 0.0), is_causal=(self.is_causal, False), scale=(self.scale, None)
            ),
        )


TO_TOKENS = "make the map a sequence of tokens with `{op: flatten, start_dim: 2}` and `{op: permute, dims: [0, 2, 1]}`"

OPS: tuple[type[Op], ...] = (MatMul, Attention)
