"""The components of a graph: operations, the tensors between them, and the tree of modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from math import prod
from typing import NamedTuple

from cnngraph.diagnostics import Span
from cnngraph.frozen import frozen
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType


class Ref(NamedTuple):
    """One tensor: output number `output` of the node at index `node`. The network's inputs are nodes -1, -2, …"""

    node: int
    output: int = 0


@frozen(eq=False)
class Node:
    """One operation.

    `path` is its module path, `reads` are its input tensors, `types` the types of its outputs. If `shares` is set, the
    node calls the module of the node at that path and has no weights of its own. A `training_only` node runs only in
    training mode. An `unused` node never runs; its module exists so that the state_dict has its keys.
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
        """The name of the op."""
        return self.operation.name

    @property
    def shape(self) -> tuple[int, ...] | list[tuple[int, ...]]:
        """The sizes of the output without the batch, or a list of sizes if the output is a list of tensors."""
        shapes = [type_.sizes for type_ in self.types]
        return shapes if self.is_list else shapes[0]

    @property
    def num_params(self) -> int:
        """The number of learnable parameters the node owns."""
        return 0 if self.shares else sum(prod(shape) for shape in self.parameters.values())

    @property
    def file(self) -> str:
        """The file in which the node is defined."""
        return self.span.file

    @property
    def line(self) -> int:
        """The line on which the node is defined."""
        return self.span.line


@frozen
class NodeError:
    """A node with an error, in the valid part of a spec.

    `reads` are its inputs as far as they are known, or its own tensors if the graph has the node. `position` is the
    number of nodes before it.
    """

    path: str
    code: str
    message: str
    span: Span
    reads: tuple[Ref, ...]
    position: int


class Input(NamedTuple):
    """A named input of a scope and its tensors (more than one if the value is a list)."""

    name: str
    refs: tuple[Ref, ...]


@frozen(eq=False)
class Scope:
    """One level of the module tree: the network, a block, inline nodes, a repeat, or a container for dotted keys.

    `children` are in module order, which is that of the file and of the state_dict: scopes, or indices into
    Graph.nodes. The scope contains exactly the nodes start … stop-1 of Graph.nodes, which are in order of execution;
    a container contains none (start == stop == 0), because its nodes run in the enclosing scope. `value` are the output
    tensors. `params` are those that the use of a block sets. A scope with `flat: true` is left out: its children belong
    to the enclosing scope.
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
    params: Mapping[str, object] | None = None

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition(".")[2]


@frozen
class NetworkWeights:
    """Weights that a spec names for a network that is one of its nodes.

    `path` is the node's, `source` a file or published weights, `names` are those of the network and of its bases, and
    `renames` those of its spec.
    """

    path: str
    source: str
    span: Span
    names: tuple[str, ...]
    renames: Mapping[str, str]


@frozen
class SizeLimit:
    """An axis of an input on which the network depends, because expressions in the spec read its size.

    The network was built for the size `built` and is the same for all `sizes`; for other sizes the spec describes a
    different network. `causes` are the values that depend on the size, such as `padding of stem.pad`, and their spans.
    """

    input: str
    axis: str  # height or width
    built: int
    sizes: range
    causes: tuple[tuple[str, Span], ...]
