"""Tells specs, recipes and experiments apart by their top-level keys."""

from __future__ import annotations

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document import Table

SPEC, RECIPE, EXPERIMENT = "a spec", "a recipe", "an experiment"
TELLING = {  # top-level keys that identify a kind of file
    SPEC: ("cnngraph", "nodes", "blocks", "input", "params", "import"),
    EXPERIMENT: ("specs",),
    RECIPE: ("data", "epochs", "optimizer", "extends"),
}
USES = {
    SPEC: "to train it, run `cnngraph train {file}`",
    EXPERIMENT: "to run it, use `cnngraph experiment {file}`",
    RECIPE: "to train a network with it, run `cnngraph train SPEC --recipe {file}`",
}


def kind_of(table: Table) -> tuple[str, Span] | None:
    """The kind of a file and the key that identifies it; None if no key does."""
    found = ((kind, table.get(key)) for kind, keys in TELLING.items() for key in keys)
    return next(((kind, entry.key_span) for kind, entry in found if entry), None)


def other_kind(table: Table, expected: str, code: str) -> Diagnostic | None:
    """The error for a file that is not of the expected kind; None if it is."""
    kind, span = kind_of(table) or (expected, table.span)
    if kind == expected:
        return None
    return Diagnostic(code, f"{span.file} is {kind}, not {expected}", span, help=USES[kind].format(file=span.file))
