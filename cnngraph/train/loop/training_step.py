"""One step of learning: forward, loss, backward, and what the optimizer makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnngraph.recipe import Recipe
from cnngraph.recipe.schedules import Constant, rate_factor
from cnngraph.train.loop.activation_checkpointing import checkpoint_blocks
from cnngraph.train.loop.divergence import FirstBatch
from cnngraph.train.loop.objective import Objective, logits_of
from cnngraph.train.loop.optimizers import make_optimizer
from cnngraph.train.loop.parallel import load_optimizer, load_weights, replicate, shard, whole, without_exchange
from cnngraph.train.loop.precision import precision_of
from cnngraph.train.world import SINGLE_PROCESS, World


class Learner:
    """A network, its optimizer and the average of its weights. It knows batches, not epochs or files.

    `weights` are those of the classes, where the recipe has any. In a world of several processes all do the same at
    the same time, each with its own images.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        device: torch.device,
        weights: Tensor | None = None,
        world: World = SINGLE_PROCESS,
    ) -> None:
        self.recipe, self.device, self.world = recipe, device, world
        shared, sharded = world.size > 1, world.size > 1 and recipe.strategy == "fsdp"
        # Sharded, a network comes to the device part by part, since it may not fit, and FSDP wants it contiguous.
        self.model = model if sharded else model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = _average(self.model, recipe.ema) if recipe.ema else None
        checkpoint_blocks(self.model, recipe.checkpointed)
        if sharded:
            for each in filter(None, (self.model, self.average and self.average.module)):
                shard(each, device, world)
        self.run = _compiled(self.model) if recipe.compile else self.model
        self.forward = replicate(self.run, device) if shared and not sharded else self.run
        self.objective = Objective(recipe.loss, weights if weights is None else weights.to(device), every_head=shared)
        self.optimizer = make_optimizer(recipe.optimizer, self.model)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self.factor = 1.0  # of the learning rate, by the schedule
        self.observes_first = False  # whether the next batch is the run's first one
        self.first: FirstBatch | None = None

    @property
    def is_steady(self) -> bool:
        """Whether the learning rate stays what it is."""
        return isinstance(self.recipe.schedule, Constant) and not self.recipe.warmup

    @property
    def rate(self) -> float:
        """The learning rate of the last step; where the recipe has no schedule, a handler may have changed it."""
        first = self.optimizer.param_groups[0]
        return self.recipe.optimizer.lr * (first["lr"] / first["initial_lr"] if self.is_steady else self.factor)

    def set_rate(self, epoch: float, steps: int, losses: Sequence[float]) -> None:
        """Lay on the optimizer the learning rate after so many epochs (a fraction counts) of so many steps each.

        `losses` are the validation losses of the finished epochs.
        """
        recipe = self.recipe
        self.factor = rate_factor(recipe.schedule, recipe.warmup, epoch, recipe.epochs, steps, losses)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.factor

    def precision(self) -> AbstractContextManager[object]:
        """In which numbers the network computes; its weights, the loss and the steps are float32 throughout."""
        return precision_of(self.recipe.precision, self.device)

    def learn(self, images: Tensor, labels: Tensor, share: float = 1.0, last: bool = True) -> tuple[Tensor, Tensor]:
        """Learn from one batch; its loss and logits.

        The batch is so large a `share` of the images of a step; the step is made with the `last` of them.
        """
        with without_exchange(self.forward, last):
            with self.precision():
                output = self.forward(images)
            objective, loss = self.objective(output, labels)
            torch.autograd.backward(self.scaler.scale(objective if share == 1 else objective * share))
        if self.observes_first:
            self.first, self.observes_first = FirstBatch.of(self.model, objective, self.scaler.is_enabled()), False
        if last:
            self.step()
        return loss, logits_of(output)

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
        return self.run if self.average is None else self.average.module

    def settle(self) -> None:
        """Let the running statistics of all processes be the leader's; each has seen other images."""
        self.world.broadcast_tensors(
            each for owner in (self.model, self.average) if owner is not None for each in owner.buffers()
        )

    def weights(self) -> dict[str, Tensor]:
        """The weights that are evaluated and kept."""
        kept: dict[str, Tensor] = whole((self.model if self.average is None else self.average.module).state_dict())
        return kept

    def keep(self, weights: Mapping[str, Tensor]) -> None:
        """Let the network end with these weights."""
        load_weights(self.model, weights)
        if self.average is not None:
            load_weights(self.average.module, weights)

    def state(self) -> dict[str, Any]:
        """What is needed to go on learning after a step, beside the random state; in one piece, however it is held."""
        return {
            "model": whole(self.model.state_dict()),
            "optimizer": whole(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
            "average": whole(self.average.state_dict()) if self.average is not None else None,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        load_weights(self.model, state["model"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            load_weights(self.average, state["average"])


def _compiled(model: nn.Module) -> nn.Module:
    """The network compiled; its weights stay the network's, by their own names."""
    compiled: nn.Module = torch.compile(model)  # type: ignore[assignment]
    return compiled


def _average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a network, running statistics included; it begins with the first step."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
