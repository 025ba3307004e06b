"""PyTorch's optimizers with their options, and parameter groups."""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.fields import Bool, Choice, Either, Float, ListOf, Optional, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Decay, Positive, Record, Two, ZeroOr

RATE = Positive(1e-30, 1e30)
EPS = Positive(1e-30, 1e6)  # anything smaller is 0 in single precision, and 0/0 is NaN
DECAY = Float(0, 1e6)
MAX_GROUPS = 100
GRADIENT_DECAY = "weight decay (L2 penalty): this fraction of each weight is added to its gradient"


class ParameterGroup(Frozen):
    """Parameters with their own options; options that a group leaves out are those of the optimizer.

    `match` is an op (`conv`), `norm` for every op whose name ends with it, the last component of a parameter's name
    (`bias`), or the path of a parameter or of a module or block that contains it. In a path, `*` matches any text
    without a dot and `**` any text. If several groups match a parameter, only the last one applies:
    `groups: [{match: [norm, bias], weight_decay: 0}, {match: "classifier.*", lr: 0.01}]`
    """

    match: str | tuple[str, ...] = field(
        Either((Text(), ListOf(Text(), 1, MAX_GROUPS))),
        "an op, `norm` for all normalization ops, the last component of a parameter's name, a path, or a list of these",
    )
    lr: float | None = field(Optional(ZeroOr(RATE)), "peak learning rate; 0 freezes the parameters", None)
    weight_decay: float | None = field(Optional(DECAY), "weight decay", None)

    @property
    def matches(self) -> tuple[str, ...]:
        """The patterns in `match`, as a tuple."""
        return (self.match,) if isinstance(self.match, str) else self.match


def _groups() -> tuple[ParameterGroup, ...]:
    """The field `groups`, which every optimizer has."""
    groups: tuple[ParameterGroup, ...] = field(
        ListOf(Record(ParameterGroup), 0, MAX_GROUPS), "parameters with their own learning rate or weight decay", ()
    )
    return groups


class Sgd(Frozen):
    """Stochastic gradient descent with momentum."""

    name: str = field(Choice(("sgd",)), "stochastic gradient descent", "sgd")
    lr: float = field(RATE, "learning rate")
    momentum: float = field(Decay(), "momentum factor", 0.0)
    dampening: float = field(Float(0, 1), "dampening of the momentum", 0.0)
    nesterov: bool = field(Bool(), "use Nesterov momentum", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[ParameterGroup, ...] = _groups()


class Adam(Frozen):
    """Adam (Kingma & Ba 2015)."""

    name: str = field(Choice(("adam",)), "Adam", "adam")
    lr: float = field(RATE, "learning rate", 0.001)
    betas: tuple[float, float] = field(
        Two(Decay()), "decay rates of the running means of the gradient and of its square", (0.9, 0.999)
    )
    eps: float = field(EPS, "added to the denominator for numerical stability", 1e-8)
    amsgrad: bool = field(Bool(), "use the AMSGrad variant (Reddi et al. 2018)", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[ParameterGroup, ...] = _groups()


class AdamW(Frozen):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: str = field(Choice(("adamw",)), "Adam with decoupled weight decay", "adamw")
    lr: float = field(RATE, "learning rate", 0.001)
    betas: tuple[float, float] = field(
        Two(Decay()), "decay rates of the running means of the gradient and of its square", (0.9, 0.999)
    )
    eps: float = field(EPS, "added to the denominator for numerical stability", 1e-8)
    amsgrad: bool = field(Bool(), "use the AMSGrad variant (Reddi et al. 2018)", False)
    weight_decay: float = field(
        DECAY, "weight decay: every step subtracts this fraction of each weight, times the learning rate", 0.01
    )
    groups: tuple[ParameterGroup, ...] = _groups()


class RmsProp(Frozen):
    """RMSprop (Hinton 2012)."""

    name: str = field(Choice(("rmsprop",)), "RMSprop", "rmsprop")
    lr: float = field(RATE, "learning rate", 0.01)
    alpha: float = field(Decay(), "decay rate of the running mean of squared gradients", 0.99)
    eps: float = field(EPS, "added to the denominator for numerical stability", 1e-8)
    momentum: float = field(Decay(), "momentum factor", 0.0)
    centered: bool = field(
        Bool(), "divide by the standard deviation of the gradient instead of its root mean square", False
    )
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    groups: tuple[ParameterGroup, ...] = _groups()


Optimizer: TypeAlias = Sgd | Adam | AdamW | RmsProp
OPTIMIZERS = (Sgd, Adam, AdamW, RmsProp)
