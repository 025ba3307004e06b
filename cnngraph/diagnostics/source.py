"""Sources and spans."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from pathlib import Path

from cnngraph.frozen import frozen


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
