"""Typed, documented fields of dataclasses that are filled in from YAML: ops and recipes.

A field's kind defines its valid values: it converts a plain value or raises an error, describes itself for the manual,
and has a JSON schema for editors.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeAlias

from cnngraph.document import core_scalar
from cnngraph.frozen import Frozen, dataclass_fields

Json: TypeAlias = dict[str, Any]
REQUIRED = dataclasses.MISSING
LARGEST = sys.float_info.max
SHOWN_ITEMS, SHOWN_DEPTH = 8, 3
TO_INTEGER = "use `//` (floor division), `int(...)` or `round(...)` to get an integer"
DOLLAR = "an expression must contain a `$`"
FOR_EXPRESSIONS = (TO_INTEGER, DOLLAR)  # help that only makes sense for expressions
THOUSANDS = re.compile(r"[-+]?\d{1,3}([,_']\d{3})+")
TWO_NUMBERS = re.compile(r"[(]?(\d{1,9})\s*[x×*;, ]\s*(\d{1,9})[)]?")  # a size in other notations
TRUTHS = {"no": "false", "off": "false", "n": "false", "yes": "true", "on": "true", "y": "true"}  # YAML 1.1's
NOTHINGS = ("none", "nil", "n/a", "undefined")  # other languages' null


class FieldError(Exception):
    """An invalid value of a field: a message in the author's terms, and perhaps help.

    `refused` is the kind that does not take the value at all; None if the message is about a part of the value.
    """

    def __init__(self, message: str, help: str | None = None, refused: Kind | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.refused = refused


class Kind(Frozen, ABC):
    """The kind of values that a field takes."""

    @abstractmethod
    def convert(self, value: object) -> Any:
        """Convert a plain value. Raises FieldError: `must be …, got …`, which callers put after the field's name."""

    @abstractmethod
    def schema(self) -> Json:
        """Its JSON schema."""

    @abstractmethod
    def describe(self) -> str:
        """A noun phrase for the manual: `an integer of at least 1`."""


class Field(Frozen):
    """One field of a dataclass, with its documentation."""

    name: str
    kind: Kind
    doc: str
    default: object

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED


def field(kind: Kind, doc: str, default: Any = REQUIRED) -> Any:
    """Declare a field of a keyword-only frozen dataclass: `kernel: Pair = field(Size(1), "window", 3)`."""
    return dataclasses.field(default=default, kw_only=True, metadata={"kind": kind, "doc": doc})


_FIELDS: dict[type[Any], dict[str, Field]] = {}


def fields_of(cls: type[Any]) -> dict[str, Field]:
    """The declared fields of a dataclass by name, in order. Cached: do not modify.

    A name that Python reserves has an underscore in the dataclass: `from_` is the field `from`.
    """
    if cls not in _FIELDS:
        _FIELDS[cls] = {
            item.name.removesuffix("_"): Field(
                item.name.removesuffix("_"),
                item.metadata["kind"],
                item.metadata["doc"],
                item.default,
            )
            for item in dataclass_fields(cls)
            if "kind" in item.metadata
        }
    return _FIELDS[cls]


def show_value(value: object, depth: int = SHOWN_DEPTH) -> str:
    """A value in YAML's flow style, for messages; long and deep ones are shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | Mapping):
        start, end = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
        if not depth:
            return f"{start}…{end}"
        shown = [
            f"{item}: {show_value(value[item], depth - 1)}"
            if isinstance(value, Mapping)
            else show_value(item, depth - 1)
            for item in islice(value, SHOWN_ITEMS)
        ]
        return start + ", ".join(shown) + (", …" if len(value) > SHOWN_ITEMS else "") + end
    text = str(value)
    if isinstance(value, str) and (not value.isprintable() or not isinstance(core_scalar(value), str)):
        text = (
            '"' + "".join(character if character.isprintable() else ascii(character)[1:-1] for character in value) + '"'
        )
    return text if len(text) <= 60 else text[:57] + "…"


def refuse(kind: Kind, value: object, help: str | None = None) -> FieldError:
    """The error for a value that a kind does not take."""
    if help is None and _means_nothing(value):
        help = "write `null`" if isinstance(kind, Optional) else "leave it out to use the default"
    return FieldError(f"must be {kind.describe()}, got `{show_value(value)}`", help, kind)


def _means_nothing(value: object) -> bool:
    """Whether a value is another word for null: `none`."""
    return isinstance(value, str) and value.lower() in NOTHINGS


def string_help(value: object) -> str | None:
    """Help for a string that looks like a number."""
    if not isinstance(value, str) or not any(character.isdigit() for character in value):
        return None
    if THOUSANDS.fullmatch(value):
        return f"write `{re.sub('[^-+0-9]', '', value)}`"
    if not isinstance(core_scalar(value), str):
        return "write it without quotes"
    return DOLLAR if any(operator in value for operator in "+-*/ ") else None


def literal_help(help: str | None, text: str, value: object, kind: Kind) -> str | None:
    """The help for a value that is not an expression: `64.0` should be written `64`, if the kind takes that."""
    if help not in FOR_EXPRESSIONS or "$" in text:
        return help
    if not isinstance(value, float) or not value.is_integer():
        return None
    try:
        kind.convert(int(value))
    except FieldError:
        return None
    return f"write `{int(value)}`"


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Int(Kind):
    """An integer in a range."""

    minimum: int = 0
    maximum: int = 2**31 - 1

    def convert(self, value: object) -> int:
        if isinstance(value, float):
            raise refuse(self, value, TO_INTEGER)
        if not _is_integer(value) or not self.minimum <= value <= self.maximum:  # type: ignore[operator]
            raise refuse(self, value, string_help(value))
        return value  # type: ignore[return-value]

    def schema(self) -> Json:
        bound = {"maximum": self.maximum} if self.maximum < 2**31 - 1 else {}
        return {"type": "integer", "minimum": self.minimum, **bound}

    def describe(self) -> str:
        if self.maximum < 2**31 - 1:
            return f"an integer from {self.minimum} to {self.maximum:,}"
        return f"an integer of at least {self.minimum}" if self.minimum > -(2**31) else "an integer"


class Float(Kind):
    """A number in a range."""

    minimum: float = float("-inf")
    maximum: float = float("inf")

    def convert(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.minimum <= value <= self.maximum:
            raise refuse(self, value, string_help(value))
        if abs(value) > LARGEST:
            raise refuse(self, value)
        return float(value)

    def schema(self) -> Json:
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": "number", **{key: bound for key, bound in bounds.items() if abs(bound) != float("inf")}}

    def describe(self) -> str:
        low, high = self.minimum > float("-inf"), self.maximum < float("inf")
        if low and high:
            return f"a number from {self.minimum:g} to {self.maximum:g}"
        return f"a number of at least {self.minimum:g}" if low else "a number"


class Bool(Kind):
    """true or false."""

    def convert(self, value: object) -> bool:
        if not isinstance(value, bool):
            meant = TRUTHS.get(str(value).lower())
            raise refuse(self, value, f"write `{meant}`" if meant else None)
        return value

    def schema(self) -> Json:
        return {"type": "boolean"}

    def describe(self) -> str:
        return "true or false"


class Choice(Kind):
    """One of a few strings. `elsewhere` maps names of other libraries to them."""

    options: tuple[str, ...]
    elsewhere: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def convert(self, value: object) -> str:
        from cnngraph.diagnostics import did_you_mean

        if value not in self.options:
            meant = self.elsewhere.get(value, value) if isinstance(value, str) else ""
            raise refuse(self, value, did_you_mean(meant, self.options) if meant else None)
        return str(value)

    def schema(self) -> Json:
        return {"enum": list(self.options)}

    def describe(self) -> str:
        return " or ".join(self.options) if len(self.options) < 3 else "one of " + ", ".join(self.options)


class Text(Kind):
    """Any string."""

    def convert(self, value: object) -> str:
        if not isinstance(value, str):
            raise refuse(self, value)
        return value

    def schema(self) -> Json:
        return {"type": "string"}

    def describe(self) -> str:
        return "a string"


class Pair(Kind):
    """Height and width: one integer for both, or a list of two. Converted to a tuple."""

    minimum: int = 0
    maximum: int = 2**31 - 1

    def convert(self, value: object) -> tuple[int, int]:
        one = Int(self.minimum, self.maximum)
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise refuse(self, value)
            return one.convert(value[0]), one.convert(value[1])
        try:
            side = one.convert(value)
        except FieldError as error:
            two = TWO_NUMBERS.fullmatch(value) if isinstance(value, str) else None
            raise refuse(self, value, f"write `[{two[1]}, {two[2]}]`" if two else error.help) from None
        return side, side

    def schema(self) -> Json:
        one = Int(self.minimum, self.maximum).schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]}

    def describe(self) -> str:
        return f"{Int(self.minimum, self.maximum).describe()}, or [height, width]"


class ListOf(Kind):
    """A list of `least` to `most` items of one kind. Converted to a tuple."""

    item: Kind
    least: int = 1
    most: int | None = None

    def convert(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) < self.least:
            raise refuse(self, value)
        if self.most is not None and len(value) > self.most:
            raise FieldError(f"must be a list of at most {self.most:,} elements, got {len(value):,}")
        return tuple(self.item.convert(element) for element in value)

    def schema(self) -> Json:
        bound = {"maxItems": self.most} if self.most is not None else {}
        return {"type": "array", "items": self.item.schema(), "minItems": self.least, **bound}

    def describe(self) -> str:
        bounds = [f"at least {self.least}"] if self.least > 1 else []
        bounds += [f"at most {self.most:,}"] if self.most is not None else []
        of = f" of {' and '.join(bounds)}" if bounds else ""
        return f"a list{of}, each {self.item.describe()}"


class Optional(Kind):
    """A kind, or null."""

    kind: Kind

    def convert(self, value: object) -> Any:
        if value is None:
            return None
        try:
            return self.kind.convert(value)
        except FieldError as error:
            if error.refused is self.kind or _means_nothing(value):
                raise refuse(self, value, None if _means_nothing(value) else error.help) from None
            raise

    def schema(self) -> Json:
        return {"anyOf": [self.kind.schema(), {"type": "null"}]}

    def describe(self) -> str:
        return f"{self.kind.describe()}, or null"


class Either(Kind):
    """The first of several kinds that takes the value: `Either(Choice(("half",)), Pair(0))`."""

    kinds: tuple[Kind, ...]

    def convert(self, value: object) -> Any:
        helps = []
        for kind in self.kinds:
            try:
                return kind.convert(value)
            except FieldError as error:
                helps.append(error.help)
        raise refuse(self, value, next((help for help in helps if help), None))

    def schema(self) -> Json:
        return {"anyOf": [kind.schema() for kind in self.kinds]}

    def describe(self) -> str:
        return ", or ".join(kind.describe() for kind in self.kinds)
