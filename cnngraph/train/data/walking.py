"""Finds images in folders: each real file once, within limits; all other entries are counted."""

from __future__ import annotations

import os
import stat
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.train.data.formats import is_clutter, is_image

MAX_OTHERS = 20_000  # entries that are not images, after which a folder with few images counts as the wrong one
MIN_IMAGE_RATIO = 10  # at least one in so many entries must then be an image
MAX_DEPTH = 32  # levels of folders
NAME_FOLDER = "name the folder that contains the images"
SHOWN = 3  # examples of ignored entries

HIDDEN = "hidden or system entries"
LINKED = "links to files or folders already read, or to a folder above"
BROKEN = "broken links"
SPECIAL = "pipes, sockets or devices"
CLOSED = "folders that cannot be opened"


@dataclass(slots=True)
class Ignored:
    """Entries that were ignored: their number for each reason, and the first names in order."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count an entry."""
        self.add_many(reason, 1, name)

    def add_many(self, reason: str, count: int, name: str) -> None:
        """Count several entries under one name."""
        self.counts[reason] += count
        shown = self.names.setdefault(reason, [])
        if name not in shown and (len(shown) <= SHOWN or name < shown[-1]):
            insort(shown, name)
            del shown[SHOWN + 1 :]

    def add_other(self, name: str) -> None:
        """Count a file that is not an image, by its extension."""
        self.add("other files", os.path.splitext(name)[1].lower() or "no extension")

    def __str__(self) -> str:
        texts = []
        for reason, count in self.counts.items():
            shown = self.names[reason]
            texts.append(f"{reason}: {count:,} ({', '.join(shown[:SHOWN])}{', …' if len(shown) > SHOWN else ''})")
        return "; ".join(texts)


def refuse_system_folder(folder: Path) -> None:
    """Raise SpecError (E625) for a system folder: its trees are endless and have no images."""
    real = Path(os.path.realpath(folder))
    if real == Path(real.anchor):
        raise SpecError.of(
            "E625",
            f"{folder} is the root of the file system, not a folder of images",
            help=NAME_FOLDER,
        )
    top = real.parts[1] if real.anchor == "/" else ""
    if top in {"proc", "sys"} or (top == "dev" and real.parts[2:3] != ("shm",)):
        raise SpecError.of("E625", f"{folder} is a system folder, not a folder of images", help=NAME_FOLDER)


def image_files(
    folders: Sequence[Path], ignored: Ignored, inside: Path | None = None, entered: set[str] | None = None
) -> list[list[str]]:
    """The images in and below each folder, in the order of folders and names.

    Every real file counts once: links are followed after all real entries, and not to files or folders that were read
    already or are above a folder (or above `inside`). Real folders are added to `entered`. Raises SpecError (E625).
    """
    walk = _Walk(ignored, [] if inside is None else [os.path.realpath(inside)], set() if entered is None else entered)
    for owner, folder in enumerate(folders):
        walk.found.append([])
        walk.enter(owner, os.fspath(folder), os.path.realpath(folder), 0)
    while walk.links:
        links, walk.links = walk.links, []
        for link in sorted(links):
            walk.follow(*link)
    return [[os.path.join(*entry) for entry in sorted(found)] for found in walk.found]


@dataclass(slots=True)
class _Walk:
    """The state of a walk through several folders. An `owner` is the position of one of these folders."""

    ignored: Ignored
    tops: list[str]  # real folders; folders above them are not entered
    entered: set[str]  # real folders
    found: list[list[tuple[str, str]]] = field(default_factory=list)  # for each owner, the folder and name of images
    links: list[tuple[int, str, str, str, int]] = field(default_factory=list)  # the arguments of `follow`
    targets: set[str] = field(default_factory=set)  # files read through links
    parents: dict[str, str] = field(default_factory=dict)
    images: int = 0
    others: int = 0

    def enter(self, owner: int, folder: str, real: str, depth: int) -> None:
        """Search a folder and all folders below it."""
        if not depth:
            self.tops.append(real)
        waiting = [(folder, real, depth)]
        while waiting:
            folder, real, depth = waiting.pop()
            if real in self.entered:
                self.ignored.add(LINKED, os.path.basename(folder))
                continue
            if depth > MAX_DEPTH:
                raise SpecError.of(
                    "E625",
                    f"{folder} is more than {MAX_DEPTH} folders deep",
                    help=NAME_FOLDER,
                )
            self.entered.add(real)
            try:
                with os.scandir(folder) as entries:
                    waiting += [
                        (entry.path, os.path.join(real, entry.name), depth + 1)
                        for entry in entries
                        if self._is_folder(owner, entry, folder, real, depth)
                    ]
            except OSError as error:
                if not depth:
                    raise SpecError.of(
                        "E625", f"{folder} cannot be opened: {error.strerror}", help="grant read permission"
                    ) from None
                self.ignored.add(CLOSED, os.path.basename(folder))

    def _is_folder(self, owner: int, entry: os.DirEntry[str], folder: str, real: str, depth: int) -> bool:
        """Whether an entry is a real folder; other entries are recorded here."""
        name = entry.name
        if is_clutter(name):
            self._ignore(HIDDEN, name, folder)
            return False
        try:
            if entry.is_symlink():
                self.links.append((owner, folder, name, real, depth))
                return False
            if entry.is_dir():
                return True
            regular = entry.is_file()
        except OSError:
            regular = False
        if not regular:
            self._ignore(SPECIAL, name, folder)
        elif is_image(name):
            self.images += 1
            self.found[owner].append((folder, name))
        else:
            self._ignore(None, name, folder)
        return False

    def _ignore(self, reason: str | None, name: str, folder: str) -> None:
        """Count an ignored entry; raises SpecError (E625) if nearly all entries are ignored."""
        if reason:
            self.ignored.add(reason, name)
        else:
            self.ignored.add_other(name)
        self.others += 1
        if self.others > MAX_OTHERS and self.images * MIN_IMAGE_RATIO < self.others:
            message = f"only {self.images:,} of the entries below {self.tops[0]} are images, {self.others:,} are not"
            raise SpecError.of("E625", f"{message}; the search was stopped in {folder}", help=NAME_FOLDER)

    def follow(self, owner: int, folder: str, name: str, real: str, depth: int) -> None:
        """Read the target of a link, unless it is read anyway."""
        try:
            target = self._target(real, name)
            mode = os.stat(target).st_mode
        except OSError:
            self._ignore(BROKEN, name, folder)
            return
        if stat.S_ISDIR(mode):
            if target in self.entered or any(is_above(target, path) for path in (real, *self.tops)):
                self._ignore(LINKED, name, folder)
            else:
                self.enter(owner, os.path.join(folder, name), target, depth + 1)
        elif not stat.S_ISREG(mode):
            self._ignore(SPECIAL, name, folder)
        elif not is_image(name):
            self._ignore(None, name, folder)
        elif target in self.targets or self._is_read(target):
            self._ignore(LINKED, name, folder)
        else:
            self.targets.add(target)
            self.images += 1
            self.found[owner].append((folder, name))

    def _is_read(self, target: str) -> bool:
        """Whether a file is in a searched folder and is read there."""
        parent, name = os.path.split(target)
        return parent in self.entered and is_image(name) and not is_clutter(name)

    def _target(self, real: str, name: str) -> str:
        """The target of a link. The folder of the target is resolved only once for many links."""
        path = os.path.join(real, name)
        parent, name = os.path.split(os.path.join(real, os.readlink(path)))
        if name in {"", ".", ".."}:
            return os.path.realpath(path)
        if parent not in self.parents:
            self.parents[parent] = os.path.realpath(parent)
        target = os.path.join(self.parents[parent], name)
        return os.path.realpath(target) if os.path.islink(target) else target


def is_above(folder: str, other: str) -> bool:
    """Whether a real folder is the same as another one or contains it."""
    return folder == other or other.startswith(os.path.join(folder, ""))
