"""What a graph is made of: operations, the tensors between them, and the tree of modules they live in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from cnngraph.diagnostics import Span
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType


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
        return 0 if self.shares else sum(prod(shape) for shape in self.parameters.values())

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
