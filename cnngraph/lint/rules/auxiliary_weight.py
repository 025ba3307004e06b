"""W613: a weight in the loss of an output that is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnngraph.lint.misfit import Misfit


@dataclass(frozen=True)
class AuxiliaryWeight(Misfit):
    """`loss.auxiliary` of the spec's own recipe gives a weight to an output that the network does not have.

    Names of outputs are those in `outputs`, but for the first one. Ignore it where a variant of the network has the
    output.
    """

    code: ClassVar[str] = "W613"
    title: ClassVar[str] = "weight in the loss for an output that is not there"
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
