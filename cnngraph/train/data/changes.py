"""Differences between the images that a run recorded and those that are there now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.train.data.identity import (
    Identity,
    ImageFile,
    SplitDigest,
    by_content,
    fingerprint_files,
    identity_of,
    restore_splits,
)
from cnngraph.train.data.loading import Note
from cnngraph.train.data.split import Splits

MAX_NAMES = 3  # of changed files, in a message
MAX_CLASSES = 6


@frozen(slots=False)
class Changes:
    """What has changed, one line each: `conflicting` changes affect the run's own images, `added` images are new."""

    conflicting: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def lines(self) -> tuple[str, ...]:
        """All changes."""
        return (*self.conflicting, *self.added)


def find_changes(record: Identity, splits: Splits, root: Path, files: Sequence[ImageFile] | None = None) -> Changes:
    """Compare the images that are there now with a run's record; image files are compared regardless of their split.

    `files` are their fingerprints, if already known.
    """
    classes = _changed_classes(record.classes, splits.classes)
    if record.files:
        found = changed_files(record.files, fingerprint_files(splits, root) if files is None else files)
        return Changes([*classes, *found.conflicting], found.added)
    return Changes([*classes, *_changed_splits(record.splits, identity_of(splits, root).splits)])


def images_to_resume(run: Path, record: Identity, splits: Splits, root: Path, has_state: bool, note: Note) -> Splits:
    """The images of a resumed run as it recorded them; images added since are reported and not used.

    Raises SpecError (E644) for any other change if the run `has_state`, i.e. was trained on the images. Otherwise it
    restarts with the images that are there, and the changes are reported.
    """
    found = find_changes(record, splits, root)
    if found.conflicting and has_state:
        help = "undo the changes, or start a new run without `--resume`"
        message = f"the images of {run} have changed since it was trained on them"
        raise SpecError.of("E644", message, notes=found.lines, help=help)
    if not has_state:
        for line in found.lines:
            note(f"warning: {run} restarts with changed images: {line}")
        return splits
    for line in found.added:
        pronoun = "it" if line.startswith("1 ") else "them"
        note(f"warning: since {run} started, {line}; the run continues without {pronoun}")
    if record.root and record.root != str(root.resolve()):
        note(f"warning: the images are read from {root.resolve()} instead of {record.root}; they are the same")
    return restore_splits(splits, record) if record.files else splits


def _changed_classes(recorded: Sequence[str], current: Sequence[str]) -> list[str]:
    if tuple(recorded) == tuple(current):
        return []
    gone, new = [name for name in recorded if name not in current], [name for name in current if name not in recorded]
    if not gone and not new:
        return [f"the order of the classes has changed from {_first_classes(recorded)} to {_first_classes(current)}"]
    lines = []
    if gone:
        lines.append(f"{_plural(len(gone), 'class', 'classes')} of the run not found: {_first_classes(gone)}")
    if new:
        lines.append(f"{_plural(len(new), 'new class', 'new classes')}: {_first_classes(new)}")
    return lines


def _changed_splits(recorded: Mapping[str, SplitDigest], current: Mapping[str, SplitDigest]) -> list[str]:
    """The changes of sets whose images are not files."""
    lines = []
    for name in dict.fromkeys([*recorded, *current]):
        old, new = recorded.get(name), current.get(name)
        if old is None or new is None:
            lines.append(f"there are {'now' if new else 'no longer any'} {name} images")
        elif old.images != new.images:
            lines.append(f"there are {new.images:,} {name} images instead of {old.images:,}")
        elif old.labels != new.labels:
            lines.append(f"the labels of the {name} images have changed")
        elif old.content != new.content:
            lines.append(f"the pixels of the {name} images have changed")
    return lines


def changed_files(recorded: Sequence[ImageFile], current: Sequence[ImageFile]) -> Changes:
    """The differences between two lists of image files, regardless of their splits."""
    old, new = {file.name: file for file in recorded}, {file.name: file for file in current}
    both = [(file, new[name]) for name, file in old.items() if name in new]
    added = {name: file for name, file in new.items() if name not in old}
    moved = _moved([file for name, file in old.items() if name not in new], added.values())
    missing = [file for name, file in old.items() if name not in new and name not in moved]
    origin = by_content(recorded)
    changed = {a.name: origin.get((b.size, b.digest)) for a, b in both if not a.same_content(b)}

    def content(file: ImageFile) -> str:
        source = changed[file.name]
        return f"{file.name} (now has the content of {source.name})" if source else file.name

    conflicting = (
        _line("is missing", "are missing", missing),
        _line(
            "was renamed or moved",
            "were renamed or moved",
            [old[name] for name in moved],
            lambda file: f"{file.name} is now {moved[file.name]}",
        ),
        _line("has changed content", "have changed content", [old[name] for name in changed], content),
        _line("has changed its class", "have changed their class", [a for a, b in both if a.label != b.label]),
    )
    targets = set(moved.values())
    extra = [file for name, file in added.items() if name not in targets]
    summary = _plural(len(extra), "image was added", "images were added")
    return Changes([line for line in conflicting if line], [f"{summary}: {first_names(extra)}"] if extra else [])


def _moved(missing: Iterable[ImageFile], added: Iterable[ImageFile]) -> dict[str, str]:
    """The new names of missing files, found by their content."""
    files = by_content(added)
    found = {file.name: files.get((file.size, file.digest)) for file in missing}
    return {name: file.name for name, file in found.items() if file is not None}


def _name(file: ImageFile) -> str:
    return file.name


def first_names(files: Sequence[ImageFile], show: Callable[[ImageFile], str] = _name) -> str:
    """The names of the first few files."""
    return ", ".join(map(show, files[:MAX_NAMES])) + (", …" if len(files) > MAX_NAMES else "")


def _line(one: str, many: str, files: Sequence[ImageFile], show: Callable[[ImageFile], str] = _name) -> str:
    """`12 images are missing (7 train, 5 validation): a.png, b.png, c.png, …`; empty if there are no files."""
    if not files:
        return ""
    splits = Counter(file.split for file in files)
    counts = ", ".join(f"{count:,} {split}" for split, count in splits.items())
    verb = one if len(files) == 1 else many
    return f"{_plural(len(files), 'image', 'images')} {verb} ({counts}): {first_names(files, show)}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _first_classes(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MAX_CLASSES]) + (", …" if len(names) > MAX_CLASSES else "")
