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
    found = ((kind, table.get(word)) for kind, words in TELLING.items() for word in words)
    return next(((kind, entry.key_span) for kind, entry in found if entry), None)


def other_kind(table: Table, wanted: str, code: str) -> Diagnostic | None:
    """The error for a file of another kind than `wanted`; None if it is of that kind."""
    kind, span = kind_of(table) or (wanted, table.span)
    if kind == wanted:
        return None
    return Diagnostic(code, f"{span.file} is {kind}, not {wanted}", span, help=USES[kind].format(file=span.file))
