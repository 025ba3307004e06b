"""What chance does to training images, as a recipe says it."""

from __future__ import annotations

from dataclasses import dataclass

from cnngraph.fields import Bool, Int, Optional, Pair, field


@dataclass(frozen=True)
class Augment:
    """What chance does to a training image, in this order. Evaluation sees the middle of the image, unpadded."""

    pad: int = field(Int(0), "black pixels added on every side", 0)
    crop: tuple[int, int] | None = field(Optional(Pair(1)), "height and width cut out at a random place", None)
    flip: bool = field(Bool(), "mirror left and right, half of the time", False)
