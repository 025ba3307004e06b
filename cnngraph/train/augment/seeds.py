"""Seeds derived from other seeds, and the random numbers of a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def mix_seeds(*numbers: int) -> int:
    """Combine several integers into one seed."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed


class Draws:
    """Random numbers for each image of a batch, of which this process may hold only the images at `positions`.

    They are drawn for the whole batch, so an image's numbers do not depend on how many processes share the batch.
    """

    def __init__(self, seed: int, count: int, positions: slice = slice(None)) -> None:
        self.count, self.positions = count, positions
        self.generator = torch.Generator().manual_seed(seed)

    def integers(self, options: int, *shape: int) -> Tensor:
        """For each image, integers from 0 to `options` - 1."""
        return torch.randint(options, (self.count, *shape), generator=self.generator)[self.positions]

    def fractions(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """For each image, floats in [0, 1)."""
        return torch.rand((self.count, *shape), generator=self.generator, dtype=dtype)[self.positions]

    def order(self, count: int) -> list[int]:
        """A random permutation of `range(count)`, the same for all images."""
        order: list[int] = torch.randperm(count, generator=self.generator).tolist()
        return order
