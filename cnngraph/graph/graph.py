"""The compiled network as a value: single operations in order of execution, and the tree of modules they live in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cnngraph.graph.nodes import Node, Ref, Scope, SizeLimit
from cnngraph.graph.path_patterns import InitRule
from cnngraph.graph.sizes import SizeRules
from cnngraph.language.model import Spec
from cnngraph.numbers import short, sizes
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        shapes = [" ".join(map(sizes, each.values())) for each in (self.input_shapes, self.output_shapes)]
        cost = f"{self.num_params:,} parameters, {short(self.macs)} MACs, {len(self.nodes):,} operations"
        return f"<Graph {self.name}: {' → '.join(shapes)}, {cost}>"

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
