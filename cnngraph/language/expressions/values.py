"""What expressions compute with: numbers, texts, truth values, lists, tables and the shapes of tensors.

Every operation is bounded in time and memory, whatever it is given; what it refuses it refuses with a `Fault`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cnngraph.diagnostics import Known, did_you_mean
from cnngraph.tensor_type import CHANNELS, TensorType

MAX_INT = 2**53  # beyond it a float would lose digits
MAX_ELEMENTS = 10_000
MAX_LIST_DEPTH = 50
MAX_TEXT = 10_000
USE_FLOOR_DIVISION = "use `//`, which gives an integer"
SHAPE_WORDS = ("channels", "height", "width", "features")

Value: TypeAlias = Any
NUMBERS = frozenset({int, float})
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True)
class ShapeValue:
    """What a `$name` of an input or node stands for: its tensor, or its list of tensors.

    `sources` identify these tensors to whoever watches which sizes an expression reads; see `size_read`.
    """

    type: TensorType | tuple[TensorType, ...]
    sources: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The tensors of the list; one tensor counts as a list of one."""
        return self.type if isinstance(self.type, tuple) else (self.type,)

    def __str__(self) -> str:
        if isinstance(self.type, TensorType):
            return f"a tensor of {self.type}"
        return f"a list of {len(self.type)} tensors"


class Fault(Exception):  # noqa: N818 - an ExpressionError is what callers see
    """An operation refuses its values; the expression adds the place and raises an ExpressionError."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


def kind(value: Value) -> str:
    """What sort of value it is: `a number`, `a text` …"""
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
    """The value in a message, shortened where it is long."""
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
            return f"[{', '.join(shown(each, depth - 1) for each in value[:4])}{dots}]"
        case Mapping():
            keys = [str(key) for key in value]
            return f"{{{', '.join(keys[:4])}{', …' if len(keys) > 4 else ''}}}"
    return str(value)


# Bounds


def _unmetered(amount: int) -> None:
    """Outside an elaboration each expression has its own bounds, and that is enough."""


meter: ContextVar[Callable[[int], None]] = ContextVar("meter", default=_unmetered)


def spend(amount: int) -> None:
    """Count elements that an operation goes through: many expressions together must end in time, too."""
    meter.get()(amount)


# Sizes


def _unwatched(source: Any, word: str) -> None:
    """Outside an elaboration nobody asks which sizes a value was computed from."""


COUNT = "count"  # of a list of tensors, as `len` gives it
size_read: ContextVar[Callable[[Any, str], None]] = ContextVar("size_read", default=_unwatched)


def _note_sizes(shape: ShapeValue, word: str) -> None:
    """Report that an expression read this size of these tensors."""
    note = size_read.get()
    for source in shape.sources:
        note(source, word)


def bounded(value: Value) -> Value:
    """The number or text itself, unless it is beyond the bounds."""
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
    """The list itself, unless it has too many elements (those of lists within it counted) or is too deep."""
    check_size(elements)
    return elements


def check_size(elements: list[Value] | Mapping[str, Value]) -> None:
    """Refuse a list or table with too many elements in all, or too deep."""
    spend(_count(elements, 0, 0))


def _count(elements: list[Value] | tuple[Value, ...] | Mapping[str, Value], total: int, depth: int) -> int:
    total += len(elements)
    if total > MAX_ELEMENTS:
        raise Fault("E503", f"the list is too long: the maximum is {MAX_ELEMENTS:,} elements in total")
    if depth > MAX_LIST_DEPTH:
        raise Fault("E503", f"lists are nested more than {MAX_LIST_DEPTH} deep")
    inner: Iterable[Value] = elements.values() if isinstance(elements, Mapping) else elements
    for each in inner:
        if isinstance(each, list | tuple | Mapping):
            total = _count(each, total, depth + 1)
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
    """Two numbers; a list and a number element by element, on either side; `+` also joins two lists or two texts."""
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
        spend(len(left))
        return [arithmetic(symbol, each, right) for each in left]
    if right_list and type(left) in NUMBERS:
        spend(len(right))
        return [arithmetic(symbol, left, each) for each in right]
    raise _not_numbers(symbol, left, right)


def _not_numbers(symbol: str, left: Value, right: Value) -> Fault:
    both = f"cannot compute `{shown(left)} {symbol} {shown(right)}`"
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return Fault(
            "E403", f"{both}: both are lists", "`+` joins two lists; the other operators take a list and a number"
        )
    culprit = right if type(left) in NUMBERS or isinstance(left, list | tuple) else left
    return Fault("E403", f"{both}: `{shown(culprit)}` is {kind(culprit)}, not a number", number_mend(culprit))


def number_mend(value: Value) -> str | None:
    """What the author may have meant, where a number is needed."""
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
    """The number with its sign changed; a list element by element."""
    if type(value) in NUMBERS:
        return -value
    if isinstance(value, list | tuple):
        spend(len(value))
        return [negative(each) for each in value]
    raise Fault("E403", f"`-` needs a number, got `{shown(value)}`", number_mend(value))


def compare(symbol: str, left: Value, right: Value) -> bool:
    """Numbers by size; any two values of one kind, or anything and null, for being equal."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return _COMPARISONS[symbol](left, right)
    if isinstance(left, ShapeValue) or isinstance(right, ShapeValue):
        raise Fault("E403", "tensors cannot be compared; compare their sizes")
    if symbol not in ("==", "!="):
        raise Fault("E403", f"`{symbol}` compares numbers, got `{shown(left)}` and `{shown(right)}`")
    if left is not None and right is not None and kind(left) != kind(right):
        mend = next((each for each in map(number_mend, (left, right)) if each and "quotes" in each), None)
        what = f"`{shown(left)}` with `{shown(right)}`: {kind(left)} and {kind(right)}"
        raise Fault("E403", f"cannot compare {what}", mend)
    return _same(left, right) == (symbol == "==")


def _same(left: Value, right: Value) -> bool:
    """Equal, `true` being no 1 at any depth."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        spend(len(left))
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


# Parts of values


def length(shape: ShapeValue) -> int:
    """How many tensors there are."""
    _note_sizes(shape, COUNT)
    return len(shape.types)


def member(value: Value, name: str, what: str) -> Value:
    """`value.name`: a size of a tensor, the value of a table's key, or by number an element. `what` names the value."""
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
    mend = "index the list: `.0` is the first element" if isinstance(value, list | tuple) else None
    wanted = "a tensor" if name in SHAPE_WORDS else "a mapping"
    raise Fault("E403", f"`{what}` is `{shown(value)}`, not {wanted}: it has no `{name}`", mend)


def _size(shape: ShapeValue, word: str, what: str) -> int:
    tensor = shape.type
    if not isinstance(tensor, TensorType):
        mend = f"select one of them: `{what}.0.{word}`" if word in SHAPE_WORDS else None
        raise Fault("E403", f"`{what}` is a list of {len(tensor)} tensors: it has no `{word}`", mend)
    if word in SHAPE_WORDS:
        _note_sizes(shape, "channels" if tensor.axes == (CHANNELS,) and word == "features" else word)
    match word:
        case "channels":
            return tensor.channels
        case "features":
            return tensor.count
        case "height" | "width":
            size = tensor.height if word == "height" else tensor.width
            if size is not None:
                return size
            found = f"a vector of {tensor}" if tensor.rank == 1 else f"{tensor}"
            raise Fault(
                "E403",
                f"`{what}` has no `{word}`: it is {found}",
                f"write `{what}.features` for the number of its elements",
            )
    mend = did_you_mean(word, SHAPE_WORDS) or Known.listed("a tensor has", SHAPE_WORDS)
    raise Fault("E403", f"`{what}` is a tensor of {tensor}: it has no `{word}`", mend)


def index(value: Value, position: Value, what: str, asked: str | None = None) -> Value:
    """`value[position]`: an element of a list from 0, from -1 backwards, or the value of a table's key."""
    if isinstance(value, Mapping) and isinstance(position, str):
        return member(value, position, what)
    if isinstance(value, ShapeValue):
        found = index(value.types, position, what, asked)
        return ShapeValue(found, value.sources[position : position + 1 or None])
    if not isinstance(value, list | tuple):
        raise Fault("E403", f"`{what}` is `{shown(value)}`, {kind(value)}: it cannot be indexed")
    if type(position) is not int:
        mend = USE_FLOOR_DIVISION if isinstance(position, float) else None
        raise Fault("E403", f"an index must be an integer, got `{shown(position)}`", mend)
    if -len(value) <= bounded(position) < len(value):
        return value[position]
    raise _out_of_range(len(value), position, what, asked or f"[{position}]")


def _out_of_range(length: int, position: int, what: str, asked: str) -> Fault:
    number = position + 1 if position >= 0 else -position
    ordinal = _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"element number {number}"
    which = f"the {ordinal}" if number <= len(_ORDINALS) else ordinal
    end = "" if position >= 0 else " from the end"
    if position == -1:
        which, end = "the last", ""
    has = {0: "is empty", 1: "has 1 element"}.get(length, f"has {length} elements")
    mend = f"use an index from 0 to {length - 1}" if length and position >= 0 else None
    return Fault("E404", f"index out of range: `{what}` {has}, `{asked}` is {which}{end}", mend)


def part(value: Value, start: Value, stop: Value, step: Value, what: str) -> list[Value]:
    """`value[start:stop:step]` of a list, as in Python; null stands for a bound left out."""
    if not isinstance(value, list | tuple):
        raise Fault("E403", f"`{what}` is `{shown(value)}`, not a list: it cannot be sliced")
    for bound in (start, stop, step):
        if bound is not None and type(bound) is not int:
            mend = USE_FLOOR_DIVISION if isinstance(bound, float) else None
            raise Fault("E403", f"the bounds in `[start:end]` must be integers, got `{shown(bound)}`", mend)
    if step == 0:
        raise Fault("E404", "the step in `[start:end:step]` must not be 0")
    spend(len(value))
    return list(value[start:stop:step])


def truth(value: Value, what: str) -> bool:
    """Whether a condition holds: a truth value, or null for false. Numbers, texts and lists are none."""
    if value is True or value is False:
        return value
    if value is None:
        return False
    mend = None
    if type(value) in NUMBERS:
        mend = f"compare it: `{what} != 0`"
    elif isinstance(value, str):
        mend = f"compare it: `{what} == {shown(value)}`"
    elif isinstance(value, list | tuple):
        mend = f"compare it: `len({what}) > 0`"
    raise Fault("E403", f"`{what}` is `{shown(value)}`, not true or false", mend)
