"""In which numbers a network computes; its weights, the loss and the steps are float32 throughout."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}  # by a recipe's word, beside fp32


def precision_of(name: str, device: torch.device) -> AbstractContextManager[object]:
    """What is computed in it is computed in the numbers that a recipe names."""
    return torch.autocast(device.type, PRECISIONS[name]) if name in PRECISIONS else nullcontext()
