"""What an experiment says: frozen dataclasses whose fields are the words a person may write."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cnngraph.fields import Either, FieldError, Int, Json, Kind, ListOf, Optional, Text, field, show_value
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import Record


class ValuesByName(Kind):
    """A table of values by the names that --set knows; with `several`, of lists of values."""

    several: bool = False

    def convert(self, value: object) -> dict[str, Any]:
        fits = isinstance(value, Mapping) and all(isinstance(each, list) and each for each in value.values())
        if not isinstance(value, Mapping) or (self.several and not fits):
            raise FieldError(f"must be {self.describe()}, got {show_value(value)}")
        return dict(value)

    def schema(self) -> Json:
        return {"type": "object", "additionalProperties": {"type": "array", "minItems": 1} if self.several else True}

    def describe(self) -> str:
        return "a mapping of lists by name" if self.several else "a mapping of values by name"


class Entrant(Frozen):
    """A network that takes part; the bare text is short for a table with nothing but its spec."""

    spec: str = field(Text(), "a network of the library by its name, or a file beside the experiment")
    params: Mapping[str, Any] | None = field(Optional(ValuesByName()), "what --set gives its params", None)
    label: str | None = field(Optional(Text()), "what the report calls it; by default the spec and its params", None)


class Experiment(Frozen):
    """Many runs that are compared: every combination of specs, recipes, seeds and settings is trained.

    `name` is that of its folder.
    """

    about: str = field(Text(), "what is compared, and why", "")
    specs: tuple[Entrant, ...] = field(ListOf(Record(Entrant, "spec")), "the networks: names, files, or mappings")
    recipes: tuple[str, ...] = field(
        ListOf(Text()), "names or files of recipes; by default each network's own `train:`", ()
    )
    seeds: int | tuple[int, ...] = field(Either((Int(1, 1000), ListOf(Int(0)))), "how many (0, 1, …), or which", 3)
    settings: Mapping[str, Any] | None = field(
        Optional(ValuesByName(several=True)),
        "values of params and of the recipe's words (`train.…`), every combination of which is tried",
        None,
    )
    name: str = dataclasses.field(default="experiment", kw_only=True, compare=False)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds one by one."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def experiment_schema() -> Json:
    """The JSON schema of an experiment, for editors."""
    made = Record(Experiment).schema()
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A cnngraph experiment", **made}
