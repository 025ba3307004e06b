"""The functions of expressions: `min`, `ceil`, `make_divisible` …"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cnngraph.frozen import Frozen
from cnngraph.language.expressions.values import (
    MAX_ELEMENTS,
    NUMBERS,
    USE_FLOOR_DIVISION,
    Fault,
    ShapeValue,
    Value,
    bounded,
    bounded_list,
    count_steps,
    length,
    number_help,
    shown,
)


def _each(name: str, function: Callable[[Any], Any]) -> Callable[[Value], Value]:
    """A function of a number that is applied to lists elementwise."""

    def apply(value: Value) -> Value:
        if type(value) in NUMBERS:
            return bounded(function(bounded(value)))
        if isinstance(value, list | tuple):
            count_steps(len(value))
            return [apply(element) for element in value]
        raise Fault("E403", f"`{name}` needs a number or a list of numbers, got `{shown(value)}`", number_help(value))

    return apply


def _numbers(name: str, values: Value) -> list[Any]:
    count_steps(len(values))
    for value in values:
        if type(value) not in NUMBERS:
            raise Fault("E403", f"`{name}` needs numbers, got `{shown(value)}`", number_help(value))
    return [bounded(value) for value in values]


def _extreme(name: str, function: Callable[[list[Any]], Any]) -> Callable[..., Value]:
    def apply(*values: Value) -> Value:
        if len(values) == 1:
            if not isinstance(values[0], list | tuple):
                message = f"`{name}` with one argument needs a list, got `{shown(values[0])}`"
                raise Fault("E403", message, f"pass a list or several numbers: `{name}(…, …)`")
            values = tuple(values[0])
        if not values:
            raise Fault("E404", f"`{name}` of an empty list")
        return function(_numbers(name, values))

    return apply


def _sum(values: Value) -> Value:
    if not isinstance(values, list | tuple):
        raise Fault("E403", f"`sum` needs a list, got `{shown(values)}`")
    return bounded(sum(_numbers("sum", values)))


def _len(value: Value) -> int:
    if isinstance(value, ShapeValue):
        return length(value)
    if isinstance(value, list | tuple | str | Mapping):
        return len(value)
    raise Fault("E403", f"`len` needs a list, got `{shown(value)}`")


def _range(*bounds: Value) -> list[int]:
    for bound in bounds:
        if type(bound) is not int:
            help = USE_FLOOR_DIVISION if isinstance(bound, float) else None
            raise Fault("E403", f"`range` needs integers, got `{shown(bound)}`", help)
    if len(bounds) == 3 and bounds[2] == 0:
        raise Fault("E404", "the step of `range` must not be 0")
    numbers = range(*map(bounded, bounds))
    if len(numbers) > MAX_ELEMENTS:
        raise Fault("E503", f"`range` gives {len(numbers):,} elements, the maximum is {MAX_ELEMENTS:,}")
    count_steps(len(numbers))
    return list(numbers)


def _make_divisible(value: Value, divisor: Value = 8) -> Value:
    """The multiple of `divisor` nearest to the number and not more than a tenth below it (Sandler et al. 2018)."""
    _check_divisor("make_divisible", divisor)

    def nearest(number: float) -> int:
        rounded: int = max(divisor, int(number + divisor / 2) // divisor * divisor)
        return rounded + divisor if rounded < 0.9 * number else rounded

    return _each("make_divisible", nearest)(value)


def _ceil_divisible(value: Value, divisor: Value = 8) -> Value:
    """The smallest multiple of `divisor` that is not less than the number."""
    _check_divisor("ceil_divisible", divisor)
    return _each("ceil_divisible", lambda number: math.ceil(number / divisor) * divisor)(value)


def _check_divisor(name: str, divisor: Value) -> None:
    if type(divisor) is not int or divisor < 1:
        raise Fault("E403", f"the divisor of `{name}` must be an integer of at least 1, got `{shown(divisor)}`")
    bounded(divisor)


def _log2(number: Any) -> float:
    if number <= 0:
        raise Fault("E404", f"`log2` needs a number above 0, got `{shown(number)}`")
    return math.log2(number)


def _fill(value: Value, count: Value) -> list[Value]:
    if type(count) is not int or count < 0:
        help = USE_FLOOR_DIVISION if isinstance(count, float) else None
        raise Fault(
            "E403", f"the second argument of `fill` must be an integer of at least 0, got `{shown(count)}`", help
        )
    if count > MAX_ELEMENTS:
        raise Fault("E503", f"`fill` gives {count:,} elements, the maximum is {MAX_ELEMENTS:,}")
    if isinstance(value, ShapeValue):
        raise Fault("E403", f"`fill` needs a value, got `{shown(value)}`")
    return bounded_list([value] * count)


class Function(Frozen):
    """A function of the language and how many arguments it takes."""

    least: int
    most: int
    apply: Callable[..., Value]

    @property
    def takes(self) -> str:
        """How many arguments it takes, for messages."""
        if self.most > 3:
            return "one list or several numbers"
        return f"{self.least} argument" if self.least == self.most else f"{self.least} to {self.most} arguments"


FUNCTIONS: dict[str, Function] = {
    "min": Function(1, 1000, _extreme("min", min)),
    "max": Function(1, 1000, _extreme("max", max)),
    "abs": Function(1, 1, _each("abs", abs)),
    "round": Function(1, 1, _each("round", round)),
    "floor": Function(1, 1, _each("floor", math.floor)),
    "ceil": Function(1, 1, _each("ceil", math.ceil)),
    "int": Function(1, 1, _each("int", int)),
    "log2": Function(1, 1, _each("log2", _log2)),
    "len": Function(1, 1, _len),
    "sum": Function(1, 1, _sum),
    "range": Function(1, 3, _range),
    "fill": Function(2, 2, _fill),
    "make_divisible": Function(1, 2, _make_divisible),
    "ceil_divisible": Function(1, 2, _ceil_divisible),
}
