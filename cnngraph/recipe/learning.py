"""What else is made of gradients than a step."""

from __future__ import annotations

from cnngraph.fields import Optional, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Positive


class Clip(Frozen):
    """How large gradients may be: all of them together by their norm, or each number by its value."""

    norm: float | None = field(Optional(Positive()), "the largest norm of all gradients together", None)
    value: float | None = field(Optional(Positive()), "the largest size of each number", None)
