"""The earlier iterations that an iteration of a repeat reads if `carry` counts them back: `carry: [1, 2]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnngraph.diagnostics import Span
from cnngraph.document import Listing, Value
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.values import Reads, Tensors
from cnngraph.fields import show_value
from cnngraph.language.expressions.values import count_steps
from cnngraph.text import in_backticks

SHOWN = 3  # iterations in a message


def read_back(back: Value, before: Sequence[Tensors], reads: Reads, env: Env, name: str) -> Reads:
    """What an iteration reads of those before it. `before` is the repeat's input and the values of iterations so far.

    So number 1 of `back` is the last of them, and the graph cannot have a cycle. The other `reads` are unchanged.
    """
    number = len(before) - 1
    chosen = [before[-count] for count in _counts(back, env, number, name)]
    refs = tuple(ref for value in chosen for ref in value.refs)
    count_steps(len(refs))
    value = chosen[0] if len(chosen) == 1 else Tensors(refs, True)
    which = "the previous iteration" if value == before[-1] else "earlier iterations"
    return Reads((value, *reads.values[1:]), (which, *reads.names[1:]), reads.explicit, passes=chosen[0])


def _counts(back: Value, env: Env, number: int, name: str) -> list[int]:
    """The evaluated numbers of `carry`, from 1 to the number of values so far."""
    found = env.always(back, "carry")
    counts: list[Any] = list(found) if isinstance(found, list | tuple) else [found]
    if not counts:
        message = f"`carry` is an empty list, so iteration {number} of `{name}` reads nothing"
        raise ProblemError("E205", message, back.span, help="1 is the previous iteration")
    count_steps(len(counts))
    for at, count in enumerate(counts):
        span = back.items[at].span if isinstance(back, Listing) else back.span
        if type(count) is not int or count < 1:
            raise _no_count(count, span)
        if count > number + 1:
            raise _too_far(count, span, number, name)
    return counts


def _no_count(count: Any, span: Span) -> ProblemError:
    message = f"`carry` counts iterations back, from 1 for the previous one, got `{show_value(count)}`"
    help = None
    if isinstance(count, float):
        help = "use `//` or `int(…)` to get an integer"
    elif count == 0 and type(count) is int:
        help = "0 would be the iteration itself"
    elif type(count) is int:
        help = f"write `{-count}` for {-count} iterations back"
    return ProblemError("E205", message, span, help=help)


def _too_far(count: int, span: Span, number: int, name: str) -> ProblemError:
    """The error for an iteration before the first one, and before the repeat's input."""
    shown = [f"{name}.{at}" for at in range(number)]
    if len(shown) > SHOWN:
        shown = [shown[0], "…", shown[-1]]
    exists = f"{in_backticks(shown)} and the repeat's input, which is {number + 1} back"
    message = f"iteration {number} of `{name}` reads {count} iterations back, before the repeat's input"
    note = f"before it are {exists}" if number else "only the repeat's input is before it, which is 1 back"
    help = "leave it out where it does not exist: `[$n for $n in [1, 2] if $n <= $i + 1]`"
    return ProblemError("E301", message, span, notes=(note,), help=help)
