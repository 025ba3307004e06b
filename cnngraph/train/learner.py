"""One step of learning: forward, loss, backward, and what the optimizer makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnngraph.recipe import Recipe
from cnngraph.recipe.schedules import rate_factor
from cnngraph.train.checkpointing import checkpoint_blocks
from cnngraph.train.objective import Objective, logits_of
from cnngraph.train.optimizers import make_optimizer
from cnngraph.train.precision import precision_of


class Learner:
    """A network, its optimizer and the average of its weights. It knows batches, not epochs or files.

    `weights` are those of the classes, where the recipe has any.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device, weights: Tensor | None = None) -> None:
        self.recipe, self.device = recipe, device
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = _average(self.model, recipe.ema) if recipe.ema else None
        checkpoint_blocks(self.model, recipe.checkpointed)
        self.forward = _compiled(self.model) if recipe.compile else self.model
        self.objective = Objective(recipe.loss, weights if weights is None else weights.to(device))
        self.optimizer = make_optimizer(recipe.optimizer, self.model)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self.rate = recipe.optimizer.lr  # of the last step
        self.gathered = False  # whether there are gradients that no step was made of

    def set_rate(self, epoch: float, steps: int, losses: Sequence[float]) -> None:
        """Lay on the optimizer the learning rate after so many epochs (a fraction counts) of so many steps each.

        `losses` are the validation losses of the finished epochs.
        """
        recipe = self.recipe
        factor = rate_factor(recipe.schedule, recipe.warmup, epoch, recipe.epochs, steps, losses)
        self.rate = self.recipe.optimizer.lr * factor
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def precision(self) -> torch.autocast:
        """In which numbers the network computes; its weights, the loss and the steps are float32 throughout."""
        return precision_of(self.recipe.precision, self.device)

    def learn(self, images: Tensor, labels: Tensor, share: float = 1.0, last: bool = True) -> tuple[Tensor, Tensor]:
        """Learn from one batch; its loss and logits.

        The batch is so large a `share` of the images of a step; the step is made with the `last` of them.
        """
        with self.precision():
            output = self.forward(images)
        objective, loss = self.objective(output, labels)
        torch.autograd.backward(self.scaler.scale(objective if share == 1 else objective * share))
        self.gathered = not last
        if last:
            self.step()
        return loss, logits_of(output).detach()

    def step(self) -> None:
        """Follow the gradients that were gathered, and forget them."""
        clip = self.recipe.clip
        if clip:
            self.scaler.unscale_(self.optimizer)
            if clip.norm is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), clip.norm)
            if clip.value is not None:
                nn.utils.clip_grad_value_(self.model.parameters(), clip.value)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)

    @property
    def judged(self) -> nn.Module:
        """What is evaluated: the average, where there is one."""
        return self.forward if self.average is None else self.average.module

    def weights(self) -> dict[str, Tensor]:
        """The weights that are evaluated and kept."""
        return dict((self.model if self.average is None else self.average.module).state_dict())

    def keep(self, weights: Mapping[str, Tensor]) -> None:
        """Let the network end with these weights."""
        self.model.load_state_dict(weights)
        if self.average is not None:
            self.average.module.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """What is needed to go on learning, beside the random state."""
        gradients = {name: each.grad for name, each in self.model.named_parameters() if each.grad is not None}
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": dict(self.average.state_dict()) if self.average is not None else None,
            "gradients": gradients if self.gathered else {},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.gathered = bool(state["gradients"])
        parameters = dict(self.model.named_parameters())
        for name, gradient in state["gradients"].items():
            parameters[name].grad = gradient.to(self.device)


def _compiled(model: nn.Module) -> nn.Module:
    """The network compiled; its weights stay the network's, by their own names."""
    compiled: nn.Module = torch.compile(model)  # type: ignore[assignment]
    return compiled


def _average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a network, running statistics included; it begins with the first step."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
