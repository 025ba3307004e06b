"""Folds lines that are equal for consecutive iterations of a repeat: `layer3.1`, `layer3.2`, … become `layer3.1–35`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cnngraph.frozen import frozen

PATH = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+)+")  # in a sentence
NUMBER = re.compile(r"(?<![^.])\d{1,6}(?![^.])")  # a whole part of a path

Range = tuple[int, int]


@frozen
class Folded:
    """A line for the lines at `members`; `path` and `text` contain ranges of numbers."""

    path: str
    text: str
    members: tuple[int, ...]


def folded(lines: Sequence[tuple[str, str]]) -> list[Folded]:
    """Fold lines of a path and a text. Numbers of iterations in the text must count like those in the path."""
    found = [_Line.of(path, text, number) for number, (path, text) in enumerate(lines)]
    while len(shorter := _pass(found)) < len(found):
        found = shorter
    return [Folded(line.joined(0, line.in_path), line.joined(line.in_path, None), line.members) for line in found]


@frozen
class _Line:
    """The text between the numbers, and the numbers, as ranges; the first `in_path` are those of the path."""

    words: tuple[str, ...]
    ranges: tuple[Range, ...]
    in_path: int
    members: tuple[int, ...]

    @classmethod
    def of(cls, path: str, text: str, number: int) -> _Line:
        words, numbers = _parts(path)
        in_path, at = len(numbers), 0
        words.append("")
        for match in PATH.finditer(text):
            more, further = _parts(match[0])
            words[-1] += text[at : match.start()] + more[0]
            words += more[1:]
            numbers += further
            at = match.end()
        words[-1] += text[at:]
        return cls(tuple(words), tuple((value, value) for value in numbers), in_path, (number,))

    def joined(self, first: int, last: int | None) -> str:
        """The path, or the text after it."""
        start = first + (1 if last is None else 0)
        words = self.words[start:] if last is None else self.words[: last + 1]
        shown = [f"{low}–{high}" if low < high else f"{low}" for low, high in self.ranges[first:last]]
        return "".join(word + number for word, number in zip(words, [*shown, ""], strict=True))

    def continued(self, other: _Line) -> _Line | None:
        """Both lines as one, if the other one is the next iteration."""
        pairs = list(zip(self.ranges, other.ranges, strict=True))
        moved = [at for at, (mine, theirs) in enumerate(pairs) if mine != theirs]
        is_next = all(pairs[at][1][0] == pairs[at][0][1] + 1 for at in moved)
        before = {high - low for low, high in (self.ranges[at] for at in moved)}
        after = {high - low for low, high in (other.ranges[at] for at in moved)}
        if not is_next or after != {0} or len(before) != 1 or sum(at < self.in_path for at in moved) != 1:
            return None
        ranges = tuple((mine[0], theirs[1]) for mine, theirs in pairs)
        return _Line(self.words, ranges, self.in_path, (*self.members, *other.members))


def _parts(path: str) -> tuple[list[str], list[int]]:
    """A path without its numbers, and the numbers."""
    return NUMBER.split(path), [int(number) for number in NUMBER.findall(path)]


def _pass(lines: Sequence[_Line]) -> list[_Line]:
    """The lines, each of which is folded into the last one that it continues."""
    found: dict[int, _Line] = {}
    latest: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines):
        before = latest.get(line.words)
        joined = None if before is None else found[before].continued(line)
        if before is not None and joined is not None:
            found[before] = joined
        else:
            found[number] = line
            latest[line.words] = number
    return list(found.values())
