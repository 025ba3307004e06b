"""Runs an op with PyTorch: makes its layer or evaluates its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cnngraph.backend.modules.compile import make
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType

BATCH = 2


def make_inputs(types: Sequence[TensorType], device: str = "cpu", **options: Any) -> list[torch.Tensor]:
    """Random tensors of these types, batches of two."""
    return [
        torch.randn((BATCH, *tensor_type.sizes) if tensor_type.batched else tensor_type.sizes, device=device, **options)
        for tensor_type in types
    ]


def make_function(op: Op, types: Sequence[TensorType]) -> Any:
    """Something to call with tensors: a module, a free parameter's getter, or a function made of the op's code."""
    layer = op.layer(*types)
    if layer is not None:
        made = make(layer)
        return (lambda: made) if isinstance(made, nn.Parameter) else made
    names = tuple(f"x{place}" for place in range(len(types)))
    return eval(f"lambda {', '.join(names)}: {op.code(names, *types)}", {"torch": torch, "F": F})


def sizes_of(result: Any) -> Any:
    """The sizes of a tensor or of each tensor of a list, with the batch."""
    return tuple(result.shape) if isinstance(result, torch.Tensor) else [tuple(item.shape) for item in result]


def expected(result: TensorType | tuple[TensorType, ...]) -> Any:
    """The sizes that PyTorch's tensors should have."""
    if isinstance(result, tuple):
        return [expected(item) for item in result]
    return (BATCH, *result.sizes) if result.batched else result.sizes
