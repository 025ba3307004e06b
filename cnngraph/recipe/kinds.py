"""Kinds of fields that only recipes have: mappings, choices between mappings, `none`, and bounded numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnngraph.fields import LARGEST, Choice, FieldError, Json, Kind, ListOf, fields_of, refuse, string_help

MAX_SIDE = 16_384  # pixels of an image
MAX_COUNT = 1_000_000  # of epochs, images per batch, batches per step
MAX_LIST_LENGTH = 1_000


def _number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        return None
    return float(value)


class Positive(Kind):
    """A number above 0, within bounds; a number beyond them must be a typo or would overflow."""

    least: float = 1e-12
    most: float = 1e12

    def convert(self, value: object) -> float:
        number = _number(value)
        if number is None or not self.least <= number <= self.most:
            raise refuse(self, value, string_help(value))
        return number

    def schema(self) -> Json:
        return {"type": "number", "minimum": self.least, "maximum": self.most}

    def describe(self) -> str:
        return f"a number above 0 (from {self.least:g} to {self.most:g})"


class ZeroOr(Kind):
    """0, which disables something, or a positive number."""

    positive: Positive

    def convert(self, value: object) -> float:
        if _number(value) == 0:
            return 0.0
        try:
            return self.positive.convert(value)
        except FieldError as error:
            raise refuse(self, value, error.help) from None

    def schema(self) -> Json:
        return {"anyOf": [{"const": 0}, self.positive.schema()]}

    def describe(self) -> str:
        return f"0, or a number from {self.positive.least:g} to {self.positive.most:g}"


class Fraction(Kind):
    """A number between 0 and 1, both exclusive."""

    def convert(self, value: object) -> float:
        number = _number(value)
        if number is None or not 0 < number < 1:
            raise refuse(self, value, string_help(value))
        return number

    def schema(self) -> Json:
        return {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}

    def describe(self) -> str:
        return "a number between 0 and 1"


class Decay(Kind):
    """A number from 0 (inclusive) to 1 (exclusive): the decay of a running mean."""

    def convert(self, value: object) -> float:
        number = _number(value)
        if number is None or not 0 <= number < 1:
            raise refuse(self, value, string_help(value))
        return number

    def schema(self) -> Json:
        return {"type": "number", "minimum": 0, "exclusiveMaximum": 1}

    def describe(self) -> str:
        return "a number of at least 0 and below 1"


class Two(Kind):
    """A list of two values of the same kind. Stored as a tuple."""

    item: Kind

    def convert(self, value: object) -> tuple[Any, Any]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise refuse(self, value)
        return self.item.convert(value[0]), self.item.convert(value[1])

    def schema(self) -> Json:
        return {"type": "array", "items": self.item.schema(), "minItems": 2, "maxItems": 2}

    def describe(self) -> str:
        return f"a list of two items, each {self.item.describe()}"


class Label(Kind):
    """The name of a class, which may be a number, as in `classes: [3, 8]`."""

    def convert(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise refuse(self, value)
        return str(value)

    def schema(self) -> Json:
        return {"type": ["string", "integer"]}

    def describe(self) -> str:
        return "the name of a class"


class OrNone(Kind):
    """A value of a kind, or `none`, which is stored as None."""

    kind: Kind

    def convert(self, value: object) -> Any:
        if value is None or value == "none":
            return None
        try:
            return self.kind.convert(value)
        except FieldError as error:
            raise refuse(self, value, error.help) from None

    def schema(self) -> Json:
        return {"anyOf": [{"enum": ["none", None]}, self.kind.schema()]}

    def describe(self) -> str:
        return f"{self.kind.describe()}, or none"


class ByName(Kind):
    """A mapping from names to numbers."""

    number: Kind

    def convert(self, value: object) -> dict[str, float]:
        if not isinstance(value, Mapping) or not value:
            raise refuse(self, value)
        try:
            return {key: self.number.convert(number) for key, number in value.items()}
        except FieldError as error:
            raise refuse(self, value, error.help) from None

    def schema(self) -> Json:
        return {"type": "object", "minProperties": 1, "additionalProperties": self.number.schema()}

    def describe(self) -> str:
        return f"a mapping from names to numbers, each {self.number.describe()}"


class Record(Kind):
    """A mapping whose keys are the fields of a dataclass; a bare value is short for a mapping with the key `short`."""

    cls: type[Any]
    short: str | None = None

    def convert(self, value: object) -> Any:
        if not isinstance(value, self.cls):
            raise refuse(self, value)
        return value

    def schema(self) -> Json:
        fields = fields_of(self.cls)
        properties = {name: {**field.kind.schema(), "description": field.doc} for name, field in fields.items()}
        required = [name for name, field in fields.items() if field.required]
        table: Json = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return {"anyOf": [fields[self.short].kind.schema(), table]} if self.short else table

    def describe(self) -> str:
        return f"{fields_of(self.cls)[self.short].kind.describe()}, or a mapping" if self.short else "a mapping"


class OneOrMore(Kind):
    """A list of records, or a single one without the brackets. Stored as a tuple. `noun` describes a record."""

    item: Record
    most: int
    noun: str

    def convert(self, value: object) -> tuple[Any, ...]:
        return self.list.convert(value if isinstance(value, list | tuple) else [value])

    @property
    def list(self) -> ListOf:
        """The list, as a kind."""
        return ListOf(self.item, 0, self.most)

    def schema(self) -> Json:
        return {"anyOf": [self.item.schema(), self.list.schema()]}

    def describe(self) -> str:
        return f"{self.noun}, or a list of these"


class Named(Kind):
    """One of several mappings, distinguished by their `name`; a bare name is short for a mapping without other keys.

    Each variant is a dataclass with a field `name` that is a Choice.
    """

    variants: tuple[type[Any], ...]

    def convert(self, value: object) -> Any:
        if not isinstance(value, self.variants):
            raise refuse(self, value)
        return value

    def schema(self) -> Json:
        tables = [Record(variant).schema() for variant in self.variants]
        for table in tables:
            table["required"] = ["name", *(key for key in table["required"] if key != "name")]
        return {"anyOf": [{"enum": list(self.names)}, *tables]}

    def describe(self) -> str:
        return f"{Choice(self.names).describe()}; or a mapping with one of them as `name`"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all variants."""
        return tuple(name for variant in self.variants for name in names_of(variant))

    def variant(self, name: object) -> type[Any] | None:
        """The variant with this name, or None."""
        return next((variant for variant in self.variants if name in names_of(variant)), None)


def names_of(variant: type[Any]) -> tuple[str, ...]:
    """The names of a variant."""
    kind = fields_of(variant)["name"].kind
    assert isinstance(kind, Choice)
    return kind.options
