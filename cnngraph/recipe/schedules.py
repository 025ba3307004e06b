"""How the learning rate changes: each schedule is a factor that follows from the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from cnngraph.fields import Choice, Float, Int, ListOf, Optional, field
from cnngraph.recipe.kinds import Positive


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    name: str = field(Choice(("constant",)), "the same rate throughout", "constant")

    def factor(self, epoch: float, epochs: int) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        return 1.0


@dataclass(frozen=True)
class Step:
    """The rate divided at certain epochs."""

    name: str = field(Choice(("step",)), "the rate divided at certain epochs", "step")
    every: int | None = field(Optional(Int(1)), "divide after every so many epochs", None)
    at: tuple[int, ...] | None = field(Optional(ListOf(Int(1))), "divide after each of these epochs", None)
    divide: float = field(Positive(), "by how much", 10.0)

    def factor(self, epoch: float, epochs: int) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        steps = int(epoch) // self.every if self.every else sum(int(epoch) >= each for each in self.at or ())
        return float(self.divide**-steps)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the full rate down, step by step (Loshchilov & Hutter 2017)."""

    name: str = field(Choice(("cosine",)), "half a cosine from the full rate down, step by step", "cosine")
    final: float = field(Float(0, 1), "the part of the rate that is left at the end", 0.0)

    def factor(self, epoch: float, epochs: int) -> float:
        """What the learning rate is multiplied by after so many epochs (a fraction counts) out of all."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(1.0, epoch / epochs))) / 2


Schedule: TypeAlias = Constant | Step | Cosine
SCHEDULES = (Constant, Step, Cosine)
