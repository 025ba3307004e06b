"""Values that were computed from the height and width of tensors, and the input sizes for which they hold.

A built network has the values of its expressions written into it. Where an expression read a height or a width, they
hold for some sizes of the input only. The elaboration keeps each use of such a value as a `Decision`; `SizeRules`
then repeats the shape inference for other input sizes, evaluates these expressions again, and so finds the sizes for
which nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from cnngraph.diagnostics import Span
from cnngraph.graph.nodes import Node, Ref, SizeLimit
from cnngraph.language.expressions import syntax
from cnngraph.language.expressions.values import COUNT, size_read
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.tensor_type import HEIGHT, WIDTH, TensorType

Read: TypeAlias = tuple[Ref, str]  # a tensor, and which of its sizes
AXES = {HEIGHT: "height", WIDTH: "width"}
LARGEST = 4096  # no larger size of an input is tried
WORK = 60_000  # inferences and evaluations that the search for other sizes may take
OWN_OPS = "cnngraph.ops."


class UnfitError(Exception):
    """A tensor does not exist for the sizes that are tried."""


@dataclass(eq=False, slots=True)
class Sized:
    """A value that was computed from sizes of tensors, and how it is computed again where these differ.

    It is the same wherever its `parts` are, if it has any: the elements of a list, the conditions that were evaluated.
    """

    value: Any
    reads: tuple[Read, ...]
    compute: Callable[[], Any]
    parts: tuple[Sized, ...] = ()

    def look(self) -> Any:
        """The value; what is computed from it depends on the same sizes."""
        note = size_read.get()
        for read in self.reads:
            note(*read)
        tried = trial.get()
        return self.value if tried is None else tried.value(self)

    def leaves(self) -> Iterator[Sized]:
        """What it is made of: values that mostly depend on one axis, where it depends on two."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


@dataclass(frozen=True, slots=True)
class Decision:
    """One use of a value that depends on sizes: `what` it sets, and where that is written."""

    what: str
    span: Span
    sized: Sized


@dataclass(eq=False, slots=True)
class SizeLog:
    """What one elaboration computed from sizes. `mixed` are nodes whose channels may depend on height and width."""

    decisions: list[Decision] = field(default_factory=list)
    mixed: set[int] = field(default_factory=set)

    def made(self, index: int, op: Op, reads: Iterable[Ref]) -> None:
        """One more node."""
        mixes = op.mixes_sizes or not type(op).__module__.startswith(OWN_OPS)
        if mixes or (self.mixed and any(ref.node in self.mixed for ref in reads)):
            self.mixed.add(index)

    def counts(self, ref: Ref, word: str) -> bool:
        """Whether this size of a tensor may depend on the size of the network's input."""
        return word not in ("channels", COUNT) or ref.node in self.mixed


log: ContextVar[SizeLog | None] = ContextVar("log", default=None)
trial: ContextVar[Trial | None] = ContextVar("trial", default=None)


def watched(compute: Callable[[], Any]) -> tuple[Any, Sized | None]:
    """What a computation gives, and what it says of sizes if it read any."""
    reads: dict[Read, None] = {}
    kept = log.get()

    def note(ref: Ref, word: str) -> None:
        if kept is None or kept.counts(ref, word):
            reads[ref, word] = None

    outer = size_read.get()
    token = size_read.set(note)
    try:
        value = compute()
    finally:
        size_read.reset(token)
    if not reads:
        return value, None
    for read in reads:
        outer(*read)
    return value, Sized(value, tuple(reads), compute)


def decide(sized: Sized | None, what: str, span: Span) -> None:
    """Keep that a value is used, so that the network holds for those sizes only for which the value is the same."""
    kept = log.get()
    if sized is not None and kept is not None:
        kept.decisions += [Decision(what, span, leaf) for leaf in sized.leaves()]


def watched_expression(root: syntax.Node, lookup: syntax.Lookup) -> tuple[Any, Sized | None]:
    """What a part of an expression gives, and what it says of sizes with the parts that decide it."""
    value, sized = watched(lambda: root.value(lookup))
    if sized is not None:
        inner = [watched_expression(each, lookup)[1] for each in _deciding(root, lookup)]
        sized.parts = tuple(each for each in inner if each is not None)
    return value, sized


def _deciding(node: syntax.Node, lookup: syntax.Lookup) -> Iterator[syntax.Node]:
    """The parts of an expression, if it is the same wherever each of these is."""
    match node:
        case syntax.Items() | syntax.Not():
            yield from node.parts
        case syntax.Either() | syntax.Both():
            for each in node.parts:
                yield each
                if each.value(lookup) is isinstance(node, syntax.Either):  # the others are not evaluated
                    return
        case syntax.Choice():
            chosen, condition, other = node.parts
            yield condition
            yield chosen if condition.value(lookup) is True else other


class SizeRules:
    """For which sizes of the inputs a graph is what its spec says."""

    def __init__(
        self, decisions: Sequence[Decision], nodes: tuple[Node, ...], inputs: Mapping[str, TensorType]
    ) -> None:
        self.decisions = tuple(decisions)
        self.nodes = nodes
        self.inputs = dict(inputs)
        self.inferred: dict[object, tuple[TensorType, ...] | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"limits": self.limits}

    @cached_property
    def limits(self) -> tuple[SizeLimit, ...]:
        """The axes of inputs on which some value depends, each with its sizes for which all values are the same."""
        if not self.decisions:
            return ()
        depends = self._dependences()
        together = {axis for axes in depends if len(axes) > 1 for axis in axes}
        found = []
        for axis in sorted(set().union(*depends)):
            place, name = axis
            deciding = [each for each, axes in zip(self.decisions, depends, strict=True) if axis in axes]
            built = self._size(axis)
            sizes = range(built, built + 1) if axis in together else self._progression(axis, deciding)
            causes = tuple(dict.fromkeys((each.what, each.span) for each in deciding))
            found.append(SizeLimit(list(self.inputs)[place], AXES[name], built, sizes, causes))
        return tuple(found)

    @cached_property
    def needed(self) -> list[int]:
        """The nodes that the sizes which were read depend on, in order of execution."""
        found: set[int] = set()
        waiting = [ref.node for each in self.decisions for ref, _ in each.sized.reads if ref.node >= 0]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [ref.node for ref in self.nodes[index].reads if ref.node >= 0]
        return sorted(found)

    def infer(self, op: Op, types: tuple[TensorType, ...]) -> tuple[TensorType, ...] | None:
        """What an op gives, None where it refuses."""
        key = (op, types)
        try:
            if key in self.inferred:
                return self.inferred[key]
        except TypeError:  # an op with a mapping in it has no hash
            return _infer(op, types)
        made = self.inferred[key] = _infer(op, types)
        return made

    def _size(self, axis: tuple[int, str]) -> int:
        place, name = axis
        size = list(self.inputs.values())[place].size(name)
        assert size is not None
        return size

    def _trial(self, axis: tuple[int, str], size: int) -> Trial:
        types = list(self.inputs.values())
        types[axis[0]] = types[axis[0]].with_sizes(**{axis[1]: size})
        return Trial(self, types)

    def _dependences(self) -> list[set[tuple[int, str]]]:
        """For each decision the axes of inputs on which the sizes depend that it read."""
        depends: dict[Read, set[tuple[int, str]]] = {
            read: set() for each in self.decisions for read in each.sized.reads
        }
        for place, type_ in enumerate(self.inputs.values()):
            for name in AXES if type_.is_map else ():
                axis = (place, name)
                trials = [self._trial(axis, size) for size in _samples(self._size(axis))]
                for read, axes in depends.items():
                    found = [size for each in trials if (size := each.size(read)) is not None]
                    if not found or any(size != self._built(read) for size in found):
                        axes.add(axis)
        return [set().union(*(depends[read] for read in each.sized.reads)) for each in self.decisions]

    def _built(self, read: Read) -> int | None:
        ref, word = read
        types = tuple(self.inputs.values()) if ref.node < 0 else self.nodes[ref.node].types
        return _size_of(types, _part(ref), word)

    def _progression(self, axis: tuple[int, str], deciding: list[Decision]) -> range:
        """The sizes that fit, around the one that the network is built for: the longest row with a constant step."""
        built = self._size(axis)
        top = max(2 * built, min(LARGEST, WORK // (len(self.needed) + 2 * len(deciding) + 1)))
        known: dict[int, bool] = {}

        def fits(size: int) -> bool:
            if size not in known:
                known[size] = 0 < size <= top and self._trial(axis, size).agrees(deciding)
            return known[size]

        best = range(built, built + 1)
        for step in range(1, top):
            if top // step <= len(best):
                break  # with longer steps there are no more
            low = high = built
            while fits(low - step):
                low -= step
            while fits(high + step):
                high += step
            if (high - low) // step + 1 > len(best):
                best = range(low, high + 1, step)
        return best


class Trial:
    """The sizes of a network's tensors for inputs of other sizes, inferred as far as they are asked for."""

    def __init__(self, rules: SizeRules, inputs: list[TensorType]) -> None:
        self.rules = rules
        self.inputs = tuple(inputs)
        self.values: dict[Sized, Any] = {}
        self.made: dict[int, tuple[TensorType, ...] | None] = {}
        self.left = iter(rules.needed)
        self.refused = False  # an op does not take such sizes

    def type_of(self, ref: Ref) -> TensorType:
        """A tensor's type. Raises UnfitError where there is none."""
        types = self._types(ref.node)
        if types is None:
            raise UnfitError
        return types[_part(ref)]

    def size(self, read: Read) -> int | None:
        """A size of a tensor; None where there is no such tensor."""
        ref, word = read
        types = self._types(ref.node)
        return None if types is None else _size_of(types, _part(ref), word)

    def value(self, sized: Sized) -> Any:
        """A value, computed anew."""
        if sized not in self.values:
            self.values[sized] = sized.compute()
        return self.values[sized]

    def agrees(self, decisions: Iterable[Decision]) -> bool:
        """Whether all tensors exist and all these values are what they are in the network that is built."""
        token = trial.set(self)
        try:
            for decision in decisions:
                if not _same(self.value(decision.sized), decision.sized.value) or self.refused:
                    return False
        except Exception:  # whatever an expression refuses, the network is another one for these sizes
            return False
        finally:
            trial.reset(token)
        for index in self.left:
            self._infer(index)
        return not self.refused

    def _types(self, node: int) -> tuple[TensorType, ...] | None:
        if node < 0:
            return self.inputs
        while node not in self.made:
            self._infer(next(self.left))
        return self.made[node]

    def _infer(self, index: int) -> None:
        node = self.rules.nodes[index]
        read = [types[_part(ref)] for ref in node.reads if (types := self._types(ref.node)) is not None]
        types = self.rules.infer(node.operation, tuple(read)) if len(read) == len(node.reads) else None
        self.made[index] = types if types is not None and len(types) == len(node.types) else None
        self.refused = self.refused or self.made[index] is None


def _part(ref: Ref) -> int:
    return -1 - ref.node if ref.node < 0 else ref.part


def _infer(op: Op, types: tuple[TensorType, ...]) -> tuple[TensorType, ...] | None:
    try:
        found = infer_types(op, types)
    except OpError:
        return None
    return found if isinstance(found, tuple) else (found,)


def _size_of(types: tuple[TensorType, ...], part: int, word: str) -> int | None:
    if word == COUNT:
        return len(types)
    type_ = types[part]
    return {"channels": type_.channels, "features": type_.count, "height": type_.height, "width": type_.width}[word]


def _samples(built: int) -> list[int]:
    """Sizes of which some fit a network, whatever its strides: near ones, and those with the same divisors."""
    return [built + 1, built + 2, built + 3, built + 5, built + 32, *(built * factor for factor in (2, 3, 4, 5, 8, 64))]


def _same(one: Any, other: Any) -> bool:
    """Equal in value and in kind: 32.0 is no 32, and true is no 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
