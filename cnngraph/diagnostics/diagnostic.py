"""A diagnostic: code, severity, location, message, facts and fixes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from cnngraph.diagnostics.edits import Cause, Fix
from cnngraph.diagnostics.help import Suggestion
from cnngraph.diagnostics.source import Span
from cnngraph.frozen import frozen
from cnngraph.text import one_line

if TYPE_CHECKING:
    from cnngraph.diagnostics.repairs import Repair

MAX_UNDERLINED = 160  # characters of a source line that a message shows
MAX_ERRORS = 100  # reported at once


class Severity(StrEnum):
    """An error ends the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Diagnostic:
    """An error or warning about a source.

    `notes` are the facts that led to it, one per line. `node` is the path of the node it occurred in, `key` the
    parameter or key that it is about, if any. `fixes` are verified edits, likeliest first. `causes` are where a fix may
    be needed, nearest first; `repairs` are changes that fix the shapes, not verified on the text.
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
        """Replacements for the wrong name at `span`, or for the one that begins there, likeliest first."""
        return self.help.names if isinstance(self.help, Suggestion) else ()

    @property
    def is_error(self) -> bool:
        """Whether it is an error, which ends the compilation."""
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
        """The diagnostic as `check --format json` prints it."""
        place = dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            **(self.span.to_dict() if self.span else place),
            "node": self.node,
            "notes": list(self.notes),
            "causes": [cause.to_dict() for cause in self.causes],
            "help": self.help,
            "suggestions": list(self.suggestions),
            "fixes": [fix.to_dict() for fix in self.fixes],
        }

    def advice(self, most_fixes: int | None = None) -> Iterator[str]:
        """The lines `help: …` and `fix: …`. A fix was verified, and `check --fix` applies the first one."""
        fixes = self.fixes[:most_fixes]
        is_fix = self.help in [fix.title for fix in fixes]
        is_stated = any(fix.is_stated_in(self.help or "") for fix in fixes)
        if self.help and not is_fix:
            yield f"{'fix' if is_stated else 'help'}: {one_line(self.help)}"
        for fix in fixes:
            if is_fix or not fix.is_stated_in(self.help or ""):
                yield f"fix: {one_line(fix.instruction)}"

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
        lines += [f"{gutter}{line}" for line in self.advice(most_fixes=1)]
        return "\n".join(lines)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them is an error. Errors stop a command, warnings are only printed."""
    return any(diagnostic.is_error for diagnostic in diagnostics)


def _underlined(span: Span, gutter: str) -> list[str]:
    """The source line with the span underlined; long lines are cut around it."""
    text = span.source.line(span.line).replace("\t", " ")
    if not text.strip():
        return []
    start = max(0, span.column - 1)
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    cut = max(0, start - MAX_UNDERLINED // 2) if len(text) > MAX_UNDERLINED else 0
    shown = text[cut : cut + MAX_UNDERLINED].rstrip()
    last = max(start, min(end, cut + len(shown)))
    parts = text[cut:start], text[start:last], text[last : cut + len(shown)]
    before, marked, after = map(one_line, parts)  # escape sequences are longer than the characters
    return [
        f"{gutter}|",
        f"{span.line} | {before}{marked}{after}",
        f"{gutter}| {' ' * len(before)}{'^' * max(1, len(marked))}",
    ]


class SpecError(Exception):
    """A spec (or recipe, or weights file) has errors, listed in `diagnostics`.

    `speaks` is whether this process prints it when several train together; None if not decided.
    """

    speaks: bool | None = None

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    @classmethod
    def of(
        cls, code: str, message: str, span: Span | None = None, *, notes: tuple[str, ...] = (), help: str | None = None
    ) -> SpecError:
        """The exception for a single error."""
        return cls([Diagnostic(code, message, span, notes=notes, help=help)])

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


def warnings_of(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics if all of them are warnings, else raise SpecError with all of them."""
    found = tuple(diagnostics)
    if has_errors(found):
        raise SpecError(found)
    return found


class DiagnosticList(list[Diagnostic]):
    """A list of diagnostics that raises SpecError with its contents when it exceeds MAX_ERRORS."""

    def append(self, diagnostic: Diagnostic) -> None:
        """Append a diagnostic."""
        super().append(diagnostic)
        self.check()

    def extend(self, more: Iterable[Diagnostic]) -> None:
        """Append several diagnostics."""
        super().extend(islice(more, MAX_ERRORS + 1))
        self.check()

    def check(self) -> None:
        """Raise SpecError if there are too many."""
        if len(self) > MAX_ERRORS:
            message = f"more than {MAX_ERRORS} errors; the first {MAX_ERRORS} are shown"
            raise SpecError([*self[:MAX_ERRORS], Diagnostic("E504", message)])
