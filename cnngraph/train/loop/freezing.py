"""Freezes parameters, and unfreezes them at the epochs that the recipe names."""

from __future__ import annotations

import math

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.modules.batchnorm import _NormBase

from cnngraph.graph.graph import Graph
from cnngraph.lint.freezing import FreezePlan
from cnngraph.lint.patterns import Matcher
from cnngraph.recipe import Recipe


class Freezing:
    """The frozen parameters of a model: they need no gradient, and their norms are in eval mode."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.model = model
        trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        norms = (path for path, module in model.named_modules() if _has_statistics(module))
        self.plan = FreezePlan.of(recipe.freeze or (), matcher_of(model), trainable, norms)
        self.trainable = frozenset(trainable)
        self.frozen = frozenset[str]()

    @property
    def trained(self) -> dict[str, float]:
        """For how many epochs each parameter is frozen, without those that are frozen however long the run is."""
        epochs = {name: self.plan.parameters.get(name, 0.0) for name in self.trainable}
        return {name: number for name, number in epochs.items() if number < math.inf}

    def start_epoch(self, epochs_done: int) -> bool:
        """Freeze what is frozen after some epochs. Returns whether this is a change."""
        frozen = frozenset(self.plan.frozen_after(epochs_done))
        if frozen == self.frozen:
            return False
        self.frozen = frozen
        sharded = [module for module in self.model.modules() if isinstance(module, FSDPModule)]
        self._set_requires_grad()
        if sharded:  # FSDP has two versions of each parameter, and the model holds only the current one
            for module in sharded:
                module.unshard()
            self._set_requires_grad()
            for module in sharded:
                module.reshard()
        return True

    def _set_requires_grad(self) -> None:
        for name, parameter in self.model.named_parameters():
            if name in self.trainable:
                parameter.requires_grad_(name not in self.frozen)

    def describe(self, epochs_done: int) -> str:
        """The change at the start of an epoch, as a message."""
        parameters = dict(self.model.named_parameters())
        frozen = sum(parameters[name].numel() for name in self.frozen)
        total = sum(parameter.numel() for parameter in parameters.values())
        return f"epoch {epochs_done + 1}: {total - frozen:,} of {total:,} parameters are trained"

    def set_eval_mode(self, epochs_done: int) -> None:
        """Switch the norms that are frozen after some epochs to eval mode, in a model that is in training mode."""
        for path, module in self.model.named_modules():
            if self.plan.norms.get(path, 0) > epochs_done:
                module.eval()


def matcher_of(model: nn.Module) -> Matcher:
    """The matcher of patterns for a model's parameters; without a graph, it knows only their names."""
    graph = getattr(model, "graph", None)
    return Matcher.of(graph) if isinstance(graph, Graph) else Matcher()


def _has_statistics(module: nn.Module) -> bool:
    """Whether a module is a norm that uses running statistics in eval mode."""
    return isinstance(module, _NormBase) and module.running_mean is not None
