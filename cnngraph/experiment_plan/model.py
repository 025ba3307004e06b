"""The keys of an experiment file, as fields of frozen dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cnngraph.fields import Bool, Choice, Either, FieldError, Int, Json, Kind, ListOf, Optional, Text, field, show_value
from cnngraph.frozen import Frozen
from cnngraph.migration import INPUT_CHANNELS
from cnngraph.recipe.kinds import Record

PATTERNS = Either((Text(), ListOf(Text())))


class ValuesByName(Kind):
    """A mapping from names, as `--set` accepts them, to values; with `lists`, to lists of values."""

    lists: bool = False

    def convert(self, value: object) -> dict[str, Any]:
        valid = isinstance(value, Mapping) and all(isinstance(item, list) and item for item in value.values())
        if not isinstance(value, Mapping) or (self.lists and not valid):
            raise FieldError(f"must be {self.describe()}, got {show_value(value)}")
        return dict(value)

    def schema(self) -> Json:
        return {"type": "object", "additionalProperties": {"type": "array", "minItems": 1} if self.lists else True}

    def describe(self) -> str:
        return "a mapping from names to lists" if self.lists else "a mapping from names to values"


class NetworkEntry(Frozen):
    """A network of the experiment. A string is short for a mapping with only `spec`."""

    spec: str = field(Text(), "the name of a bundled network, or a file relative to the experiment's folder")
    params: Mapping[str, Any] | None = field(
        Optional(ValuesByName()), "values of the spec's params, as with `--set`", None
    )
    label: str | None = field(Optional(Text()), "its name in the report; by default the spec and its params", None)
    weights: str | None = field(
        Optional(Text()), "its own initial weights; the experiment's keys for weights do not apply to it then", None
    )
    from_: str | None = field(Optional(Text()), "as for the experiment, for this network", None)
    partial: bool = field(Bool(), "as for the experiment, for this network", False)
    fresh: str | tuple[str, ...] = field(PATTERNS, "as for the experiment, for this network", ())
    leave: str | tuple[str, ...] = field(PATTERNS, "as for the experiment, for this network", ())
    input_channels: str | None = field(
        Optional(Choice(INPUT_CHANNELS)), "as for the experiment, for this network", None
    )
    classes: tuple[int, ...] | None = field(Optional(ListOf(Int(0))), "as for the experiment, for this network", None)


class Experiment(Frozen):
    """Runs to compare: every combination of specs, recipes, seeds and settings is trained.

    `name` is the name of its folder.
    """

    about: str = field(Text(), "what is compared, and why", "")
    specs: tuple[NetworkEntry, ...] = field(
        ListOf(Record(NetworkEntry, "spec")), "the networks: names, files, or mappings"
    )
    recipes: tuple[str, ...] = field(
        ListOf(Text()), "names or files of recipes; by default each network's own `train:`", ()
    )
    seeds: int | tuple[int, ...] = field(
        Either((Int(1, 1000), ListOf(Int(0)))), "the number of seeds (0, 1, …), or a list of seeds", 3
    )
    settings: Mapping[str, Any] | None = field(
        Optional(ValuesByName(lists=True)),
        "values of params, or of recipe keys (`train.…`), to try in all combinations",
        None,
    )
    weights: str | None = field(
        Optional(Text()),
        "initial weights of all networks: a file, `torchvision`, or `none`; as `--weights` of `cnngraph train`",
        None,
    )
    from_: str | None = field(
        Optional(Text()),
        "the network that the weights belong to, to adapt them, as with `--from`: a name or a file",
        None,
    )
    partial: bool = field(Bool(), "load the weights that fit, and initialise the others", False)
    fresh: str | tuple[str, ...] = field(PATTERNS, "patterns of weights of the network to initialise", ())
    leave: str | tuple[str, ...] = field(PATTERNS, "patterns of weights of the file to ignore", ())
    input_channels: str | None = field(
        Optional(Choice(INPUT_CHANNELS)), "with `from`: how the first layer is adapted to other input channels", None
    )
    classes: tuple[int, ...] | None = field(
        Optional(ListOf(Int(0))), "with `from`: the outputs of the old classifier to keep", None
    )
    name: str = dataclasses.field(default="experiment", kw_only=True, compare=False)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The list of seeds."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds


def experiment_schema() -> Json:
    """The JSON schema of experiment files, for editors."""
    schema = Record(Experiment).schema()
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A cnngraph experiment", **schema}
