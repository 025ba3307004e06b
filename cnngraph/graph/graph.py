"""The compiled network as a value: single operations in order of execution, and the tree of modules they live in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cnngraph.diagnostics import Span
from cnngraph.language.model import Spec
from cnngraph.ops.init import InitCall
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType

if TYPE_CHECKING:
    from cnngraph.graph.sizes import SizeRules


class Ref(NamedTuple):
    """One tensor: the `part`-th output of the node at index `node`; network inputs have negative nodes, -1 first."""

    node: int
    part: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation.

    `path` is its module path; `reads` are its input tensors, `types` what comes out. With `shares`, it runs the
    module of the node at that path and owns no weights. `training_only`: it runs in training mode only.
    `unused`: it is built for its keys and never run.
    """

    path: str
    operation: Op
    reads: tuple[Ref, ...]
    inputs: tuple[str, ...]
    types: tuple[TensorType, ...]
    is_list: bool
    span: Span
    shares: str | None = None
    training_only: bool = False
    unused: bool = False
    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    buffers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    macs: int = 0

    @property
    def op(self) -> str:
        """The op's name."""
        return self.operation.name

    @property
    def shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        """The sizes that come out (the batch is implied); a list of them where the value is a list of tensors."""
        shapes = [each.sizes for each in self.types]
        return shapes if self.is_list else shapes[0]

    @property
    def num_params(self) -> int:
        """How many learned weights it owns."""
        return 0 if self.shares else sum(_product(shape) for shape in self.parameters.values())

    @property
    def file(self) -> str:
        """The file in which it is written."""
        return self.span.file

    @property
    def line(self) -> int:
        """The line at which it is written."""
        return self.span.line


class Input(NamedTuple):
    """A named input of a scope and the tensors that come in by it (more than one where the value is a list)."""

    name: str
    refs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """One level of the module tree: the network, a block, inline nodes, a repeat, or a container of dotted keys.

    `children` stand in module order (the order of the file and of state_dict): scopes, or the index of a node of
    Graph.nodes. The nodes start … stop-1 of Graph.nodes, in order of execution, are just those inside, except for a
    container, whose nodes run in the scope around it (start == stop == 0). `value` are the tensors it hands on.
    A scope dropped by `flat` has no Scope: its children stand in the surrounding one.
    """

    path: str
    kind: str  # network, block, nodes, repeat or container
    block: str | None
    inputs: tuple[Input, ...]
    value: tuple[Ref, ...]
    children: tuple[Scope | int, ...]
    start: int
    stop: int
    span: Span
    shares: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class InitRule:
    """How modules of an op, or at a path with `*`, are initialised: by parameter name a number or a function."""

    match: str
    values: Mapping[str, float | InitCall]

    @property
    def pattern(self) -> str:
        """The paths that fit as a regular expression: `*` stays within one part, `**` is any number of parts."""
        return re.escape(self.match).replace(r"\*\*", ".*").replace(r"\*", "[^.]*")

    def fits(self, op: str, path: str) -> bool:
        """Whether the rule is for a module: one of the op, or at the path."""
        if "*" not in self.match:
            return self.match in (op, path)
        return _quick_pattern(self.match).fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """A side of an input on which values of the network depend, computed from it by expressions in the spec.

    The network was built for the size `built` and is the same for all `sizes`; for others the spec gives another one.
    `causes` are the values that depend on it: `padding of stem.pad`, with the place of each.
    """

    input: str
    axis: str  # height or width
    built: int
    sizes: range
    causes: tuple[tuple[str, Span], ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A checked network: every shape is known.

    `inputs` and `outputs` go by name; the outputs in `training_only` exist in training mode only.
    `paper` is where the network comes from, `published` its published top-1 errors in percent by data set.
    `base` is the spec that its own is a change of, `plugins` are the ops that both may use beside those that all may;
    a pickle leaves them out. `size_rules` know for which sizes of the inputs it holds.
    """

    name: str
    about: str
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, Ref]
    training_only: frozenset[str]
    nodes: tuple[Node, ...]
    root: Scope
    init: tuple[InitRule, ...]
    renames: Mapping[str, str]
    params: Mapping[str, Any]
    paper: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    base: Spec | None = field(default=None, repr=False)
    plugins: Mapping[str, type[Op]] = field(default_factory=dict, repr=False)
    size_rules: SizeRules | None = field(default=None, repr=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        return self  # nothing in it ever changes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "base": None, "plugins": {}}

    def type_of(self, ref: Ref) -> TensorType:
        """The type of one tensor."""
        if ref.node < 0:
            return self._input_types[-1 - ref.node]
        return self.nodes[ref.node].types[ref.part]

    @cached_property
    def _input_types(self) -> list[TensorType]:
        return list(self.inputs.values())

    @cached_property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The sizes of each input by name."""
        return {name: each.sizes for name, each in self.inputs.items()}

    @cached_property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The sizes of each output by name."""
        return {name: self.type_of(ref).sizes for name, ref in self.outputs.items()}

    @property
    def size_limits(self) -> tuple[SizeLimit, ...]:
        """The sides of inputs that cannot have any size, because an expression in the spec depends on them."""
        return self.size_rules.limits if self.size_rules else ()

    @cached_property
    def num_params(self) -> int:
        """How many learned weights there are."""
        return sum(node.num_params for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one image in eval mode."""
        return sum(node.macs for node in self.nodes if not (node.training_only or node.unused))

    @cached_property
    def state(self) -> dict[str, tuple[int, ...]]:
        """Key and shape of every state_dict entry, in the order PyTorch gives them."""
        return dict(_state(self.root, self.nodes))

    def scopes(self) -> Iterator[Scope]:
        """Every scope, a parent before its children."""
        waiting = [self.root]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting += [each for each in reversed(scope.children) if isinstance(each, Scope)]


@lru_cache(maxsize=256)
def _quick_pattern(match: str) -> re.Pattern[str]:
    """What InitRule.pattern says, in a form for which many stars take no longer than few.

    A star that another of its kind follows takes as little as it can and is never tried again: what the next one
    reaches from further on, it reaches from here as well.
    """
    *runs, last = [[re.escape(piece) for piece in run.split("*")] for run in match.split("**")]
    before = ["".join([first, *map(_least, more)]) for first, *more in runs]
    if len(last) > 1:
        first, *more, end = last
        tail = "".join([first, *map(_least, more), "[^.]*", end])
    else:
        tail = last[0]
    if before:
        tail = "".join([before[0], *(f"(?>.*?{run})" for run in before[1:]), ".*", tail])
    return re.compile(tail)


def _least(piece: str) -> str:
    """As little as it takes to come to the piece, and no second try."""
    return f"(?>[^.]*?{piece})"


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _state(scope: Scope, nodes: tuple[Node, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """PyTorch lists a module's own parameters before those of its children."""
    own = [nodes[each] for each in scope.children if isinstance(each, int)]
    for node in own:
        if "" in node.parameters and not node.shares:
            yield node.path, node.parameters[""]
    for each in scope.children:
        if isinstance(each, Scope):
            if not each.shares:
                yield from _state(each, nodes)
        elif not nodes[each].shares:
            entries = {**nodes[each].parameters, **nodes[each].buffers}
            yield from ((f"{nodes[each].path}.{key}", shape) for key, shape in entries.items() if key)
