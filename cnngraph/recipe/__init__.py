"""The training recipe as data: its fields, reading and checks. Does not import PyTorch."""

from cnngraph.recipe.finding import find_recipe, load_recipe, recipe_names, recipe_table
from cnngraph.recipe.fit import check_fit
from cnngraph.recipe.kinds import Record
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.reading import read_recipe
from cnngraph.recipe.writing import to_dict, to_yaml

__all__ = [
    "Recipe",
    "check_fit",
    "find_recipe",
    "load_recipe",
    "read_recipe",
    "recipe_names",
    "recipe_schema",
    "recipe_table",
    "to_dict",
    "to_yaml",
]


def recipe_schema() -> dict[str, object]:
    """The JSON schema of a recipe, for editors."""
    return Record(Recipe).schema()
