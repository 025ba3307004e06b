"""PyTorch optimizers from a recipe's `optimizer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from cnngraph.analysis.layers import layer_depths
from cnngraph.graph.graph import Graph
from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd
from cnngraph.train.loop.freezing import matcher_of

FUSED = True  # one kernel for a whole step, on the CPU and on CUDA; PyTorch has none for SGD on sharded weights

Group: TypeAlias = dict[str, Any]  # a parameter group of PyTorch


def make_optimizer(options: Optimizer, model: nn.Module, trained: Mapping[str, float]) -> torch.optim.Optimizer:
    """The optimizer over the `trained` parameters, by name, with the number of epochs for which each is frozen.

    Each parameter group has its `lr` and `initial_lr`.
    """
    groups = parameter_groups(options, model, trained)
    lr, decay = options.lr, options.weight_decay
    match options:
        case Sgd(momentum=momentum, dampening=dampening, nesterov=nesterov):
            fused = FUSED and not any(isinstance(parameter, DTensor) for parameter in model.parameters())
            return torch.optim.SGD(groups, lr, momentum, dampening, decay, nesterov, fused=fused)
        case Adam(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.Adam(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case AdamW(betas=betas, eps=eps, amsgrad=amsgrad):
            return torch.optim.AdamW(groups, lr, betas, eps, decay, amsgrad, fused=FUSED)
        case RmsProp(alpha=alpha, eps=eps, momentum=momentum, centered=centered):
            return torch.optim.RMSprop(groups, lr, alpha, eps, decay, momentum, centered)


def parameter_groups(options: Optimizer, model: nn.Module, trained: Mapping[str, float]) -> list[Group]:
    """PyTorch's parameter groups: first the parameters that no group of the recipe matches, then those of each group.

    With `layer_decay`, these are split by depth, the last layers first. They are also split by the epoch in which they
    are unfrozen, because PyTorch's fused SGD needs the same number of steps for all parameters of a group. Each group
    sets both `lr` and `initial_lr`: a schedule scales `initial_lr`, and without a schedule the optimizer uses `lr` as
    it is.
    """
    matcher, depths = matcher_of(model), _depths(options, model)
    members: dict[tuple[int, int, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if name in trained:
            index = matcher.last_of(options.groups, name)
            own_rate = index is not None and options.groups[index].lr is not None
            depth = 0 if own_rate else depths.get(name.rpartition(".")[0], depths.get(name, 0))
            members.setdefault((-1 if index is None else index, depth, trained[name]), []).append(parameter)
    return [
        {"params": parameters, **_settings(options, index, depth)}
        for (index, depth, _), parameters in sorted(members.items(), key=lambda item: item[0])
    ]


def _settings(options: Optimizer, index: int, depth: int) -> Group:
    """The settings of the parameters of a group of the recipe (-1: of no group) at a depth."""
    group = options.groups[index] if index >= 0 else None
    lr = options.lr * options.layer_decay**depth if group is None or group.lr is None else group.lr
    settings: Group = {"lr": lr, "initial_lr": lr}
    if group and group.weight_decay is not None:
        settings["weight_decay"] = group.weight_decay
    return settings


def _depths(options: Optimizer, model: nn.Module) -> dict[str, int]:
    """The depths of the model's modules, if the learning rate depends on them; a model without a graph is one layer."""
    graph = getattr(model, "graph", None)
    return layer_depths(graph) if options.layer_decay != 1 and isinstance(graph, Graph) else {}


def reported_group(optimizer: torch.optim.Optimizer, options: Optimizer) -> Group:
    """The group whose learning rate is reported: one that has the optimizer's rate, else the one with the highest."""
    groups: list[Group] = optimizer.param_groups
    return max(groups, key=lambda group: (group["initial_lr"] == options.lr, group["initial_lr"]))
