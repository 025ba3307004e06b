"""The identity of a run's images: a record by which changed images are noticed.

A run records which image belongs to which split, and fingerprints of their content: `images.csv` for image files, and
digests in `data.json` for all sets. When the run is resumed or evaluated, the images are compared with this record.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cnngraph import run_files
from cnngraph.frozen import frozen
from cnngraph.stored_documents import images_digest
from cnngraph.train.data.images import Images, InMemory
from cnngraph.train.data.split import Split, Splits

SPLITS = ("train", "validation", "test")
ENDS = 32_768  # bytes at each end of a file that go into its digest
MAX_READ = 50_000  # files whose content is read; of more files, an evenly spaced sample, and the sizes of the others
MAX_SAMPLED = 2**22  # bytes of pixels that go into the digest of images in memory
WORKERS = 4
HEADER = ["split", "class", "file", "bytes", "digest"]


class ImageFile(NamedTuple):
    """The fingerprint of an image file. `digest` is empty if only the size is known."""

    split: str
    label: str  # the name of its class
    name: str  # relative to the data folder, with /
    size: int
    digest: str

    def same_content(self, other: ImageFile) -> bool:
        """Whether two files have the same content, as far as known."""
        return self.size == other.size and (not self.digest or not other.digest or self.digest == other.digest)


@frozen
class SplitDigest:
    """The number of images of a split, and digests of their labels and content."""

    images: int
    labels: str
    content: str


@frozen
class Identity:
    """The images of a run: classes in order, digests of the splits, and the image files in the order of each split."""

    classes: tuple[str, ...]
    splits: Mapping[str, SplitDigest]
    files: tuple[ImageFile, ...] = ()
    root: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The part of the identity that is stored in data.json."""
        splits = {name: asdict(self.splits[name]) for name in SPLITS if name in self.splits}
        file, digest = (run_files.IMAGES if self.files else None), images_digest(self.classes, splits)
        return {"root": self.root, "file": file, "sha256": digest, "splits": splits}

    @property
    def sha256(self) -> str:
        """A digest of everything but the location."""
        digest: str = self.to_dict()["sha256"]
        return digest

    def to_csv(self) -> str:
        r"""The image files as CSV (RFC 4180, with `\r\n`, so that a `\r` in a name is quoted)."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(HEADER)
        writer.writerows(self.files)
        return text.getvalue()


def identity_of(splits: Splits, root: Path) -> Identity:
    """The identity of a run's images, whose files are below `root`."""
    files = fingerprint_files(splits, root)
    if files:
        digests = {name: _digest_of_files(_in_split(name, files)) for name in named_splits(splits)}
        return Identity(splits.classes, digests, tuple(files), str(root.resolve()))
    return Identity(splits.classes, {name: _digest_of_tensors(split) for name, split in named_splits(splits).items()})


def read_identity(classes: Sequence[str], facts: Mapping[str, Any], table: str | None) -> Identity | None:
    """The identity that `to_dict` and `to_csv` wrote; None if the CSV does not match the digests in `facts`."""
    splits = {name: SplitDigest(**digest) for name, digest in facts["splits"].items()}
    try:
        files = _read_csv(table) if table is not None else ()
    except (ValueError, csv.Error):
        return None
    if table is not None and {name: _digest_of_files(_in_split(name, files)) for name in splits} != splits:
        return None
    return Identity(tuple(classes), splits, files, facts["root"])


def _in_split(split: str, files: Sequence[ImageFile]) -> list[ImageFile]:
    return [file for file in files if file.split == split]


def _read_csv(table: str) -> tuple[ImageFile, ...]:
    header, *lines = csv.reader(io.StringIO(table, newline=""))
    if header != HEADER:
        raise ValueError("unexpected header")
    return tuple(ImageFile(split, label, name, int(size), digest) for split, label, name, size, digest in lines)


def named_splits(splits: Splits) -> dict[str, Split]:
    """The splits that are not empty, by name."""
    found = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: split for name, split in found.items() if split is not None and len(split)}


def fingerprint_files(splits: Splits, root: Path) -> list[ImageFile]:
    """Fingerprints of the image files of all splits; empty if the images are not files."""
    files = [
        (name, splits.classes[label], split.images.names[index])
        for name, split in named_splits(splits).items()
        if split.images.names
        for index, label in zip(split.indices.tolist(), split.images.labels[split.indices].tolist(), strict=True)
    ]
    stride = max(1, -(-len(files) // MAX_READ))
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda index: _fingerprint(root / files[index][2], index % stride == 0), range(len(files)))
        return [ImageFile(*file, *fingerprint) for file, fingerprint in zip(files, found, strict=True)]


def _fingerprint(path: Path, read: bool) -> tuple[int, str]:
    """The size of a file and, with `read`, a digest of its two ends; -1 if it cannot be read."""
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


def _digest_of_files(files: Sequence[ImageFile]) -> SplitDigest:
    labels, content = hashlib.sha256(), hashlib.sha256()
    for file in files:
        labels.update(f"{file.label}\n".encode(errors="surrogateescape"))
        content.update(f"{file.name}\n{file.size}\n{file.digest}\n".encode(errors="surrogateescape"))
    return SplitDigest(len(files), labels.hexdigest(), content.hexdigest())


def _digest_of_tensors(split: Split) -> SplitDigest:
    """The digest of images in memory: all labels, and the pixels of an evenly spaced sample."""
    images, indices = split.images, split.indices
    labels = hashlib.sha256(images.labels[indices].cpu().numpy().tobytes())
    content = hashlib.sha256(repr(tuple(images.shape)).encode())
    if isinstance(images, InMemory):
        image_bytes = images.pixels[0].numel()
        stride = max(1, -(-len(indices) * image_bytes // MAX_SAMPLED))
        content.update(images.pixels[indices[::stride]].cpu().numpy().tobytes())
    return SplitDigest(len(indices), labels.hexdigest(), content.hexdigest())


def restore_splits(splits: Splits, record: Identity) -> Splits:
    """The images in the splits and in the order that a run recorded, without those that are missing now."""
    positions: dict[str, tuple[Images, int]] = {}
    for split in named_splits(splits).values():
        for index in split.indices.tolist():
            positions[split.images.names[index]] = (split.images, index)
    found: dict[str, Split] = {}
    for name in SPLITS:
        recorded = [positions[file.name] for file in record.files if file.split == name and file.name in positions]
        if recorded:
            images = recorded[0][0]  # a split comes from one folder, so its images are in one set
            found[name] = Split(images, torch.tensor([index for owner, index in recorded if owner is images]))
    empty = replace(splits.train, indices=splits.train.indices[:0])
    train, validation, test = found.get("train", empty), found.get("validation"), found.get("test")
    return replace(splits, train=train, validation=validation, test=test)


def by_content(files: Iterable[ImageFile]) -> dict[tuple[int, str], ImageFile]:
    """The files by size and digest, if the digest is known."""
    return {(file.size, file.digest): file for file in files if file.digest}
