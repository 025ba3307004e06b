"""In which numbers a finished run's network computes."""

from __future__ import annotations

import torch

LOWER = {"bf16": torch.bfloat16, "fp16": torch.float16}  # by what a recipe calls them


def precision_of(name: str, device: torch.device) -> torch.autocast:
    """As the network did while it was trained, by the recipe's word for it."""
    return torch.autocast(device.type, LOWER.get(name, torch.bfloat16), enabled=name in LOWER)
