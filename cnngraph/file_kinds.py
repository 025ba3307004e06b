"""What a YAML file is, by its top-level keys: a spec, a recipe or an experiment."""

from __future__ import annotations

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document import Table

SPEC, RECIPE, EXPERIMENT = "a spec", "a recipe", "an experiment"
TELLING = {  # words by which a file is known for what it is
    SPEC: ("cnngraph", "nodes", "blocks", "extends"),
    EXPERIMENT: ("specs",),
    RECIPE: ("data", "epochs", "optimizer"),
}
USES = {
    SPEC: "to train it, run `cnngraph train {file}`",
    EXPERIMENT: "to run it, use `cnngraph experiment {file}`",
    RECIPE: "to train a network with it, run `cnngraph train SPEC --recipe {file}`",
}


def kind_of(table: Table) -> tuple[str, Span] | None:
    """What a file is by its top words, and the first of those; None where they do not tell."""
    found = ((kind, table.get(word)) for kind, words in TELLING.items() for word in words)
    return next(((kind, entry.key_span) for kind, entry in found if entry), None)


def other_kind(table: Table, wanted: str, code: str) -> Diagnostic | None:
    """What is wrong with a file that is of another kind than is wanted."""
    kind, span = kind_of(table) or (wanted, table.span)
    if kind == wanted:
        return None
    return Diagnostic(code, f"{span.file} is {kind}, not {wanted}", span, help=USES[kind].format(file=span.file))
