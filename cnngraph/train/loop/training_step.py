"""A training step: forward pass, loss, backward pass, optimizer step, and the moving average of the weights."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnngraph.recipe import Recipe
from cnngraph.recipe.schedules import Constant, rate_factor
from cnngraph.train.loop.activation_checkpointing import checkpoint_blocks
from cnngraph.train.loop.divergence import FirstBatch
from cnngraph.train.loop.freezing import Freezing
from cnngraph.train.loop.objective import Objective, logits_of
from cnngraph.train.loop.optimizers import make_optimizer, reported_group
from cnngraph.train.loop.parallel import gradient_sync, load_optimizer_state, load_weights, replicate, shard, unshard
from cnngraph.train.loop.precision import autocast
from cnngraph.train.world import SINGLE_PROCESS, World


class TrainingStep:
    """Trains a network batch by batch with its optimizer. Knows nothing of epochs or files.

    `weights` are the class weights, if the recipe has any. With several processes, each trains on its own images, and
    all must call the same methods in the same order.
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
        distributed, sharded = world.size > 1, world.size > 1 and recipe.strategy == "fsdp"
        # FSDP moves a sharded network to the device block by block, since it may not fit; it needs contiguous weights.
        self.model = model if sharded else model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.freezing = Freezing(self.model, recipe)
        self.average = _moving_average(self.model, recipe.ema) if recipe.ema else None
        checkpoint_blocks(self.model, recipe.checkpointed)
        self.freezing.start_epoch(0)
        if sharded:
            for network in filter(None, (self.model, self.average and self.average.module)):
                shard(network, device, world)
        self.compiled = _compile(self.model) if recipe.compile else self.model
        self.is_replicated = distributed and not sharded
        self.forward = replicate(self.compiled, device) if self.is_replicated else self.compiled
        class_weights = weights if weights is None else weights.to(device)
        self.objective = Objective(recipe.loss, class_weights, every_head=distributed)
        self.optimizer = make_optimizer(recipe.optimizer, self.model, self.freezing.trained)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
        self.epochs_done = 0  # when the current epoch started
        self.rate_factor = 1.0  # the schedule's, by which the initial learning rates are multiplied
        self.inspects_next_batch = False  # for `first_batch`
        self.first_batch: FirstBatch | None = None

    @property
    def has_constant_rate(self) -> bool:
        """Whether the recipe leaves the learning rate constant."""
        return isinstance(self.recipe.schedule, Constant) and not self.recipe.warmup

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step. Without a schedule in the recipe, a handler may have changed it."""
        group = reported_group(self.optimizer, self.recipe.optimizer)
        rate: float = group["lr"] if self.has_constant_rate else group["initial_lr"] * self.rate_factor
        return rate

    def start_epoch(self, epochs_done: int) -> bool:
        """Switch to training mode, and freeze and unfreeze parameters. Returns whether parameters were unfrozen."""
        self.epochs_done = epochs_done
        changed = self.freezing.start_epoch(epochs_done)
        if changed and self.is_replicated:  # DDP knows only the parameters that needed a gradient when it was created
            self.forward = self.compiled
            gc.collect()  # the old wrapper's hooks go with it
            self.forward = replicate(self.compiled, self.device)
        self.train_mode()
        return changed

    def train_mode(self) -> None:
        """Switch to training mode, except for frozen norms."""
        self.model.train()
        self.freezing.set_eval_mode(self.epochs_done)

    def set_learning_rate(self, epochs_done: float, steps_per_epoch: int, losses: Sequence[float]) -> None:
        """Set the schedule's learning rate. `epochs_done` counts the current epoch by the fraction that is done.

        Steps are the optimizer's. `losses` are the validation losses of the finished epochs.
        """
        recipe = self.recipe
        self.rate_factor = rate_factor(
            recipe.schedule, recipe.warmup, epochs_done, recipe.epochs, steps_per_epoch, losses
        )
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.rate_factor

    def autocast(self) -> AbstractContextManager[object]:
        """The context for forward passes, by the recipe's `precision`."""
        return autocast(self.recipe.precision, self.device)

    def train_on_batch(
        self, images: Tensor, labels: Tensor, weight: float = 1.0, last: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Train on one batch (N×C×H×W), and return its loss and logits (N×classes).

        Gradients are accumulated until the `last` batch of an optimizer step; `weight` is this batch's weight in the
        mean over the step's images.
        """
        with gradient_sync(self.forward, last):
            with self.autocast():
                output = self.forward(images)
            objective, loss = self.objective(output, labels)
            torch.autograd.backward(self.scaler.scale(objective if weight == 1 else objective * weight))
        if self.inspects_next_batch:
            self.first_batch = FirstBatch.of(self.model, objective, self.scaler.is_enabled())
            self.inspects_next_batch = False
        if last:
            self.optimizer_step()
        return loss, logits_of(output)

    def optimizer_step(self) -> None:
        """Clip the accumulated gradients, make a step, clear the gradients and update the moving average."""
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
    def evaluated_model(self) -> nn.Module:
        """The network to evaluate: the moving average, if the recipe has one."""
        return self.compiled if self.average is None else self.average.module

    def sync_buffers(self) -> None:
        """Copy the first process's running statistics to all processes, since each has seen other images."""
        owners = [network for network in (self.model, self.average) if network is not None]
        self.world.broadcast_tensors(buffer for network in owners for buffer in network.buffers())

    def evaluated_weights(self) -> dict[str, Tensor]:
        """The full weights of the evaluated network, which are the ones that a run saves."""
        network = self.model if self.average is None else self.average.module
        weights: dict[str, Tensor] = unshard(network.state_dict())
        return weights

    def load_final_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights with which a run ends, into the moving average as well."""
        load_weights(self.model, weights)
        if self.average is not None:
            load_weights(self.average.module, weights)

    def state_dict(self) -> dict[str, Any]:
        """The state needed to resume after an optimizer step, except random number generators. Nothing is sharded."""
        return {
            "model": unshard(self.model.state_dict()),
            "optimizer": unshard(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
            "average": unshard(self.average.state_dict()) if self.average is not None else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what `state_dict` returned."""
        load_weights(self.model, state["model"])
        load_optimizer_state(self.optimizer, state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            load_weights(self.average, state["average"])


def _compile(model: nn.Module) -> nn.Module:
    """`torch.compile`'s wrapper; weights stay in `model`, under their own names."""
    compiled: nn.Module = torch.compile(model)  # type: ignore[assignment]
    return compiled


def _moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a network's weights and running statistics, from the first step on."""
    update = get_ema_multi_avg_fn(decay)

    def average(averages: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        """Update the averages; FSDP shards parameters but not buffers, and PyTorch cannot update both together."""
        for is_sharded in (True, False):
            chosen = [number for number, tensor in enumerate(current) if isinstance(tensor, DTensor) == is_sharded]
            if chosen:
                update([averages[number] for number in chosen], [current[number] for number in chosen], count)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)
