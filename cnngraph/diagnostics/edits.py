"""Edits of a source, fixes made of them, and places where a fix may be found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from cnngraph.diagnostics.source import Source, Span


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a source: the text at `span` is replaced by `text`. An empty span inserts."""

    span: Span
    text: str

    def to_dict(self) -> dict[str, object]:
        """The edit as `check --format json` prints it; lines and columns count from 1, the end is exclusive."""
        span = self.span
        place = {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
        return {"file": span.file, **place, "text": self.text}


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


Place = tuple[int, int, str]  # where a text is replaced, from and to which character, and by what


def compose_edits(source: Source, first: Iterable[Edit], second: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits of a source that do what the first ones do, and then the second ones, whose places are in the text then."""
    text = source.text
    places = _places(text, first)
    between = _replaced(text, places)
    for start, end, new in reversed(_places(between, second)):
        places = _composed(places, between, (start, end, new))
    return tuple(Edit(_span(source, start, end), new) for start, end, new in places)


def _composed(places: list[Place], between: str, later: Place) -> list[Place]:
    """The places with one more change, of the text `between`; changes that touch become one."""
    start, end, new = later
    kept: list[Place] = []
    touched: list[tuple[Place, int, int]] = []
    shift = before = 0
    for place in places:
        first, last = place[0] + shift, place[0] + shift + len(place[2])
        shift += len(place[2]) - (place[1] - place[0])
        if start <= last and end >= first:
            touched.append((place, first, last))
        else:
            kept.append(place)
            before = shift if last < start else before
    if not touched:
        return sorted([*kept, (start - before, end - before, new)])
    (first_place, low, _), (last_place, _, high) = touched[0], touched[-1]
    text = between[low:start] + new + between[end:high]
    old_start = first_place[0] - max(0, low - start)
    old_end = last_place[1] + max(0, end - high)
    return sorted([*kept, (old_start, old_end, text)])


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
