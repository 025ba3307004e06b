"""Errors of the elaboration, and messages for unknown and ambiguous names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Cause, Diagnostic, Known, Span, Suggestion
from cnngraph.graph.nodes import Ref
from cnngraph.language.expressions.evaluate import ExpressionError, Reference
from cnngraph.language.names import better_name
from cnngraph.nearest import nearest

if TYPE_CHECKING:
    from cnngraph.diagnostics.repairs import Repair

MOST_LISTED = 12  # available names in a message
NOT_KNOWN_YET = "either it is defined later and itself reads this node, or its path depends on a shape"
BREAK_CYCLE = "break the cycle by changing one `from`; to run a block several times, use `repeat`"


class ProblemError(Exception):
    """An error that ends the elaboration of one node."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        notes: Iterable[str] = (),
        help: str | None = None,
        key: str = "",
        causes: Iterable[Cause] = (),
        repairs: Iterable[Repair] = (),
    ) -> None:
        super().__init__(message)
        self.path = ""  # of the operation, if it is not the node that reports the error
        self.reads: tuple[Ref, ...] | None = None
        self.diagnostic = Diagnostic(
            code,
            message,
            span,
            notes=tuple(notes),
            help=help,
            key=key,
            causes=tuple(causes),
            repairs=tuple(repairs),
        )

    def about(self, path: str, reads: tuple[Ref, ...]) -> ProblemError:
        """The same error, with the path of the operation and what it reads."""
        self.path, self.reads = path, reads
        return self

    def moved(self, span: Span) -> ProblemError:
        """The same error, reported where a module runs again rather than where it is written."""
        self.diagnostic = moved(self.diagnostic, span)
        return self


def moved(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """The diagnostic at another location; the original one becomes a note."""
    notes = (
        diagnostic.notes
        if diagnostic.span == span
        else (f"the module at {diagnostic.span} runs again here", *diagnostic.notes)
    )
    return replace(diagnostic, span=span, notes=notes)


class UnknownError(Exception):
    """A value depends on a node with an error. Report nothing: that error has been reported."""


def wrong_expression(error: ExpressionError, text: str, span: Span, quoted: bool, names: Iterable[str]) -> ProblemError:
    """An expression's error as a ProblemError; `names` are the available nodes."""
    hyphened = next((name for name in names if "-" in name and f"${name}" in text), None)
    help = f"`-` means minus here: list `{hyphened}` in `from` and write `$from`" if hyphened else error.help
    return ProblemError(error.code, error.message, _part_of(span, error, quoted), help=help)


def _part_of(span: Span, error: ExpressionError, quoted: bool) -> Span:
    """The part of an expression's span that an error is about."""
    if span.line != span.end_line:
        return span
    column = span.column + quoted
    return replace(span, column=column + error.start, end_column=max(column + error.end, column + error.start + 1))


def bad_name(name: str, reason: str, span: Span) -> ProblemError:
    """The error for an invalid node name."""
    return ProblemError(
        "E302",
        f"`{name}` is not a valid node name: {reason}",
        span,
        help=f"rename it, for example to `{better_name(name)}`",
    )


def too_late(name: str, start: int, end: int) -> tuple[str, int, int, str, str]:
    """The arguments of an ExpressionError about a node that is elaborated later."""
    return f"`${name}` is not known yet when this node is evaluated", start, end, NOT_KNOWN_YET, "E315"


def ambiguous_shape(reference: Reference) -> ExpressionError:
    """The error for a path in an expression that refers to tensors of different shapes."""
    message = f"`{reference}` is ambiguous: it refers to tensors of different shapes"
    help = "select a tensor of a list with `[0]`, as in `$x[0].channels`, or rename one of the nodes"
    return ExpressionError(message, reference.start, reference.end, help, "E319")


def no_number(reference: Reference, used: int) -> ExpressionError:
    """The error for a number that is no node, in a node whose nodes are numbered."""
    path = ".".join((reference.name, *reference.trail[:used]))
    number = reference.trail[used]
    help = f"write `${path}[{number}]` for tensor {number} of its list"
    return ExpressionError(
        f"`{path}` contains no node `{number}`", reference.start, reference.end_of(used + 1), help, "E402"
    )


def unknown_name(reference: Reference, known: list[str], in_repeat: bool = False) -> ExpressionError:
    """The error for an undefined `$name`."""
    name = reference.name
    start, end = reference.start, reference.end
    if name in ("i", "item") and not in_repeat:
        message = f"`${name}` is only defined inside a repeat"
        help = (
            "`repeat`, `when`, `name` and the carried input are evaluated once, before the first iteration; "
            "the op's parameters are evaluated in every iteration"
        )
        return ExpressionError(message, start, end, help=help, code="E402")
    near = nearest(name, [*known, *(("i", "item") if in_repeat else ())])
    help = Suggestion(f"${near}") if near else _known(known)
    return ExpressionError(f"`${name}` is not defined here", start, end, help=help, code="E402")


def _known(known: list[str]) -> Known:
    names = [f"${name}" for name in known]
    return Known.listed("defined here:", names, MOST_LISTED) if names else Known("no names are defined here")


def names_available(options: Iterable[str]) -> Known:
    """Help that lists names a path can begin with."""
    return Known.listed("names available here:", options, MOST_LISTED)
