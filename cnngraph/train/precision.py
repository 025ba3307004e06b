"""In which numbers a network computes; its weights, the loss and the steps are float32 throughout."""

from __future__ import annotations

import torch

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}  # by a recipe's word, beside fp32


def precision_of(name: str, device: torch.device) -> torch.autocast:
    """What is computed in it is computed in the numbers that a recipe names."""
    numbers = PRECISIONS.get(name)
    return torch.autocast(device.type, numbers, enabled=numbers is not None)
