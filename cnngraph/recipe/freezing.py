"""Frozen parameters."""

from __future__ import annotations

from cnngraph.fields import Int, Optional, field
from cnngraph.recipe.kinds import MAX_COUNT
from cnngraph.recipe.selection import Selection


class Freeze(Selection):
    """Parameters that are not trained, in the whole run or in its first epochs; a bare pattern is short for `match`.

    Frozen parameters get no gradients, no weight decay and no optimizer state. A batch norm whose parameters are all
    frozen is in eval mode: it normalises with its running statistics, which do not change. Dropout stays active. The
    patterns are those of [optimizer.groups](#optimizergroups). If several entries match a parameter, only the last one
    applies, so that a network can be unfrozen from its last layers to its first:
    `freeze: [{match: "**", exclude: head, epochs: 4}, {match: layer4, epochs: 2}]`
    """

    epochs: int | None = field(
        Optional(Int(1, MAX_COUNT)), "number of epochs after which the parameters are trained; by default never", None
    )
