"""Kinds of parameters that only ops have: an axis, an index, a positive number, padding on four sides."""

from __future__ import annotations

from cnngraph.fields import Choice, Either, FieldError, Float, Int, Json, Kind, Optional, Pair, refuse, show_value
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH

AXIS_NAMES = {"channels": "C", "height": "H", "width": "W"}
AXIS_LIMIT = 64  # PyTorch's largest number of axes


class Positive(Kind):
    """A finite number above 0."""

    def convert(self, value: object) -> float:
        """The value as a float."""
        try:
            number = Float().convert(value)
        except FieldError:
            number = 0.0
        if number <= 0:
            raise refuse(self, value)
        return number

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return {"type": "number", "exclusiveMinimum": 0}

    def describe(self) -> str:
        """A short description for the manual."""
        return "a number above 0"


class Axis(Kind):
    """An axis, by name or by PyTorch's index, where 0 is the batch."""

    def convert(self, value: object) -> str | int:
        """The name or the index."""
        if isinstance(value, int) and not isinstance(value, bool) and value != 0 and abs(value) <= AXIS_LIMIT:
            return value
        if isinstance(value, str) and value in AXIS_NAMES:
            return value
        help = "axis 0 is the batch, which ops never change" if value == 0 and not isinstance(value, bool) else None
        raise refuse(self, value, help)

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return {"anyOf": [{"enum": list(AXIS_NAMES)}, {"type": "integer", "not": {"const": 0}}]}

    def describe(self) -> str:
        """A short description for the manual."""
        return "channels, height, width, or PyTorch's index of the axis (0 is the batch)"


class AxisLetters(Kind):
    """Names of axes, one letter each: C, H, W, or _ for an unnamed axis. Stored as a tuple."""

    def convert(self, value: object) -> tuple[str, ...]:
        """The letters."""
        if not isinstance(value, str) or not set(value) <= {CHANNELS, HEIGHT, WIDTH, "_"}:
            raise refuse(self, value)
        letters = tuple(value.replace("_", OTHER))
        if any(letters.count(letter) > 1 for letter in letters if letter != OTHER):
            raise FieldError(f"must name each axis once, got `{show_value(value)}`")
        return letters

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return {"type": "string", "pattern": "^[CHW_]*$"}

    def describe(self) -> str:
        """A short description for the manual."""
        return "one letter per axis: `C`, `H`, `W`, or `_` for an unnamed axis"


class Index(Kind):
    """An integer; a negative one counts from the end."""

    def convert(self, value: object) -> int:
        """The value."""
        return Int(-(2**31)).convert(value)

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return {"type": "integer"}

    def describe(self) -> str:
        """A short description for the manual."""
        return "an integer"


class Sides(Kind):
    """Padding: one integer, [height, width], or [left, right, top, bottom]. Stored as the last."""

    def convert(self, value: object) -> tuple[int, int, int, int]:
        """Left, right, top and bottom, in the order of torch.nn.functional.pad."""
        values = list(value) if isinstance(value, list | tuple) else [value]
        try:
            numbers = [Index().convert(number) for number in values]
        except FieldError as error:
            raise refuse(self, value, error.help) from None
        if len(numbers) == 4:
            return (numbers[0], numbers[1], numbers[2], numbers[3])
        if len(numbers) not in (1, 2):
            raise refuse(self, value)
        height, width = numbers[0], numbers[-1]
        return (width, width, height, height)

    def schema(self) -> Json:
        """The JSON schema of a value."""
        one = {"type": "integer"}
        lists = [{"type": "array", "items": one, "minItems": size, "maxItems": size} for size in (2, 4)]
        return {"anyOf": [one, *lists]}

    def describe(self) -> str:
        """A short description for the manual."""
        return "an integer, [height, width] or [left, right, top, bottom]"


class OutputSize(Kind):
    """Height and width of an adaptive pooling's output; null keeps the input's. Stored as a pair."""

    def convert(self, value: object) -> tuple[int | None, int | None]:
        """Height and width."""
        side = Optional(Int(1))
        pair = list(value) if isinstance(value, list | tuple) else [value, value]
        try:
            height, width = (side.convert(side_value) for side_value in pair)
        except FieldError as error:
            raise refuse(self, value, error.help) from None
        except ValueError:
            raise refuse(self, value) from None
        return height, width

    def schema(self) -> Json:
        """The JSON schema of a value."""
        one = Optional(Int(1)).schema()
        return {"anyOf": [Int(1).schema(), {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]}

    def describe(self) -> str:
        """A short description for the manual."""
        return "an integer of at least 1, or [height, width], where null keeps the size"


class Factors(Kind):
    """Factors of height and width: one number above 0 for both, or a list of two. Stored as a pair."""

    def convert(self, value: object) -> tuple[float, float]:
        """The factors of height and width."""
        pair = list(value) if isinstance(value, list | tuple) else [value, value]
        try:
            height, width = (Positive().convert(factor) for factor in pair)
        except (FieldError, ValueError):
            raise refuse(self, value) from None
        return height, width

    def schema(self) -> Json:
        """The JSON schema of a value."""
        one = Positive().schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]}

    def describe(self) -> str:
        """A short description for the manual."""
        return "a number above 0, or [height, width]"


def padding_kind(*names: str) -> Either:
    """Padding as an integer, a pair, or one of the named rules."""
    return Either((Choice(names), Pair(0)))
