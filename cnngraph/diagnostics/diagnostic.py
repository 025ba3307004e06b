"""A diagnostic: code, severity, location, message, facts and fixes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from cnngraph.diagnostics.edits import Cause, Fix
from cnngraph.diagnostics.help import Suggestion
from cnngraph.diagnostics.source import Span
from cnngraph.frozen import frozen
from cnngraph.text import one_line

if TYPE_CHECKING:
    from cnngraph.diagnostics.repairs import Repair

MAX_ERRORS = 100  # reported at once
MAX_ARTICLES, MAX_NOTES = 20, 12  # diagnostics that a notebook shows, and notes of each
INTERNAL = {"cnngraph", "contextlib", "IPython"}  # packages whose lines say nothing about an author's error


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

    def _repr_html_(self) -> str:
        return diagnostics_html([self])

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
    """The source line with the span underlined."""
    parts = span.excerpt()
    if parts is None:
        return []
    before, marked, after = parts  # escape sequences are longer than the characters
    return [
        f"{gutter}|",
        f"{span.line} | {before}{marked}{after}",
        f"{gutter}| {' ' * len(before)}{'^' * max(1, len(marked))}",
    ]


def diagnostics_html(diagnostics: Sequence[Diagnostic], *more: str) -> str:
    """The diagnostics as a notebook shows them, and more HTML below them."""
    from cnngraph import markup  # only notebooks need it

    parts = ["".join(_article(diagnostic)) for diagnostic in diagnostics[:MAX_ARTICLES]]
    if len(diagnostics) > MAX_ARTICLES:
        parts.append(markup.paragraph(f"… and {len(diagnostics) - MAX_ARTICLES:,} more", "muted"))
    return markup.page(*parts, *more)


def _article(diagnostic: Diagnostic) -> Iterator[str]:
    from cnngraph import markup

    kind = "error" if diagnostic.is_error else "warning"
    yield f'<article class="of-{kind}">'
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    yield f'<p><b class="{kind}">{markup.text(head)}</b>: {markup.sentence(diagnostic.message)}</p>'
    if span := diagnostic.span:
        node = f", node {diagnostic.node}" if diagnostic.node else ""
        yield markup.paragraph(f"{span.file}:{span.line}:{span.column}{node}", "muted")
        if parts := span.excerpt():
            before, marked, after = map(markup.text, parts)
            yield f'<pre>{span.line} | {before}<u class="{kind}">{marked or " "}</u>{after}</pre>'
    if diagnostic.notes:
        notes = "".join(f"<li>{markup.sentence(note)}</li>" for note in diagnostic.notes[:MAX_NOTES])
        yield f'<ul class="muted">{notes}</ul>'
    for line in diagnostic.advice(most_fixes=3):
        label, _, advice = line.partition(": ")
        yield f'<p><b class="fix">{markup.text(label)}</b>: {markup.sentence(advice)}</p>'
    yield "</article>"


class SpecError(Exception):
    """A spec (or recipe, or weights file) has errors, listed in `diagnostics`.

    `speaks` is whether this process prints it when several train together; None if not decided. `valid_part` is the
    graph up to the errors, if there is one; a notebook draws it below the messages.
    """

    speaks: bool | None = None
    valid_part: Any = None  # a Graph, which is in a layer above

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    @classmethod
    def of(
        cls, code: str, message: str, span: Span | None = None, *, notes: tuple[str, ...] = (), help: str | None = None
    ) -> SpecError:
        """The exception for a single error."""
        return cls([Diagnostic(code, message, span, notes=notes, help=help)])

    def _repr_html_(self) -> str:
        drawing = self.valid_part._repr_svg_() if self.valid_part is not None else None
        return diagnostics_html(self.diagnostics, *([drawing[drawing.index("<svg") :]] if drawing else []))

    def _render_traceback_(self) -> list[str]:
        """What IPython prints for an uncaught error: the author's own lines, and the message instead of internals."""
        return [*_own_lines(self), "", str(self)]

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


def _own_lines(error: BaseException) -> Iterator[str]:
    """The lines of an error's traceback that are the author's: `line 3: cnngraph.load("net.yaml")`."""
    import linecache

    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in INTERNAL:
            code = linecache.getline(frame.f_code.co_filename, step.tb_lineno, frame.f_globals)
            yield f"line {step.tb_lineno}: {one_line(code.strip())}"
        step = step.tb_next
