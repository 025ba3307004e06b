"""List comprehensions: `[$x * 2 for $x in $widths if $x > 8]`, with Python's meaning and a limit on the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnngraph.language.expressions.tree import ExpressionError, Lookup, Node, Reference, holds, plain_value, shape_error
from cnngraph.language.expressions.values import Fault, ShapeValue, Value, bounded_list, count_steps, meter, shown

MAX_STEPS = 500_000  # the terms and list elements that a comprehension, with those inside it, may evaluate


class Comprehension(Node):
    """`[element for $name in list … if condition]`: its parts are the element, the lists and the condition, if any."""

    variables: tuple[str, ...] = ()

    def names(self) -> Iterator[Reference]:
        element, *lists = self.parts
        for number, source in enumerate(lists):  # a list knows the variables before it, the condition all of them
            yield from (found for found in source.names() if found.name not in self.variables[:number])
        yield from (found for found in element.names() if found.name not in self.variables)

    def always(self) -> tuple[Node, ...]:
        return self.parts[1:2]

    def value(self, lookup: Lookup) -> Value:
        try:
            with_limit = isinstance(meter.get(), _Meter)
            return self._elements(lookup) if with_limit else _limited(lambda: self._elements(lookup))
        except Fault as fault:
            self.raise_at(fault)

    def _elements(self, lookup: Lookup) -> Value:
        element, *lists = self.parts
        condition = lists.pop() if len(lists) > len(self.variables) else None
        steps = sum(1 for part in (element, condition) if part for _ in part.walk())
        values = []
        for inner in self._iterations(tuple(lists), lookup):
            count_steps(steps)
            if condition is None or holds(condition, inner):
                values.append(plain_value(element, inner))
        return bounded_list(values)

    def _iterations(self, lists: tuple[Node, ...], lookup: Lookup) -> Iterator[Lookup]:
        """The lookups of all iterations; the last list is iterated fastest."""
        if not lists:
            yield lookup
            return
        name = self.variables[-len(lists)]
        values = lists[0].value(lookup)
        if isinstance(values, ShapeValue):
            raise shape_error(lists[0], values)
        if not isinstance(values, list | tuple):
            message = f"`for` needs a list, got `{shown(values)}`"
            help = f"write `range({lists[0].text})`" if type(values) is int else None
            raise ExpressionError(message, lists[0].start, lists[0].end, help, "E403")
        for value in values:
            count_steps(1)
            yield from self._iterations(lists[1:], _with(lookup, name, value))


def _with(lookup: Lookup, name: str, value: Value) -> Lookup:
    def look_up(reference: Reference) -> tuple[object, int]:
        return (value, 0) if reference.name == name else lookup(reference)

    return look_up


class _Meter:
    """Counts the steps of an outermost comprehension, besides the meter around it."""

    def __init__(self, outer: Callable[[int], None]) -> None:
        self.outer = outer
        self.steps = 0

    def __call__(self, amount: int) -> None:
        self.steps += amount
        if self.steps > MAX_STEPS:
            raise Fault(
                "E503", f"the comprehension takes more than {MAX_STEPS:,} steps", "compute parts of it in params"
            )
        self.outer(amount)


def _limited(evaluate: Callable[[], Value]) -> Value:
    token = meter.set(_Meter(meter.get()))
    try:
        return evaluate()
    finally:
        meter.reset(token)
