"""W614: a pattern in the recipe that matches nothing in the network."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class UnmatchedPattern(Misfit):
    """A pattern in `optimizer.groups`, `freeze` or `checkpoint` of the spec's recipe matches nothing.

    It has no effect; usually a name is misspelt, or a later group matches the same parameters. Ignore it if a variant
    of the network has what is matched.
    """

    code: ClassVar[str] = "W614"
    title: ClassVar[str] = "pattern in the recipe that matches nothing in the network"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, checkpoint: [stage1]}
        """,
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: {name: adam, groups: [{match: baes, weight_decay: 0}]}}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: {name: adam, groups: [{match: bias, weight_decay: 0}]}}
        """,
    )
