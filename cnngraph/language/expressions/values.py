"""The values of expressions: numbers, strings, booleans, lists, mappings and shapes of tensors.

Every operation is bounded in time and memory for any input and raises `Fault` for invalid values.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import field
from typing import Any, TypeAlias

from cnngraph.diagnostics import Known, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.tensor_type import CHANNELS, TensorType

MAX_INT = 2**53  # beyond this a float loses integer precision
MAX_ELEMENTS = 10_000
MAX_LIST_DEPTH = 50
MAX_TEXT = 10_000
USE_FLOOR_DIVISION = "use `//`, which gives an integer"
SHAPE_ATTRIBUTES = ("channels", "height", "width", "features")

Value: TypeAlias = Any
NUMBERS = frozenset({int, float})
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@frozen
class ShapeValue:
    """The value of `$name` for an input or node: its tensor, or its list of tensors.

    `sources` identify the tensors for `size_read`, which records the sizes that an expression reads.
    """

    type: TensorType | tuple[TensorType, ...]
    sources: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The tensors of the list; a single tensor is a list of one."""
        return self.type if isinstance(self.type, tuple) else (self.type,)

    def __str__(self) -> str:
        if isinstance(self.type, TensorType):
            return f"a tensor of {self.type}"
        return f"a list of {len(self.type)} tensors"


class Fault(Exception):  # noqa: N818 - an ExpressionError is what callers see
    """An operation got invalid values; the expression adds the position and raises an ExpressionError."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


def kind(value: Value) -> str:
    """The type of a value, for messages: `a number`, `a string` …"""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case ShapeValue():
            return str(value)
    return f"a {type(value).__name__}"


def shown(value: Value, depth: int = 2) -> str:
    """The value as messages show it, shortened if it is long."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) > 10**20:
            return "a very large number"
        case str():
            return f"'{value}'" if len(value) <= 40 else f"'{value[:39]}…'"
        case list() | tuple():
            if not depth:
                return "[…]"
            dots = ", …" if len(value) > 4 else ""
            return f"[{', '.join(shown(element, depth - 1) for element in value[:4])}{dots}]"
        case Mapping():
            keys = [str(key) for key in value]
            return f"{{{', '.join(keys[:4])}{', …' if len(keys) > 4 else ''}}}"
    return str(value)


# Bounds


def _unmetered(amount: int) -> None:
    """Outside an elaboration the limits of a single expression suffice."""


meter: ContextVar[Callable[[int], None]] = ContextVar("meter", default=_unmetered)


def count_steps(amount: int) -> None:
    """Count the elements that an operation visits, to bound the total work of many expressions."""
    meter.get()(amount)


# Sizes


def _unwatched(source: Any, attribute: str) -> None:
    """Outside an elaboration the sizes that a value depends on are not recorded."""


COUNT = "count"  # of a list of tensors, as `len` gives it
size_read: ContextVar[Callable[[Any, str], None]] = ContextVar("size_read", default=_unwatched)


def _note_sizes(shape: ShapeValue, attribute: str) -> None:
    """Record that an expression read this size of these tensors."""
    note = size_read.get()
    for source in shape.sources:
        note(source, attribute)


def bounded(value: Value) -> Value:
    """Return the number or string; raises Fault if it exceeds the limits."""
    if type(value) is int:
        if -MAX_INT <= value <= MAX_INT:
            return value
        raise Fault("E503", "the integer is too large: the maximum is 2**53, about 9e15")
    if type(value) is float:
        if math.isfinite(value):
            return value
        raise Fault("E503", "the number is infinite or NaN")
    if type(value) is complex:
        raise Fault("E404", "a negative number cannot be raised to a fractional power")
    if type(value) is str and len(value) > MAX_TEXT:
        raise Fault("E503", f"the string is too long: the maximum is {MAX_TEXT:,} characters")
    return value


def bounded_list(elements: list[Value]) -> list[Value]:
    """Return the list; raises Fault if it has too many elements, including nested ones, or is nested too deeply."""
    check_size(elements)
    return elements


def check_size(elements: list[Value] | Mapping[str, Value]) -> None:
    """Raise Fault for a list or mapping with too many elements in total or too deep nesting."""
    count_steps(_count(elements, 0, 0))


def _count(elements: list[Value] | tuple[Value, ...] | Mapping[str, Value], total: int, depth: int) -> int:
    total += len(elements)
    if total > MAX_ELEMENTS:
        raise Fault("E503", f"the list is too long: the maximum is {MAX_ELEMENTS:,} elements in total")
    if depth > MAX_LIST_DEPTH:
        raise Fault("E503", f"lists are nested more than {MAX_LIST_DEPTH} levels deep")
    inner: Iterable[Value] = elements.values() if isinstance(elements, Mapping) else elements
    for element in inner:
        if isinstance(element, list | tuple | Mapping):
            total = _count(element, total, depth + 1)
    return total


# Operators


def _power(base: float, exponent: float) -> Any:
    if type(base) is int and type(exponent) is int and abs(base) > 1 and exponent > 53:
        raise Fault("E503", f"`{shown(base)} ** {shown(exponent)}` is too large: the maximum is 2**53, about 9e15")
    return base**exponent


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": _power,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def arithmetic(symbol: str, left: Value, right: Value) -> Value:
    """Apply an operator to two numbers, or to a list and a number elementwise; `+` also joins lists or strings."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        try:
            return bounded(_ARITHMETIC[symbol](left, right))
        except ZeroDivisionError:
            raise Fault("E404", f"division by zero: `{shown(left)} {symbol} {shown(right)}`") from None
        except OverflowError:
            raise Fault("E503", f"`{shown(left)} {symbol} {shown(right)}` is too large") from None
    left_list, right_list = isinstance(left, list | tuple), isinstance(right, list | tuple)
    if symbol == "+" and left_list and right_list:
        return bounded_list([*left, *right])
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        return bounded(left + right)
    if left_list and type(right) in NUMBERS:
        count_steps(len(left))
        return [arithmetic(symbol, element, right) for element in left]
    if right_list and type(left) in NUMBERS:
        count_steps(len(right))
        return [arithmetic(symbol, left, element) for element in right]
    raise _not_numbers(symbol, left, right)


def _not_numbers(symbol: str, left: Value, right: Value) -> Fault:
    both = f"cannot compute `{shown(left)} {symbol} {shown(right)}`"
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return Fault(
            "E403", f"{both}: both are lists", "`+` joins two lists; the other operators take a list and a number"
        )
    culprit = right if type(left) in NUMBERS or isinstance(left, list | tuple) else left
    return Fault("E403", f"{both}: `{shown(culprit)}` is {kind(culprit)}, not a number", number_help(culprit))


def number_help(value: Value) -> str | None:
    """Help for a value that should be a number."""
    if isinstance(value, bool):
        return "write `1 if … else 0` to get a number"
    if isinstance(value, str) and _looks_like_number(value):
        return f"write `{value}` without quotes"
    return None


def _looks_like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def negative(value: Value) -> Value:
    """Negate a number, or a list elementwise."""
    if type(value) in NUMBERS:
        return -value
    if isinstance(value, list | tuple):
        count_steps(len(value))
        return [negative(element) for element in value]
    raise Fault("E403", f"`-` needs a number, got `{shown(value)}`", number_help(value))


def compare(symbol: str, left: Value, right: Value) -> bool:
    """Compare numbers by size; `==` and `!=` take two values of one type, or any value and null."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return _COMPARISONS[symbol](left, right)
    if isinstance(left, ShapeValue) or isinstance(right, ShapeValue):
        raise Fault("E403", "tensors cannot be compared; compare their sizes")
    if symbol not in ("==", "!="):
        raise Fault("E403", f"`{symbol}` compares numbers, got `{shown(left)}` and `{shown(right)}`")
    if left is not None and right is not None and kind(left) != kind(right):
        help = next((number_help(value) for value in (left, right) if isinstance(value, str)), None)
        what = f"{kind(left)} with {kind(right)}: `{shown(left)}` and `{shown(right)}`"
        raise Fault("E403", f"cannot compare {what}", help)
    return _same(left, right) == (symbol == "==")


def _same(left: Value, right: Value) -> bool:
    """Deep equality in which true and 1 are different."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        count_steps(len(left))
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


# Parts of values


def length(shape: ShapeValue) -> int:
    """The number of tensors."""
    _note_sizes(shape, COUNT)
    return len(shape.types)


def member(value: Value, name: str, what: str) -> Value:
    """`value.name`: a size of a tensor, the value of a mapping's key, or an element. `what` is for messages."""
    if isinstance(value, ShapeValue) and not name.isdecimal():
        return _size(value, name, what)
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        raise Fault(
            "E404", f"`{what}` has no key `{name}`: it is `{shown(value)}`", did_you_mean(name, map(str, value))
        )
    if name.isdecimal():
        if len(name) > 15:
            raise Fault("E503", f"the index `.{name[:12]}…` is too large")
        return index(value, int(name), what, f".{name}")
    help = "index the list: `[0]` is the first element" if isinstance(value, list | tuple) else None
    expected = "a tensor" if name in SHAPE_ATTRIBUTES else "a mapping"
    raise Fault("E403", f"`{what}` is `{shown(value)}`, not {expected}, so it has no `{name}`", help)


def _size(shape: ShapeValue, attribute: str, what: str) -> int:
    tensor = shape.type
    if not isinstance(tensor, TensorType):
        help = f"select one of them: `{what}[0].{attribute}`" if attribute in SHAPE_ATTRIBUTES else None
        raise Fault("E403", f"`{what}` is a list of {len(tensor)} tensors, so it has no `{attribute}`", help)
    if attribute in SHAPE_ATTRIBUTES:
        _note_sizes(shape, "channels" if tensor.axes == (CHANNELS,) and attribute == "features" else attribute)
    match attribute:
        case "channels":
            return tensor.channels
        case "features":
            return tensor.count
        case "height" | "width":
            size = tensor.height if attribute == "height" else tensor.width
            if size is not None:
                return size
            found = f"a vector of {tensor}" if tensor.rank == 1 else f"{tensor}"
            raise Fault(
                "E403",
                f"`{what}` has no `{attribute}`: it is {found}",
                f"write `{what}.features` for the number of its elements",
            )
    help = did_you_mean(attribute, SHAPE_ATTRIBUTES) or Known.listed("a tensor has", SHAPE_ATTRIBUTES)
    raise Fault("E403", f"`{what}` is a tensor of {tensor} and has no `{attribute}`", help)


def index(value: Value, position: Value, what: str, index_text: str | None = None) -> Value:
    """`value[position]`: an element of a list, negative from its end, or the value of a mapping's key."""
    if isinstance(value, Mapping) and isinstance(position, str):
        return member(value, position, what)
    if isinstance(value, ShapeValue):
        found = index(value.types, position, what, index_text)
        return ShapeValue(found, value.sources[position : position + 1 or None])
    if not isinstance(value, list | tuple):
        raise Fault("E403", f"`{what}` is `{shown(value)}`, {kind(value)}, so it cannot be indexed")
    if type(position) is not int:
        help = USE_FLOOR_DIVISION if isinstance(position, float) else None
        raise Fault("E403", f"an index must be an integer, got `{shown(position)}`", help)
    if -len(value) <= bounded(position) < len(value):
        return value[position]
    raise _out_of_range(len(value), position, what, index_text or f"[{position}]")


def _out_of_range(length: int, position: int, what: str, index_text: str) -> Fault:
    number = position + 1 if position >= 0 else -position
    ordinal = _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"element number {number}"
    which = f"the {ordinal}" if number <= len(_ORDINALS) else ordinal
    end = "" if position >= 0 else " from the end"
    if position == -1:
        which, end = "the last", ""
    has = {0: "is empty", 1: "has 1 element"}.get(length, f"has {length} elements")
    usable = "use index 0" if length == 1 else f"use an index from 0 to {length - 1}"
    help = usable if length and position >= 0 else None
    return Fault("E404", f"index out of range: `{what}` {has}, `{index_text}` is {which}{end}", help)


def part(value: Value, start: Value, stop: Value, step: Value, what: str) -> list[Value]:
    """`value[start:stop:step]` of a list, as in Python; null is an omitted bound."""
    if not isinstance(value, list | tuple):
        raise Fault("E403", f"`{what}` is `{shown(value)}`, not a list, so it cannot be sliced")
    for bound in (start, stop, step):
        if bound is not None and type(bound) is not int:
            help = USE_FLOOR_DIVISION if isinstance(bound, float) else None
            raise Fault("E403", f"the bounds in `[start:end]` must be integers, got `{shown(bound)}`", help)
    if step == 0:
        raise Fault("E404", "the step in `[start:end:step]` must not be 0")
    count_steps(len(value))
    return list(value[start:stop:step])


def truth(value: Value, what: str) -> bool:
    """The value of a condition: a boolean, or null for false. Raises Fault for numbers, strings and lists."""
    if value is True or value is False:
        return value
    if value is None:
        return False
    help = None
    if type(value) in NUMBERS:
        help = f"compare it: `{what} != 0`"
    elif isinstance(value, str):
        help = f"compare it: `{what} == {shown(value)}`"
    elif isinstance(value, list | tuple):
        help = f"compare it: `len({what}) > 0`"
    raise Fault("E403", f"`{what}` is `{shown(value)}`, not true or false", help)
