"""The runs of an experiment seed by seed, and the paired differences of its variants to the first one."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, mean, stdev

from cnngraph.experiment.results import Variant
from cnngraph.frozen import frozen

CONFIDENCE = 0.95
T_TABLE = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)  # 1 to 10 degrees of freedom


@frozen
class Difference:
    """The mean difference of accuracy over the seeds that both variants have, as a fraction.

    `low` and `high` bound its 95 % confidence interval; None for a single seed.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{100 * self.mean:+.2f}"
        return f"{100 * self.mean:+.2f} [{100 * self.low:+.2f}, {100 * self.high:+.2f}]"


def seeds_of(variants: Sequence[Variant]) -> list[int]:
    """The seeds for which any variant has an accuracy, in ascending order."""
    return sorted({seed for variant in variants for seed in variant.by_seed})


def difference(variant: Variant, first: Variant) -> Difference | None:
    """The paired difference to the first variant: Student's t over the seeds. None if they have no seed in common.

    A pair of runs has the same images in the same order, and so the difference varies less than the accuracies.
    """
    ours, theirs = variant.by_seed, first.by_seed
    pairs = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    if not pairs:
        return None
    centre = mean(pairs)
    if len(pairs) < 2:
        return Difference(centre, None, None, 1)
    margin = t_quantile(len(pairs) - 1) * stdev(pairs) / sqrt(len(pairs))
    return Difference(centre, centre - margin, centre + margin, len(pairs))


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution (beyond the table by the Cornish-Fisher expansion)."""
    if freedom <= len(T_TABLE):
        return T_TABLE[freedom - 1]
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / float(freedom) ** power for power, term in enumerate(terms))
