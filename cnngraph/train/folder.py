"""Folders of images: one folder a class, perhaps inside `train`, `val` and `test`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torchvision.datasets.folder import make_dataset

from cnngraph.diagnostics import Diagnostic, SpecError, did_you_mean
from cnngraph.recipe.data import ImageFolder
from cnngraph.recipe.model import Recipe
from cnngraph.train.images import ENDINGS, Part, Parts
from cnngraph.train.loading import Loading

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]

HELP = f"images end in {', '.join(ENDINGS)}"
PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


def read_folder(data: ImageFolder, recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note) -> Parts:
    """The images of a folder, resized for the network. Raises SpecError (E621)."""
    root = (data_dir or Path()) / (data.path or "")
    if not data.path and not data_dir:
        message = "the recipe trains on a folder of images and names none"
        raise _wrong(message, "--data-dir FOLDER, or path: FOLDER in the recipe's data")
    if not root.is_dir():
        raise _wrong(f"there is no folder {root}")
    folders = _parts(root)
    classes = _classes(folders["train"], data)
    if not data.classes:
        _refuse_others(folders, classes)
    loading = Loading.of(data, recipe, wanted, root, note)
    parts = {name: Part.whole(loading.images(folder, *files_of(folder, classes))) for name, folder in folders.items()}
    for name, folder in folders.items():
        present = set(parts[name].images.labels.tolist())
        absent = [each for label, each in enumerate(classes) if label not in present]
        if absent and name == "train":
            raise _wrong(f"{folder} has no images of the class {absent[0]}", HELP)
        if absent:
            note(f"{folder} has no images of the class{'es' if len(absent) > 1 else ''} {_some(absent)}")
    return Parts(tuple(classes), parts["train"], parts.get("validation"), parts.get("test"), loading.broken)


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part; a root without `train` is all of it."""
    found = {part: root / name for part, names in PARTS.items() for name in names if (root / name).is_dir()}
    return found if "train" in found else {"train": root}


def _refuse_others(folders: dict[str, Path], classes: Sequence[str]) -> None:
    """Raises SpecError for the classes of a part that are none of the training images."""
    train = folders["train"]
    help = "remove it, or say which classes count: data.classes in the recipe"
    found = [
        Diagnostic(
            "E621",
            f"{folder / each} is no class of {train}: {_some(classes)}",
            help=did_you_mean(each, classes) or help,
        )
        for folder in folders.values()
        for each in _inner(folder)
        if each not in classes
    ]
    if found:
        raise SpecError(found)


def _inner(folder: Path) -> list[str]:
    """The names of the folders in a folder."""
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _some(classes: Sequence[str]) -> str:
    """The first of many classes."""
    return ", ".join(classes[:12]) + (" …" if len(classes) > 12 else "")


def _classes(folder: Path, data: ImageFolder) -> Sequence[str]:
    """The classes to train on: those that the recipe names, or every folder in order of its name."""
    found = _inner(folder)
    if len(found) < 2:
        message = f"{folder} needs one folder of images for each of at least two classes, it has {len(found)}"
        raise _wrong(message + _directly_in(folder), _folder_meant(folder))
    for each in data.classes or ():
        if each not in found:
            raise _wrong(f"{folder} has no class {each}", did_you_mean(each, found))
    return data.classes or found


def _directly_in(folder: Path) -> str:
    """How many images lie beside the folders of classes."""
    count = len(_images(folder))
    return f"; {count:,} image{'s lie' if count > 1 else ' lies'} directly in it" if count else ""


def _folder_meant(folder: Path) -> str | None:
    """What to do about images that lie directly in a folder: it is that of one class, or not sorted by class."""
    if not _images(folder):
        return None
    around = folder.parent
    beside = [each for each in _inner(around) if _images(around / each)]
    if len(beside) < 2 or any(each in names for names in PARTS.values() for each in beside):
        return "put the images into a folder for each class"
    return f"did you mean {around}, which has {len(beside)} folders of images?"


def _images(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.suffix.lower() in ENDINGS and each.is_file()]


def files_of(folder: Path, classes: Sequence[str]) -> tuple[list[str], torch.Tensor]:
    """The image files of some classes, each in a folder of its name, and their labels."""
    index = {name: label for label, name in enumerate(classes) if (folder / name).is_dir()}
    samples = make_dataset(str(folder), index, ENDINGS, allow_empty=True) if index else []
    if not samples:
        raise _wrong(f"{folder} has no images in folders of the classes {_some(classes)}", HELP)
    return [file for file, _ in samples], torch.tensor([label for _, label in samples])


def _wrong(message: str, help: str | None = None) -> SpecError:
    return SpecError([Diagnostic("E621", message, help=help)])
