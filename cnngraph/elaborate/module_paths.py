"""Assigns module paths: the names of a module's children, and the resulting tree of scopes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from cnngraph.diagnostics import Span
from cnngraph.elaborate.messages import ProblemError, bad_name
from cnngraph.graph.nodes import Node, Scope
from cnngraph.language.model import LocatedText
from cnngraph.language.names import MAX_PATH, heads, key_problem

Slot: TypeAlias = "list[Scope | int | Slot]"  # scopes, node indices, and inner slots, in module order


@dataclass(slots=True, eq=False, repr=False)
class Level:
    """The names taken by the children of one module; `repeats` if they are iterations."""

    path: str
    repeats: bool = False
    taken: dict[str, Span] = field(default_factory=dict)
    containers: dict[str, Span] = field(default_factory=dict)
    count: int = 0

    def within(self, name: str) -> str:
        """A child's path."""
        return f"{self.path}.{name}" if self.path else name


@dataclass(slots=True, eq=False, repr=False)
class Place:
    """The place of a node's module: its level, its name (None: the next number, at least `least`) and its slot.

    `around` is the path of the repeat whose iteration this is. `applied` are the rules of `change` that have been
    applied to the node so far, and `dropped` the parameters that they have removed.
    """

    level: Level
    slot: Slot
    name: LocatedText | None
    span: Span
    path: str | None = None
    around: str = ""
    applied: set[tuple[int, int]] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    least: int = 0

    @property
    def number(self) -> int:
        """The number that a node without a name will have."""
        return max(self.level.count, self.least)

    def peek(self) -> str:
        """The path that `take` will give."""
        if self.path is None:
            return self.level.within(self.name.text if self.name else str(self.number))
        return self.path

    def take(self) -> str:
        """Reserve and return the path. Raises ProblemError if the name is taken."""
        level = self.level
        if self.path is not None:
            return self.path
        name = self.name.text if self.name else str(self.number)
        if not self.name:
            level.count = self.number + 1
        self.check(name)
        level.taken[name] = self.span
        self.path = level.within(name)
        if len(self.path) > MAX_PATH:
            raise ProblemError("E503", f"the path of the node has more than {MAX_PATH:,} characters", self.span)
        return self.path

    def skip(self) -> str:
        """The path of a node that failed before it took one."""
        path = self.peek()
        if self.name is None:
            self.level.count = self.number + 1
        return path

    def check(self, name: str) -> None:
        level = self.level
        if problem := key_problem(name):
            raise bad_name(*problem, self.span)
        *around, _ = heads(name)
        clash = next((level.taken[head] for head in (name, *around) if head in level.taken), level.containers.get(name))
        if clash is not None:
            message = f"two modules would be named `{level.within(name)}`"
            raise ProblemError(
                "E305", message, self.span, notes=(f"the first is at {clash}",), help="rename one of them"
            )
        for head in around:
            level.containers.setdefault(head, self.span)


def flattened(slot: Slot) -> Iterator[Scope | int]:
    """The scopes and nodes of a slot, with nested slots flattened."""
    waiting = [iter(slot)]
    while waiting:
        for child in waiting[-1]:
            if isinstance(child, list):
                waiting.append(iter(child))
                break
            yield child
        else:
            waiting.pop()


def module_tree(path: str, slot: Slot, nodes: list[Node], implicit: set[int]) -> tuple[Scope | int, ...]:
    """The children of a module in order, with dotted names grouped into containers at their first use."""
    children = list(flattened(slot))
    skip = len(path) + 1 if path else 0
    names = [None if module in implicit else _name(module, nodes)[skip:] for module in children]
    if not any(name and "." in name for name in names):
        return tuple(children)
    groups: dict[str, list[Scope | int]] = {}
    order: list[Scope | int | str] = []
    for child, name in zip(children, names, strict=True):
        head = name.partition(".")[0] if name and "." in name else None
        if head is None:
            order.append(child)
        else:
            if head not in groups:
                groups[head] = []
                order.append(head)
            groups[head].append(child)
    return tuple(_container(path, child, groups[child], nodes) if isinstance(child, str) else child for child in order)


def _container(path: str, head: str, children: list[Scope | int], nodes: list[Node]) -> Scope:
    inner = f"{path}.{head}" if path else head
    first = children[0]
    span = first.span if isinstance(first, Scope) else nodes[first].span
    grouped = module_tree(inner, list(children), nodes, set())
    return Scope(inner, "container", None, (), (), grouped, 0, 0, span)


def _name(child: Scope | int, nodes: list[Node]) -> str:
    return child.path if isinstance(child, Scope) else nodes[child].path
