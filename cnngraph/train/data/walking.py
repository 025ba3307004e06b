"""Looking through folders for images: each real file once, within bounds, and everything passed over is counted."""

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

MOST_OTHERS = 20_000  # entries that are no images, before a folder with few images counts as the wrong one
FEWEST_IMAGES = 10  # one entry in so many must be an image then
MOST_DEPTH = 32  # levels of folders
ELSEWHERE = "name the folder that holds the images"
SHOWN = 3  # examples of what was passed over

HIDDEN = "hidden or system entries"
LINKED = "links to what is read already or lies above"
BROKEN = "broken links"
SPECIAL = "pipes, sockets or devices"
CLOSED = "folders that cannot be opened"


@dataclass(slots=True)
class Passed:
    """What was passed over: how many entries for each reason, and the first names in order."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count an entry."""
        self.add_many(reason, 1, name)

    def add_many(self, reason: str, count: int, name: str) -> None:
        """Count some entries of one place."""
        self.counts[reason] += count
        shown = self.names.setdefault(reason, [])
        if name not in shown and (len(shown) <= SHOWN or name < shown[-1]):
            insort(shown, name)
            del shown[SHOWN + 1 :]

    def other(self, name: str) -> None:
        """Count a file that is no image, by its ending."""
        self.add("other files", os.path.splitext(name)[1].lower() or "without an ending")

    def __str__(self) -> str:
        said = []
        for reason, count in self.counts.items():
            shown = self.names[reason]
            said.append(f"{reason}: {count:,} ({', '.join(shown[:SHOWN])}{', …' if len(shown) > SHOWN else ''})")
        return "; ".join(said)


def check_place(folder: Path) -> None:
    """Raises SpecError (E625) for a place of the system: its trees have no end, and no images."""
    real = Path(os.path.realpath(folder))
    if real == Path(real.anchor):
        raise SpecError.of(
            "E625",
            f"{folder} is the root of the file system, not a folder of images",
            help=ELSEWHERE,
        )
    top = real.parts[1] if real.anchor == "/" else ""
    if top in {"proc", "sys"} or (top == "dev" and real.parts[2:3] != ("shm",)):
        raise SpecError.of("E625", f"{folder} is a system folder, not a folder of images", help=ELSEWHERE)


def image_files(
    folders: Sequence[Path], passed: Passed, inside: Path | None = None, sees: set[str] | None = None
) -> list[list[str]]:
    """The images in and below each folder, in order of folders and names.

    Every real file counts once: links are followed after everything that lies there itself, and not to what has been
    read or lies above (also not above `inside`). Real folders are added to `sees`. Raises SpecError (E625).
    """
    walk = _Walk(passed, [] if inside is None else [os.path.realpath(inside)], set() if sees is None else sees)
    for owner, folder in enumerate(folders):
        walk.found.append([])
        walk.enter(owner, os.fspath(folder), os.path.realpath(folder), 0)
    while walk.links:
        links, walk.links = walk.links, []
        for link in sorted(links):
            walk.follow(*link)
    return [[os.path.join(*each) for each in sorted(found)] for found in walk.found]


@dataclass(slots=True)
class _Walk:
    """The state of a walk through several folders."""

    passed: Passed
    tops: list[str]  # real folders; what lies above them is not entered
    seen: set[str]  # real folders that were entered
    found: list[list[tuple[str, str]]] = field(default_factory=list)
    links: list[tuple[int, str, str, str, int]] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)  # files read by way of links
    parents: dict[str, str] = field(default_factory=dict)
    images: int = 0
    others: int = 0

    def enter(self, owner: int, folder: str, real: str, depth: int) -> None:
        """Look through a folder and those in it."""
        if not depth:
            self.tops.append(real)
        waiting = [(folder, real, depth)]
        while waiting:
            folder, real, depth = waiting.pop()
            if real in self.seen:
                self.passed.add(LINKED, os.path.basename(folder))
                continue
            if depth > MOST_DEPTH:
                raise SpecError.of(
                    "E625",
                    f"{folder} is more than {MOST_DEPTH} folders deep",
                    help=ELSEWHERE,
                )
            self.seen.add(real)
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
                        "E625", f"{folder} cannot be opened: {error.strerror}", help="give read permission"
                    ) from None
                self.passed.add(CLOSED, os.path.basename(folder))

    def _is_folder(self, owner: int, entry: os.DirEntry[str], folder: str, real: str, depth: int) -> bool:
        """Count an entry; True for a folder to enter now."""
        name = entry.name
        if is_clutter(name):
            self._pass(HIDDEN, name, folder)
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
            self._pass(SPECIAL, name, folder)
        elif is_image(name):
            self.images += 1
            self.found[owner].append((folder, name))
        else:
            self._pass(None, name, folder)
        return False

    def _pass(self, reason: str | None, name: str, folder: str) -> None:
        if reason:
            self.passed.add(reason, name)
        else:
            self.passed.other(name)
        self.others += 1
        if self.others > MOST_OTHERS and self.images * FEWEST_IMAGES < self.others:
            message = f"{self.others:,} entries below {self.tops[0]} are no images, {self.images:,} are"
            raise SpecError.of("E625", f"{message}; the search was given up in {folder}", help=ELSEWHERE)

    def follow(self, owner: int, folder: str, name: str, real: str, depth: int) -> None:
        """Read what a link leads to, if it is not read otherwise."""
        try:
            target = self._target(real, name)
            mode = os.stat(target).st_mode
        except OSError:
            self._pass(BROKEN, name, folder)
            return
        if stat.S_ISDIR(mode):
            if target in self.seen or any(is_above(target, each) for each in (real, *self.tops)):
                self._pass(LINKED, name, folder)
            else:
                self.enter(owner, os.path.join(folder, name), target, depth + 1)
        elif not stat.S_ISREG(mode):
            self._pass(SPECIAL, name, folder)
        elif not is_image(name):
            self._pass(None, name, folder)
        elif target in self.targets or self._is_read(target):
            self._pass(LINKED, name, folder)
        else:
            self.targets.add(target)
            self.images += 1
            self.found[owner].append((folder, name))

    def _is_read(self, target: str) -> bool:
        """Whether a file lies in a folder that is looked through, and is read there."""
        parent, name = os.path.split(target)
        return parent in self.seen and is_image(name) and not is_clutter(name)

    def _target(self, real: str, name: str) -> str:
        """Where a link leads; of many links into one folder, that folder is resolved once."""
        path = os.path.join(real, name)
        parent, name = os.path.split(os.path.join(real, os.readlink(path)))
        if name in {"", ".", ".."}:
            return os.path.realpath(path)
        if parent not in self.parents:
            self.parents[parent] = os.path.realpath(parent)
        target = os.path.join(self.parents[parent], name)
        return os.path.realpath(target) if os.path.islink(target) else target


def is_above(folder: str, other: str) -> bool:
    """Whether a real folder is another one, or one that it lies in."""
    return folder == other or other.startswith(os.path.join(folder, ""))
