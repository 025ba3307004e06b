"""Numbers of iterations that meant something else while absent iterations were not counted, in version 1.0."""

from __future__ import annotations

from typing import NamedTuple

from cnngraph.diagnostics import Diagnostic, Severity, Span
from cnngraph.elaborate.messages import ProblemError
from cnngraph.language.expressions.evaluate import ExpressionError, Reference
from cnngraph.text import in_backticks

SHOWN = 4  # iterations in a message


class Shift(NamedTuple):
    """A number of an iteration that meant something else while absent iterations were not counted.

    `alone`: at the end of a path it had another value; `inside`: a path led into another iteration. `tensor` is the
    number of the tensor that it was, although the iterations had names.
    """

    formerly: str
    absent: int  # the first iteration that was not counted
    alone: bool
    inside: bool
    tensor: int | None = None


def renumbered(repeat: str, numbers: list[int], span: Span) -> Diagnostic:
    """The warning for a repeat whose iterations, and so its modules, are called by other numbers than before."""
    shown = range(len(numbers[:SHOWN]))
    return Diagnostic(
        "W319",
        f"iterations after an absent one keep their numbers: {in_backticks(f'{repeat}.{numbers[at]}' for at in shown)}",
        span,
        Severity.WARNING,
        node=repeat,
        notes=(f"in version 1.0 of the language they were {in_backticks(f'{repeat}.{at}' for at in shown)}",),
        help='add `name: "0"` if these numbers are right, and rename the keys of weights that have the old ones',
    )


def shifted(path: str, repeat: str, shift: Shift, span: Span) -> ProblemError:
    """The error for a number that meant another iteration before absent iterations were counted."""
    message, help = _shifted(path, repeat, shift)
    notes = (
        f"absent iterations keep their numbers, so it is iteration {path.rpartition('.')[2]}",
        f"in version 1.0 of the language, which did not count them, it was {shift.formerly}",
    )
    return ProblemError("E319", message, span, notes=notes, help=help)


def shifted_shape(reference: Reference, used: int, shift: Shift) -> ExpressionError:
    """The same error for a path in an expression, whose first `used` parts end in the number."""
    trail = reference.trail[:used]
    message, help = _shifted(".".join((reference.name, *trail)), ".".join((reference.name, *trail[:-1])), shift)
    return ExpressionError(message, reference.start, reference.end_of(used), help, "E319")


def _shifted(path: str, repeat: str, shift: Shift) -> tuple[str, str]:
    message = f"`{path}` is ambiguous, since iteration {shift.absent} of `{repeat}` is absent"
    if shift.tensor is not None:
        which = f"`{repeat}[{shift.tensor}]` for {shift.formerly}"
        return message, f"write {which}, or add `gives: all` to `{repeat}` if you mean the iteration"
    return message, f'add `name: "0"` to `{repeat}` if you mean the iteration of that number'
