"""Edits of a source, fixes made of them, and places where a fix may be found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cnngraph.diagnostics.source import Source, Span


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a source: the text at `span` is replaced by `text`. An empty span inserts."""

    span: Span
    text: str

    def to_dict(self) -> dict[str, object]:
        """The edit as `check --format json` prints it."""
        return {**self.span.to_dict(), "text": self.text}


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that removes an error, verified: with the edits applied, it is gone and no other one has appeared."""

    title: str
    edits: tuple[Edit, ...]

    def is_told_by(self, help: str) -> bool:
        """Whether a help says the same, so that a person need not read it twice."""
        return self.title == help or any(
            len(edit.text.strip()) > 1 and edit.text.strip() in help for edit in self.edits
        )

    def to_dict(self) -> dict[str, object]:
        """The fix as `check --format json` prints it."""
        return {"title": self.title, "edits": [each.to_dict() for each in self.edits]}


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap applied."""
    return _replaced(text, _places(text, edits))


Place: TypeAlias = tuple[int, int, str]  # where a text is replaced, from and to which character, and by what


def compose_edits(source: Source, first: Iterable[Edit], second: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits of a source that do what the first ones do, and then the second ones, whose places are in the text then."""
    text = source.text
    places = _places(text, first)
    between = _pieces(text, places)
    final: list[Piece] = []
    at = 0
    for start, end, new in _places(_replaced(text, places), second):
        final += [*_between(between, at, start), new]
        at = end
    final += _between(between, at, None)
    return tuple(Edit(_span(source, start, end), new) for start, end, new in _differing(final, len(text)))


Piece: TypeAlias = "tuple[int, int] | str"  # of a changed text: characters of the text before, or new ones


def _pieces(text: str, places: list[Place]) -> list[Piece]:
    """What the text with these places replaced consists of."""
    pieces: list[Piece] = []
    at = 0
    for start, end, new in places:
        pieces += [(at, start), new]
        at = end
    return [*pieces, (at, len(text))]


def _between(pieces: list[Piece], start: int, end: int | None) -> Iterator[Piece]:
    """The pieces from one character on to another, or to the end."""
    at = 0
    for piece in pieces:
        length = len(piece) if isinstance(piece, str) else piece[1] - piece[0]
        low, high = max(0, start - at), length if end is None else min(length, end - at)
        if low < high:
            yield piece[low:high] if isinstance(piece, str) else (piece[0] + low, piece[0] + high)
        at += length


def _differing(pieces: list[Piece], length: int) -> Iterator[Place]:
    """Where a text of these pieces is not the text of that length which they are taken from."""
    at, new = 0, ""
    for piece in [*pieces, (length, length)]:
        if isinstance(piece, str):
            new += piece
        else:
            if new or piece[0] > at:
                yield at, piece[0], new
            at, new = piece[1], ""


def _places(text: str, edits: Iterable[Edit]) -> list[Place]:
    starts = _line_starts(text)
    places = []
    for edit in edits:
        span = edit.span
        first, last = (min(number, len(starts)) - 1 for number in (span.line, span.end_line))
        places.append((starts[first] + span.column - 1, starts[last] + span.end_column - 1, edit.text))
    return sorted(places)


def _replaced(text: str, places: list[Place]) -> str:
    for start, end, new in reversed(places):
        text = text[:start] + new + text[end:]
    return text


def _span(source: Source, start: int, end: int) -> Span:
    """The place from one character of a text to another."""
    starts = _line_starts(source.text)
    first, last = (max(0, bisect_right(starts, position) - 1) for position in (start, end))
    return Span(source, first + 1, start - starts[first] + 1, last + 1, end - starts[last] + 1)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


@dataclass(frozen=True, slots=True)
class Cause:
    """A place that may hold the cause of an error: a node, or the value of its parameter `key`.

    `values` are what the value would have to be, written as in the source, as far as that is known. Where it is a list
    of sizes, `differs` are the positions of those that are not as they should be; none where even their number is not.
    """

    span: Span
    key: str = ""
    values: tuple[str, ...] = ()
    differs: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The place as `check --format json` prints it."""
        return {**self.span.to_dict(), "key": self.key or None, "values": list(self.values)}
