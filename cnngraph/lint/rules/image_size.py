"""W610: an input of another size than the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnngraph.lint.misfit import Misfit


@dataclass(frozen=True)
class ImageSize(Misfit):
    """The network's input has another size, or other channels, than the images of the spec's own recipe.

    `data.resize`, `augment.crop` or another `input` makes them fit. Ignore it if the network is always trained with
    another recipe, given by --recipe.
    """

    code: ClassVar[str] = "W610"
    title: ClassVar[str] = "input of another size than the images of the spec's recipe"
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
