"""Automatic mixed precision; weights, loss and optimizer steps are always float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}  # of a recipe's `precision`; fp32 needs no autocast


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The `torch.autocast` context of a recipe's `precision`; no context for fp32."""
    if precision not in AUTOCAST_DTYPES:
        return nullcontext()
    return torch.autocast(device.type, AUTOCAST_DTYPES[precision])
