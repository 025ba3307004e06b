"""The static type of a tensor: sizes with named axes, without the batch."""

from __future__ import annotations

import math

from cnngraph.frozen import frozen
from cnngraph.numbers import show_sizes

CHANNELS, HEIGHT, WIDTH = "C", "H", "W"
OTHER = "?"  # an unnamed axis, for example after a reshape


@frozen
class TensorType:
    """The sizes of a tensor for one image and the names of its axes; the batch axis is implied.

    A map is C×H×W; after a permute to channels-last it is H×W×C, and `channels` is still the size of C.
    A free parameter is not `batched`: its tensor has no batch axis. `indices` are the smallest and the largest element
    of a constant that holds indices.
    """

    sizes: tuple[int, ...]
    axes: tuple[str, ...]
    batched: bool = True
    indices: tuple[int, int] | None = None

    @classmethod
    def map(cls, channels: int, height: int, width: int) -> TensorType:
        """C×H×W."""
        return cls((channels, height, width), (CHANNELS, HEIGHT, WIDTH))

    @classmethod
    def vector(cls, features: int) -> TensorType:
        """C: one number per channel or feature."""
        return cls((features,), (CHANNELS,))

    @classmethod
    def of(cls, sizes: tuple[int, ...]) -> TensorType:
        """The type for sizes without axis names: three are C×H×W, one is C, otherwise only the first axis is named."""
        if len(sizes) == 3:
            return cls.map(*sizes)
        return cls(sizes, (CHANNELS, *[OTHER] * (len(sizes) - 1)))

    @property
    def rank(self) -> int:
        """The number of axes without the batch."""
        return len(self.sizes)

    @property
    def count(self) -> int:
        """The number of elements for one image."""
        return math.prod(self.sizes)

    @property
    def is_map(self) -> bool:
        """Whether the axes are C, H, W in this order, as convolutions and poolings require."""
        return self.axes == (CHANNELS, HEIGHT, WIDTH)

    def size(self, axis: str) -> int | None:
        """The size of the named axis, or None if there is none."""
        return self.sizes[self.axes.index(axis)] if axis in self.axes else None

    @property
    def channels(self) -> int:
        """The size of the channel axis, or 1 if there is none."""
        return self.size(CHANNELS) or 1

    @property
    def height(self) -> int | None:
        """The size of the height axis, or None if there is none."""
        return self.size(HEIGHT)

    @property
    def width(self) -> int | None:
        """The size of the width axis, or None if there is none."""
        return self.size(WIDTH)

    def with_sizes(self, **sizes: int) -> TensorType:
        """The type with some sizes replaced, by axis name: `with_sizes(C=64, H=7)`."""
        new = tuple(sizes.get(axis, size) for axis, size in zip(self.axes, self.sizes, strict=True))
        return TensorType(new, self.axes, self.batched)

    def __str__(self) -> str:
        return show_sizes(self.sizes)
