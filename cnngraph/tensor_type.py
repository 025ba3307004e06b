"""The static type of a tensor: sizes with named axes, the batch left out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnngraph.numbers import show_sizes

CHANNELS, HEIGHT, WIDTH = "C", "H", "W"
OTHER = "?"  # an axis whose meaning an author's reshape has lost


@dataclass(frozen=True, slots=True)
class TensorType:
    """Sizes and the names of their axes, of one image (the batch axis is implied).

    A map is C×H×W; after a permute to channels-last it is H×W×C and `channels` still finds its C.
    A free parameter is not `batched`: its tensor really has just these axes.
    """

    sizes: tuple[int, ...]
    axes: tuple[str, ...]
    batched: bool = True

    @classmethod
    def map(cls, channels: int, height: int, width: int) -> TensorType:
        """C×H×W."""
        return cls((channels, height, width), (CHANNELS, HEIGHT, WIDTH))

    @classmethod
    def vector(cls, features: int) -> TensorType:
        """C: one number for each channel or feature."""
        return cls((features,), (CHANNELS,))

    @classmethod
    def of(cls, sizes: tuple[int, ...]) -> TensorType:
        """The type that sizes alone suggest: 3 are C×H×W, 1 is C, others have nameless axes but the first."""
        if len(sizes) == 3:
            return cls.map(*sizes)
        return cls(sizes, (CHANNELS, *[OTHER] * (len(sizes) - 1)))

    @property
    def rank(self) -> int:
        """How many axes, the batch not counted."""
        return len(self.sizes)

    @property
    def count(self) -> int:
        """How many numbers one image has."""
        return math.prod(self.sizes)

    @property
    def is_map(self) -> bool:
        """Whether it is C×H×W in this order, as convolutions and poolings need it."""
        return self.axes == (CHANNELS, HEIGHT, WIDTH)

    def size(self, axis: str) -> int | None:
        """The size of the axis of that name, or None where there is none."""
        return self.sizes[self.axes.index(axis)] if axis in self.axes else None

    @property
    def channels(self) -> int:
        """The size of the channel axis (1 where an author's reshape left none)."""
        return self.size(CHANNELS) or 1

    @property
    def height(self) -> int | None:
        """The size of the height axis, None for a vector."""
        return self.size(HEIGHT)

    @property
    def width(self) -> int | None:
        """The size of the width axis, None for a vector."""
        return self.size(WIDTH)

    def with_sizes(self, **sizes: int) -> TensorType:
        """The same axes with some sizes replaced by axis name: `with_sizes(C=64, H=7)`."""
        new = tuple(sizes.get(axis, size) for axis, size in zip(self.axes, self.sizes, strict=True))
        return TensorType(new, self.axes, self.batched)

    def __str__(self) -> str:
        return show_sizes(self.sizes)
