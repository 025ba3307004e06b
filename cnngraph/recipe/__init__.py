"""The training recipe as data: its fields, reading and checks. Does not import PyTorch."""

from cnngraph.recipe.extending import BASE_KEYS
from cnngraph.recipe.finding import find_recipe, recipe_names, recipe_table
from cnngraph.recipe.fit import check_fit
from cnngraph.recipe.kinds import Record
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.reading import load_recipe, read_recipe
from cnngraph.recipe.writing import to_dict, to_yaml

__all__ = [
    "BASE_KEYS",
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
    """The JSON schema of a recipe, for editors. A recipe that extends another has no required keys."""
    schema = Record(Recipe).schema()
    base = {"type": "string", "description": "the recipe to extend: the name of a bundled one, or a path"}
    required = [schema.pop("required"), *([key] for key in BASE_KEYS)]
    properties = {**schema["properties"], **dict.fromkeys(BASE_KEYS, base)}
    return {**schema, "properties": properties, "anyOf": [{"required": keys} for keys in required]}
