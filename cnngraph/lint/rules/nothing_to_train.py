"""W616: a recipe that trains nothing."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class NothingToTrain(Misfit):
    """The spec's recipe freezes all parameters on which the loss depends, or there are none.

    Usually the last layer should be trained: exclude it. Ignore it if a variant of the network has other parameters.
    """

    code: ClassVar[str] = "W616"
    title: ClassVar[str] = "recipe that trains nothing"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, freeze: linear}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, freeze: bias}
        """,
    )
