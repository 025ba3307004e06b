"""A recipe's data to the parts of a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from cnngraph.diagnostics import SpecError
from cnngraph.recipe.data import ImageFolder, ImageNet, NamedSet
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.folder import read_folder
from cnngraph.train.data.imagenet import read_imagenet
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.named import EMBEDDED, read_named

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]

DATA_DIR = "CNNGRAPH_DATA_DIR"  # the variable that names a data folder
MOST_CLASSES = 10  # that are told one by one
MOST_BROKEN = 3


def data_dir_of(given: Path | None, recorded: Path | None = None) -> Path | None:
    """The data folder: as given, as a run recorded it, or as the environment says; None where none of these does."""
    return given or recorded or _data_dir_of_environment()


def _data_dir_of_environment() -> Path | None:
    named = os.environ.get(DATA_DIR)
    return Path(named) if named else None


def default_data_dir() -> Path:
    """Where downloaded sets are kept: the user's cache folder."""
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


def load_parts(
    recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note = print, trained: bool = False
) -> Parts:
    """The images that a recipe names, cut into parts. `wanted` is the network's input; `note` tells what takes long.

    For a network that is `trained` already a folder is read as it is: nothing is put aside for validation, and it need
    not have images of every class.
    Raises SpecError (E620 …) where images are missing, cannot be read, or leave a part empty.
    """
    match recipe.data:
        case NamedSet() as data:
            if data_dir and data.name == EMBEDDED and data_dir != _data_dir_of_environment():
                note(f"the digits come along: nothing is read from {data_dir}")
            parts = read_named(data, data_dir or default_data_dir(), note)
        case ImageFolder() as data:
            parts = read_folder(data, recipe, wanted, data_dir, note, trained)
        case ImageNet() as data:
            parts = read_imagenet(data, recipe, wanted, data_dir, note)
    if trained and not isinstance(recipe.data, NamedSet):
        return parts
    if recipe.validation is None:
        return _only_reported(parts)
    if parts.validation is None:
        parts = cut_validation(parts, recipe.validation, recipe.seed)
    return parts


def facts_of(parts: Parts) -> ImageFacts:
    """What a network and a recipe must fit."""
    return ImageFacts(parts.shape, len(parts.classes), len(parts.train))


def announce(parts: Parts, note: Note) -> None:
    """Tell what a run is about to use: for each split its images, and how many of each class."""
    for name, part in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        if part:
            counts = torch.bincount(part.images.labels[part.indices].cpu(), minlength=len(parts.classes)).tolist()
            note(f"{name}: {len(part):,} image{'s' if len(part) > 1 else ''} · {_by_class(parts.classes, counts)}")
    if parts.broken:
        more = ", …" if len(parts.broken) > MOST_BROKEN else ""
        note(f"skipped: {len(parts.broken):,} that cannot be read ({', '.join(parts.broken[:MOST_BROKEN])}{more})")


def _by_class(classes: Sequence[str], counts: Sequence[int]) -> str:
    """The count of each class; of more than ten, of the first and the last, and the range."""
    told = [f"{name}: {count:,}" for name, count in zip(classes, counts, strict=True)]
    if len(told) <= MOST_CLASSES:
        return ", ".join(told)
    return f"{len(told):,} classes, {told[0]} … {told[-1]} (each {min(counts):,} to {max(counts):,})"


def cut_validation(parts: Parts, fraction: float, seed: int) -> Parts:
    """The parts with a validation part cut from the training images."""
    train, validation = parts.train.split(fraction, seed)
    if not len(validation):
        message = f"no image is left for validation: {len(parts.train)} in {len(parts.classes)} classes"
        help = "it takes a second image of a class"
        if parts.test:
            help = "--set train.validation=none chooses no epoch, and looks at the test images after each"
        raise SpecError.of("E622", message, help=help)
    return replace(parts, train=train, validation=validation)


def _only_reported(parts: Parts) -> Parts:
    """The parts where nothing is chosen: what is there to look at is the test part."""
    test: Part | None = parts.test or parts.validation
    if test is None:
        message = "with validation: none the recipe needs test images, and the folder has no test or val"
        raise SpecError.of("E622", message, help="validation: 0.2 puts a fifth of the images aside")
    return replace(parts, validation=None, test=test)
