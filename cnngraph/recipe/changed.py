"""Which recipe a network is trained by: the spec's, or one that is named, with single fields changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.diagnostics import SpecError
from cnngraph.document import Entry, Scalar, Table, Value
from cnngraph.recipe.finding import recipe_names, recipe_table
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.reading import read_recipe, recipe_word

if TYPE_CHECKING:
    from cnngraph.language.load import Override
    from cnngraph.language.model import Word


def find_table(train: Table | Word | None, given: str | None) -> tuple[Table, str]:
    """The recipe's text and its name: `given` is that of `--recipe`, `train` what the spec says. Raises SpecError."""
    if given is not None:
        return recipe_table(given), Path(given).stem
    if isinstance(train, Table):
        return train, "train"
    if train is not None:
        return recipe_table(train.text, train.span), Path(train.text).stem
    help = f"give one: --recipe {', '.join(recipe_names())}, or a file that ends in .yaml"
    raise SpecError.of("E606", "the spec has no train:, and no recipe is given", help=help)


def read_changed(table: Table, changes: Iterable[Override], name: str) -> Recipe:
    """The recipe of a text with single fields changed. Raises SpecError."""
    for each in changes:
        table = _lay(table, each.name.split("."), each.value)
    recipe, diagnostics = read_recipe(table, name=name)
    if recipe is None:
        raise SpecError(diagnostics)
    return recipe


def in_recipe(name: str) -> str | None:
    """What --set calls the word of a recipe that a name is by itself."""
    word = recipe_word(name)
    return f"train.{word}" if word else None


def _lay(table: Table, path: list[str], value: Value) -> Table:
    """The table with one value changed; `optimizer: sgd` is short for `{name: sgd}`, so `optimizer.lr` goes beside."""
    old = table.get(path[0])
    if len(path) > 1 and old and isinstance(old.value, Scalar) and isinstance(old.value.value, str):
        name = Entry("name", old.value.span, old.value)
        table = table.replaced(path[:1], Table((name,), old.value.span))
    return table.replaced(path, value)
