"""The changes that may fix an error, by its code and location."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit, Suggestion
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.edges import edges
from cnngraph.fixes.inputs import inputs
from cnngraph.fixes.names import keys, needless, repeated, spellings
from cnngraph.fixes.numbers import numbers
from cnngraph.fixes.ops import other_ops
from cnngraph.fixes.repaired import repaired
from cnngraph.fixes.syntax import slips
from cnngraph.fixes.values import arguments, missing, values
from cnngraph.fixes.written import TOKEN, Written

EDGES = ("E301", "E304", "E312", "E315", "E316", "E321", "E402")
SLIPS = ("E107", "E109", "E110", "E207", "E313", "E401", "E402", "E702")  # errors that a YAML typo may cause
UNCONNECTED = ("E205", "E206", "E207")  # errors whose fixes do not change which nodes are read
SUGGESTED = 0.99  # the cost of the name that the error itself suggests, which knows the names available there


def candidates(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Changes of a text that may fix the error."""
    if error.span is None or error.code == "E302":  # a node's new name is its author's choice
        return
    is_here = error.span.source == written.source
    if written.broken:
        if is_here:
            yield from slips(written, error)
            yield from spellings(written, error)
        return
    if is_here:
        yield from suggested(error)
        yield from spellings(written, error)
        yield from keys(written, error)
    if error.code == "E103":
        if is_here:
            yield from repeated(written, error)
        return
    if error.code in SLIPS and is_here:
        yield from slips(written, error, above=1)
    if error.code == "E207":
        yield from needless(written, error)
        yield from other_ops(written, error)
    yield from values(written, error)
    yield from arguments(written, error)
    yield from missing(written, error)
    if error.code.startswith("E2") or error.code == "E107":
        yield from inputs(written)
    if (error.code.startswith("E2") and error.code not in UNCONNECTED) or error.code in EDGES:
        yield from edges(written, error)
    if error.code.startswith("E2"):
        yield from numbers(written, error)
        yield from repaired(written, error)


def suggested(error: Diagnostic) -> Iterator[Candidate]:
    """The replacements that the error itself suggests, where its span is one name: not a path that the name begins."""
    assert error.span is not None
    is_name = error.span.line == error.span.end_line and TOKEN.fullmatch(error.span.text.removeprefix("$"))
    if is_name:
        for rank, name in enumerate(error.suggestions):
            if name.startswith("$") is not error.span.text.startswith("$"):
                continue  # what is wrong is the value of the expression
            yield Candidate(SUGGESTED + 0.01 * rank, Suggestion(name), (Edit(error.span, name),))
