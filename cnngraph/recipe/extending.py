"""Recipes that extend another: `extends: digits` in a recipe file, `train: {recipe: digits, epochs: 3}` in a spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cnngraph.diagnostics import SpecError
from cnngraph.document import Entry, Scalar, Table, Value
from cnngraph.fields import show_value
from cnngraph.recipe.finding import find_recipe, recipe_table

BASE_KEYS = ("extends", "recipe")  # each names the recipe to extend
NOT_INHERITED = "about"
MAX_BASES = 20


def resolved(table: Table) -> Table:
    """The mapping of a recipe, completed with the keys of the recipes that it extends; its own keys take precedence.

    Mappings are merged key by key, unless they have different values of `name`: another optimizer does not inherit the
    learning rate. Raises SpecError: E603 for a base that is not a string, E606 if it cannot be read, E615 for a cycle.
    """
    bases = list(_bases(table))
    merged = table
    for base in bases:
        inherited = replace(base, entries=tuple(entry for entry in base if entry.key != NOT_INHERITED))
        merged = _merged(inherited, merged)
    entries = tuple(entry for entry in merged if entry.key not in BASE_KEYS) if bases else table.entries
    return replace(table, entries=entries)


def _bases(table: Table) -> Iterator[Table]:
    """The recipes that a recipe extends, nearest first."""
    seen: list[str] = []
    notes: list[str] = []
    while entry := next(filter(None, map(table.get, BASE_KEYS)), None):
        name = entry.value
        if not (isinstance(name, Scalar) and isinstance(name.value, str)):
            message = f"`{entry.key}` must be the name or path of a recipe, got `{show_value(name.plain())}`"
            raise SpecError.of("E603", message, name.span)
        path = str(find_recipe(name.value, name.span).resolve())
        if path in seen or len(seen) == MAX_BASES:
            what = "extends itself" if path in seen else f"is in a chain of more than {MAX_BASES} `extends`"
            raise SpecError.of("E615", f"the recipe `{name.value}` {what}", name.span, notes=tuple(notes))
        seen.append(path)
        notes.append(f"extended at {name.span}: `{name.value}`")
        table = recipe_table(name.value, name.span)
        yield table


def _merged(base: Table, derived: Table) -> Table:
    """The entries of both mappings."""
    new = {entry.key: entry for entry in derived}
    kept = [
        replace(entry, value=_value(entry.value, new.pop(entry.key).value)) if entry.key in new else entry
        for entry in base
    ]
    return replace(derived, entries=(*kept, *new.values()))


def _value(base: Value, derived: Value) -> Value:
    """The value of a key that both mappings have."""
    if isinstance(base, Scalar) and isinstance(base.value, str):  # `sgd` is short for `{name: sgd}`
        base = Table((Entry("name", base.span, base),), base.span)
    if not (isinstance(base, Table) and isinstance(derived, Table)):
        return derived
    names = [name.value.plain() if (name := table.get("name")) else None for table in (base, derived)]
    return derived if None not in names and names[0] != names[1] else _merged(base, derived)
