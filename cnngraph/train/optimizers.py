"""PyTorch's optimizers, as recipes name them."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import nn

from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd
from cnngraph.train.patterns import fits_parameter, kinds_of

FUSED = True  # one kernel for a whole step, on the CPU and on CUDA

Groups: TypeAlias = list[dict[str, Any]]


def make_optimizer(wanted: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, over every parameter that learns; each group knows its `initial_lr`."""
    groups = parameter_groups(wanted, model)
    lr, decay = wanted.lr, wanted.weight_decay
    match wanted:
        case Sgd(momentum=momentum, dampening=dampening, nesterov=nesterov):
            return torch.optim.SGD(groups, lr, momentum, dampening, decay, nesterov, fused=FUSED)
        case Adam(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.Adam(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case AdamW(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.AdamW(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case RmsProp(alpha=alpha, eps=eps, momentum=momentum, centered=centered):
            return torch.optim.RMSprop(groups, lr, alpha, eps, decay, momentum, centered)


def parameter_groups(wanted: Optimizer, model: nn.Module) -> Groups:
    """The parameters by what the recipe's groups say of them; first those of which none says anything."""
    kinds = kinds_of(model)
    members: list[list[nn.Parameter]] = [[] for _ in range(len(wanted.groups) + 1)]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            fitting = [
                number
                for number, group in enumerate(wanted.groups, 1)
                if any(fits_parameter(match, name, kinds) for match in group.matches)
            ]
            members[max(fitting, default=0)].append(parameter)
    found: Groups = [{"params": members[0], "initial_lr": wanted.lr}]
    for group, parameters in zip(wanted.groups, members[1:], strict=True):
        own: dict[str, Any] = {"params": parameters, "initial_lr": wanted.lr if group.lr is None else group.lr}
        if group.weight_decay is not None:
            own["weight_decay"] = group.weight_decay
        found.append(own)
    return [each for each in found if each["params"]]
