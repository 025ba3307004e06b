"""Running an op with PyTorch: its layer, or its code as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from cnngraph.backend.modules.build_layer import build_layer
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType

BATCH = 2


def make_inputs(types: Sequence[TensorType], device: str = "cpu", **options: Any) -> list[torch.Tensor]:
    """Random tensors of the given types, in batches of two."""
    return [
        torch.randint(tensor_type.indices[0], tensor_type.indices[1] + 1, tensor_type.sizes, device=device)
        if tensor_type.indices
        else torch.randn(
            (BATCH, *tensor_type.sizes) if tensor_type.batched else tensor_type.sizes, device=device, **options
        )
        for tensor_type in types
    ]


def make_function(op: Op, types: Sequence[TensorType]) -> Any:
    """A callable on tensors: the op's module, the getter of a parameter or constant, or a function of the op's code."""
    layer = op.layer(*types)
    if layer is not None:
        module = build_layer(layer)
        return (lambda: module) if op.is_attribute else module
    names = tuple(f"x{index}" for index in range(len(types)))
    return eval(f"lambda {', '.join(names)}: {op.code(names, *types)}", {"torch": torch, "F": F})


def sizes_of(result: Any) -> Any:
    """The shape of a tensor, or of each tensor of a list, including the batch."""
    return tuple(result.shape) if isinstance(result, torch.Tensor) else [tuple(item.shape) for item in result]


def expected(result: TensorType | tuple[TensorType, ...]) -> Any:
    """The shapes that PyTorch's tensors must have."""
    if isinstance(result, tuple):
        return [expected(item) for item in result]
    return (BATCH, *result.sizes) if result.batched else result.sizes
