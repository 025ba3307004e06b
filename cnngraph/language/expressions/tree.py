"""The syntax tree of an expression: each node knows its position in the text and evaluates itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias

from cnngraph.frozen import Frozen, frozen
from cnngraph.language.expressions.functions import FUNCTIONS
from cnngraph.language.expressions.values import (
    MAX_INT,
    Fault,
    ShapeValue,
    Value,
    arithmetic,
    bounded_list,
    compare,
    index,
    member,
    negative,
    part,
    truth,
)


class ExpressionError(Exception):
    """An error in an expression. Positions are characters of its text from 0; the end is exclusive.

    Codes: E401 a syntax error, E402 an unknown name, E403 a value of the wrong type, E404 an invalid value (division
    by zero, an index out of range), E503 a limit is exceeded.
    """

    def __init__(self, message: str, start: int, end: int, help: str | None = None, code: str = "E401") -> None:
        super().__init__(message, start, end, help, code)
        self.message, self.start, self.end, self.help, self.code = message, start, end, help, code

    def __str__(self) -> str:
        return self.message


@frozen
class Reference:
    """A `$name` in a text, with the dotted parts after it: `$block.conv.channels` has the trail (conv, channels)."""

    name: str
    start: int
    end: int
    trail: tuple[str, ...] = ()

    def end_of(self, parts: int) -> int:
        """Where the name and its first `parts` parts end."""
        return self.start + 1 + len(self.name) + sum(1 + len(part) for part in self.trail[:parts])

    def __str__(self) -> str:
        return "$" + ".".join((self.name, *self.trail))


# Returns the value of a reference's name and how many parts of its trail were consumed (a path to a node takes some).
Lookup: TypeAlias = Callable[[Reference], tuple[object, int]]


class Node(Frozen):
    """A part of an expression: `source[start:end]`, made of `parts`."""

    source: str
    start: int
    end: int
    parts: tuple[Node, ...] = ()

    @property
    def text(self) -> str:
        """How the author wrote it."""
        return self.source[self.start : self.end]

    def value(self, lookup: Lookup) -> Value:
        """Evaluate it. Raises ExpressionError, and whatever `lookup` raises."""
        raise NotImplementedError

    def walk(self) -> Iterator[Node]:
        """This node and its descendants; references are in order of appearance."""
        yield self
        for child in self.parts:
            yield from child.walk()

    def names(self) -> Iterator[Reference]:
        """The references in it, except to the variable of a comprehension."""
        for child in self.parts:
            yield from child.names()

    def certain(self) -> Iterator[Node]:
        """This node and the descendants that every evaluation computes."""
        yield self
        for child in self.always():
            yield from child.certain()

    def always(self) -> tuple[Node, ...]:
        """The parts that every evaluation computes."""
        return self.parts

    def height(self) -> int:
        """The height of the tree."""
        return 1 + max((part.height() for part in self.parts), default=0)

    def end_at(self, part: Node) -> int:
        """Where a part ends; for the last one including brackets around it."""
        return self.end if part is self.parts[-1] else part.end

    def raise_at(self, fault: Fault, *operands: tuple[Node, Value], end: int | None = None) -> NoReturn:
        """Raise `fault` as an ExpressionError at an operand that is a tensor, or else at this node (up to `end`)."""
        for node, value in operands:
            if isinstance(value, ShapeValue):
                raise shape_error(node, value) from None
        raise ExpressionError(fault.message, self.start, end or self.end, fault.help, fault.code) from None


def shape_error(node: Node, value: ShapeValue) -> ExpressionError:
    """The error for a tensor where a plain value is needed."""
    first = "" if not isinstance(value.type, tuple) else "[0]"
    help = f"write `{node.text}{first}.channels` (or `.height`, `.width`, `.features`)"
    return ExpressionError(f"`{node.text}` is {value}, not a number", node.start, node.end, help, "E403")


class Literal(Node):
    """A number, a string, true, false or null."""

    constant: Any = None

    def value(self, lookup: Lookup) -> Value:
        return self.constant


class Name(Node):
    """`$name`, with its trail."""

    reference: Reference = Reference("", 0, 0)

    def names(self) -> Iterator[Reference]:
        yield self.reference

    def value(self, lookup: Lookup) -> Value:
        reference = self.reference
        value, taken = lookup(reference)
        for count in range(taken, len(reference.trail)):
            what = self.source[self.start : reference.end_of(count)]
            try:
                value = member(value, reference.trail[count], what)
            except Fault as fault:
                self.raise_at(fault, end=reference.end_of(count + 1))
        if type(value) is int and not -MAX_INT <= value <= MAX_INT:
            self.raise_at(Fault("E503", f"`{self.text}` is too large: the maximum is 2**53, about 9e15"))
        return value


class Arithmetic(Node):
    """Operators of one rank, from left to right: `$a * $b // 2`."""

    symbols: tuple[str, ...] = ()

    def value(self, lookup: Lookup) -> Value:
        first, *rest = self.parts
        value = first.value(lookup)
        for symbol, operand in zip(self.symbols, rest, strict=True):
            right = operand.value(lookup)
            try:
                value = arithmetic(symbol, value, right)
            except Fault as fault:
                self.raise_at(fault, (first, value), (operand, right), end=self.end_at(operand))
        return value


class Negative(Node):
    """`-$a`."""

    def value(self, lookup: Lookup) -> Value:
        (operand,) = self.parts
        value = operand.value(lookup)
        try:
            return negative(value)
        except Fault as fault:
            self.raise_at(fault, (operand, value))


class Comparison(Node):
    """`$a == $b`, or a chain: `0 < $a < 9`."""

    symbols: tuple[str, ...] = ()

    def always(self) -> tuple[Node, ...]:
        return self.parts[:2]

    def value(self, lookup: Lookup) -> Value:
        before = self.parts[0]
        left = before.value(lookup)
        for symbol, operand in zip(self.symbols, self.parts[1:], strict=True):
            right = operand.value(lookup)
            try:
                if not compare(symbol, left, right):
                    return False
            except Fault as fault:
                self.raise_at(fault, (before, left), (operand, right), end=self.end_at(operand))
            before, left = operand, right
        return True


def holds(node: Node, lookup: Lookup) -> bool:
    """Whether a condition is true. Raises ExpressionError if it is neither true nor false."""
    value = node.value(lookup)
    try:
        return truth(value, node.text)
    except Fault as fault:
        node.raise_at(fault, (node, value))


class Either(Node):
    """`$a or $b`: true as soon as one is."""

    def always(self) -> tuple[Node, ...]:
        return self.parts[:1]

    def value(self, lookup: Lookup) -> Value:
        return any(holds(part, lookup) for part in self.parts)


class Both(Node):
    """`$a and $b`: false as soon as one is."""

    def always(self) -> tuple[Node, ...]:
        return self.parts[:1]

    def value(self, lookup: Lookup) -> Value:
        return all(holds(part, lookup) for part in self.parts)


class Not(Node):
    """`not $a`."""

    def value(self, lookup: Lookup) -> Value:
        return not holds(self.parts[0], lookup)


class Choice(Node):
    """`$a if $condition else $b`: only the chosen branch is evaluated."""

    def always(self) -> tuple[Node, ...]:
        return self.parts[1:2]

    def value(self, lookup: Lookup) -> Value:
        chosen, condition, other = self.parts
        return chosen.value(lookup) if holds(condition, lookup) else other.value(lookup)


class Items(Node):
    """`[$a, $b]`."""

    def value(self, lookup: Lookup) -> Value:
        values = [plain_value(part, lookup) for part in self.parts]
        try:
            return bounded_list(values)
        except Fault as fault:
            self.raise_at(fault)


def plain_value(node: Node, lookup: Lookup) -> Value:
    """The value of an element of a list, which is not a tensor."""
    value = node.value(lookup)
    if isinstance(value, ShapeValue):
        raise shape_error(node, value)
    return value


class Call(Node):
    """`max($a, $b)`."""

    function: str = ""

    def value(self, lookup: Lookup) -> Value:
        values = [part.value(lookup) for part in self.parts]
        try:
            return FUNCTIONS[self.function].apply(*values)
        except Fault as fault:
            self.raise_at(fault, *zip(self.parts, values, strict=True))


class Member(Node):
    """`….name` or `….0` after a bracket."""

    name: str = ""

    def value(self, lookup: Lookup) -> Value:
        (base,) = self.parts
        value = base.value(lookup)
        try:
            return member(value, self.name, base.text)
        except Fault as fault:
            self.raise_at(fault)


class Index(Node):
    """`$list[2]`."""

    def value(self, lookup: Lookup) -> Value:
        base, position = self.parts
        value, number = base.value(lookup), position.value(lookup)
        try:
            return index(value, number, base.text)
        except Fault as fault:
            self.raise_at(fault, (position, number))


class Slice(Node):
    """`$list[start:stop:step]`."""

    def value(self, lookup: Lookup) -> Value:
        base, *bounds = self.parts
        value = base.value(lookup)
        start, stop, step = numbers = [bound.value(lookup) for bound in bounds]
        try:
            return part(value, start, stop, step, base.text)
        except Fault as fault:
            self.raise_at(fault, *zip(bounds, numbers, strict=True))
