"""Finding recipes by name or path."""

from __future__ import annotations

from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Span, SpecError, Suggestion, did_you_mean
from cnngraph.document import Table, parse, read_file
from cnngraph.file_kinds import RECIPE, kind_of, other_kind
from cnngraph.library import ENDINGS, library_root
from cnngraph.nearest import nearest


def recipe_names() -> list[str]:
    """The names of the bundled recipes."""
    return sorted(path.stem for path in (library_root() / "recipes").glob("*.yaml"))


def find_recipe(name: str, span: Span | None = None) -> Path:
    """The file of a recipe: a path that ends in .yaml, or the name of a bundled recipe.

    A name that was read from a file has a `span`; a path is then relative to that file's folder.
    Raises SpecError (E606).
    """
    if name.endswith(ENDINGS):
        path = Path(span.file).parent / name if span else Path(name)
        if path.is_file():
            return path
        siblings = {file.stem: file for ending in ENDINGS for file in sorted(path.parent.glob(f"*{ending}"))}
        near = nearest(path.stem, siblings)
        help = Suggestion(str(siblings[near])) if near else None
        raise SpecError.of("E606", f"cannot read {name}: file not found", span, help=help)
    known = recipe_names()
    if name in known:
        return library_root() / "recipes" / f"{name}.yaml"
    meant = did_you_mean(name, known) or f"use {', '.join(known)}, or the path of a .yaml file"
    raise SpecError.of("E606", f"there is no recipe called `{name}`", span, help=meant)


def recipe_table(name: str, span: Span | None = None) -> Table:
    """The YAML mapping of a recipe, before it is checked. Raises SpecError."""
    path = find_recipe(name, span)
    source = read_file(path, str(path) if name.endswith(ENDINGS) else f"recipes/{path.name}")
    value, diagnostics = parse(source)
    if diagnostics:
        raise SpecError(diagnostics)
    if not isinstance(value, Table):
        message = f"{source.name} is not a recipe: it must be a mapping"
        raise SpecError.of("E601", message, value.span if value else None)
    if wrong := other_kind(value, RECIPE, "E601") or _indented(value):
        raise SpecError([wrong])
    return value


def _indented(table: Table) -> Diagnostic | None:
    """The error if the recipe is under `train:`, as in a spec."""
    train = table.get("train")
    if train is None or not isinstance(train.value, Table) or kind_of(table):
        return None
    message = f"the keys of a recipe file belong at the top level, not under `{train.key}`"
    help = f"remove `{train.key}:` and unindent the lines below it"
    return Diagnostic("E601", message, train.key_span, help=help)
