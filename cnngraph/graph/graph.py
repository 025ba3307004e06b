"""The compiled network as a value: operations in order of execution, and the tree of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnngraph.fields import fields_of
from cnngraph.graph.nodes import NetworkWeights, Node, NodeError, Ref, Scope, SizeLimit
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
    """A valid network with all shapes inferred.

    `inputs` and `outputs` are by name; the outputs in `training_only` exist only in training mode. `weights` are those
    that the spec names for networks that are nodes. `paper` is the source of the network, `published` its published
    top-1 errors in percent by data set. `base` is the spec that it extends, and `plugins` are the plugin ops that both
    can use; neither is pickled. `size_rules` determine for which input sizes the graph is valid. The graph of a spec
    with errors is its valid part, and `errors` are the nodes with errors; it is never built.
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
    weights: tuple[NetworkWeights, ...] = ()
    paper: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    base: Spec | None = field(default=None, repr=False)
    plugins: Mapping[str, type[Op]] = field(default_factory=dict, repr=False)
    size_rules: SizeRules | None = field(default=None, repr=False)
    errors: tuple[NodeError, ...] = ()

    def __repr__(self) -> str:
        shapes = [
            " ".join(map(show_sizes, shapes_by_name.values()))
            for shapes_by_name in (self.input_shapes, self.output_shapes)
        ]
        cost = f"{self.num_params:,} parameters, {show_count(self.macs)} MACs, {len(self.nodes):,} operations"
        return f"<Graph {self.name}: {' → '.join(shapes)}, {cost}>"

    def _repr_svg_(self) -> str | None:
        return _drawers[0](self) if _drawers else None

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        return self  # it is immutable

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "base": None, "plugins": {}}

    def type_of(self, ref: Ref) -> TensorType:
        """The type of one tensor."""
        if ref.node < 0:
            return self._input_types[-1 - ref.node]
        return self.nodes[ref.node].types[ref.output]

    @cached_property
    def _input_types(self) -> list[TensorType]:
        return list(self.inputs.values())

    @cached_property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input, without the batch."""
        return {name: type_.sizes for name, type_ in self.inputs.items()}

    @cached_property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each output, without the batch."""
        return {name: self.type_of(ref).sizes for name, ref in self.outputs.items()}

    @property
    def size_limits(self) -> tuple[SizeLimit, ...]:
        """The axes of inputs whose sizes are restricted, because expressions in the spec depend on them."""
        return self.size_rules.limits if self.size_rules else ()

    @cached_property
    def num_params(self) -> int:
        """The number of learnable parameters."""
        return sum(node.num_params for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one image in eval mode."""
        return sum(node.macs for node in self.nodes if not (node.training_only or node.unused))

    @cached_property
    def state(self) -> dict[str, tuple[int, ...]]:
        """Key and shape of every state_dict entry, in PyTorch's order."""
        return dict(_state(self.root, self.nodes))

    def to_networkx(self) -> networkx.MultiDiGraph:
        """The network as a networkx.MultiDiGraph: operations, inputs and outputs, with an edge for each tensor read.

        Its nodes are the paths of operations, `input:NAME` and `output:NAME`. Every node has the attributes `kind`
        (operation, input or output) and `shapes`, the shapes of its output tensors; inputs and outputs have a `name`,
        and outputs a flag `training_only`. An operation has `index` (its position in the order of execution), `path`,
        `op`, `parameters` (of the op, including defaults), `weights` (name: shape), `num_params`, `macs`, `is_list`,
        `training_only`, `unused`, `shares`, `file` and `line`.

        An edge has `position`, the index among the reader's inputs, `tensor`, the index among the source's outputs, and
        `shape`, that of the tensor. It is a multigraph because a node can read the same tensor twice. All attributes
        are plain data, so `networkx.node_link_data` can be written as JSON. Graph attributes: `name`, `about`,
        `num_params` and `macs`.
        """
        import networkx  # takes 0.1 s to import and is rarely needed

        network = networkx.MultiDiGraph(name=self.name, about=self.about, num_params=self.num_params, macs=self.macs)
        sources = [f"input:{name}" for name in self.inputs]
        for source, name, type_ in zip(sources, self.inputs, self.inputs.values(), strict=True):
            network.add_node(source, kind="input", name=name, shapes=[type_.sizes])
        for index, node in enumerate(self.nodes):
            network.add_node(node.path, kind="operation", index=index, **_attributes(node))
        readers = [(node.path, node.reads) for node in self.nodes]
        for name, ref in self.outputs.items():
            shapes, hidden = [self.type_of(ref).sizes], name in self.training_only
            network.add_node(f"output:{name}", kind="output", name=name, shapes=shapes, training_only=hidden)
            readers.append((f"output:{name}", (ref,)))
        for reader, refs in readers:
            for position, ref in enumerate(refs):
                source = sources[-1 - ref.node] if ref.node < 0 else self.nodes[ref.node].path
                shape = self.type_of(ref).sizes
                network.add_edge(source, reader, key=position, position=position, tensor=ref.output, shape=shape)
        return network

    def scopes(self) -> Iterator[Scope]:
        """Every scope, a parent before its children."""
        waiting = [self.root]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting += [child for child in reversed(scope.children) if isinstance(child, Scope)]


_drawers: list[Callable[[Graph], str | None]] = []


def show_graphs_with(drawer: Callable[[Graph], str | None]) -> None:
    """Notebooks show graphs as the SVG that this function returns. Drawing belongs to a layer above."""
    _drawers[:] = [drawer]


def _attributes(node: Node) -> dict[str, Any]:
    """The attributes of an operation in a networkx graph."""
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
    """The state_dict of a scope; like PyTorch's, it lists a module's own tensors before those of its children."""
    own = [nodes[child] for child in scope.children if isinstance(child, int)]
    attributes = [node for node in own if not node.shares and node.operation.is_attribute]
    yield from ((node.path, node.parameters[""]) for node in attributes if node.parameters)
    yield from ((node.path, node.buffers[""]) for node in attributes if node.buffers)
    for child in scope.children:
        if isinstance(child, Scope):
            if not child.shares:
                yield from _state(child, nodes)
        elif not nodes[child].shares:
            entries = {**nodes[child].parameters, **nodes[child].buffers}
            yield from ((f"{nodes[child].path}.{key}", shape) for key, shape in entries.items() if key)
