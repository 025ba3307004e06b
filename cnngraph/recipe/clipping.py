"""Gradient clipping."""

from __future__ import annotations

from cnngraph.fields import Optional, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Positive


class Clip(Frozen):
    """Gradient clipping, by the norm of all gradients together or by value."""

    norm: float | None = field(Optional(Positive()), "maximum norm of all gradients combined", None)
    value: float | None = field(Optional(Positive()), "maximum absolute value of each gradient", None)
