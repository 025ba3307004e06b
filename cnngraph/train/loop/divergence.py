"""Finds out why a loss became NaN or infinite: the learning rate, or something that was wrong before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.recipe import Recipe
from cnngraph.train.record.records import Epoch, best_of

Problem = tuple[str, str]  # what was wrong, and how to fix it

BEFORE_THE_FIRST_STEP = "even before the first step, so the learning rate is not the cause"


@frozen(eq=False)
class FirstBatch:
    """Whether the values of a run's first batch were finite: its loss, and by parameter the weights and gradients.

    The flags stay on the device until a non-finite loss has to be explained.
    """

    names: tuple[str, ...]
    loss: Tensor
    weights: Tensor
    gradients: Tensor

    @classmethod
    def of(cls, model: nn.Module, loss: Tensor, scaled: bool) -> FirstBatch:
        """Call it between backward pass and step. `scaled` gradients are not checked: the scaler handles overflow."""
        parameters = dict(model.named_parameters())
        gradients = [None if scaled else parameter.grad for parameter in parameters.values()]
        return cls(
            tuple(parameters),
            loss.detach().isfinite().all(),
            _all_finite(parameters.values(), loss),
            _all_finite(gradients, loss),
        )

    def problem(self, recipe: Recipe) -> Problem | None:
        """What was wrong before the first step, and how to fix it; None if all values were finite."""
        operations = "check operations that divide or take roots or powers, and the initial values (`init`)"
        if recipe.precision != "fp32":
            operations = (
                f"try `--set train.precision=fp32`: {recipe.precision} may be too coarse; otherwise {operations}"
            )
        if name := self._first_not_finite(self.weights):
            help = "check the `init` rules or the weights file"
            return f"the initial values of {name} are not finite", help
        if not bool(self.loss):
            return f"the loss of the first batch is not finite {BEFORE_THE_FIRST_STEP}", operations
        if name := self._first_not_finite(self.gradients):
            message = f"the gradient of {name} in the first batch is not finite {BEFORE_THE_FIRST_STEP}"
            return message, operations
        return None

    def _first_not_finite(self, finite: Tensor) -> str | None:
        """The first parameter whose flag is False."""
        flags = finite.tolist()
        return self.names[flags.index(False)] if False in flags else None


def divergence_error(
    where: str,
    recipe: Recipe,
    rate: float,
    folder: Path,
    epochs: tuple[Epoch, ...],
    problems: Sequence[Problem | None],
) -> SpecError:
    """The error E630 for a loss that is NaN or infinite.

    `rate` is the highest learning rate of any parameter, and `problems` has what each process knows about the cause.
    """
    kept = best_of(epochs) or (epochs[-1] if epochs else None)
    note = f"{folder} keeps the weights of epoch {kept.number}" if kept else "no epoch was finished"
    problem, help = next(filter(None, problems), (None, _learning_rate_help(recipe, rate)))
    notes = (problem, note) if problem else (note,)
    return SpecError.of("E630", f"the loss became NaN or infinite {where}", notes=notes, help=help)


def _learning_rate_help(recipe: Recipe, rate: float) -> str:
    """Which learning rate to lower: that of the parameter group with the highest rate, or the optimizer's."""
    optimizer = recipe.optimizer
    for number, group in enumerate(optimizer.groups):
        if group.lr == rate != optimizer.lr:
            return f"lower the learning rate of `optimizer.groups.{number}` from {rate:g} to {rate / 10:g}"
    lower = f"{optimizer.lr / 10:g}"
    return f"lower the learning rate from {optimizer.lr:g} to {lower}: `--set train.optimizer.lr={lower}`"


@torch.no_grad()
def _all_finite(tensors: Iterable[Tensor | None], like: Tensor) -> Tensor:
    """For each tensor whether all its values are finite; of a sharded tensor only this process's shard is checked."""
    local = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
    yes = torch.ones((), dtype=torch.bool, device=like.device)
    return torch.stack([yes, *(yes if tensor is None else tensor.isfinite().all() for tensor in local)])[1:]
