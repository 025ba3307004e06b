"""The values of names in the second reading of a spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType
from tests.fuzz.expressions import elements, evaluate
from tests.fuzz.spec_tree import Expr

IN_TEXT = re.compile(r"\$\{([^}]*)\}|\$(\w+)")


class InvalidError(Exception):
    """The tree is not a valid network; the draw is discarded."""


@dataclass(frozen=True)
class Tensor:
    """A tensor, identified by its producer's path or, for an implied concatenation, by the joined tensors."""

    name: str
    type: TensorType


class Names(dict[str, "Value"]):
    """The nodes of a scope by name. `flat` may add a second node of a name, which is then ambiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[tuple[str, Value]] = []

    def put(self, name: str, value: Value) -> None:
        """Add a node."""
        if name in self:
            self.others.append((name, value))
        else:
            self[name] = value

    def join(self, inner: Names) -> None:
        """Add the nodes of a flat node."""
        for name, value in (*inner.items(), *inner.others):
            self.put(name, value)

    def all(self, name: str) -> list[Value]:
        """All nodes of a name."""
        return [*([self[name]] if name in self else []), *(value for other, value in self.others if other == name)]

    def copy(self) -> Names:
        """A copy."""
        new = Names()
        new.update(self)
        new.others = list(self.others)
        return new


@dataclass
class Value:
    """The value of a name, with its inner names and how to run it again."""

    tensors: tuple[Tensor, ...]
    is_list: bool = False
    path: str = ""
    names: Names = field(default_factory=Names)
    flat: bool = False
    iterations: list[Value] = field(default_factory=list)
    absent: bool = False
    refused: int | None = None  # numbers from here on may have meant another iteration
    unused: bool = False
    again: Callable[[list[Value], Level, str], Value] | None = None
    operations: list[Operation] = field(default_factory=list)
    passes: Value | None = None  # what an absent node that reads it passes on, if not all of it

    def __getattr__(self, part: str) -> Any:
        """Sizes in expressions, or inner nodes."""
        if part in ("channels", "height", "width", "features"):
            if self.is_list:
                raise InvalidError("a list has no size")
            (tensor,) = self.tensors
            size = tensor.type.count if part == "features" else getattr(tensor.type, part)
            if size is None:
                raise InvalidError(part)
            return size
        if not part.startswith("__") and part in self.names:
            return self.names[part]
        raise AttributeError(part)

    def __getitem__(self, place: int | str) -> Any:
        return getattr(self, place) if isinstance(place, str) else Value((self.tensors[place],))

    @property
    def is_numbered(self) -> bool:
        """Whether nodes inside are called by numbers."""
        return any(name.isdecimal() for name in self.names)

    def __len__(self) -> int:
        return len(self.tensors)


@dataclass
class Operation:
    """One operation."""

    path: str
    op: Op
    reads: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    call: object  # the module's constructor call, or the expression in the forward
    shares: str | None
    unused: bool = False
    implied: bool = False  # a concatenation of `carry: concat`, whose path is unknown here


@dataclass
class Level:
    """The names used in one module."""

    prefix: str
    taken: set[str] = field(default_factory=set)
    count: int = 0
    least: int = 0  # the number of the iteration that comes next

    @property
    def next(self) -> int:
        return max(self.count, self.least)

    def take(self, name: str) -> str:
        if not name:
            name = str(self.next)
            self.count = self.next + 1
        heads = [name[: match.start()] for match in re.finditer(r"\.", name)]
        if {name, *heads} & self.taken or any(taken.startswith(f"{name}.") for taken in self.taken):
            raise InvalidError(f"{name} is used twice")
        self.taken.add(name)
        return f"{self.prefix}.{name}" if self.prefix else name


@dataclass
class Env:
    """The names in scope."""

    params: dict[str, Any]
    inputs: dict[str, Value]
    names: Names = field(default_factory=Names)
    round: tuple[int, Any] | None = None
    reads: Value | None = None
    in_own_file: bool = True

    def lookup(self) -> Mapping[str, Any]:
        extra: dict[str, Any] = {"from": self.reads} if self.reads is not None else {}
        if self.round is not None:
            extra |= {"i": self.round[0], "item": elements(self.round[1])}
        return {**self.names, **self.inputs, **extra, **self.params}

    def value(self, given: Any) -> Any:
        if isinstance(given, Expr):
            return evaluate(given, self.lookup())
        if isinstance(given, list):
            return [self.value(item) for item in given]
        return {key: self.value(item) for key, item in given.items()} if isinstance(given, dict) else given

    def text(self, text: str) -> str:
        return IN_TEXT.sub(lambda match: str(evaluate(match[1] or f"${match[2]}", self.lookup())), text)

    def find(self, path: str) -> Value:
        """The value of a path; raises if it is ambiguous."""
        path, _, place = path.partition("[")
        path = self.text(path)
        found: list[Value] = []
        for head, rest in _splits(path):
            for value in [self.inputs[head]] if head in self.inputs else self.names.all(head):
                found += self._inside(value, rest, head in self.inputs)
        if len({value.tensors for value in found}) != 1:
            raise InvalidError(f"{path} has {len(found)} meanings")
        if not place:
            return found[0]
        bounds: list[Any] = [
            evaluate(bound, self.lookup()) if bound.strip() else None for bound in place[:-1].split(":")
        ]
        if len(bounds) > 1:
            if not (found[0].is_list or path in self.inputs):
                raise InvalidError(f"{path} is no list")
            return Value(found[0].tensors[slice(*bounds)], True, unused=found[0].unused)
        (index,) = bounds
        if not (found[0].is_list or path in self.inputs) or not -len(found[0]) <= index < len(found[0]):
            raise InvalidError(f"{path} has no tensor {index}")
        return Value((found[0].tensors[index],), unused=found[0].unused)

    def _inside(self, value: Value, rest: str, is_input: bool) -> Iterator[Value]:
        if not rest:
            yield value
            return
        for head, more in _splits(rest):
            for inner in value.names.all(head):
                yield from self._inside(inner, more, False)
        part, _, more = rest.partition(".")
        if not part.isdecimal():
            return
        if value.refused is not None and int(part) >= value.refused:
            raise InvalidError("absent iterations were not counted")
        if value.is_numbered:
            return
        if value.is_list or is_input:
            if int(part) < len(value.tensors):
                yield from self._inside(value[int(part)], more, False)
        elif int(part) < len(value.iterations) and value.iterations[int(part)].flat:
            yield from self._inside(value.iterations[int(part)], more, False)


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """The splits of a path into a name, which may contain dots, and the rest."""
    for match in re.finditer(r"\.|$", path):
        yield path[: match.start()], path[match.end() :]


def read_back(back: Any, before: list[Value], item: Any, env: Env) -> Value:
    """What an iteration reads of the repeat's input and the iterations `before` it, counted back."""
    counts = replace(env, round=(len(before) - 1, item)).value(back)
    counts = counts if isinstance(counts, list) else [counts]
    if not counts or not all(1 <= count <= len(before) for count in counts):
        raise InvalidError("no such iteration")
    chosen = [joined([before[-count]]) for count in counts]
    return replace(joined(chosen), passes=chosen[0])


def joined(values: list[Value]) -> Value:
    """Several values as one, without inner names."""
    if len(values) == 1:
        return Value(values[0].tensors, values[0].is_list)
    return Value(tuple(tensor for value in values for tensor in value.tensors), True)


def paths(values: Mapping[str, Value], depth: int = 3) -> Iterator[tuple[str, Value]]:
    """Every path in scope with its value."""
    for name, value in values.items():
        if value.absent or value.unused:
            continue
        yield name, value
        if depth:
            yield from ((f"{name}.{inner}", path) for inner, path in paths(value.names, depth - 1))
        if value.is_list:
            yield from ((f"{name}[{part}]", value[part]) for part in range(len(value)))
            if not value.is_numbered:
                yield from ((f"{name}.{part}", value[part]) for part in range(len(value)))
