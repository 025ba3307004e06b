"""W610: an input whose size differs from that of the images."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class ImageSize(Misfit):
    """The network's input differs in size or number of channels from the images of the spec's recipe.

    `data.resize`, `augment.crop` or another `input` makes them fit. Ignore it if the network is always trained with
    another recipe, given by --recipe.
    """

    code: ClassVar[str] = "W610"
    title: ClassVar[str] = "input whose size differs from that of the recipe's images"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 32, 32]
        nodes: [flatten, {op: linear, out: 10}]
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
