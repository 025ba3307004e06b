"""What names stand for while a network is elaborated: tensors, evaluated keys, nodes and what is inside them."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cnngraph.diagnostics import Span
from cnngraph.elaborate.messages import UnknownError
from cnngraph.graph.nodes import Ref
from cnngraph.graph.sizes import Sized
from cnngraph.language.expressions.values import spend


class Tensors(NamedTuple):
    """What a node gives: one tensor, or a flat list of them."""

    refs: tuple[Ref, ...]
    is_list: bool = False


class Given(NamedTuple):
    """An evaluated word: its value, where its name and its value stand, and where the value was first written.

    The last two differ where the text is a bare `$param`. `meant` is the expression that a text may have been meant as.
    `sized` is there where the value was computed from sizes of tensors.
    """

    key_span: Span
    span: Span
    value: Any
    origin: Span
    meant: str = ""
    sized: Sized | None = None


class Row(dict[str, Any]):
    """A table's values, with the place of each in `given`."""

    given: dict[str, Given]


@dataclass(slots=True)
class Bound:
    """What a name stands for: the value (None: unknown, since it failed), and the names inside.

    `flat`: its nodes are in the scope around it, and it has no module. `rounds` are the iterations of a repeat.
    """

    value: Tensors | None
    span: Span
    path: str = ""
    names: Reach = field(default_factory=lambda: Reach())
    absent: bool = False
    unused: bool = False
    flat: bool = False
    start: int = 0
    stop: int = 0
    again: Callable[..., Bound] | None = None
    shares: str = ""  # whose module it runs
    rounds: list[Bound] = field(default_factory=list)

    def tensors(self) -> Tensors:
        """The value; raises UnknownError where there is none."""
        if self.value is None:
            raise UnknownError
        return self.value


class Reach(dict[str, Bound]):
    """The nodes in reach by name, and the rivals of each: `flat` may bring a node of the same name into a scope.

    A path that begins with such a name is ambiguous where the two differ.
    """

    __slots__ = ("later", "rivals")

    def __init__(self) -> None:
        self.rivals: dict[str, list[Bound]] | None = None  # most nodes have no names inside, let alone rivals
        self.later: Set[str] = frozenset()  # nodes of the scope that are elaborated after the one at hand

    def put(self, name: str, bound: Bound) -> None:
        """Give a node its own name in the scope."""
        known = self.get(name)
        if known is not None and known is not bound:
            self.add_rivals(name, [known])
        self[name] = bound

    def join(self, inner: Reach) -> None:
        """Bring the names inside a flat node into the scope around it."""
        spend(len(inner))
        for name, bound in inner.items():
            if self.setdefault(name, bound) is not bound:
                self.add_rivals(name, [bound])
        for name, bounds in (inner.rivals or {}).items():
            self.add_rivals(name, bounds)

    def add_rivals(self, name: str, bounds: list[Bound]) -> None:
        """Keep nodes that have the same name."""
        if self.rivals is None:
            self.rivals = {}
        self.rivals.setdefault(name, []).extend(bounds)

    def all(self, name: str) -> list[Bound]:
        """Every node of that name, the scope's own first."""
        known = self.get(name)
        if known is None:
            return []
        return [known, *self.rivals.get(name, ())] if self.rivals else [known]


class Reads(NamedTuple):
    """What a node reads: a value for each path of its `from`, with the path as written."""

    values: tuple[Tensors, ...]
    names: tuple[str, ...]
    explicit: bool

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All tensors, lists spread."""
        if len(self.values) == 1:
            return self.values[0].refs
        spend(sum(len(each.refs) for each in self.values))
        return tuple(ref for each in self.values for ref in each.refs)

    @property
    def joined(self) -> Tensors:
        """The one value that inline nodes call `in`."""
        if len(self.values) == 1:
            return self.values[0]
        return Tensors(self.refs, True)

    @property
    def wire(self) -> Tensors:
        """What an absent node is: its first input."""
        return self.values[0] if self.values else Tensors((), True)
