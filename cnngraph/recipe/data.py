"""Which images a network is trained on, as a recipe says it."""

from __future__ import annotations

from typing import Any, TypeAlias

from cnngraph.fields import Choice, Float, ListOf, Optional, Pair, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import LARGEST_SIDE, LONGEST_LIST, Label, Positive
from cnngraph.recipe.sets import SETS

BROKEN = "what to do where a file is no image: end the run, or go on without it and list it in skipped.txt"
MOST_CLASSES = 100_000


class NamedSet(Frozen):
    """A well-known set of images.

    `digits` ships with the package: 6,000 training and 2,000 test images of MNIST. The others are downloaded on first
    use into the data folder (`--data-dir`, by default the user's cache).
    """

    name: str = field(Choice(tuple(SETS)), "the set")
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MOST_CLASSES)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(Optional(Pair(1, LARGEST_SIDE)), "height and width to resize to", None)


class ImageFolder(Frozen):
    """Images in one folder a class, as the data folder (`--data-dir`) holds them.

    It may have such folders in `train`, `val` and `test`. Without `val` the validation part is cut from the training
    images; without `train` all of them are training images; without `test` there is nothing to look at in the end.
    The usual other names of splits are understood in any case: `Training`, `train_set`, `seg_train`, `valid`, `dev`,
    `testing`, `test2017`. A folder that could be read in two ways is refused (E624): two folders that could both be
    `train`, a split without `train`, classes that are called like splits, or the folder above that of the classes.
    `classes` in the recipe decides such cases.

    Read are the images in and below each class's folder, in every raster format that Pillow decodes, each file once:
    links to images elsewhere are followed, those to what is read already are not. Hidden entries and those of systems
    (`.ipynb_checkpoints`, `__MACOSX`, `@eaDir`, `Thumbs.db`, …) are never data. What is passed over is counted when a
    run begins, with the images of each split and class.

    Grey images of whole numbers are read as 8, 12 or 16 bits, the fewest that hold their values. An image may have up
    to 67,108,864 pixels; damaged EXIF data do not matter.
    """

    name: str = field(Choice(("folder",)), "images in one folder a class", "folder")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder; without it, the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MOST_CLASSES)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1, LARGEST_SIDE)), "height and width to resize to; without it, the network's input", None
    )
    broken: str = field(Choice(("stop", "skip")), BROKEN, "stop")


class ImageNet(Frozen):
    """ImageNet (ILSVRC 2012), which nobody may hand on: as it is unpacked from what its makers or Kaggle give out.

    `train` has a folder for each of the classes by its number in WordNet, such as n01440764. `val` has such folders, or
    all of its images beside LOC_val_solution.csv or torchvision's meta.bin. The names of the classes are those of
    LOC_synset_mapping.txt or meta.bin, or else their numbers. The images in `val` are those that papers report on: they
    are the test images, and the best epoch is chosen on a part of the training images, or not at all.
    """

    name: str = field(Choice(("imagenet",)), "ImageNet's folders", "imagenet")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder; without it, the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MOST_CLASSES)),
        "only these classes, by name or number, labelled in this order",
        None,
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1, LARGEST_SIDE)), "height and width to resize to; without it, the network's input", None
    )
    broken: str = field(Choice(("stop", "skip")), BROKEN, "stop")


Data: TypeAlias = NamedSet | ImageFolder | ImageNet
DATA: tuple[type[Any], ...] = (NamedSet, ImageFolder, ImageNet)


class Normalize(Frozen):
    """What is taken from each channel, and what it is then divided by; images count from 0 to 1.

    `normalize: data` takes the figures that are published with a set. Where there are none, as of a folder, they are
    measured on the training images before the run begins (of large sets on 2,000 of them), and the run's own recipe
    has them.
    """

    mean: tuple[float, ...] = field(ListOf(Float(0, 1), 1, LONGEST_LIST), "the mean of each channel")
    std: tuple[float, ...] = field(ListOf(Positive(1e-6, 1e6), 1, LONGEST_LIST), "the deviation of each channel")
