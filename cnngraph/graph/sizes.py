"""Values computed from the height and width of tensors, and the input sizes for which they are valid.

The values of expressions are constants of the built network. If an expression reads a height or a width, its value is
valid only for some input sizes. Elaboration records every use of such a value as a `Decision`. `SizeRules` then repeats
shape inference with other input sizes and re-evaluates these expressions, to find the sizes for which no value changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from cnngraph.diagnostics import Span
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref, SizeLimit
from cnngraph.language.expressions import tree
from cnngraph.language.expressions.values import COUNT, size_read
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.tensor_type import HEIGHT, WIDTH, TensorType

Read: TypeAlias = tuple[Ref, str]  # a tensor and the name of one of its sizes
AXES = {HEIGHT: "height", WIDTH: "width"}
MAX_SIZE = 4096  # the largest input size tried
WORK = 60_000  # the budget of the search, in inferences and evaluations
OWN_OPS = "cnngraph.ops."


class UnfitError(Exception):
    """A tensor does not exist for the input size being tried."""


@dataclass(slots=True, eq=False, repr=False)
class Sized:
    """A value computed from the sizes of tensors, and the function that recomputes it for other sizes.

    If it has `parts`, such as the elements of a list or the conditions evaluated, it is unchanged while they are.
    """

    value: Any
    reads: tuple[Read, ...]
    compute: Callable[[], Any]
    parts: tuple[Sized, ...] = ()

    def current_value(self) -> Any:
        """The value; records that anything computed from it depends on the same sizes."""
        record = size_read.get()
        for read in self.reads:
            record(*read)
        current = trial.get()
        return self.value if current is None else current.value(self)

    def leaves(self) -> Iterator[Sized]:
        """The values it is composed of. Most of them depend on a single axis, even if the whole depends on two."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


@frozen
class Decision:
    """One use of a value that depends on sizes: `what` it sets, and the span of the expression."""

    what: str
    span: Span
    sized: Sized


@dataclass(slots=True, eq=False, repr=False)
class SizeLog:
    """The decisions of one elaboration. `mixed` are the nodes whose channels may depend on height and width."""

    decisions: list[Decision] = field(default_factory=list)
    mixed: set[int] = field(default_factory=set)

    def add_node(self, index: int, op: Op, reads: Iterable[Ref]) -> None:
        """Record a new node."""
        mixes = op.mixes_sizes or not type(op).__module__.startswith(OWN_OPS)
        if mixes or (self.mixed and any(ref.node in self.mixed for ref in reads)):
            self.mixed.add(index)

    def may_vary(self, ref: Ref, size_name: str) -> bool:
        """Whether this size of a tensor may depend on the size of the network's input."""
        return size_name not in ("channels", COUNT) or ref.node in self.mixed


log: ContextVar[SizeLog | None] = ContextVar("log", default=None)
trial: ContextVar[Trial | None] = ContextVar("trial", default=None)


def watched(compute: Callable[[], Any]) -> tuple[Any, Sized | None]:
    """The result of a computation, and a `Sized` if it read any size."""
    reads: dict[Read, None] = {}
    current = log.get()

    def record(ref: Ref, size_name: str) -> None:
        if current is None or current.may_vary(ref, size_name):
            reads[ref, size_name] = None

    outer = size_read.get()
    token = size_read.set(record)
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
    """Record the use of a value, so that the network is valid only for input sizes that do not change the value."""
    current = log.get()
    if sized is not None and current is not None:
        current.decisions += [Decision(what, span, leaf) for leaf in sized.leaves()]


def watched_expression(root: tree.Node, lookup: tree.Lookup) -> tuple[Any, Sized | None]:
    """The value of an expression, and a `Sized` with the operands that determine it if it read any size."""
    value, sized = watched(lambda: root.value(lookup))
    if sized is not None:
        inner = [watched_expression(operand, lookup)[1] for operand in _deciding(root, lookup)]
        sized.parts = tuple(part for part in inner if part is not None)
    return value, sized


def _deciding(node: tree.Node, lookup: tree.Lookup) -> Iterator[tree.Node]:
    """The operands that determine the value of an expression: it is unchanged while they are."""
    match node:
        case tree.Items() | tree.Not():
            yield from node.parts
        case tree.Either() | tree.Both():
            for operand in node.parts:
                yield operand
                if operand.value(lookup) is isinstance(node, tree.Either):  # the others are not evaluated
                    return
        case tree.Choice():
            chosen, condition, other = node.parts
            yield condition
            yield chosen if condition.value(lookup) is True else other


class SizeRules:
    """The input sizes for which a graph is the one that its spec describes."""

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
        """The axes of inputs on which values depend, each with the sizes for which all values are unchanged."""
        if not self.decisions:
            return ()
        depends = self._dependences()
        together = {axis for axes in depends if len(axes) > 1 for axis in axes}
        found = []
        for axis in sorted(set().union(*depends)):
            index, name = axis
            deciding = [decision for decision, axes in zip(self.decisions, depends, strict=True) if axis in axes]
            built = self._size(axis)
            sizes = range(built, built + 1) if axis in together else self._progression(axis, deciding)
            causes = tuple(dict.fromkeys((decision.what, decision.span) for decision in deciding))
            found.append(SizeLimit(list(self.inputs)[index], AXES[name], built, sizes, causes))
        return tuple(found)

    @cached_property
    def needed(self) -> list[int]:
        """The nodes on which the sizes read by decisions depend, in order of execution."""
        found: set[int] = set()
        waiting = [ref.node for decision in self.decisions for ref, _ in decision.sized.reads if ref.node >= 0]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [ref.node for ref in self.nodes[index].reads if ref.node >= 0]
        return sorted(found)

    def infer(self, op: Op, types: tuple[TensorType, ...]) -> tuple[TensorType, ...] | None:
        """The output types of an op, or None if it rejects its inputs."""
        key = (op, types)
        try:
            if key in self.inferred:
                return self.inferred[key]
        except TypeError:  # an op with a mapping as a parameter is not hashable
            return _infer(op, types)
        outputs = self.inferred[key] = _infer(op, types)
        return outputs

    def _size(self, axis: tuple[int, str]) -> int:
        index, name = axis
        size = list(self.inputs.values())[index].size(name)
        assert size is not None
        return size

    def _trial(self, axis: tuple[int, str], size: int) -> Trial:
        types = list(self.inputs.values())
        types[axis[0]] = types[axis[0]].with_sizes(**{axis[1]: size})
        return Trial(self, types)

    def _dependences(self) -> list[set[tuple[int, str]]]:
        """For each decision, the axes of inputs on which the sizes it read depend."""
        depends: dict[Read, set[tuple[int, str]]] = {
            read: set() for decision in self.decisions for read in decision.sized.reads
        }
        for index, type_ in enumerate(self.inputs.values()):
            for name in AXES if type_.is_map else ():
                axis = (index, name)
                trials = [self._trial(axis, size) for size in _samples(self._size(axis))]
                for read, axes in depends.items():
                    found = [size for trial in trials if (size := trial.size(read)) is not None]
                    if not found or any(size != self._built(read) for size in found):
                        axes.add(axis)
        return [set().union(*(depends[read] for read in decision.sized.reads)) for decision in self.decisions]

    def _built(self, read: Read) -> int | None:
        ref, size_name = read
        types = tuple(self.inputs.values()) if ref.node < 0 else self.nodes[ref.node].types
        return _size_of(types, _output_index(ref), size_name)

    def _progression(self, axis: tuple[int, str], deciding: list[Decision]) -> range:
        """The longest arithmetic progression of valid sizes that contains the size the network is built for."""
        built = self._size(axis)
        top = max(2 * built, min(MAX_SIZE, WORK // (len(self.needed) + 2 * len(deciding) + 1)))
        known: dict[int, bool] = {}

        def fits(size: int) -> bool:
            if size not in known:
                known[size] = 0 < size <= top and self._trial(axis, size).agrees(deciding)
            return known[size]

        best = range(built, built + 1)
        for step in range(1, top):
            if top // step <= len(best):
                break  # a larger step cannot give a longer progression
            low = high = built
            while fits(low - step):
                low -= step
            while fits(high + step):
                high += step
            if (high - low) // step + 1 > len(best):
                best = range(low, high + 1, step)
        return best


class Trial:
    """The sizes of a network's tensors for another input size, inferred on demand."""

    def __init__(self, rules: SizeRules, inputs: list[TensorType]) -> None:
        self.rules = rules
        self.inputs = tuple(inputs)
        self.values: dict[Sized, Any] = {}
        self.outputs: dict[int, tuple[TensorType, ...] | None] = {}
        self.remaining = iter(rules.needed)
        self.failed = False  # an op rejected its inputs

    def type_of(self, ref: Ref) -> TensorType:
        """The type of a tensor. Raises UnfitError if it does not exist."""
        types = self._types(ref.node)
        if types is None:
            raise UnfitError
        return types[_output_index(ref)]

    def size(self, read: Read) -> int | None:
        """A size of a tensor, or None if the tensor does not exist."""
        ref, size_name = read
        types = self._types(ref.node)
        return None if types is None else _size_of(types, _output_index(ref), size_name)

    def value(self, sized: Sized) -> Any:
        """A value, recomputed for this input size."""
        if sized not in self.values:
            self.values[sized] = sized.compute()
        return self.values[sized]

    def agrees(self, decisions: Iterable[Decision]) -> bool:
        """Whether all tensors exist and all these values are those of the built network."""
        token = trial.set(self)
        try:
            for decision in decisions:
                if not _same(self.value(decision.sized), decision.sized.value) or self.failed:
                    return False
        except Exception:  # if an expression fails in any way, the network is a different one for this size
            return False
        finally:
            trial.reset(token)
        for index in self.remaining:
            self._infer(index)
        return not self.failed

    def _types(self, node: int) -> tuple[TensorType, ...] | None:
        if node < 0:
            return self.inputs
        while node not in self.outputs:
            self._infer(next(self.remaining))
        return self.outputs[node]

    def _infer(self, index: int) -> None:
        node = self.rules.nodes[index]
        read = [types[_output_index(ref)] for ref in node.reads if (types := self._types(ref.node)) is not None]
        types = self.rules.infer(node.operation, tuple(read)) if len(read) == len(node.reads) else None
        self.outputs[index] = types if types is not None and len(types) == len(node.types) else None
        self.failed = self.failed or self.outputs[index] is None


def _output_index(ref: Ref) -> int:
    return -1 - ref.node if ref.node < 0 else ref.output


def _infer(op: Op, types: tuple[TensorType, ...]) -> tuple[TensorType, ...] | None:
    try:
        found = infer_types(op, types)
    except OpError:
        return None
    return found if isinstance(found, tuple) else (found,)


def _size_of(types: tuple[TensorType, ...], output: int, size_name: str) -> int | None:
    if size_name == COUNT:
        return len(types)
    type_ = types[output]
    sizes = {"channels": type_.channels, "features": type_.count, "height": type_.height, "width": type_.width}
    return sizes[size_name]


def _samples(built: int) -> list[int]:
    """Input sizes, some of which are valid for any strides: nearby ones, and multiples of the built size."""
    return [built + 1, built + 2, built + 3, built + 5, built + 32, *(built * factor for factor in (2, 3, 4, 5, 8, 64))]


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same type: 32.0 is not 32, and true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
