"""Seeds from seeds, and what is drawn from them for a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def mixed(*numbers: int) -> int:
    """One seed from several numbers."""
    seed = 0
    for each in numbers:
        seed = (seed * 6364136223846793005 + each + 1442695040888963407) % 2**63
    return seed


class Draws:
    """Random numbers for a batch of images, of which a process may have only some.

    They are drawn for the whole batch, so that an image's do not depend on how many processes share it.
    """

    def __init__(self, seed: int, count: int, mine: slice = slice(None)) -> None:
        self.count, self.mine = count, mine
        self.generator = torch.Generator().manual_seed(seed)

    def integers(self, options: int, *shape: int) -> Tensor:
        """For each image numbers below `options`."""
        return torch.randint(options, (self.count, *shape), generator=self.generator)[self.mine]

    def fractions(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """For each image numbers from 0 to 1."""
        return torch.rand((self.count, *shape), generator=self.generator, dtype=dtype)[self.mine]

    def order(self, things: int) -> list[int]:
        """So many things in an order that is the batch's."""
        order: list[int] = torch.randperm(things, generator=self.generator).tolist()
        return order
