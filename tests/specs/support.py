"""Weights for comparisons of the examples with handwritten networks, in double precision."""

from __future__ import annotations

import torch
from torch import nn


def filled(model: nn.Module) -> nn.Module:
    """The model in double precision, with non-trivial norms, and nothing that starts with equal numbers."""
    torch.manual_seed(0)
    for name, tensor in model.double().state_dict().items():
        if tensor.is_floating_point() and (tensor.dim() == 1 or tensor.max() - tensor.min() < 1e-3):
            nn.init.uniform_(tensor, 0.5 if name.endswith("var") else -1, 1)
    return model


def copied(model: nn.Module, by_hand: nn.Module) -> nn.Module:
    """The handwritten network in double precision, with the weights of the model, which are in the same order."""
    theirs, mine = model.state_dict(), by_hand.double().state_dict()
    pairs = zip(theirs.items(), mine, strict=True)
    by_hand.load_state_dict({key: value.view(mine[key].shape) for (_, value), key in pairs})
    return by_hand
