"""What a recipe's data is, read to be compared with a network before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.images import Parts
from cnngraph.train.data.named import is_here
from cnngraph.train.data.open import data_dir_of, default_data_dir, facts_of, load_parts


class DataReader:
    """Reads the data of recipes, each data set once; nothing is downloaded. `note` is called with what takes long."""

    def __init__(self, data_dir: Path | None, note: Callable[[str], None] = lambda text: None) -> None:
        self.data_dir, self.note = data_dir_of(data_dir), note
        self.known: dict[str, Parts] = {}

    def parts(self, recipe: Recipe, wanted: TensorType) -> Parts | None:
        """The images, for a network with that input; None for a set that must be downloaded first.

        Raises SpecError (E620 …) where they cannot be read.
        """
        plain = to_dict(recipe)
        key = json.dumps([plain["data"], plain["validation"], recipe.seed, wanted.sizes])
        if key not in self.known:
            if isinstance(recipe.data, NamedSet) and not is_here(recipe.data.name, self.root):
                return None
            self.known[key] = load_parts(recipe, wanted, self.data_dir, self.note)
        return self.known[key]

    def facts(self, recipe: Recipe, wanted: TensorType) -> ImageFacts:
        """What a network and a recipe must fit. Raises SpecError, also for a set that must be downloaded first."""
        parts = self.parts(recipe, wanted)
        if parts is None:
            assert isinstance(recipe.data, NamedSet)
            message = f"{SETS[recipe.data.name].title} is not in {self.root}"
            raise SpecError.of("E620", message, help=f"cnngraph train downloads it to {self.root}")
        return facts_of(parts)

    @property
    def root(self) -> Path:
        """Where image sets are kept."""
        return self.data_dir or default_data_dir()
