"""PyTorch's optimizers, as recipes name them."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import nn

from cnngraph.graph.graph import Graph
from cnngraph.lint.patterns import matches_parameter
from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd

FUSED = True  # one kernel for a whole step, on the CPU and on CUDA

Groups: TypeAlias = list[dict[str, Any]]


def make_optimizer(wanted: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, over every trainable parameter; each group has its `lr` and `initial_lr`."""
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
    """PyTorch's parameter groups: first the parameters that no group of the recipe matches, then those of each group.

    A group states both its `lr` and its `initial_lr`: a schedule multiplies the latter, and where nothing changes the
    rate the optimizer reads the former as it is here.
    """
    kinds = kinds_of(model)
    members: list[list[nn.Parameter]] = [[] for _ in range(len(wanted.groups) + 1)]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            fitting = [
                number
                for number, group in enumerate(wanted.groups, 1)
                if any(matches_parameter(match, name, kinds) for match in group.matches)
            ]
            members[max(fitting, default=0)].append(parameter)
    found: Groups = [{"params": members[0], "lr": wanted.lr, "initial_lr": wanted.lr}]
    for group, parameters in zip(wanted.groups, members[1:], strict=True):
        rate = wanted.lr if group.lr is None else group.lr
        own: dict[str, Any] = {"params": parameters, "lr": rate, "initial_lr": rate}
        if group.weight_decay is not None:
            own["weight_decay"] = group.weight_decay
        found.append(own)
    return [each for each in found if each["params"]]


def kinds_of(model: nn.Module) -> dict[str, str]:
    """The op of each module by its path, of a network that knows its graph."""
    graph = getattr(model, "graph", None)
    return {node.path: node.op for node in graph.nodes} if isinstance(graph, Graph) else {}
