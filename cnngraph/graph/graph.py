"""The compiled network as a value: single operations in order of execution, and the tree of modules they live in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnngraph.fields import fields_of
from cnngraph.graph.nodes import Node, Ref, Scope, SizeLimit
from cnngraph.graph.path_patterns import InitRule
from cnngraph.graph.sizes import SizeRules
from cnngraph.language.model import Spec
from cnngraph.numbers import show_count, show_sizes
from cnngraph.ops.init import InitCall
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType

if TYPE_CHECKING:
    import networkx


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
        shapes = [" ".join(map(show_sizes, each.values())) for each in (self.input_shapes, self.output_shapes)]
        cost = f"{self.num_params:,} parameters, {show_count(self.macs)} MACs, {len(self.nodes):,} operations"
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

    def to_networkx(self) -> networkx.MultiDiGraph:
        """The network as a networkx.MultiDiGraph: operations, inputs and outputs, with an edge for each tensor read.

        Its nodes are the paths of operations, `input:NAME` and `output:NAME`. Each has the attribute `kind`
        (operation, input or output) and `shapes`, the sizes of the tensors that it gives; inputs and outputs have a
        `name`, and outputs say whether they are `training_only`. An operation has `index` (its place in the order of
        execution), `path`, `op`, `parameters` (of the op, defaults included), `weights` (name: shape), `num_params`,
        `macs`, `is_list`, `training_only`, `unused`, `shares`, `file` and `line`.

        An edge has `position`, the place among the reader's inputs, and `tensor`, which of the giver's tensors is
        read; `shape` is that tensor's. The same tensor may be read twice, hence the multigraph. Everything is plain
        data, so `networkx.node_link_data` gives JSON. Graph attributes: `name`, `about`, `num_params` and `macs`.
        """
        import networkx  # 0.1 s, and few need it

        made = networkx.MultiDiGraph(name=self.name, about=self.about, num_params=self.num_params, macs=self.macs)
        givers = [f"input:{name}" for name in self.inputs]
        for giver, name, type_ in zip(givers, self.inputs, self.inputs.values(), strict=True):
            made.add_node(giver, kind="input", name=name, shapes=[type_.sizes])
        for index, node in enumerate(self.nodes):
            made.add_node(node.path, kind="operation", index=index, **_attributes(node))
        readers = [(node.path, node.reads) for node in self.nodes]
        for name, ref in self.outputs.items():
            shapes, hidden = [self.type_of(ref).sizes], name in self.training_only
            made.add_node(f"output:{name}", kind="output", name=name, shapes=shapes, training_only=hidden)
            readers.append((f"output:{name}", (ref,)))
        for reader, refs in readers:
            for position, ref in enumerate(refs):
                giver = givers[-1 - ref.node] if ref.node < 0 else self.nodes[ref.node].path
                shape = self.type_of(ref).sizes
                made.add_edge(giver, reader, key=position, position=position, tensor=ref.part, shape=shape)
        return made

    def scopes(self) -> Iterator[Scope]:
        """Every scope, a parent before its children."""
        waiting = [self.root]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting += [each for each in reversed(scope.children) if isinstance(each, Scope)]


def _attributes(node: Node) -> dict[str, Any]:
    """What a networkx graph says of an operation."""
    operation = node.operation
    return {
        "path": node.path,
        "op": node.op,
        "parameters": {name: _plain(getattr(operation, name)) for name in fields_of(type(operation))},
        "weights": {name: list(shape) for name, shape in node.parameters.items()},
        "shapes": [type_.sizes for type_ in node.types],
        "num_params": node.num_params,
        "macs": node.macs,
        "is_list": node.is_list,
        "training_only": node.training_only,
        "unused": node.unused,
        "shares": node.shares,
        "file": node.file,
        "line": node.line,
    }


def _plain(value: Any) -> Any:
    return {value.function: dict(value.kwargs)} if isinstance(value, InitCall) else value


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
