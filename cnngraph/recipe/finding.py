"""A recipe's name or path to its text."""

from __future__ import annotations

from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from cnngraph.document import Table, parse, read_file
from cnngraph.library import ENDINGS, library_root
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.reading import read_recipe


def recipe_names() -> list[str]:
    """The names of the library's recipes."""
    return sorted(each.stem for each in (library_root() / "recipes").glob("*.yaml"))


def find_recipe(name: str, span: Span | None = None) -> Path:
    """The file of a recipe: a path that ends in .yaml as it is, any other name in the library.

    Raises SpecError (E606), at `span` where the name was read from a file.
    """
    if name.endswith(ENDINGS):
        path = Path(name)
        if path.is_file():
            return path
        raise SpecError([Diagnostic("E606", f"there is no recipe file {name}", span)])
    known = recipe_names()
    if name in known:
        return library_root() / "recipes" / f"{name}.yaml"
    help = did_you_mean(name, known) or f"the library has {', '.join(known)}; a file's name ends in .yaml"
    raise SpecError([Diagnostic("E606", f"there is no recipe {name}", span, help=help)])


def recipe_table(name: str, span: Span | None = None) -> Table:
    """The text of a recipe as a table, before it is checked. Raises SpecError."""
    path = find_recipe(name, span)
    source = read_file(path, name if name.endswith(ENDINGS) else f"recipes/{path.name}")
    value, diagnostics = parse(source)
    if diagnostics:
        raise SpecError(diagnostics)
    if not isinstance(value, Table):
        raise SpecError(
            [Diagnostic("E601", f"{source.name} is no recipe: it must be a table", value.span if value else None)]
        )
    return value


def load_recipe(name: str) -> Recipe:
    """A recipe by name or path, read and checked. Raises SpecError."""
    recipe, diagnostics = read_recipe(recipe_table(name), name=Path(name).stem)
    if not recipe:
        raise SpecError(diagnostics)
    return recipe
