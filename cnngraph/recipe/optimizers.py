"""How weights follow their gradients: PyTorch's optimizers with their options, and groups of parameters."""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.fields import Bool, Choice, Either, Float, ListOf, Optional, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Decay, Positive, Record, Two, ZeroOr

RATE = Positive(1e-30, 1e30)
EPS = Positive(1e-30, 1e6)  # below, single precision has 0, and 0/0 is not a number
DECAY = Float(0, 1e6)
MOST_GROUPS = 100
GRADIENT_DECAY = "what is added to each gradient, times the weight"


class Group(Frozen):
    """Parameters that learn otherwise; what a group leaves out is as for all others.

    `match` is an op (`conv`), `norm` for every op of that ending, the last name of a parameter (`bias`), or the path of
    a parameter, a module or a block that holds it; in a path `*` is any part of one name and `**` anything. Of several
    groups that fit a parameter the last one counts, alone:
    `groups: [{match: [norm, bias], weight_decay: 0}, {match: "classifier.*", lr: 0.01}]`
    """

    match: str | tuple[str, ...] = field(
        Either((Text(), ListOf(Text(), 1, MOST_GROUPS))),
        "an op, norm, the last name of a parameter, or a path; or a list of them",
    )
    lr: float | None = field(
        Optional(ZeroOr(RATE)), "their learning rate at its full height; 0: they stay as they are", None
    )
    weight_decay: float | None = field(Optional(DECAY), "their weight decay", None)

    @property
    def matches(self) -> tuple[str, ...]:
        """What it fits, as a list."""
        return (self.match,) if isinstance(self.match, str) else self.match


def _groups() -> tuple[Group, ...]:
    """The field that every optimizer has."""
    made: tuple[Group, ...] = field(
        ListOf(Record(Group), 0, MOST_GROUPS), "parameters with a rate or a decay of their own", ()
    )
    return made


class Sgd(Frozen):
    """Stochastic gradient descent with momentum."""

    name: str = field(Choice(("sgd",)), "stochastic gradient descent", "sgd")
    lr: float = field(RATE, "the learning rate")
    momentum: float = field(Decay(), "how much of the last step each step keeps", 0.0)
    dampening: float = field(Float(0, 1), "how much of the gradient the momentum leaves out", 0.0)
    nesterov: bool = field(Bool(), "Nesterov's momentum", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[Group, ...] = _groups()


class Adam(Frozen):
    """Adam (Kingma & Ba 2015)."""

    name: str = field(Choice(("adam",)), "Adam", "adam")
    lr: float = field(RATE, "the learning rate", 0.001)
    betas: tuple[float, float] = field(Two(Decay()), "what the two running means keep", (0.9, 0.999))
    eps: float = field(EPS, "added to the denominator", 1e-8)
    amsgrad: bool = field(Bool(), "the denominator never shrinks (Reddi et al. 2018)", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[Group, ...] = _groups()


class AdamW(Frozen):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: str = field(Choice(("adamw",)), "Adam with decoupled weight decay", "adamw")
    lr: float = field(RATE, "the learning rate", 0.001)
    betas: tuple[float, float] = field(Two(Decay()), "what the two running means keep", (0.9, 0.999))
    eps: float = field(EPS, "added to the denominator", 1e-8)
    amsgrad: bool = field(Bool(), "the denominator never shrinks (Reddi et al. 2018)", False)
    weight_decay: float = field(DECAY, "the part of each weight that a step of rate 1 takes away", 0.01)
    groups: tuple[Group, ...] = _groups()


class RmsProp(Frozen):
    """RMSprop (Hinton 2012)."""

    name: str = field(Choice(("rmsprop",)), "RMSprop", "rmsprop")
    lr: float = field(RATE, "the learning rate", 0.01)
    alpha: float = field(Decay(), "what the running mean of the squares keeps", 0.99)
    eps: float = field(EPS, "added to the denominator", 1e-8)
    momentum: float = field(Decay(), "how much of the last step each step keeps", 0.0)
    centered: bool = field(Bool(), "divide by the deviation of the gradient, not by its size", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[Group, ...] = _groups()


Optimizer: TypeAlias = Sgd | Adam | AdamW | RmsProp
OPTIMIZERS = (Sgd, Adam, AdamW, RmsProp)
