"""One step of learning: forward, loss, backward, and what the optimizer makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.recipe import Recipe
from cnngraph.recipe.schedules import rate_factor
from cnngraph.train.objective import auxiliary_loss, logits_of
from cnngraph.train.optimizers import make_optimizer


class Learner:
    """A network and its optimizer. It knows batches, not epochs or files."""

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(recipe.optimizer, self.model)
        self.rate = recipe.optimizer.lr  # of the last step

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
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from one batch; its loss and logits."""
        with self.precision():
            output = self.model(images)
        logits = logits_of(output)
        loss = F.cross_entropy(logits.float(), labels)
        objective = loss + auxiliary_loss(output, labels, self.recipe.loss)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(objective)
        self.optimizer.step()
        return loss.detach(), logits.detach()

    def state(self) -> dict[str, Any]:
        """What is needed to go on learning, beside the random state."""
        return {"model": dict(self.model.state_dict()), "optimizer": self.optimizer.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
