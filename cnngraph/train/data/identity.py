"""What the images of a run are recognised by, so that it is noticed when they are others than those it began with.

A run writes down which image belongs to which split, and what each contains: `images.csv` for image files, digests in
`data.json` for all sets. When it is resumed or evaluated the images are compared with that.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnngraph import run_files
from cnngraph.stored_documents import images_digest
from cnngraph.train.data.images import Images, InMemory, Part, Parts

SPLITS = ("train", "validation", "test")
ENDS = 32_768  # bytes at each end of a file that are read for its digest
MOST_READ = 50_000  # files of which each is read; of more, so many spread evenly, and of the others only the size
MOST_SAMPLED = 2**22  # bytes of pixels that go into the digest of a set that is no files
WORKERS = 4
HEADER = ["split", "class", "file", "bytes", "digest"]


class Row(NamedTuple):
    """An image file of a run. `digest` is empty where only the size is known."""

    split: str
    label: str  # the name of its class
    file: str  # relative to the data folder, with /
    size: int
    digest: str

    def same_content(self, other: Row) -> bool:
        """Whether two files have the same content, as far as it is known."""
        return self.size == other.size and (not self.digest or not other.digest or self.digest == other.digest)


@dataclass(frozen=True, slots=True)
class Split:
    """What a split is recognised by."""

    images: int
    labels: str
    content: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The images of a run: classes in order, splits, and the image files in the order in which each split has them."""

    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    rows: tuple[Row, ...] = ()
    root: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What data.json has of it."""
        splits = {name: asdict(self.splits[name]) for name in SPLITS if name in self.splits}
        file, digest = (run_files.IMAGES if self.rows else None), images_digest(self.classes, splits)
        return {"root": self.root, "file": file, "sha256": digest, "splits": splits}

    @property
    def sha256(self) -> str:
        """A digest of everything but the place."""
        digest: str = self.to_dict()["sha256"]
        return digest

    def table(self) -> str:
        r"""The image files as CSV (RFC 4180: with `\r\n`, so that a `\r` in a name is quoted)."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(HEADER)
        writer.writerows(self.rows)
        return text.getvalue()


def identity_of(parts: Parts, root: Path) -> Identity:
    """What the images of a run are recognised by. Files are looked up below `root`."""
    rows = rows_of(parts, root)
    if rows:
        splits = {name: _split_of_rows(_of(name, rows)) for name in named(parts)}
        return Identity(parts.classes, splits, tuple(rows), str(root.resolve()))
    return Identity(parts.classes, {name: _split_of_tensors(part) for name, part in named(parts).items()})


def read_identity(classes: Sequence[str], facts: Mapping[str, Any], table: str | None) -> Identity | None:
    """What `to_dict` and `table` wrote; None where the table is not the one that the facts are of."""
    splits = {name: Split(**each) for name, each in facts["splits"].items()}
    try:
        rows = _rows(table) if table is not None else ()
    except (ValueError, csv.Error):
        return None
    if table is not None and {name: _split_of_rows(_of(name, rows)) for name in splits} != splits:
        return None
    return Identity(tuple(classes), splits, rows, facts["root"])


def _of(split: str, rows: Sequence[Row]) -> list[Row]:
    return [each for each in rows if each.split == split]


def _rows(table: str) -> tuple[Row, ...]:
    header, *lines = csv.reader(io.StringIO(table, newline=""))
    if header != HEADER:
        raise ValueError("another header")
    return tuple(Row(split, label, file, int(size), digest) for split, label, file, size, digest in lines)


def named(parts: Parts) -> dict[str, Part]:
    """The splits that there are, by name."""
    found = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {name: each for name, each in found.items() if each is not None and len(each)}


def rows_of(parts: Parts, root: Path) -> list[Row]:
    """The image files of all splits; empty where the images are no files."""
    files = [
        (split, parts.classes[label], part.images.names[index])
        for split, part in named(parts).items()
        if part.images.names
        for index, label in zip(part.indices.tolist(), part.images.labels[part.indices].tolist(), strict=True)
    ]
    every = max(1, -(-len(files) // MOST_READ))
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda at: _fingerprint(root / files[at][2], at % every == 0), range(len(files)))
        return [Row(*each, *contents) for each, contents in zip(files, found, strict=True)]


def _fingerprint(path: Path, read: bool) -> tuple[int, str]:
    """The size of a file and, if it is `read`, a digest of its two ends; -1 for one that cannot be read."""
    try:
        size = path.stat().st_size
        if not read:
            return size, ""
        with path.open("rb") as file:
            ends = file.read(2 * ENDS if size <= 2 * ENDS else ENDS)
            if size > 2 * ENDS:
                file.seek(size - ENDS)
                ends += file.read(ENDS)
    except OSError:
        return -1, ""
    return size, hashlib.blake2b(ends, digest_size=12).hexdigest()


def _split_of_rows(rows: Sequence[Row]) -> Split:
    labels, content = hashlib.sha256(), hashlib.sha256()
    for each in rows:
        labels.update(f"{each.label}\n".encode(errors="surrogateescape"))
        content.update(f"{each.file}\n{each.size}\n{each.digest}\n".encode(errors="surrogateescape"))
    return Split(len(rows), labels.hexdigest(), content.hexdigest())


def _split_of_tensors(part: Part) -> Split:
    """Of images in memory: all labels, and pixels of images that are spread evenly."""
    images, indices = part.images, part.indices
    labels = hashlib.sha256(images.labels[indices].cpu().numpy().tobytes())
    content = hashlib.sha256(repr(tuple(images.shape)).encode())
    if isinstance(images, InMemory):
        one = images.pixels[0].numel()
        every = max(1, -(-len(indices) * one // MOST_SAMPLED))
        content.update(images.pixels[indices[::every]].cpu().numpy().tobytes())
    return Split(len(indices), labels.hexdigest(), content.hexdigest())


def as_recorded(parts: Parts, record: Identity) -> Parts:
    """The images of a run in the splits, and in the order, that it recorded; those that are gone are left out."""
    place: dict[str, tuple[Images, int]] = {}
    for part in named(parts).values():
        for index in part.indices.tolist():
            place[part.images.names[index]] = (part.images, index)
    found: dict[str, Part] = {}
    for split in SPLITS:
        places = [place[each.file] for each in record.rows if each.split == split and each.file in place]
        if places:
            images = places[0][0]  # a split comes from one folder, so all are in one set
            found[split] = Part(images, torch.tensor([index for held, index in places if held is images]))
    none = replace(parts.train, indices=parts.train.indices[:0])
    train, validation, test = found.get("train", none), found.get("validation"), found.get("test")
    return replace(parts, train=train, validation=validation, test=test)


def digests(rows: Iterable[Row]) -> dict[tuple[int, str], Row]:
    """The files by their content, where it is known."""
    return {(each.size, each.digest): each for each in rows if each.digest}
