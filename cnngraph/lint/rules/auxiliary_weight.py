"""W613: a loss weight for an output that does not exist."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class AuxiliaryWeight(Misfit):
    """`loss.auxiliary` in the spec's recipe has a weight for an output that does not exist.

    The possible names are those in `outputs`, except the first. Ignore it if a variant of the network has the output.
    """

    code: ClassVar[str] = "W613"
    title: ClassVar[str] = "loss weight for an output that does not exist"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, loss: {auxiliary: {aux: 0.3}}}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: {flat: flatten, aux: {op: linear, out: 10, from: flat}, fc: {op: linear, out: 10, from: flat}}
        outputs: {logits: fc, aux: aux}
        train: {data: digits, epochs: 1, optimizer: adam, loss: {auxiliary: {aux: 0.3}}}
        """,
    )
