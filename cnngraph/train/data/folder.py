"""Folders of images: one folder a class, perhaps inside `train`, `val` and `test`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from cnngraph.diagnostics import Diagnostic, Question, SpecError, did_you_mean
from cnngraph.recipe.data import ImageFolder
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.layout import (
    TEST,
    TRAIN,
    VALIDATION,
    find_splits,
    folders_in,
    images_in,
    pass_over,
    refuse_nested,
    refuse_split_names,
    some,
    split_of,
)
from cnngraph.train.data.loading import Loading
from cnngraph.train.data.walking import Passed, check_place, image_files

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]

ENDINGS_HELP = "images are recognised by their ending, such as .jpg, .png, .tif or .webp"


def read_folder(
    data: ImageFolder, recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note, trained: bool = False
) -> Parts:
    """The images of a folder, resized for the network. Raises SpecError (E621, E624, E625).

    For a network that is `trained` already it need not have images of each of the recipe's classes.
    """
    root = (data_dir or Path()) / (data.path or "")
    if not data.path and not data_dir:
        message = "the recipe trains on a folder of images and names none"
        raise SpecError.of("E621", message, help="--data-dir FOLDER, or path: FOLDER in the recipe's data")
    if not root.is_dir():
        raise SpecError.of("E621", f"there is no folder {root}")
    check_place(root)
    passed = Passed()
    folders = find_splits(root, data.classes)
    classes = data.classes if trained and data.classes else _classes(folders[TRAIN], data)
    if not data.classes:
        _refuse_others(folders, classes)
    found = _find(root, folders, classes, passed, note)
    if not data.classes:
        refuse_nested(folders[TRAIN], found[TRAIN])
    if passed.counts:
        note(f"{root}: passed over {passed}")
    loading = Loading.of(data, recipe, wanted, root, note)
    parts = {}
    for split, files in found.items():
        _tell_absent(folders[split], files, note, refuse=split == TRAIN and not trained)
        parts[split] = Part.whole(loading.images(folders[split], *labelled(files)))
        _refuse_unreadable(folders[split], parts[split], files)
    return Parts(tuple(classes), parts[TRAIN], parts.get(VALIDATION), parts.get(TEST), loading.broken)


def _find(
    root: Path, folders: dict[str, Path], classes: Sequence[str], passed: Passed, note: Note
) -> dict[str, dict[str, list[str]]]:
    """The image files of each class of each split."""
    found: dict[str, dict[str, list[str]]] = {}
    seen: dict[str, set[str]] = {}
    if folders[TRAIN] != root:
        splits = [folder.relative_to(root).parts[0] for folder in folders.values()]
        pass_over(root, splits, "folders beside the splits", passed)
    for split, folder in folders.items():
        pass_over(folder, classes, "folders that are no class", passed)
        if split == TEST and not folders_in(folder) and images_in(folder):
            passed.add("splits without folders of classes", folder.name)
            continue
        seen[split] = set()
        found[split] = files_of(folder, classes, passed, root, seen[split])
        for other in found.keys() - {split}:
            if both := seen[other] & seen[split]:
                note(f"warning: {split} and {other} share images, by links to {min(both)}")
    return found


def _tell_absent(folder: Path, files: dict[str, list[str]], note: Note, refuse: bool) -> None:
    """Note the classes without images, or `refuse` them: raises SpecError (E621)."""
    absent = [name for name, own in files.items() if not own]
    if absent and refuse:
        raise SpecError.of("E621", f"{folder} has no images of the class {absent[0]}", help=ENDINGS_HELP)
    if absent:
        note(f"{folder} has no images of the class{'es' if len(absent) > 1 else ''} {some(absent)}")


def _refuse_unreadable(folder: Path, part: Part, files: dict[str, list[str]]) -> None:
    """Raises SpecError (E621) for a class of which every file is broken."""
    present = set(part.images.labels.tolist())
    for label, (name, own) in enumerate(files.items()):
        if own and label not in present:
            message = f"none of the {len(own):,} images of the class {name} in {folder} can be read"
            raise SpecError.of("E621", message, help="replace the files, or remove the folder")


def _refuse_others(folders: dict[str, Path], classes: Sequence[str]) -> None:
    """Raises SpecError for the classes of a split that are none of the training images."""
    train = folders[TRAIN]
    help = "remove it, or say which classes count: data.classes in the recipe"
    found = [
        Diagnostic(
            "E621",
            f"{folder / each} is no class of {train}: {some(classes)}",
            help=did_you_mean(each, classes) or help,
        )
        for folder in folders.values()
        for each in folders_in(folder)
        if each not in classes
    ]
    if found:
        raise SpecError(found)


def _classes(folder: Path, data: ImageFolder) -> Sequence[str]:
    """The classes to train on: those that the recipe names, or every folder in order of its name."""
    found = folders_in(folder)
    if len(found) < 2:
        message = f"{folder} needs one folder of images for each of at least two classes, it has {len(found)}"
        raise SpecError.of("E621", message + _directly_in(folder), help=_folder_meant(folder, found))
    for each in data.classes or ():
        if each not in found:
            raise SpecError.of("E621", f"{folder} has no class {each}", help=did_you_mean(each, found))
    if not data.classes:
        refuse_split_names(folder, found)
    return data.classes or found


def _directly_in(folder: Path) -> str:
    """How many images lie beside the folders of classes."""
    count = len(images_in(folder))
    return f"; {count:,} image{'s lie' if count > 1 else ' lies'} directly in it" if count else ""


def _folder_meant(folder: Path, inner: Sequence[str]) -> str | None:
    """What to do about a folder that has no folders of classes: one above or below it may have them."""
    if len(inner) == 1 and len(below := folders_in(folder / inner[0])) > 1:
        return Question(f"{folder / inner[0]}, which has the folders {some(below)}")
    if not images_in(folder):
        return None
    around = folder.parent
    beside = [each for each in folders_in(around) if images_in(around / each)]
    if len(beside) < 2 or any(split_of(each) for each in beside):
        return "put the images into a folder for each class"
    return Question(f"{around}, which has {len(beside)} folders of images")


def files_of(
    folder: Path,
    classes: Sequence[str],
    passed: Passed | None = None,
    root: Path | None = None,
    sees: set[str] | None = None,
) -> dict[str, list[str]]:
    """The image files of some classes, each in a folder of its name. Raises SpecError (E621, E624, E625)."""
    there = [name for name in classes if (folder / name).is_dir()]
    real: dict[str, str] = {}
    for name in there:
        other = real.setdefault(os.path.realpath(folder / name), name)
        if other != name:
            raise SpecError.of(
                "E621", f"the classes {other} and {name} in {folder} are the same folder", help="remove the link"
            )
    passed = Passed() if passed is None else passed
    found = dict(zip(there, image_files([folder / name for name in there], passed, root, sees), strict=True))
    if not any(found.values()):
        raise SpecError.of(
            "E621", f"{folder} has no images in folders of the classes {some(classes)}", help=ENDINGS_HELP
        )
    return {name: found.get(name, []) for name in classes}


def labelled(files: dict[str, list[str]]) -> tuple[list[str], torch.Tensor]:
    """All the files of several classes in order of their names, and the number of each one's class."""
    number = {name: label for label, name in enumerate(files)}
    counts = torch.tensor([len(files[name]) for name in sorted(files)])
    labels = torch.repeat_interleave(torch.tensor([number[name] for name in sorted(files)]), counts)
    return [file for name in sorted(files) for file in files[name]], labels
