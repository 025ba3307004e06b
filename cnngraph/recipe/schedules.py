"""How the learning rate changes: each schedule is a factor that follows from the epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from cnngraph.fields import Choice, Float, Int, ListOf, Optional, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import LARGEST_COUNT, LONGEST_LIST, Fraction, Positive

DIVISOR = Positive(1, 1e12)
EPOCHS = Int(1, LARGEST_COUNT)
LARGEST_FACTOR = 1e9  # by which a schedule may raise the rate


class Constant(Frozen):
    """The same rate throughout."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("constant",)), "the same rate throughout", "constant")

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all.

        `losses` are the validation losses of the finished epochs.
        """
        return 1.0


class Step(Frozen):
    """The rate divided at certain epochs; those of a warm-up count, too."""

    by_epochs: ClassVar[bool] = True  # its epochs are those of the run, whatever a warm-up took of them
    name: str = field(Choice(("step",)), "the rate divided at certain epochs", "step")
    every: int | None = field(Optional(EPOCHS), "divide after every so many epochs", None)
    at: tuple[int, ...] | None = field(
        Optional(ListOf(EPOCHS, 1, LONGEST_LIST)), "divide after each of these epochs", None
    )
    divide: float = field(DIVISOR, "by how much", 10.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        steps = int(epoch) // self.every if self.every else sum(int(epoch) >= each for each in self.at or ())
        return float(self.divide**-steps)


class Exponential(Frozen):
    """The rate multiplied by the same number after each epoch that follows the warm-up."""

    by_epochs: ClassVar[bool] = False
    name: str = field(
        Choice(("exponential",)), "the rate multiplied by the same number after each epoch", "exponential"
    )
    gamma: float = field(Positive(1e-6, 100), "by how much")

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        return float(self.gamma ** int(epoch))


class Cosine(Frozen):
    """Half a cosine from the full rate down, step by step (Loshchilov & Hutter 2017)."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("cosine",)), "half a cosine from the full rate down, step by step", "cosine")
    final: float = field(Float(0, 1), "the part of the rate that is left at the end", 0.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        return _swing(1.0, self.final, epoch / epochs)


class Polynomial(Frozen):
    """The part of the run that is left, to a power, step by step; a power of 1 is a straight line."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("polynomial",)), "the part of the run that is left, to a power", "polynomial")
    power: float = field(Positive(1e-3, 1e3), "the power", 1.0)
    final: float = field(Float(0, 1), "the part of the rate that is left at the end", 0.0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        left = float((1 - min(1.0, epoch / epochs)) ** self.power)
        return self.final + (1 - self.final) * left


class OneCycle(Frozen):
    """Up to the full rate and down to nearly nothing, step by step, along cosines (Smith & Topin 2018)."""

    by_epochs: ClassVar[bool] = False
    name: str = field(Choice(("one_cycle",)), "up to the full rate and down to nearly nothing", "one_cycle")
    rise: float = field(Fraction(), "the part of the run in which the rate rises", 0.3)
    start: float = field(Float(0, 1), "the part of the rate that it begins with", 0.04)
    final: float = field(Float(0, 1), "the part of the rate that is left at the end", 4e-6)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        done = epoch / epochs
        if done < self.rise:
            return _swing(self.start, 1.0, done / self.rise)
        return _swing(1.0, self.final, (done - self.rise) / (1 - self.rise))


class Plateau(Frozen):
    """The rate divided whenever the validation loss has not fallen for some epochs."""

    by_epochs: ClassVar[bool] = True
    name: str = field(Choice(("plateau",)), "the rate divided whenever the validation loss stays", "plateau")
    patience: int = field(Int(0, LARGEST_COUNT), "how many epochs in a row may bring nothing; the next one divides", 10)
    divide: float = field(DIVISOR, "by how much", 10.0)
    threshold: float = field(Float(0, 1), "the part of the lowest loss by which another one must be below it", 1e-4)
    cooldown: int = field(Int(0, LARGEST_COUNT), "how many epochs after a division do not count", 0)

    def factor(self, epoch: float, epochs: float, losses: Sequence[float] = ()) -> float:
        """What the learning rate is multiplied by when the finished epochs had these validation losses."""
        lowest, waited, resting, factor = math.inf, 0, 0, 1.0
        for loss in losses:
            better = loss < lowest * (1 - self.threshold)
            lowest, waited = (loss, 0) if better else (lowest, waited + 1)
            if resting:
                resting, waited = resting - 1, 0
            if waited > self.patience:
                factor, waited, resting = factor / self.divide, 0, self.cooldown
        return factor


Schedule: TypeAlias = Constant | Step | Exponential | Cosine | Polynomial | OneCycle | Plateau
SCHEDULES = (Constant, Step, Exponential, Cosine, Polynomial, OneCycle, Plateau)


class Warmup(Frozen):
    """A part of the rate at first, over so many epochs, or so many steps. The schedule follows."""

    epochs: int | None = field(Optional(EPOCHS), "how many epochs", None)
    steps: int | None = field(Optional(Int(1, 1_000_000_000)), "how many steps", None)
    start: float = field(Float(0, 1), "the part of the rate that it begins with", 0.01)
    shape: str = field(
        Choice(("linear", "constant")), "linear: evenly up to the full rate; constant: the full rate follows at once",
        "linear",
    )  # fmt: skip

    def length(self, steps: int) -> float:
        """How many epochs it takes where an epoch has so many steps."""
        return float(self.epochs) if self.epochs else (self.steps or 0) / steps

    def factor(self, done: float) -> float:
        """What the learning rate is multiplied by when a part of the warm-up is done."""
        return self.start if self.shape == "constant" else self.start + (1 - self.start) * done


def rate_factor(
    schedule: Schedule, warmup: Warmup | None, epoch: float, epochs: int, steps: int, losses: Sequence[float] = ()
) -> float:
    """What the learning rate is multiplied by after so many epochs (a fraction counts) of so many steps each."""
    length = warmup.length(steps) if warmup else 0.0
    if warmup and epoch < length:
        return warmup.factor(epoch / length)
    if schedule.by_epochs:
        return schedule.factor(epoch, epochs, losses)
    return schedule.factor(epoch - length, epochs - length, losses)


def _swing(start: float, end: float, done: float) -> float:
    """Half a cosine from one number to another."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, done))) / 2
