"""One thing that is wrong with a source: code, severity, place, message, facts and fixes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from cnngraph.diagnostics.edits import Cause, Fix
from cnngraph.diagnostics.help import Suggestion
from cnngraph.diagnostics.source import Span
from cnngraph.text import one_line

if TYPE_CHECKING:
    from cnngraph.diagnostics.repairs import Repair

MAX_UNDERLINED = 160  # characters of a source line that a message shows
MAX_MISTAKES = 100  # nobody reads more at once


class Severity(StrEnum):
    """How bad it is: an error ends the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, told to the person who wrote the spec.

    `notes` are the facts that led to it, a line each; `node` is the path of the node it was met in, and `key` the
    parameter or key that it is about, if it is about one. `fixes` are verified changes of the text, likeliest first.
    `causes` are where a fix may be found, nearest first, and `repairs` what would do as far as the shapes show.
    """

    code: str
    message: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    node: str | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()
    key: str = ""
    causes: tuple[Cause, ...] = field(default=(), repr=False, compare=False)
    repairs: tuple[Repair, ...] = field(default=(), repr=False, compare=False)

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What may have been meant by the text at `span`, likeliest first."""
        return self.help.names if isinstance(self.help, Suggestion) else ()

    @property
    def is_error(self) -> bool:
        """Whether it ends the compilation; a warning does not."""
        return self.severity is Severity.ERROR

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
            "suggestions": list(self.suggestions),
            "notes": list(self.notes),
            "fixes": [each.to_dict() for each in self.fixes],
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
        lines += [
            f"{gutter}fix: {one_line(each.title)}" for each in self.fixes[:1] if not each.is_told_by(self.help or "")
        ]
        return "\n".join(lines)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether one of them is an error: errors stop what a command does, warnings are printed and it continues."""
    return any(diagnostic.is_error for diagnostic in diagnostics)


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

    @classmethod
    def of(
        cls, code: str, message: str, span: Span | None = None, *, notes: tuple[str, ...] = (), help: str | None = None
    ) -> SpecError:
        """The exception for a single error."""
        return cls([Diagnostic(code, message, span, notes=notes, help=help)])

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


def warnings_of(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics, where all of them are warnings. Raises SpecError with all of them where there is an error."""
    found = tuple(diagnostics)
    if has_errors(found):
        raise SpecError(found)
    return found


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
            message = f"more than {MAX_MISTAKES} errors; the first {MAX_MISTAKES} are shown"
            raise SpecError([*self[:MAX_MISTAKES], Diagnostic("E504", message)])
