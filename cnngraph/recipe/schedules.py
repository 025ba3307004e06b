"""Learning-rate schedules: each one is a factor as a function of the epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from cnngraph.fields import Choice, Float, Int, ListOf, Optional, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import MAX_COUNT, MAX_LIST_LENGTH, Fraction, Positive

DIVISOR = Positive(1, 1e12)
EPOCHS = Int(1, MAX_COUNT)
MAX_FACTOR = 1e9  # by which a schedule may increase the learning rate


class Constant(Frozen):
    """A constant learning rate."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("constant",)), "a constant learning rate", "constant")

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`.

        `losses` are the validation losses of the finished epochs.
        """
        return 1.0


class Step(Frozen):
    """Divides the learning rate at certain epochs, which are counted from the start of the run, including warm-up."""

    by_epochs: ClassVar[bool] = True  # epochs are counted from the start of the run, not from the end of the warm-up
    name: str = field(Choice(("step",)), "divide the learning rate at certain epochs", "step")
    every: int | None = field(Optional(EPOCHS), "divide after every n epochs", None)
    at: tuple[int, ...] | None = field(
        Optional(ListOf(EPOCHS, 1, MAX_LIST_LENGTH)), "divide after each of these epochs", None
    )
    divide: float = field(DIVISOR, "divisor of the learning rate", 10.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`."""
        steps = int(epoch) // self.every if self.every else sum(int(epoch) >= milestone for milestone in self.at or ())
        return float(self.divide**-steps)


class Exponential(Frozen):
    """Multiplies the learning rate by the same number after every epoch that follows the warm-up."""

    by_epochs: ClassVar[bool] = False
    name: str = field(
        Choice(("exponential",)), "multiply the learning rate by a constant factor after every epoch", "exponential"
    )
    gamma: float = field(Positive(1e-6, 100), "factor per epoch")

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`."""
        return float(self.gamma ** int(epoch))


class Cosine(Frozen):
    """Cosine decay from the full learning rate, updated at every step (Loshchilov & Hutter 2017)."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("cosine",)), "cosine decay, updated at every step", "cosine")
    final: float = field(Float(0, 1), "final learning rate as a fraction of the full one", 0.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`."""
        return _cosine(1.0, self.final, epoch / epochs)


class Polynomial(Frozen):
    """Decay by a power of the remaining fraction of the run, updated at every step; a power of 1 is linear decay."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("polynomial",)), "decay by a power of the remaining fraction of the run", "polynomial")
    power: float = field(Positive(1e-3, 1e3), "exponent", 1.0)
    final: float = field(Float(0, 1), "final learning rate as a fraction of the full one", 0.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`."""
        remaining = float((1 - min(1.0, epoch / epochs)) ** self.power)
        return self.final + (1 - self.final) * remaining


class OneCycle(Frozen):
    """Cosine increase to the full learning rate, then cosine decay to nearly 0, at every step (Smith & Topin 2018)."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("one_cycle",)), "increase to the full learning rate, then decay to nearly 0", "one_cycle")
    rise: float = field(Fraction(), "fraction of the run in which the learning rate increases", 0.3)
    start: float = field(Float(0, 1), "initial learning rate as a fraction of the full one", 0.04)
    final: float = field(Float(0, 1), "final learning rate as a fraction of the full one", 4e-6)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after `epoch` epochs (possibly fractional) of `epochs`."""
        done = epoch / epochs
        if done < self.rise:
            return _cosine(self.start, 1.0, done / self.rise)
        return _cosine(1.0, self.final, (done - self.rise) / (1 - self.rise))


class Plateau(Frozen):
    """Divides the learning rate when the validation loss has stopped decreasing."""

    by_epochs: ClassVar[bool] = True
    name: str = field(
        Choice(("plateau",)), "divide the learning rate when the validation loss has stopped decreasing", "plateau"
    )
    patience: int = field(
        Int(0, MAX_COUNT), "number of epochs without improvement before the learning rate is divided", 10
    )
    divide: float = field(DIVISOR, "divisor of the learning rate", 10.0)
    threshold: float = field(Float(0, 1), "minimum relative decrease of the loss that counts as an improvement", 1e-4)
    cooldown: int = field(Int(0, MAX_COUNT), "number of epochs to ignore after a division", 0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """The factor of the learning rate after epochs with these validation losses."""
        lowest, bad_epochs, cooldown, factor = math.inf, 0, 0, 1.0
        for loss in losses:
            better = loss < lowest * (1 - self.threshold)
            lowest, bad_epochs = (loss, 0) if better else (lowest, bad_epochs + 1)
            if cooldown:
                cooldown, bad_epochs = cooldown - 1, 0
            if bad_epochs > self.patience:
                factor, bad_epochs, cooldown = factor / self.divide, 0, self.cooldown
        return factor


Schedule: TypeAlias = Constant | Step | Exponential | Cosine | Polynomial | OneCycle | Plateau
SCHEDULES = (Constant, Step, Exponential, Cosine, Polynomial, OneCycle, Plateau)


class Warmup(Frozen):
    """A reduced learning rate for the first epochs or steps. The schedule follows."""

    epochs: int | None = field(Optional(EPOCHS), "number of epochs", None)
    steps: int | None = field(Optional(Int(1, 1_000_000_000)), "number of steps", None)
    start: float = field(Float(0, 1), "initial learning rate as a fraction of the full one", 0.01)
    shape: str = field(
        Choice(("linear", "constant")), "linear: increase linearly to the full rate; constant: keep `start`, then jump",
        "linear",
    )  # fmt: skip

    def length(self, steps: int) -> float:
        """The length in epochs, if an epoch has this many steps."""
        return float(self.epochs) if self.epochs else (self.steps or 0) / steps

    def factor(self, done: float) -> float:
        """The factor of the learning rate when the fraction `done` of the warm-up is over."""
        return self.start if self.shape == "constant" else self.start + (1 - self.start) * done


def rate_factor(
    schedule: Schedule, warmup: Warmup | None, epoch: float, epochs: int, steps: int, losses: Sequence[float] = ()
) -> float:
    """The factor of the learning rate after `epoch` epochs (possibly fractional) with `steps` steps each."""
    length = warmup.length(steps) if warmup else 0.0
    if warmup and epoch < length:
        return warmup.factor(epoch / length)
    if schedule.by_epochs:
        return schedule.factor(epoch, epochs, losses)
    return schedule.factor(epoch - length, epochs - length, losses)


def _cosine(start: float, end: float, done: float) -> float:
    """Cosine interpolation between two numbers."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, done))) / 2
