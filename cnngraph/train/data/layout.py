"""How a folder of images is arranged: which folders are splits, which are classes, and what could be either."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cnngraph.diagnostics import Question, SpecError
from cnngraph.train.data.formats import is_clutter, is_image
from cnngraph.train.data.walking import HIDDEN, LINKED, Passed, is_above

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validate", "validation", "validating", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst"), TEST),
}
_AROUND = ("dataset", "data", "set", "images", "image", "imgs", "img", "pictures", "photos", "samples", "split", "seg")
SHOWN = 12


def split_of(name: str) -> str | None:
    """Which split a folder's name stands for, whatever its case: `Training_Set`, `seg_test`, `valid`, `val2017`."""
    split, rest = _read_name(name)
    return None if rest else split


def _read_name(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The split that a name has in it, and its other words: test and (flowers) for `flowers_test`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    words = [word for word in re.split(r"[\W\d_]+", spaced.lower()) if word and word not in _AROUND]
    splits = [_split_word(word) for word in words]
    rest = tuple(word for word, split in zip(words, splits, strict=True) if not split)
    found = [each for each in splits if each]
    return (found[0] if len(found) == 1 else None), rest


def _split_word(word: str) -> str | None:
    stems = (word.removesuffix(each) for each in ("", *_AROUND))
    return next((_SPLITS[each] for each in stems if each in _SPLITS), None)


def _split_names(root: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """The names that stand for each split: `train` and `test`, or with the same words around, as `flowers_train`."""
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in names:
        split, rest = _read_name(name)
        if split:
            groups.setdefault(rest, {}).setdefault(split, []).append(name)
    if () in groups:
        return groups[()]
    pairs = [each for each in groups.values() if TRAIN in each and len(each) > 1]
    if len(pairs) > 1:
        found = [own[0] for each in pairs for own in each.values()]
        raise SpecError.of(
            "E624",
            f"{some(found)} in {root} are the splits of several sets",
            help="put each set into a folder of its own",
        )
    return pairs[0] if pairs else {}


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder that may hold data, in order. Raises SpecError (E621)."""
    try:
        with os.scandir(folder) as found:
            entries = [each for each in found if _is_folder(each) and not is_clutter(each.name)]
    except OSError as error:
        raise SpecError.of("E621", f"{folder} cannot be opened: {error.strerror}") from None
    real = os.path.realpath(folder)
    above = {each.name for each in entries if each.is_symlink() and is_above(os.path.realpath(each.path), real)}
    return sorted(each.name for each in entries if each.name not in above)


def pass_over(folder: Path, kept: Sequence[str], reason: str, passed: Passed) -> None:
    """Count what lies in a folder beside the folders that are `kept`, other folders for a reason."""
    usable = set(folders_in(folder))
    with os.scandir(folder) as entries:
        for each in entries:
            if is_clutter(each.name):
                passed.add(HIDDEN, each.name)
            elif _is_folder(each):
                if each.name not in kept:
                    passed.add(reason if each.name in usable else LINKED, each.name)
            elif is_image(each.name):
                passed.add("images outside the folders of classes", each.name)
            else:
                passed.other(each.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def images_in(folder: Path) -> list[str]:
    """The names of the images that lie directly in a folder."""
    try:
        with os.scandir(folder) as entries:
            return [each.name for each in entries if is_image(each.name) and not is_clutter(each.name)]
    except OSError:
        return []


def find_splits(root: Path, classes: Sequence[str] | None) -> dict[str, Path]:
    """The folder of each split; a root without splits is all training images.

    With the recipe's `classes` there is less to guess: where the root has a folder for each of them, and none of its
    splits does, it is the folder of the classes. Raises SpecError (E624) where folders could be read in two ways.
    """
    names = folders_in(root)
    found = _split_names(root, names)
    if not found or (classes and set(classes) <= {*names} and not _has_all(root, found.get(TRAIN, []), classes)):
        return {TRAIN: root}
    _refuse_unclear(root, found)
    splits = {split: _unwrapped(root / own[0], split) for split, own in found.items()}
    _refuse_same(splits)
    taken = {name for own in found.values() for name in own}
    _refuse_classes_beside(root, splits[TRAIN], [name for name in names if name not in taken])
    return {split: splits[split] for split in (TRAIN, VALIDATION, TEST) if split in splits}


def _has_all(root: Path, names: Sequence[str], classes: Sequence[str]) -> bool:
    return any(all((root / name / each).is_dir() for each in classes) for name in names)


def _refuse_unclear(root: Path, found: dict[str, list[str]]) -> None:
    for split, names in found.items():
        if len(names) > 1:
            message = f"{' and '.join(names)} in {root} could each be the {split} images"
            raise SpecError.of("E624", message, help="keep one of them, or put their images into one folder")
    if TRAIN not in found:
        names = [name for own in found.values() for name in own]
        what = "are names of splits" if len(names) > 1 else "is the name of a split"
        message = f"{root} has {' and '.join(names)}, which {what}"
        help = "name the folder of the training images `train`; for classes of these names, list them: data.classes"
        raise SpecError.of("E624", f"{message}, but no folder of training images", help=help)


def _unwrapped(folder: Path, split: str) -> Path:
    """The folder of a split's classes: some archives hold `test/test/…`."""
    while len(inner := folders_in(folder)) == 1 and split_of(inner[0]) == split and not images_in(folder):
        folder = folder / inner[0]
    return folder


def _refuse_same(splits: dict[str, Path]) -> None:
    """Raises SpecError (E624) for splits that are one folder, by a link."""
    real: dict[str, Path] = {}
    for folder in splits.values():
        other = real.setdefault(os.path.realpath(folder), folder)
        if other != folder:
            message = f"{other} and {folder} are the same folder"
            raise SpecError.of(
                "E624",
                message,
                help="remove the link; without it, images are set aside as the recipe's validation says",
            )


def _refuse_classes_beside(root: Path, train: Path, others: Sequence[str]) -> None:
    """Raises SpecError (E624) where folders beside `train` are classes as well, or it is one of them."""
    inner = folders_in(train)
    same = [name for name in others if name in inner]
    if same:
        message = f"{root} has the class{'es' if len(same) > 1 else ''} {some(same)} twice: beside {train} and in it"
        raise SpecError.of(
            "E624", message, help=f"--data-dir {train} reads the one, for the other move {train.name} elsewhere"
        )
    beside = [name for name in others if images_in(root / name)]
    if not inner and beside and images_in(train):
        message = f"{train} could be the training images or, like {some(beside)}, a class"
        raise SpecError.of(
            "E624", message, help="put its images into a folder for each class, or list the classes: data.classes"
        )


def refuse_nested(folder: Path, files: dict[str, list[str]]) -> None:
    """Raises SpecError (E624) where the folders of classes hold folders that could be the classes themselves.

    That the images of each class lie in one folder of the same name, as `images`, leaves no doubt.
    """
    nested: dict[str, list[str]] = {}
    for name, own in files.items():
        start = len(os.path.join(folder, name, ""))
        inner = [file[start:].split(os.sep)[0] for file in own if os.sep in file[start:]]
        if inner and (len(inner) == len(own) or (len(inner) > len(own) // 2 and len(set(inner)) > 1)):
            nested[name] = sorted(set(inner))
    together = {each for inner in nested.values() for each in inner}
    if not nested or (len(together) == 1 and nested.keys() == files.keys()):
        return
    name, inner = max(nested.items(), key=lambda each: len(each[1]))
    has = "has no images itself, but in its folders" if not images_in(folder / name) else "has most images in folders"
    help = "list the classes in the recipe: data.classes, or move the images up"
    if len(inner) > 1:
        help = f"{Question(str(folder / name))} Otherwise {help}"
    raise SpecError.of(
        "E624", f"{folder / name} {has} {some(inner)}: it is unclear which folders are the classes", help=help
    )


def refuse_split_names(folder: Path, names: Sequence[str]) -> None:
    """Raises SpecError (E624) for classes that are called like splits."""
    found = [name for name in names if split_of(name)]
    if found:
        message = (
            f"{some(found)} in {folder} could be {'splits or classes' if len(found) > 1 else 'a split or a class'}"
        )
        place = f"{Question(str(folder))} Otherwise " if len(found) > 1 else "rename it, or "
        raise SpecError.of("E624", message, help=f"{place}list the classes in the recipe: data.classes")


def some(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
