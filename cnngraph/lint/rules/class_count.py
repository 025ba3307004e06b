"""W611: an output that is not a vector with one number per class."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class ClassCount(Misfit):
    """An output of the network is not a vector with one number per class of the spec's recipe.

    Either its length is different, or it is a map, but a classifier gives one vector for each image. Ignore it if the
    number of classes is always given by --set.
    """

    code: ClassVar[str] = "W611"
    title: ClassVar[str] = "output that is not one number per class of the spec's recipe"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 7}]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
        """
        input: [1, 28, 28]
        nodes: [{op: conv, out: 10, kernel: 3}]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
    )
