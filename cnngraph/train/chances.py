"""Seeds from seeds."""

from __future__ import annotations


def mixed(*numbers: int) -> int:
    """One seed from several numbers."""
    seed = 0
    for each in numbers:
        seed = (seed * 6364136223846793005 + each + 1442695040888963407) % 2**63
    return seed
