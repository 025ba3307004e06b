"""Why a loss became NaN or infinite: the learning rate, or something that was wrong before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe
from cnngraph.train.record.records import Epoch, best_of

Problem = tuple[str, str]  # what was wrong, and what to do about it

BEFORE = "before any step was made, so the learning rate is not the cause"


@dataclass(frozen=True, slots=True, eq=False)
class FirstBatch:
    """What was finite in a run's first batch: its loss, and by parameter the initial weights and the gradients.

    All of it stays on the device until a loss that is not finite has to be explained.
    """

    names: tuple[str, ...]
    loss: Tensor
    weights: Tensor
    gradients: Tensor

    @classmethod
    def of(cls, model: nn.Module, loss: Tensor, scaled: bool) -> FirstBatch:
        """After the backward pass and before the step. `scaled` gradients may overflow: their scale adapts to that."""
        learned = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
        gradients = [None if scaled else each.grad for _, each in learned]
        return cls(
            tuple(name for name, _ in learned),
            loss.detach().isfinite().all(),
            _finite((each for _, each in learned), loss),
            _finite(gradients, loss),
        )

    def problem(self, recipe: Recipe) -> Problem | None:
        """What was wrong before the first step, and what to do about it; None where nothing was."""
        computing = "check the operations that divide, take roots or powers, and the initial values (`init`)"
        if recipe.precision != "fp32":
            computing = f"{recipe.precision} may be too coarse: --set train.precision=fp32, or else {computing}"
        if name := self._first(self.weights):
            help = "check the rules of `init`, or the file that the weights came from"
            return f"the initial values of {name} are not finite", help
        if not bool(self.loss):
            return f"the loss of the first batch is not finite, {BEFORE}", computing
        if name := self._first(self.gradients):
            return f"the gradient of {name} is not finite in the first batch, {BEFORE}", computing
        return None

    def _first(self, finite: Tensor) -> str | None:
        """The first parameter whose numbers are not all finite."""
        flags = finite.tolist()
        return self.names[flags.index(False)] if False in flags else None


def diverged(
    where: str, recipe: Recipe, folder: Path, epochs: tuple[Epoch, ...], problems: Sequence[Problem | None]
) -> SpecError:
    """The error (E630) of a loss that is NaN or infinite, with the cause, where one of the processes knows it."""
    kept = best_of(epochs) or (epochs[-1] if epochs else None)
    note = f"{folder} keeps the weights of epoch {kept.number}" if kept else "no epoch was finished"
    problem, help = next(filter(None, problems), (None, rate_help(recipe)))
    notes = (problem, note) if problem else (note,)
    return SpecError.of("E630", f"the loss is not a number any more {where}", notes=notes, help=help)


def rate_help(recipe: Recipe) -> str:
    """How to lower the learning rate, which of several groups may be a group's own."""
    optimizer = recipe.optimizer
    own = {f"optimizer.groups.{number}": each.lr for number, each in enumerate(optimizer.groups) if each.lr is not None}
    place = max(own, key=lambda each: own[each] or 0.0, default=None)
    if place and (own[place] or 0.0) > optimizer.lr:
        return f"the learning rate of {place} is {own[place]:g}; try a tenth of it"
    rate = optimizer.lr
    return f"the learning rate is {rate:g}; try a tenth of it: --set train.optimizer.lr={rate / 10:g}"


@torch.no_grad()
def _finite(tensors: Iterable[Tensor | None], like: Tensor) -> Tensor:
    """Of each tensor, whether all its numbers are finite; of a sharded one this process's part."""
    held = [each.to_local() if isinstance(each, DTensor) else each for each in tensors]
    yes = torch.ones((), dtype=torch.bool, device=like.device)
    return torch.stack([yes, *(yes if each is None else each.isfinite().all() for each in held)])[1:]
