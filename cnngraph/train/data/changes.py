"""How the images of a run differ from those it began with, told by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.train.data.identity import Identity, Row, Split, as_recorded, digests, identity_of, rows_of
from cnngraph.train.data.images import Parts
from cnngraph.train.data.loading import Note

MOST_NAMED = 3  # of changed files, in a message
MOST_CLASSES = 6


@dataclass(frozen=True)
class Changes:
    """What has changed, a line each: `serious` are changes of the run's own images, `added` are images beside them."""

    serious: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.serious, *self.added)


def changes(record: Identity, parts: Parts, root: Path, rows: Sequence[Row] | None = None) -> Changes:
    """What is different in the images that are there now; image files are compared whatever split they are in.

    `rows` are their fingerprints, where they are known already.
    """
    classes = _classes(record.classes, parts.classes)
    if record.rows:
        found = changed_files(record.rows, rows_of(parts, root) if rows is None else rows)
        return Changes([*classes, *found.serious], found.added)
    return Changes([*classes, *_splits(record.splits, identity_of(parts, root).splits)])


def same_images(run: Path, record: Identity, parts: Parts, root: Path, learned: bool, note: Note) -> Parts:
    """The images of a run that is resumed, as it recorded them: what was added since is reported and not used.

    Raises SpecError (E644) where other things changed, if the run has `learned` from the images; if not it starts
    again from what there is, and the changes are reported.
    """
    found = changes(record, parts, root)
    if found.serious and learned:
        help = "undo the changes, or start a new run without --resume"
        message = f"the images of {run} are not those that it was trained on"
        raise SpecError.of("E644", message, notes=found.lines, help=help)
    if not learned:
        for line in found.lines:
            note(f"warning: {run} starts again, on images that have changed: {line}")
        return parts
    for line in found.added:
        note(f"warning: {line} since {run} began; the run continues without {_them(line)}")
    if record.root and record.root != str(root.resolve()):
        note(f"warning: the images are read from {root.resolve()}, they were in {record.root}; they are the same")
    return as_recorded(parts, record) if record.rows else parts


def _them(line: str) -> str:
    return "it" if line.startswith("1 ") else "them"


def _classes(then: Sequence[str], now: Sequence[str]) -> list[str]:
    if tuple(then) == tuple(now):
        return []
    gone, new = [each for each in then if each not in now], [each for each in now if each not in then]
    if not gone and not new:
        return [f"the classes are in another order: {_some(then)} became {_some(now)}"]
    lines = []
    if gone:
        lines.append(f"{_plural(len(gone), 'class', 'classes')} of the run not found: {_some(gone)}")
    if new:
        lines.append(f"{_plural(len(new), 'class', 'classes')} the run does not have: {_some(new)}")
    return lines


def _splits(then: Mapping[str, Split], now: Mapping[str, Split]) -> list[str]:
    """Differences of sets whose images have no names."""
    lines = []
    for name in dict.fromkeys([*then, *now]):
        old, new = then.get(name), now.get(name)
        if old is None or new is None:
            lines.append(f"there are {'now' if new else 'no longer any'} {name} images")
        elif old.images != new.images:
            lines.append(f"there are {new.images:,} {name} images, there were {old.images:,}")
        elif old.labels != new.labels:
            lines.append(f"the {name} images have other labels")
        elif old.content != new.content:
            lines.append(f"the {name} images have other pixels")
    return lines


def changed_files(then: Sequence[Row], now: Sequence[Row]) -> Changes:
    """What is different between two lists of image files, whatever split they are in."""
    old, new = {each.file: each for each in then}, {each.file: each for each in now}
    both = [(each, new[name]) for name, each in old.items() if name in new]
    added = {name: each for name, each in new.items() if name not in old}
    moved = _moved([each for name, each in old.items() if name not in new], added.values())
    missing = [each for name, each in old.items() if name not in new and name not in moved]
    origin = digests(then)
    changed = {a.file: origin.get((b.size, b.digest)) for a, b in both if not a.same_content(b)}

    def content(row: Row) -> str:
        source = changed[row.file]
        return f"{row.file} (now what {source.file} was)" if source else row.file

    serious = (
        _line("is missing", "are missing", missing),
        _line(
            "was renamed or moved",
            "were renamed or moved",
            [old[name] for name in moved],
            lambda row: f"{row.file} is now {moved[row.file]}",
        ),
        _line("has other content", "have other content", [old[name] for name in changed], content),
        _line("has another class", "have another class", [a for a, b in both if a.label != b.label]),
    )
    gone = set(moved.values())
    extra = [each for name, each in added.items() if name not in gone]
    beside = _plural(len(extra), "image was added", "images were added")
    return Changes([each for each in serious if each], [f"{beside}: {named_few(extra)}"] if extra else [])


def _moved(missing: Iterable[Row], added: Iterable[Row]) -> dict[str, str]:
    """Files that are there by another name, as their content says."""
    by_content = digests(added)
    found = {each.file: by_content.get((each.size, each.digest)) for each in missing}
    return {name: each.file for name, each in found.items() if each is not None}


def named_few(rows: Sequence[Row]) -> str:
    """The names of the first of some files."""
    return ", ".join(map(_name, rows[:MOST_NAMED])) + (", …" if len(rows) > MOST_NAMED else "")


def _name(row: Row) -> str:
    return row.file


def _line(one: str, many: str, files: Sequence[Row], show: Callable[[Row], str] = _name) -> str:
    """`12 images are missing (7 train, 5 validation): a.png, b.png, c.png, …`; empty where there are no such files."""
    if not files:
        return ""
    splits = Counter(each.split for each in files)
    where = ", ".join(f"{count:,} {split}" for split, count in splits.items())
    shown = ", ".join(map(show, files[:MOST_NAMED])) + (", …" if len(files) > MOST_NAMED else "")
    return f"{_plural(len(files), 'image', 'images')} {one if len(files) == 1 else many} ({where}): {shown}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MOST_CLASSES]) + (", …" if len(names) > MOST_CLASSES else "")
