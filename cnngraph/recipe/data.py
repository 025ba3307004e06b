"""The images a network is trained on, as described by a recipe."""

from __future__ import annotations

from typing import Any, TypeAlias

from cnngraph.fields import Choice, Float, ListOf, Optional, Pair, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import MAX_LIST_LENGTH, MAX_SIDE, Label, Positive
from cnngraph.recipe.sets import SETS

BROKEN = "what to do with a file that is not an image: stop the run, or skip the file and list it in skipped.txt"
MAX_CLASSES = 100_000


class NamedSet(Frozen):
    """A well-known data set.

    `digits` is bundled with the package: 6,000 training and 2,000 test images of MNIST. The others are downloaded on
    first use into the data folder (`--data-dir`, by default the user's cache).
    """

    name: str = field(Choice(tuple(SETS)), "name of the data set")
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MAX_CLASSES)), "use only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(Optional(Pair(1, MAX_SIDE)), "height and width to resize to", None)


class ImageFolder(Frozen):
    """Images in one folder per class, inside the data folder (`--data-dir`).

    The class folders can be inside the folders `train`, `val` and `test`. Without `val`, the validation split is taken
    from the training images; without any of the three, all images are training images; without `test`, there is no
    final evaluation. Other common names of splits are recognised, ignoring case: `Training`, `train_set`, `seg_train`,
    `valid`, `dev`, `testing`, `test2017`. An ambiguous folder is an error (E624): two folders that could both be
    `train`, a split without `train`, classes named like splits, or the parent of the folder with the classes. Such
    cases are resolved by `classes` in the recipe.

    All images in and below the folder of a class are read, in every raster format that Pillow decodes, and each file
    only once: links to other images are followed, unless the target has been read already. Hidden files and system
    files (`.ipynb_checkpoints`, `__MACOSX`, `@eaDir`, `Thumbs.db`, …) are ignored. At the start of a run, the number of
    ignored files is reported, together with the number of images in each split and class.

    Grey images with integer pixels are read as 8, 12 or 16 bits, whichever is the smallest that fits their values. An
    image can have up to 67,108,864 pixels; damaged EXIF data are ignored.
    """

    name: str = field(Choice(("folder",)), "images in one folder per class", "folder")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder, by default the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MAX_CLASSES)), "use only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1, MAX_SIDE)), "height and width to resize to, by default those of the network's input", None
    )
    broken: str = field(Choice(("stop", "skip")), BROKEN, "stop")


class ImageNet(Frozen):
    """ImageNet (ILSVRC 2012), which cannot be redistributed: the unpacked archives of image-net.org or Kaggle.

    `train` has one folder per class, named by its WordNet ID, such as n01440764. `val` has such folders, or contains
    all of its images, with LOC_val_solution.csv or torchvision's meta.bin next to them. The names of the classes are
    read from LOC_synset_mapping.txt or meta.bin; otherwise they are the WordNet IDs. The images in `val` are those on
    which papers report accuracies: they are the test split, and the best epoch is chosen on a fraction of the training
    images, or not at all.
    """

    name: str = field(Choice(("imagenet",)), "the folders of ImageNet", "imagenet")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder, by default the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2, MAX_CLASSES)),
        "use only these classes, by name or WordNet ID, labelled in this order",
        None,
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1, MAX_SIDE)), "height and width to resize to, by default those of the network's input", None
    )
    broken: str = field(Choice(("stop", "skip")), BROKEN, "stop")


Data: TypeAlias = NamedSet | ImageFolder | ImageNet
DATA: tuple[type[Any], ...] = (NamedSet, ImageFolder, ImageNet)


class Normalize(Frozen):
    """The mean to subtract from each channel, and the standard deviation to divide by; pixels range from 0 to 1.

    `normalize: data` uses the values published with the data set. If there are none, as for a folder, they are measured
    on the training images before the run starts (for large sets on 2,000 of them) and recorded in the recipe of the
    run.
    """

    mean: tuple[float, ...] = field(ListOf(Float(0, 1), 1, MAX_LIST_LENGTH), "mean of each channel")
    std: tuple[float, ...] = field(
        ListOf(Positive(1e-6, 1e6), 1, MAX_LIST_LENGTH), "standard deviation of each channel"
    )
