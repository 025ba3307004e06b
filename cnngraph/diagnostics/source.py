"""Sources and spans."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from pathlib import Path

from cnngraph.frozen import frozen
from cnngraph.text import one_line

MAX_EXCERPT = 160  # characters of a source line that a message shows


@frozen(slots=False)
class Source:
    """A text with the name that messages use for it: a file's path as given, or `--set out=3`.

    `path` is the file that it was read from, if it was read from one.
    """

    name: str
    text: str = field(repr=False, compare=False)
    path: Path | None = field(default=None, repr=False, compare=False)

    def line(self, number: int) -> str:
        """A line by its number (from 1), or an empty string past the end."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@frozen
class Span:
    """A range of a source: lines and columns count from 1, the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def file(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def text(self) -> str:
        """The text of the span, up to the end of its first line."""
        line = self.source.line(self.line)[self.column - 1 :]
        return line[: self.end_column - self.column] if self.line == self.end_line else line

    def excerpt(self) -> tuple[str, str, str] | None:
        """The first line in three parts: before the span, the span, and after it. Long lines are cut around it.

        None for an empty line. Control characters are escaped.
        """
        text = self.source.line(self.line).replace("\t", " ")
        if not text.strip():
            return None
        start = max(0, self.column - 1)
        end = self.end_column - 1 if self.end_line == self.line else len(text.rstrip())
        cut = max(0, start - MAX_EXCERPT // 2) if len(text) > MAX_EXCERPT else 0
        shown = text[cut : cut + MAX_EXCERPT].rstrip()
        last = max(start, min(end, cut + len(shown)))
        return one_line(text[cut:start]), one_line(text[start:last]), one_line(text[last : cut + len(shown)])

    def to_dict(self) -> dict[str, object]:
        """The place for JSON; lines and columns count from 1, the end is exclusive."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"
