"""How inserted modules start, so that the network computes what it computed without them, where that is possible.

- The last module of a new residual branch starts at zero: the branch adds nothing. If it is a batch norm, this is the
  zero initialisation of Goyal et al. 2017, if it is a free parameter, LayerScale.
- The last layer of a new gate, as in squeeze-excite, starts at zero: the gate is sigmoid(0) = 0.5 everywhere. The layer
  before the gate is scaled by 2 in return, so the product is unchanged, and the gate can learn. Where no such layer is
  found, the bias is 6, so that the gate is 0.9975 (hardsigmoid: 3, and 1).
- Other convolutions, linear layers and batch norms that keep the shape start as the identity.
- What only feeds the modules at zero keeps its usual initial weights.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Literal

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.migration.modules import Module, owner
from cnngraph.migration.plan import Delta, Fill, Initial
from cnngraph.migration.values import FUNCTIONS, HOMOGENEOUS, is_passed
from cnngraph.ops.conv import Conv
from cnngraph.ops.norm import BatchNorm

GATES = {"sigmoid": 6.0, "hardsigmoid": 3.0}  # the ops, and the biases at which they are nearly or fully open
KEEPS_ZERO = HOMOGENEOUS | {"gelu", "silu", "tanh", "relu6", "mish", "elu", "selu", "upsample", "reshape", "permute"}
AFFINE = frozenset({"conv", "conv_transpose", "linear", "batch_norm"})
MAX_WALK = 24
MAX_BRANCH = 5_000  # nodes of a branch
STATISTICS = {"running_mean": 0.0, "running_var": 1.0, "num_batches_tracked": 0.0}
USUAL = "initialised as usual"

Start = Literal["zero", "gate", "identity", "random"]


@frozen
class Role:
    """How an inserted module starts; `bias` is that of the last layer of a gate."""

    start: Start
    bias: float = 0.0
    note: str = ""


@frozen
class Roles:
    """The inserted modules by path, and the factors of modules before gates."""

    inserted: Mapping[str, Role]
    factors: Mapping[str, tuple[float, str]]  # with the path of the gate


def roles_of(graph: Graph, modules: Mapping[str, Module], inserted: set[str]) -> Roles:
    """Decide how the inserted modules start."""
    return _Search(graph, modules, inserted).run() if inserted else Roles({}, {})


class _Search:
    def __init__(self, graph: Graph, modules: Mapping[str, Module], inserted: set[str]) -> None:
        self.graph, self.modules, self.inserted = graph, modules, inserted
        self.readers: dict[int, list[int]] = defaultdict(list)
        for index, node in enumerate(graph.nodes):
            for ref in node.reads:
                self.readers[ref.node].append(index)
        self.outputs = {ref.node for ref in graph.outputs.values()}
        self.roles: dict[str, Role] = {}
        self.factors: dict[str, tuple[float, str]] = {}

    def run(self) -> Roles:
        """The roles of all inserted modules."""
        for index, node in enumerate(self.graph.nodes):
            if node.op == "add":
                self.branches(node)
            elif node.op == "mul":
                self.gate(index, node)
        hidden = self.hidden()
        for path in self.inserted - self.roles.keys():
            module = self.modules[path]
            calls = [self.graph.nodes[index] for index in module.calls]
            feeds = all(index in hidden for index in module.calls)
            if not feeds and all(_can_be_identity(self.graph, node) for node in calls):
                self.roles[path] = Role("identity", note="starts as the identity")
            else:
                self.roles[path] = Role("random", note=f"{USUAL}: what follows starts at 0" if feeds else USUAL)
        return Roles(self.roles, self.factors)

    def branches(self, node: Node) -> None:
        """Start the new terms of a sum at zero if another term is not new."""
        ends = [self.trailing(ref, KEEPS_ZERO) for ref in node.reads]
        if all(path is not None for path in ends):
            return
        for position, path in enumerate(ends):
            others = [ref.node for at, ref in enumerate(node.reads) if at != position]
            if path is not None and self.is_new_branch(node.reads[position].node, path, others):
                self.roles[path] = Role("zero", note="0, so that the branch adds nothing")

    def is_new_branch(self, end: int, path: str, others: list[int]) -> bool:
        """Whether a term of a sum consists of new modules only, beside what the other terms contain as well.

        Its last module, at `path`, must not be one of these: a new module before a residual unit is in both terms.
        """
        starts = self.before(end, 0, through=self.is_passable)
        kept = {index for index in starts if index < 0 or not self.is_passable(self.graph.nodes[index])}
        first = min(kept, default=0)
        beside: set[int] = set()
        for other in others:
            beside |= self.before(other, first, through=lambda node: True)
        return kept <= beside and beside.isdisjoint(self.modules[path].calls)

    def is_passable(self, node: Node) -> bool:
        """Whether a node is not a module of the old network."""
        return not _has_weights(node) or owner(node) in self.inserted

    def before(self, end: int, first: int, through: Callable[[Node], bool]) -> set[int]:
        """The nodes that a node depends on, itself included, back to `first` and to nodes that are not passed."""
        waiting, seen = [end], set[int]()
        while waiting and len(seen) < MAX_BRANCH:
            index = waiting.pop()
            if index in seen:
                continue
            seen.add(index)
            if index >= max(first, 0) and through(self.graph.nodes[index]):
                waiting += [ref.node for ref in self.graph.nodes[index].reads]
        return seen

    def gate(self, index: int, node: Node) -> None:
        """Open a new gate."""
        for position, ref in enumerate(node.reads):
            kind, path = self.gate_layer(ref)
            if path is None or len(node.reads) != 2 or path in self.roles:
                continue
            value = FUNCTIONS[kind](0.0)
            scaled = self.layer_before(node.reads[1 - position], index, path)
            if scaled is not None:
                factor, _ = self.factors.get(scaled, (1.0, ""))
                self.factors[scaled] = (factor / value, node.path)
                note = f"0: the gate is {value:g}, which ×{1 / value:g} in {scaled} undoes"
                self.roles[path] = Role("gate", 0.0, note)
            elif "bias" in self.modules[path].shapes:
                bias = GATES[kind]
                self.roles[path] = Role("gate", bias, f"0 with bias {bias:g}: the gate is {FUNCTIONS[kind](bias):.4f}")
            return

    def gate_layer(self, ref: Ref) -> tuple[str, str | None]:
        """The function of a gate, and the new layer before it."""
        for _ in range(MAX_WALK):
            if ref.node < 0:
                break
            node = self.graph.nodes[ref.node]
            if node.op in GATES:
                return node.op, self.trailing(node.reads[0], frozenset({"reshape", "permute", "flatten"}))
            if node.op not in ("reshape", "permute", "flatten", "identity"):
                break
            ref = node.reads[0]
        return "", None

    def trailing(self, ref: Ref, through: frozenset[str]) -> str | None:
        """The new module that makes a tensor, or a new parameter that it is multiplied with; None for anything else."""
        for _ in range(MAX_WALK):
            if ref.node < 0:
                return None
            node = self.graph.nodes[ref.node]
            if node.parameters or node.buffers:
                path = owner(node)
                is_new = path in self.inserted and len(self.modules[path].calls) == 1
                return path if is_new and node.op in AFFINE | {"parameter", "group_norm", "layer_norm"} else None
            if node.op == "mul":
                owners = [self.trailing_parameter(read) for read in node.reads]
                return next((path for path in owners if path is not None), None)
            if node.op not in through and not is_passed(node):
                return None
            ref = node.reads[0]
        return None

    def trailing_parameter(self, ref: Ref) -> str | None:
        """A new free parameter."""
        node = self.graph.nodes[ref.node] if ref.node >= 0 else None
        return node.path if node and node.op == "parameter" and node.path in self.inserted else None

    def layer_before(self, ref: Ref, gate: int, gate_path: str) -> str | None:
        """The layer whose output only the gate reads, so that it can be scaled; None if there is none."""
        reader = gate
        for _ in range(MAX_WALK):
            if ref.node < 0 or ref.node in self.outputs:
                return None
            others = [index for index in self.readers[ref.node] if index != reader]
            if not all(self.only_feeds(index, gate_path) for index in others):
                return None
            node = self.graph.nodes[ref.node]
            if node.parameters or node.buffers:
                path = owner(node)
                scalable = node.op in AFFINE and "weight" in self.modules[path].shapes
                return path if scalable and len(self.modules[path].calls) == 1 else None
            if (node.op not in HOMOGENEOUS and not is_passed(node)) or len(node.reads) != 1:
                return None
            reader, ref = ref.node, node.reads[0]
        return None

    def only_feeds(self, index: int, path: str) -> bool:
        """Whether everything that depends on a node goes through the module at a path."""
        waiting, seen = [index], set[int]()
        while waiting:
            index = waiting.pop()
            if index in seen:
                continue
            seen.add(index)
            if owner(self.graph.nodes[index]) == path:
                continue
            if index in self.outputs or len(seen) > MAX_WALK or not self.readers[index]:
                return False
            waiting += self.readers[index]
        return True

    def hidden(self) -> set[int]:
        """The nodes whose values do not matter, because all that reads them starts at zero."""
        closed = {
            index
            for path, role in self.roles.items()
            if role.start in ("zero", "gate")
            for index in self.modules[path].calls
        }
        found: set[int] = set()
        for index in range(len(self.graph.nodes) - 1, -1, -1):
            node, readers = self.graph.nodes[index], self.readers[index]
            is_new = not (node.parameters or node.buffers) or owner(node) in self.inserted
            if index in self.outputs or not readers or not is_new or index in closed:
                continue
            if all(reader in closed or reader in found or self.is_scaled_away(reader) for reader in readers):
                found.add(index)
        return found

    def is_scaled_away(self, index: int) -> bool:
        """Whether a node multiplies by a new parameter that starts at zero."""
        node = self.graph.nodes[index]
        parameters = [self.trailing_parameter(ref) for ref in node.reads] if node.op == "mul" else []
        return any(path in self.roles and self.roles[path].start == "zero" for path in parameters if path)


def _has_weights(node: Node) -> bool:
    return bool(node.parameters or node.buffers)


def _can_be_identity(graph: Graph, node: Node) -> bool:
    """Whether a layer can return its input."""
    operation = node.operation
    if [graph.type_of(ref) for ref in node.reads] != list(node.types):
        return False
    if isinstance(operation, BatchNorm):
        return operation.affine and operation.track_running_stats
    if isinstance(operation, Conv):
        return operation.stride == (1, 1) and all(size % 2 for size in operation.kernel)
    return node.op == "linear"


def initial_value(module: Module, name: str, start: str, bias: float, factor: float) -> Initial:
    """How a tensor of an inserted module starts."""
    if start in ("zero", "gate"):
        return Fill({"weight": 0.0, "bias": bias, **STATISTICS}.get(name, 0.0))
    if name == "weight" and isinstance(module.operation, BatchNorm):
        return Fill(factor * math.sqrt(1 + module.operation.eps))
    if name == "weight":
        return Delta(getattr(module.operation, "groups", 1))
    return Fill(STATISTICS.get(name, 0.0))
