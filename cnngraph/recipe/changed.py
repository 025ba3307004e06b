"""The recipe of a run: that of the spec, or another one, with individual keys overridden."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.diagnostics import SpecError
from cnngraph.document import Entry, Scalar, Table, Value
from cnngraph.recipe.finding import recipe_names, recipe_table
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.reading import read_recipe, recipe_key

if TYPE_CHECKING:
    from cnngraph.language.load import Override
    from cnngraph.language.model import LocatedText


def find_table(train: Table | LocatedText | None, option: str | None) -> tuple[Table, str]:
    """The mapping and name of the recipe: `option` is the value of `--recipe`, `train` that of the spec.

    Raises SpecError (E606).
    """
    if option is not None:
        return recipe_table(option), Path(option).stem
    if isinstance(train, Table):
        return train, "train"
    if train is not None:
        return recipe_table(train.text, train.span), Path(train.text).stem
    help = f"add `--recipe NAME`, where NAME is {', '.join(recipe_names())} or a .yaml file"
    raise SpecError.of("E606", "no recipe: the spec has no `train`, and `--recipe` is missing", help=help)


def read_changed(table: Table, changes: Iterable[Override], name: str) -> Recipe:
    """Read a recipe with individual keys overridden. Raises SpecError."""
    for change in changes:
        table = _override(table, change.name.split("."), change.value)
    recipe, diagnostics = read_recipe(table, name=name)
    if recipe is None:
        raise SpecError(diagnostics)
    return recipe


def in_recipe(name: str) -> str | None:
    """The name to use with `--set` for a recipe key given without `train.`, or None if there is no such key."""
    key = recipe_key(name)
    return f"train.{key}" if key else None


def _override(table: Table, path: list[str], value: Value) -> Table:
    """The mapping with one value changed. `optimizer: sgd` is short for `{name: sgd}`, to which `optimizer.lr` adds."""
    old = table.get(path[0])
    if len(path) > 1 and old and isinstance(old.value, Scalar) and isinstance(old.value.value, str):
        name = Entry("name", old.value.span, old.value)
        table = table.replaced(path[:1], Table((name,), old.value.span))
    return table.replaced(path, value)
