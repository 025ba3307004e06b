"""PyTorch optimizers from a recipe's `optimizer`."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import nn

from cnngraph.graph.graph import Graph
from cnngraph.lint.patterns import matches_parameter
from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd

FUSED = True  # one kernel for a whole step, on the CPU and on CUDA

ParameterGroups: TypeAlias = list[dict[str, Any]]


def make_optimizer(options: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all trainable parameters; each parameter group has its `lr` and `initial_lr`."""
    groups = parameter_groups(options, model)
    lr, decay = options.lr, options.weight_decay
    match options:
        case Sgd(momentum=momentum, dampening=dampening, nesterov=nesterov):
            return torch.optim.SGD(groups, lr, momentum, dampening, decay, nesterov, fused=FUSED)
        case Adam(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.Adam(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case AdamW(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.AdamW(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case RmsProp(alpha=alpha, eps=eps, momentum=momentum, centered=centered):
            return torch.optim.RMSprop(groups, lr, alpha, eps, decay, momentum, centered)


def parameter_groups(options: Optimizer, model: nn.Module) -> ParameterGroups:
    """PyTorch's parameter groups: first the parameters that no group of the recipe matches, then those of each group.

    Each group sets both `lr` and `initial_lr`: a schedule scales `initial_lr`, and without a schedule the optimizer
    uses `lr` as it is. Of several groups that match a parameter, the last one applies.
    """
    ops = ops_by_path(model)
    members: list[list[nn.Parameter]] = [[] for _ in range(len(options.groups) + 1)]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matching = [
                number
                for number, group in enumerate(options.groups, 1)
                if any(matches_parameter(pattern, name, ops) for pattern in group.matches)
            ]
            members[max(matching, default=0)].append(parameter)
    groups: ParameterGroups = [{"params": members[0], "lr": options.lr, "initial_lr": options.lr}]
    for group, parameters in zip(options.groups, members[1:], strict=True):
        lr = options.lr if group.lr is None else group.lr
        settings: dict[str, Any] = {"params": parameters, "lr": lr, "initial_lr": lr}
        if group.weight_decay is not None:
            settings["weight_decay"] = group.weight_decay
        groups.append(settings)
    return [group for group in groups if group["params"]]


def ops_by_path(model: nn.Module) -> dict[str, str]:
    """The op of each module by its path; empty for a model without a graph."""
    graph = getattr(model, "graph", None)
    return {node.path: node.op for node in graph.nodes} if isinstance(graph, Graph) else {}
