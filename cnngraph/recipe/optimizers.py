"""PyTorch's optimizers with their options, and parameter groups."""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.fields import Bool, Choice, Float, ListOf, Optional, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Decay, Positive, Record, Two, ZeroOr
from cnngraph.recipe.selection import MAX_ENTRIES, Selection

RATE = Positive(1e-30, 1e30)
EPS = Positive(1e-30, 1e6)  # anything smaller is 0 in single precision, and 0/0 is NaN
DECAY = Float(0, 1e6)
GRADIENT_DECAY = "weight decay (L2 penalty): this fraction of each weight is added to its gradient"


class ParameterGroup(Selection):
    """Parameters with their own options; options that a group leaves out are those of the optimizer.

    `match` is an op (`conv`), `norm` for every op whose name ends with it, the last component of a parameter's name
    (`bias`), or the path of a parameter or of a module or block that contains it. In a path, `*` matches any text
    without a dot and `**` any text. `head` is the last layer with weights before each output, whatever its name, unless
    a module has the path `head`. If several groups match a parameter, only the last one applies:
    `groups: [{match: [norm, bias], weight_decay: 0}, {match: "classifier.*", lr: 0.01}]`

    With `layer_decay: 0.75`, the learning rate is lr · 0.75^depth: the depth of a layer is the number of layers after
    it, on the longest path to an output, so that the last layer trains at the full rate. A layer is a block or an
    iteration of a `repeat`, unless it contains a `repeat` itself; elsewhere, each convolution or linear layer is one.
    Normalizations and other parameters belong to the layer before them. A group's own `lr` is used as it is.
    """

    lr: float | None = field(Optional(ZeroOr(RATE)), "peak learning rate; to freeze parameters, use `freeze`", None)
    weight_decay: float | None = field(Optional(DECAY), "weight decay", None)


def _groups() -> tuple[ParameterGroup, ...]:
    """The field `groups`, which every optimizer has."""
    groups: tuple[ParameterGroup, ...] = field(
        ListOf(Record(ParameterGroup), 0, MAX_ENTRIES), "parameters with their own learning rate or weight decay", ()
    )
    return groups


def _layer_decay() -> float:
    """The field `layer_decay`, which every optimizer has."""
    decay: float = field(
        Positive(1e-6, 1), "factor of the learning rate per layer, counted from the last one; see `groups`", 1.0
    )
    return decay


class Sgd(Frozen):
    """Stochastic gradient descent with momentum."""

    name: str = field(Choice(("sgd",)), "stochastic gradient descent", "sgd")
    lr: float = field(RATE, "learning rate")
    momentum: float = field(Decay(), "momentum factor", 0.0)
    dampening: float = field(Float(0, 1), "dampening of the momentum", 0.0)
    nesterov: bool = field(Bool(), "use Nesterov momentum", False)
    weight_decay: float = field(DECAY, GRADIENT_DECAY, 0.0)
    layer_decay: float = _layer_decay()
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
    layer_decay: float = _layer_decay()
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
    layer_decay: float = _layer_decay()
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
    layer_decay: float = _layer_decay()
    groups: tuple[ParameterGroup, ...] = _groups()


Optimizer: TypeAlias = Sgd | Adam | AdamW | RmsProp
OPTIMIZERS = (Sgd, Adam, AdamW, RmsProp)
