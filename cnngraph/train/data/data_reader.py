"""Reads a recipe's data before training, to compare them with networks."""

from __future__ import annotations

import json
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.load_splits import data_dir_of, default_data_dir, facts_of, load_splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.named_sets import is_available
from cnngraph.train.data.split import Splits


class DataReader:
    """Reads the data of recipes, each data set once, without downloading anything. `note` reports slow operations."""

    def __init__(self, data_dir: Path | None, note: Note = lambda text: None) -> None:
        self.data_dir, self.note = data_dir_of(data_dir), note
        self.known: dict[str, Splits] = {}

    def splits(self, recipe: Recipe, input_type: TensorType) -> Splits | None:
        """The images for a network with that input; None for a set that must be downloaded first.

        Raises SpecError (E620 …) if they cannot be read.
        """
        plain = to_dict(recipe)
        key = json.dumps([plain["data"], plain["validation"], recipe.seed, input_type.sizes])
        if key not in self.known:
            if isinstance(recipe.data, NamedSet) and not is_available(recipe.data.name, self.root):
                return None
            self.known[key] = load_splits(recipe, input_type, self.data_dir, self.note)
        return self.known[key]

    def facts(self, recipe: Recipe, input_type: TensorType) -> ImageFacts:
        """The properties of the images that a network and a recipe must fit.

        Raises SpecError, also for a set that must be downloaded first.
        """
        splits = self.splits(recipe, input_type)
        if splits is None:
            assert isinstance(recipe.data, NamedSet)
            message = f"{SETS[recipe.data.name].title} is not in {self.root}"
            raise SpecError.of("E620", message, help=f"`cnngraph train` downloads it to {self.root}")
        return facts_of(splits)

    @property
    def root(self) -> Path:
        """The folder of downloaded image sets."""
        return self.data_dir or default_data_dir()
