"""Edits of a source, fixes, and possible causes of errors."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from cnngraph.diagnostics.help import Question, Suggestion
from cnngraph.diagnostics.source import Source, Span
from cnngraph.frozen import frozen

IN_BACKTICKS = re.compile("`([^`]*)`")


@frozen
class Edit:
    """Replaces the text at `span` by `text`. An empty span inserts."""

    span: Span
    text: str

    def to_dict(self) -> dict[str, object]:
        """The edit as `check --format json` prints it."""
        return {**self.span.to_dict(), "text": self.text}


@frozen
class Fix:
    """A verified fix: with its edits applied the error is gone and there is no new one."""

    title: str
    edits: tuple[Edit, ...]

    @property
    def instruction(self) -> str:
        """The title in the imperative: ``replace `kernal` with `kernel` `` if it asks ``did you mean `kernel`?``."""
        if not isinstance(self.title, Question):
            return self.title
        if isinstance(self.title, Suggestion) and len(self.edits) == 1:
            edit = self.edits[0]
            return f"replace `{edit.span.text}` with `{edit.text}`"
        return f"use {self.title.meant}"

    def is_stated_in(self, help: str) -> bool:
        """Whether the help already shows the new text, so that the fix need not be printed as well."""
        shown = IN_BACKTICKS.findall(help)
        texts = [edit.text.strip() for edit in self.edits]
        return any(len(text) > 1 and text in code for text in texts for code in shown)

    def to_dict(self) -> dict[str, object]:
        """The fix as `check --format json` prints it."""
        return {"title": self.instruction, "edits": [edit.to_dict() for edit in self.edits]}


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits that do not overlap."""
    return _replaced(text, _places(text, edits))


Place: TypeAlias = tuple[int, int, str]  # start and end of the replaced text, and the new text


def compose_edits(source: Source, first: Iterable[Edit], second: Iterable[Edit]) -> tuple[Edit, ...]:
    """Compose edits: those of `second` apply to the text after `first`. Returns edits of the source."""
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


Piece: TypeAlias = "tuple[int, int] | str"  # of a changed text: a range of the old text, or new text


def _pieces(text: str, places: list[Place]) -> list[Piece]:
    """The pieces of the text after the replacements."""
    pieces: list[Piece] = []
    at = 0
    for start, end, new in places:
        pieces += [(at, start), new]
        at = end
    return [*pieces, (at, len(text))]


def _between(pieces: list[Piece], start: int, end: int | None) -> Iterator[Piece]:
    """The pieces between two positions, or to the end."""
    at = 0
    for piece in pieces:
        length = len(piece) if isinstance(piece, str) else piece[1] - piece[0]
        low, high = max(0, start - at), length if end is None else min(length, end - at)
        if low < high:
            yield piece[low:high] if isinstance(piece, str) else (piece[0] + low, piece[0] + high)
        at += length


def _differing(pieces: list[Piece], length: int) -> Iterator[Place]:
    """The replacements that turn the old text, of that length, into these pieces."""
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
    """The span between two positions of a text."""
    starts = _line_starts(source.text)
    first, last = (max(0, bisect_right(starts, position) - 1) for position in (start, end))
    return Span(source, first + 1, start - starts[first] + 1, last + 1, end - starts[last] + 1)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


@frozen
class Cause:
    """A possible cause of an error: a node, or the value of its parameter `key`.

    `values` are the values that would be right, as source text, if known. For a list of sizes, `differs` are the
    positions of the wrong ones; empty if their number is wrong.
    """

    span: Span
    key: str = ""
    values: tuple[str, ...] = ()
    differs: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The place as `check --format json` prints it."""
        return {**self.span.to_dict(), "key": self.key or None, "values": list(self.values)}
