"""W605: values of the recipe that do not fit the network or the images."""

from __future__ import annotations

from typing import ClassVar

from cnngraph.frozen import frozen
from cnngraph.lint.misfit import Misfit


@frozen(slots=False)
class RecipeValues(Misfit):
    """The spec's own recipe has a value that does not fit the network or the images.

    Examples are class weights for another number of classes, or a batch size of 1 if a batch norm then has a single
    value in each channel. Ignore it if the spec is always trained with another recipe.
    """

    code: ClassVar[str] = "W605"
    title: ClassVar[str] = "value in the spec's recipe that does not fit the network or the images"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, loss: {class_weights: [1, 2]}}
        """,
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}, batch_norm]
        train: {data: digits, epochs: 1, optimizer: adam, batch_size: 1}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam, loss: {label_smoothing: 0.1}}
        """,
    )
