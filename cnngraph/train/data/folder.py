"""Folders of images: one folder per class, optionally inside `train`, `val` and `test`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cnngraph.diagnostics import Diagnostic, Question, SpecError, did_you_mean
from cnngraph.recipe.data import ImageFolder
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.folder_splits import (
    TEST,
    TRAIN,
    VALIDATION,
    count_ignored,
    find_splits,
    folders_in,
    images_in,
    refuse_nested,
    refuse_split_names,
    some_names,
    split_of,
)
from cnngraph.train.data.loading import ImageLoader, Note
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.data.walking import Ignored, image_files, refuse_system_folder

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

EXTENSIONS_HELP = "images are recognised by their extension, such as .jpg, .png, .tif or .webp"


def read_folder(
    data: ImageFolder,
    recipe: Recipe,
    input_type: TensorType,
    data_dir: Path | None,
    note: Note,
    for_evaluation: bool = False,
) -> Splits:
    """Read a folder of images, resized for the network. Raises SpecError (E621, E624, E625).

    `for_evaluation`, the folder may lack images of some of the recipe's classes.
    """
    root = (data_dir or Path()) / (data.path or "")
    if not data.path and not data_dir:
        message = "the recipe trains on a folder of images but does not say which one"
        raise SpecError.of(
            "E621", message, help="use `--data-dir FOLDER`, or set `path: FOLDER` in the recipe's `data`"
        )
    if not root.is_dir():
        raise SpecError.of("E621", f"there is no folder {root}")
    refuse_system_folder(root)
    ignored = Ignored()
    folders = find_splits(root, data.classes)
    classes = data.classes if for_evaluation and data.classes else _classes(folders[TRAIN], data)
    if not data.classes:
        _refuse_unknown_classes(folders, classes)
    found = _find(root, folders, classes, ignored, note)
    if not data.classes:
        refuse_nested(folders[TRAIN], found[TRAIN])
    if ignored.counts:
        note(f"{root}: ignored {ignored}")
    loader = ImageLoader.of(data, recipe, input_type, root, note)
    splits = {}
    for split, files in found.items():
        _report_empty(folders[split], files, note, refuse=split == TRAIN and not for_evaluation)
        splits[split] = Split.all_of(loader.images(folders[split], *files_and_labels(files)))
        _refuse_unreadable(folders[split], splits[split], files)
    return Splits(tuple(classes), splits[TRAIN], splits.get(VALIDATION), splits.get(TEST), loader.broken)


def _find(
    root: Path, folders: dict[str, Path], classes: Sequence[str], ignored: Ignored, note: Note
) -> dict[str, dict[str, list[str]]]:
    """The image files of each class of each split."""
    found: dict[str, dict[str, list[str]]] = {}
    entered: dict[str, set[str]] = {}
    if folders[TRAIN] != root:
        names = [folder.relative_to(root).parts[0] for folder in folders.values()]
        count_ignored(root, names, "folders beside the splits", ignored)
    for split, folder in folders.items():
        count_ignored(folder, classes, "folders that are not a class", ignored)
        if split == TEST and not folders_in(folder) and images_in(folder):
            ignored.add("splits without class folders", folder.name)
            continue
        entered[split] = set()
        found[split] = find_class_files(folder, classes, ignored, root, entered[split])
        for other in found.keys() - {split}:
            if both := entered[other] & entered[split]:
                note(f"warning: {split} and {other} share images through links to {min(both)}")
    return found


def _report_empty(folder: Path, files: dict[str, list[str]], note: Note, refuse: bool) -> None:
    """Report the classes without images; with `refuse`, raise SpecError (E621)."""
    empty = [name for name, paths in files.items() if not paths]
    if empty and refuse:
        raise SpecError.of("E621", f"{folder} has no images of the class {empty[0]}", help=EXTENSIONS_HELP)
    if empty:
        note(f"{folder} has no images of the class{'es' if len(empty) > 1 else ''} {some_names(empty)}")


def _refuse_unreadable(folder: Path, split: Split, files: dict[str, list[str]]) -> None:
    """Raise SpecError (E621) for a class all of whose files are broken."""
    present = set(split.images.labels.tolist())
    for label, (name, paths) in enumerate(files.items()):
        if paths and label not in present:
            message = f"none of the {len(paths):,} images of the class {name} in {folder} can be read"
            raise SpecError.of("E621", message, help="replace the files, or remove the folder")


def _refuse_unknown_classes(folders: dict[str, Path], classes: Sequence[str]) -> None:
    """Raise SpecError (E621) for classes of a split that have no training images."""
    train = folders[TRAIN]
    help = "remove it, or list the classes in the recipe's `data.classes`"
    found = [
        Diagnostic(
            "E621",
            f"{folder / name} is not one of the classes in {train}: {some_names(classes)}",
            help=did_you_mean(name, classes) or help,
        )
        for folder in folders.values()
        for name in folders_in(folder)
        if name not in classes
    ]
    if found:
        raise SpecError(found)


def _classes(folder: Path, data: ImageFolder) -> Sequence[str]:
    """The classes to train on: those the recipe lists, or all folders sorted by name."""
    found = folders_in(folder)
    if len(found) < 2:
        message = f"{folder} needs at least two class folders of images, but has {len(found)}"
        raise SpecError.of("E621", message + _directly_in(folder), help=_folder_meant(folder, found))
    for name in data.classes or ():
        if name not in found:
            raise SpecError.of("E621", f"{folder} has no class {name}", help=did_you_mean(name, found))
    if not data.classes:
        refuse_split_names(folder, found)
    return data.classes or found


def _directly_in(folder: Path) -> str:
    """How many images are beside the class folders."""
    count = len(images_in(folder))
    return f"; {count:,} image{'s are' if count > 1 else ' is'} directly in it" if count else ""


def _folder_meant(folder: Path, inner: Sequence[str]) -> str | None:
    """The help for a folder without class folders: the folder above or below it may have them."""
    if len(inner) == 1 and len(below := folders_in(folder / inner[0])) > 1:
        return Question(f"{folder / inner[0]}, which has the folders {some_names(below)}")
    if not images_in(folder):
        return None
    parent = folder.parent
    siblings = [name for name in folders_in(parent) if images_in(parent / name)]
    if len(siblings) < 2 or any(split_of(name) for name in siblings):
        return "put the images into one folder per class"
    return Question(f"{parent}, which has {len(siblings)} folders of images")


def find_class_files(
    folder: Path,
    classes: Sequence[str],
    ignored: Ignored | None = None,
    root: Path | None = None,
    entered: set[str] | None = None,
) -> dict[str, list[str]]:
    """The image files of each class, from the folder of its name. Raises SpecError (E621, E624, E625)."""
    present = [name for name in classes if (folder / name).is_dir()]
    real: dict[str, str] = {}
    for name in present:
        other = real.setdefault(os.path.realpath(folder / name), name)
        if other != name:
            raise SpecError.of(
                "E621", f"the classes {other} and {name} in {folder} are the same folder", help="remove the link"
            )
    ignored = Ignored() if ignored is None else ignored
    found = dict(zip(present, image_files([folder / name for name in present], ignored, root, entered), strict=True))
    if not any(found.values()):
        raise SpecError.of(
            "E621", f"{folder} has no images in the class folders {some_names(classes)}", help=EXTENSIONS_HELP
        )
    return {name: found.get(name, []) for name in classes}


def files_and_labels(files: dict[str, list[str]]) -> tuple[list[str], torch.Tensor]:
    """The files of all classes, sorted by class name, and their labels: the position of each class in `files`."""
    label_of = {name: label for label, name in enumerate(files)}
    counts = torch.tensor([len(files[name]) for name in sorted(files)])
    labels = torch.repeat_interleave(torch.tensor([label_of[name] for name in sorted(files)]), counts)
    return [file for name in sorted(files) for file in files[name]], labels
