"""PyTorch's optimizers, as recipes name them."""

from __future__ import annotations

import torch
from torch import nn

from cnngraph.recipe.optimizers import Adam, AdamW, Sgd

FUSED = True  # one kernel for a whole step, on the CPU and on CUDA


def make_optimizer(wanted: Sgd | Adam | AdamW, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, over every parameter that learns."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    decay = wanted.weight_decay
    match wanted:
        case Sgd(lr=lr, momentum=momentum, nesterov=nesterov):
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=FUSED)
        case Adam(lr=lr, betas=betas, eps=eps):
            return torch.optim.Adam(parameters, lr, betas, eps, decay, fused=FUSED)
        case AdamW(lr=lr, betas=betas, eps=eps):
            return torch.optim.AdamW(parameters, lr, betas, eps, decay, fused=FUSED)
