"""Values during elaboration: tensors, evaluated arguments, nodes and the names inside them."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cnngraph.diagnostics import Span
from cnngraph.elaborate.messages import UnknownError
from cnngraph.elaborate.shifts import Shift
from cnngraph.graph.nodes import Ref
from cnngraph.graph.sizes import Sized
from cnngraph.language.expressions.values import count_steps


class Tensors(NamedTuple):
    """The value of a node: one tensor, or a flat list of tensors."""

    refs: tuple[Ref, ...]
    is_list: bool = False


class Argument(NamedTuple):
    """An evaluated argument: its value, the spans of its key and value, and where the value was first written.

    `span` and `origin` differ for a bare `$param`. `as_expression` is what a string may stand for, such as `$classes`.
    `sized` is set if the value was computed from sizes of tensors.
    """

    key_span: Span
    span: Span
    value: Any
    origin: Span
    as_expression: str = ""
    sized: Sized | None = None


class Row(dict[str, Any]):
    """The values of a mapping; `cells` has their locations."""

    cells: dict[str, Argument]


@dataclass(slots=True, eq=False, repr=False)
class Bound:
    """What a name refers to: its value (None: unknown because of an error) and the names inside.

    `absent`: it passes its input through, and `removed`: because of a `change`. `flat`: its nodes belong to the outer
    scope, and it has no module. `iterations` are those of a repeat; `shifts` are
    their numbers that once meant another one.
    """

    value: Tensors | None
    span: Span
    path: str = ""
    names: VisibleNodes = field(default_factory=lambda: VisibleNodes())
    absent: bool = False
    removed: bool = False
    unused: bool = False
    flat: bool = False
    start: int = 0
    stop: int = 0
    again: Callable[..., Bound] | None = None
    shares: str = ""  # whose module it runs
    iterations: list[Bound] = field(default_factory=list)
    shifts: dict[str, Shift] = field(default_factory=dict)
    inserted: VisibleNodes | None = None  # nodes that a `change` has inserted beside it

    def tensors(self) -> Tensors:
        """The value; raises UnknownError if it is unknown."""
        if self.value is None:
            raise UnknownError
        return self.value

    @property
    def is_numbered(self) -> bool:
        """Whether nodes inside are called by numbers, so that a number in a path is one of them, and not a tensor."""
        return any(name.isdecimal() for name in self.names)


class VisibleNodes(dict[str, Bound]):
    """The visible nodes by name. `flat` may bring several nodes of one name into a scope.

    A path that begins with such a name is ambiguous if the nodes differ.
    """

    __slots__ = ("current", "later", "namesakes")

    def __init__(self) -> None:
        self.namesakes: dict[str, list[Bound]] | None = None  # further nodes of the same name, which are rare
        self.current = ""  # the node of the scope that is being elaborated; empty for one without a name
        self.later: Set[str] = frozenset()  # the current node, and those of the scope that are elaborated after it

    def put(self, name: str, bound: Bound) -> None:
        """Add a node under its name."""
        known = self.get(name)
        if known is not None and known is not bound:
            self.add_namesakes(name, [known])
        self[name] = bound

    def join(self, inner: VisibleNodes) -> None:
        """Add the names inside a flat node."""
        count_steps(len(inner))
        for name, bound in inner.items():
            if self.setdefault(name, bound) is not bound:
                self.add_namesakes(name, [bound])
        for name, bounds in (inner.namesakes or {}).items():
            self.add_namesakes(name, bounds)

    def add_namesakes(self, name: str, bounds: list[Bound]) -> None:
        """Add further nodes of the same name."""
        if self.namesakes is None:
            self.namesakes = {}
        self.namesakes.setdefault(name, []).extend(bounds)

    def all(self, name: str) -> list[Bound]:
        """All nodes of that name, the scope's own first."""
        known = self.get(name)
        if known is None:
            return []
        return [known, *self.namesakes.get(name, ())] if self.namesakes else [known]


class Reads(NamedTuple):
    """What a node reads: a value for each path of its `from`, with the path as written.

    `passes` is what an absent node passes through, if not the first value.
    """

    values: tuple[Tensors, ...]
    names: tuple[str, ...]
    explicit: bool
    passes: Tensors | None = None

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All tensors, with lists flattened."""
        if len(self.values) == 1:
            return self.values[0].refs
        count_steps(sum(len(value.refs) for value in self.values))
        return tuple(ref for value in self.values for ref in value.refs)

    @property
    def joined(self) -> Tensors:
        """The single value that inline nodes see as `in`."""
        if len(self.values) == 1:
            return self.values[0]
        return Tensors(self.refs, True)

    @property
    def passed_through(self) -> Tensors:
        """The value of an absent node: its first input."""
        if self.passes is not None:
            return self.passes
        return self.values[0] if self.values else Tensors((), True)
