"""Diagnostics: what is wrong with a text, where it stands, what led there, and one likely mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from itertools import islice

from cnngraph.text import one_line

MAX_UNDERLINED = 160  # characters of a source line that a message shows
MAX_MISTAKES = 100  # nobody reads more at once
MAX_NEAR = 200  # known words that are compared with a wrong one letter by letter


class Severity(StrEnum):
    """How bad it is: an error ends the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Source:
    """A text with the name a person knows it by: a file's path as given, or `--set out=3`."""

    name: str
    text: str = field(repr=False, compare=False)

    def line(self, number: int) -> str:
        """The line of that number (from 1), or an empty string past the end."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source: lines and columns count from 1, the end is exclusive."""

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
        """The text of the place, up to the end of its line."""
        line = self.source.line(self.line)[self.column - 1 :]
        return line[: self.end_column - self.column] if self.line == self.end_line else line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, told to the person who wrote the spec.

    `notes` are the facts that led to it, a line each; `node` is the path of the node it was met in.
    """

    code: str
    message: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    node: str | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None

    @property
    def file(self) -> str | None:
        """The file's name, as the person gave it."""
        return self.span.file if self.span else None

    @property
    def line(self) -> int | None:
        """The line, from 1."""
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        """The column, from 1."""
        return self.span.column if self.span else None

    def to_dict(self) -> dict[str, object]:
        """The facts as `check --format json` prints them."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "node": self.node,
            "help": self.help,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{self.severity}[{self.code}]: {one_line(self.message)}"]
        gutter = "  "
        if self.span:
            gutter = " " * len(str(self.span.line)) + " "
            node = f", node {self.node}" if self.node else ""
            where = one_line(f"{self.span.file}:{self.span.line}:{self.span.column}{node}")
            lines.append(f"{gutter[:-1]}--> {where}")
            lines += _underlined(self.span, gutter)
        lines += [f"{gutter}= {one_line(note)}" for note in self.notes]
        if self.help:
            lines.append(f"{gutter}help: {one_line(self.help)}")
        return "\n".join(lines)


def _underlined(span: Span, gutter: str) -> list[str]:
    """The source line with its place underlined; long lines are shown around the place."""
    text = span.source.line(span.line).replace("\t", " ")
    if not text.strip():
        return []
    start = max(0, span.column - 1)
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    cut = max(0, start - MAX_UNDERLINED // 2) if len(text) > MAX_UNDERLINED else 0
    shown = text[cut : cut + MAX_UNDERLINED].rstrip()
    last = max(start, min(end, cut + len(shown)))
    parts = text[cut:start], text[start:last], text[last : cut + len(shown)]
    before, marked, after = map(one_line, parts)  # escapes take more room than what they stand for
    return [
        f"{gutter}|",
        f"{span.line} | {before}{marked}{after}",
        f"{gutter}| {' ' * len(before)}{'^' * max(1, len(marked))}",
    ]


class SpecError(Exception):
    """A spec (or recipe, or weights file) is wrong: `diagnostics` says all that is.

    `speaks` is whether this process is the one to print it, where several train together; None: nobody has asked.
    """

    speaks: bool | None = None

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(str(each) for each in self.diagnostics))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class Mistakes(list[Diagnostic]):
    """What is wrong so far. Raises SpecError with all of it where there is more than anybody reads at once."""

    def append(self, each: Diagnostic) -> None:
        """Add one."""
        super().append(each)
        self.check()

    def extend(self, more: Iterable[Diagnostic]) -> None:
        """Add some."""
        super().extend(islice(more, MAX_MISTAKES + 1))
        self.check()

    def check(self) -> None:
        """Raise SpecError if there are too many."""
        if len(self) > MAX_MISTAKES:
            message = f"there are more than {MAX_MISTAKES} mistakes, of which these are some"
            raise SpecError([*self[:MAX_MISTAKES], Diagnostic("E504", message)])


def _plain(word: str) -> str:
    """A word without what different habits write differently: `AvgPool2d` and `avg_pool` are one."""
    letters = word.lower().replace("_", "").replace("-", "")
    return letters[:-2] if letters.endswith(("1d", "2d", "3d")) else letters


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean kernel?` for the known word nearest to `word`, if one is near."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, if one is near."""
    options = list(known)
    if len(options) > MAX_NEAR:  # a comparison takes its time: only with those that begin alike
        alike = (each for each in options if each.startswith(word[:2]) and abs(len(each) - len(word)) < 2)
        options = list(islice(alike, MAX_NEAR))
    plain = _plain(word)
    near = [each for each in options if _plain(each) == plain] or get_close_matches(word, options, n=1, cutoff=0.6)
    near = near or get_close_matches(plain, options, n=1, cutoff=0.6)
    return near[0] if near else None
