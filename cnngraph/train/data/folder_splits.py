"""The layout of a folder of images: which folders are splits, which are classes, and which could be either."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cnngraph.diagnostics import Question, SpecError
from cnngraph.train.data.formats import is_clutter, is_image
from cnngraph.train.data.walking import HIDDEN, LINKED, Ignored, is_above

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validate", "validation", "validating", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst"), TEST),
}
_FILLER = ("dataset", "data", "set", "images", "image", "imgs", "img", "pictures", "photos", "samples", "split", "seg")
SHOWN = 12


def split_of(name: str) -> str | None:
    """The split that a folder's name denotes, in any case: `Training_Set`, `seg_test`, `valid`, `val2017`."""
    split, rest = _read_name(name)
    return None if rest else split


def _read_name(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The split in a name, and its other words: `test` and (`flowers`,) for `flowers_test`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    words = [word for word in re.split(r"[\W\d_]+", spaced.lower()) if word and word not in _FILLER]
    splits = [_split_word(word) for word in words]
    rest = tuple(word for word, split in zip(words, splits, strict=True) if not split)
    found = [split for split in splits if split]
    return (found[0] if len(found) == 1 else None), rest


def _split_word(word: str) -> str | None:
    stems = (word.removesuffix(filler) for filler in ("", *_FILLER))
    return next((_SPLITS[stem] for stem in stems if stem in _SPLITS), None)


def _split_names(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """The folder names of each split: `train` and `test`, or the same with a common word, as in `flowers_train`."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in names:
        split, rest = _read_name(name)
        if split:
            groups.setdefault(rest, {}).setdefault(split, []).append(name)
    if () in groups:
        return groups[()]
    pairs = [group for group in groups.values() if TRAIN in group and len(group) > 1]
    if len(pairs) > 1:
        found = [folders[0] for group in pairs for folders in group.values()]
        raise SpecError.of(
            "E624",
            f"{some_names(found)} in {root} are splits of several data sets",
            help="put each data set into its own folder",
        )
    return pairs[0] if pairs else {}


def folders_in(folder: Path) -> list[str]:
    """The sorted names of the folders in a folder that may hold data. Raises SpecError (E621)."""
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if _is_folder(entry) and not is_clutter(entry.name)]
    except OSError as error:
        raise SpecError.of("E621", f"{folder} cannot be opened: {error.strerror}") from None
    real = os.path.realpath(folder)
    above = {entry.name for entry in entries if entry.is_symlink() and is_above(os.path.realpath(entry.path), real)}
    return sorted(entry.name for entry in entries if entry.name not in above)


def count_ignored(folder: Path, kept: Sequence[str], reason: str, ignored: Ignored) -> None:
    """Count all entries of a folder except the `kept` folders; other folders are counted under `reason`."""
    usable = set(folders_in(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_clutter(entry.name):
                ignored.add(HIDDEN, entry.name)
            elif _is_folder(entry):
                if entry.name not in kept:
                    ignored.add(reason if entry.name in usable else LINKED, entry.name)
            elif is_image(entry.name):
                ignored.add("images outside the class folders", entry.name)
            else:
                ignored.add_other(entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def images_in(folder: Path) -> list[str]:
    """The names of the images directly in a folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if is_image(entry.name) and not is_clutter(entry.name)]
    except OSError:
        return []


def find_splits(root: Path, classes: Sequence[str] | None) -> dict[str, Path]:
    """The folder of each split; without split folders, all images of the root are training images.

    The recipe's `classes` resolve ambiguity: if the root has a folder for each of them and its training split does
    not, the root is the training split. Raises SpecError (E624) for ambiguous layouts.
    """
    names = folders_in(root)
    found = _split_names(root, names)
    if not found or (classes and set(classes) <= {*names} and not _has_all(root, found.get(TRAIN, []), classes)):
        return {TRAIN: root}
    _refuse_ambiguous(root, found)
    splits = {split: _unwrapped(root / folders[0], split) for split, folders in found.items()}
    _refuse_same(splits)
    taken = {name for folders in found.values() for name in folders}
    _refuse_classes_beside(root, splits[TRAIN], [name for name in names if name not in taken])
    return {split: splits[split] for split in (TRAIN, VALIDATION, TEST) if split in splits}


def _has_all(root: Path, names: Sequence[str], classes: Sequence[str]) -> bool:
    return any(all((root / name / label).is_dir() for label in classes) for name in names)


def _refuse_ambiguous(root: Path, found: dict[str, list[str]]) -> None:
    for split, names in found.items():
        if len(names) > 1:
            message = f"{' and '.join(names)} in {root} could each be the {split} images"
            raise SpecError.of("E624", message, help="keep one of them, or put their images into one folder")
    if TRAIN not in found:
        names = [name for folders in found.values() for name in folders]
        what = "are names of splits" if len(names) > 1 else "is the name of a split"
        message = f"{root} has {' and '.join(names)}, which {what}"
        help = "name the folder of the training images `train`; if these are classes, list them in `data.classes`"
        raise SpecError.of("E624", f"{message}, but no folder of training images", help=help)


def _unwrapped(folder: Path, split: str) -> Path:
    """The folder with the classes of a split: some archives contain `test/test/…`."""
    while len(inner := folders_in(folder)) == 1 and split_of(inner[0]) == split and not images_in(folder):
        folder = folder / inner[0]
    return folder


def _refuse_same(splits: dict[str, Path]) -> None:
    """Raise SpecError (E624) for splits that are the same folder through a link."""
    real: dict[str, Path] = {}
    for folder in splits.values():
        other = real.setdefault(os.path.realpath(folder), folder)
        if other != folder:
            message = f"{other} and {folder} are the same folder"
            raise SpecError.of(
                "E624",
                message,
                help="remove the link; the recipe's `validation` then holds out a fraction of the images",
            )


def _refuse_classes_beside(root: Path, train: Path, others: Sequence[str]) -> None:
    """Raise SpecError (E624) if folders beside `train` are classes as well, or `train` could be one of them."""
    inner = folders_in(train)
    same = [name for name in others if name in inner]
    if same:
        message = f"{root} and {train} both have the class{'es' if len(same) > 1 else ''} {some_names(same)}"
        raise SpecError.of(
            "E624",
            message,
            help=f"use `--data-dir {train}` for the inner folders, or move {train.name} away for the outer ones",
        )
    beside = [name for name in others if images_in(root / name)]
    if not inner and beside and images_in(train):
        message = f"{train} could be the training images or, like {some_names(beside)}, a class"
        raise SpecError.of(
            "E624", message, help="put its images into one folder per class, or list the classes in `data.classes`"
        )


def refuse_nested(folder: Path, files: dict[str, list[str]]) -> None:
    """Raise SpecError (E624) if the class folders contain folders that could be the classes themselves.

    It is not ambiguous if each class has its images in one inner folder of the same name, such as `images`.
    """
    nested: dict[str, list[str]] = {}
    for name, paths in files.items():
        start = len(os.path.join(folder, name, ""))
        inner = [path[start:].split(os.sep)[0] for path in paths if os.sep in path[start:]]
        if inner and (len(inner) == len(paths) or (len(inner) > len(paths) // 2 and len(set(inner)) > 1)):
            nested[name] = sorted(set(inner))
    all_inner = {folder_name for inner in nested.values() for folder_name in inner}
    if not nested or (len(all_inner) == 1 and nested.keys() == files.keys()):
        return
    name, inner = max(nested.items(), key=lambda item: len(item[1]))
    has = (
        "has all its images in the folders" if not images_in(folder / name) else "has most of its images in the folders"
    )
    help = "list the classes in the recipe's `data.classes`, or move the images up"
    if len(inner) > 1:
        help = f"{Question(str(folder / name))} Otherwise {help}"
    raise SpecError.of(
        "E624", f"{folder / name} {has} {some_names(inner)}: it is unclear which folders are the classes", help=help
    )


def refuse_split_names(folder: Path, names: Sequence[str]) -> None:
    """Raise SpecError (E624) for classes whose names denote splits."""
    found = [name for name in names if split_of(name)]
    if found:
        kind = "splits or classes" if len(found) > 1 else "a split or a class"
        message = f"{some_names(found)} in {folder} could be {kind}"
        place = f"{Question(str(folder))} Otherwise " if len(found) > 1 else "rename it, or "
        raise SpecError.of("E624", message, help=f"{place}list the classes in the recipe's `data.classes`")


def some_names(names: Sequence[str]) -> str:
    """The first few names, joined by commas."""
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
