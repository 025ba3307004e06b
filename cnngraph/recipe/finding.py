"""A recipe's name or path to its text."""

from __future__ import annotations

from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Span, SpecError, Suggestion, did_you_mean
from cnngraph.document import Table, parse, read_file
from cnngraph.file_kinds import RECIPE, kind_of, other_kind
from cnngraph.library import ENDINGS, library_root
from cnngraph.nearest import nearest
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
        beside = {each.stem: each for ending in ENDINGS for each in sorted(path.parent.glob(f"*{ending}"))}
        near = nearest(path.stem, beside)
        help = Suggestion(str(beside[near])) if near else None
        raise SpecError([Diagnostic("E606", f"there is no recipe file {name}", span, help=help)])
    known = recipe_names()
    if name in known:
        return library_root() / "recipes" / f"{name}.yaml"
    meant = did_you_mean(name, known) or f"the library has {', '.join(known)}; a file's name ends in .yaml"
    raise SpecError([Diagnostic("E606", f"there is no recipe {name}", span, help=meant)])


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
    if wrong := other_kind(value, RECIPE, "E601") or _indented(value):
        raise SpecError([wrong])
    return value


def _indented(table: Table) -> Diagnostic | None:
    """What is wrong with a recipe that stands under `train:`, as it does in a spec."""
    train = table.get("train")
    if train is None or not isinstance(train.value, Table) or kind_of(table):
        return None
    help = "take the word train: away, and move what is under it to the left"
    return Diagnostic("E601", f"in a file of its own a recipe has no word {train.key}", train.key_span, help=help)


def load_recipe(name: str) -> Recipe:
    """A recipe by name or path, read and checked. Raises SpecError."""
    recipe, diagnostics = read_recipe(recipe_table(name), name=Path(name).stem)
    if not recipe:
        raise SpecError(diagnostics)
    return recipe
