"""What a recipe's data is, read to be compared with a network before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.named import is_here
from cnngraph.train.data.open import facts_of, load_parts


class ImageReader:
    """Reads the data of recipes in a folder, each data set once; nothing is downloaded."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.known: dict[str, ImageFacts] = {}

    def __call__(self, recipe: Recipe, wanted: TensorType) -> ImageFacts:
        """The facts of the data of a recipe, for a network with that input. Raises SpecError (E620 …)."""
        plain = to_dict(recipe)
        key = json.dumps([plain["data"], plain["validation"], recipe.seed, wanted.sizes])
        if key not in self.known:
            self._refuse_what_is_missing(recipe)
            self.known[key] = facts_of(load_parts(recipe, wanted, self.data_dir, _nothing))
        return self.known[key]

    def _refuse_what_is_missing(self, recipe: Recipe) -> None:
        data = recipe.data
        if isinstance(data, NamedSet) and not is_here(data.name, self.data_dir):
            title = SETS[data.name].title
            help = f"cnngraph train downloads it to {self.data_dir}"
            raise SpecError([Diagnostic("E620", f"{title} is not in {self.data_dir}", help=help)])


def _nothing(note: str) -> None:
    """Notes are of training; a check has none."""
