"""Loads the data of a recipe as the splits of a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cnngraph.diagnostics import SpecError
from cnngraph.recipe.data import ImageFolder, ImageNet, NamedSet
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.folder import read_folder
from cnngraph.train.data.imagenet import read_imagenet
from cnngraph.train.data.loading import Note
from cnngraph.train.data.named_sets import BUNDLED, read_named_set
from cnngraph.train.data.split import Split, Splits

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

DATA_DIR = "CNNGRAPH_DATA_DIR"  # the environment variable for the data folder
MAX_CLASSES = 10  # with more classes, only the first and the last are listed
MAX_BROKEN = 3


def data_dir_of(option: Path | None, recorded: Path | None = None) -> Path | None:
    """The data folder: from the option, from a run's record, or from the environment; None if none is set."""
    return option or recorded or _data_dir_of_environment()


def _data_dir_of_environment() -> Path | None:
    value = os.environ.get(DATA_DIR)
    return Path(value) if value else None


def default_data_dir() -> Path:
    """The folder for downloaded sets, in the user's cache folder."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cnngraph" / "data"


def data_root(recipe: Recipe, data_dir: Path | None) -> Path:
    """The folder that the names of image files are relative to."""
    return (data_dir or Path()) / (getattr(recipe.data, "path", None) or "")


def load_splits(
    recipe: Recipe, input_type: TensorType, data_dir: Path | None, note: Note = print, for_evaluation: bool = False
) -> Splits:
    """Load the images of a recipe as splits. `input_type` is the network's input; `note` reports slow operations.

    `for_evaluation`, a folder is read as it is: no images are held out for validation, and classes may lack images.
    Raises SpecError (E620 …) if images are missing or cannot be read, or if a split is empty.
    """
    match recipe.data:
        case NamedSet() as data:
            if data_dir and data.name == BUNDLED and data_dir != _data_dir_of_environment():
                note(f"the digits are bundled; {data_dir} is not used")
            splits = read_named_set(data, data_dir or default_data_dir(), note)
        case ImageFolder() as data:
            splits = read_folder(data, recipe, input_type, data_dir, note, for_evaluation)
        case ImageNet() as data:
            splits = read_imagenet(data, recipe, input_type, data_dir, note)
    if for_evaluation and not isinstance(recipe.data, NamedSet):
        return splits
    if recipe.validation is None:
        return _without_validation(splits)
    if splits.validation is None:
        splits = hold_out_validation(splits, recipe.validation, recipe.seed)
    return splits


def facts_of(splits: Splits) -> ImageFacts:
    """The properties of the images that a network and a recipe must fit."""
    return ImageFacts(splits.shape, len(splits.classes), len(splits.train))


def announce(splits: Splits, note: Note) -> None:
    """Report the number of images of each split, and of each of its classes."""
    for name, split in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        if split:
            counts = torch.bincount(split.images.labels[split.indices].cpu(), minlength=len(splits.classes)).tolist()
            note(f"{name}: {len(split):,} image{'s' if len(split) > 1 else ''} · {_by_class(splits.classes, counts)}")
    if splits.broken:
        count = len(splits.broken)
        names = ", ".join(splits.broken[:MAX_BROKEN]) + (", …" if count > MAX_BROKEN else "")
        note(f"skipped {count:,} unreadable image{'s' if count > 1 else ''} ({names})")


def _by_class(classes: Sequence[str], counts: Sequence[int]) -> str:
    """The count of each class; of more than ten classes, the first, the last and the range."""
    texts = [f"{name}: {count:,}" for name, count in zip(classes, counts, strict=True)]
    if len(texts) <= MAX_CLASSES:
        return ", ".join(texts)
    return f"{len(texts):,} classes, {texts[0]} … {texts[-1]} ({min(counts):,} to {max(counts):,} each)"


def hold_out_validation(splits: Splits, fraction: float, seed: int) -> Splits:
    """Hold out a fraction of the training images for validation."""
    train, validation = splits.train.hold_out(fraction, seed)
    if not len(validation):
        message = (
            f"no image can be held out for validation: {len(splits.train)} images in {len(splits.classes)} classes"
        )
        help = "add a second image of a class"
        if splits.test:
            help = (
                "`--set train.validation=none` evaluates the test images after each epoch without choosing a best epoch"
            )
        raise SpecError.of("E622", message, help=help)
    return replace(splits, train=train, validation=validation)


def _without_validation(splits: Splits) -> Splits:
    """The splits with `validation: none`: existing validation images are the test split if there is no other."""
    test: Split | None = splits.test or splits.validation
    if test is None:
        message = "`validation: none` needs test images, but the folder has no `test` or `val`"
        raise SpecError.of("E622", message, help="use `validation: 0.2` to hold out a fifth of the images")
    return replace(splits, validation=None, test=test)
