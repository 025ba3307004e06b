"""Which images a network is trained on, as a recipe says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from cnngraph.fields import Choice, Float, ListOf, Optional, Pair, Text, field
from cnngraph.recipe.kinds import Label, Positive
from cnngraph.recipe.sets import SETS


@dataclass(frozen=True)
class NamedSet:
    """A well-known set of images.

    `digits` ships with the package: 6,000 training and 2,000 test images of MNIST. The others are downloaded on first
    use into the data folder (`--data-dir`, by default the user's cache).
    """

    name: str = field(Choice(tuple(SETS)), "the set")
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(Optional(Pair(1)), "height and width to resize to", None)


@dataclass(frozen=True)
class ImageFolder:
    """Images in one folder a class, as the data folder (`--data-dir`) holds them.

    It may have such folders in `train`, `val` and `test`. Without `val` the validation part is cut from the training
    images; without `train` all of them are training images; without `test` there is nothing to look at in the end.
    """

    name: str = field(Choice(("folder",)), "images in one folder a class", "folder")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder; without it, the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1)), "height and width to resize to; without it, the network's input", None
    )


Data: TypeAlias = NamedSet | ImageFolder
DATA: tuple[type[Any], ...] = (NamedSet, ImageFolder)


@dataclass(frozen=True)
class Normalize:
    """What is taken from each channel, and what it is then divided by; images count from 0 to 1.

    `normalize: data` takes the figures that are published with a set. Where there are none, as of a folder, they are
    measured on the training images before the run begins (of large sets on 2,000 of them), and the run's own recipe
    has them.
    """

    mean: tuple[float, ...] = field(ListOf(Float(0, 1)), "the mean of each channel")
    std: tuple[float, ...] = field(ListOf(Positive()), "the deviation of each channel")
