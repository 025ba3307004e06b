"""W612: a recipe for a network with several inputs."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class SeveralInputs(Misfit):
    """The spec has a recipe, but the network has several inputs, and training reads one image at a time.

    Ignore it if the recipe is for a program of your own.
    """

    code: ClassVar[str] = "W612"
    title: ClassVar[str] = "recipe for a network with several inputs"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: {a: [1, 28, 28], b: [1, 28, 28]}
        nodes: {sum: {op: add, from: [a, b]}, flat: flatten, fc: {op: linear, out: 10}}
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
