"""Edits of a source, fixes made of them, and places where a fix may be found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cnngraph.diagnostics.source import Span


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
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    places = []
    for edit in edits:
        span = edit.span
        first, last = (min(number, len(starts)) - 1 for number in (span.line, span.end_line))
        places.append((starts[first] + span.column - 1, starts[last] + span.end_column - 1, edit.text))
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


@dataclass(frozen=True, slots=True)
class Cause:
    """A place that may hold the cause of an error: a node, or the value of its parameter `key`.

    `values` are what the value would have to be, written as in the source, as far as that is known.
    """

    span: Span
    key: str = ""
    values: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The place as `check --format json` prints it."""
        return {**self.span.to_dict(), "key": self.key or None, "values": list(self.values)}
