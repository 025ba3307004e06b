"""The modules with weights of a graph, and which of them read from which, whatever lies in between."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from typing import Any

from cnngraph.fields import fields_of
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.numbers import show_sizes
from cnngraph.ops.op import Op

MAX_NEIGHBOURS = 64
NORMS = frozenset({"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"})
INITIAL = {"init"}  # fields that only say how a weight starts


@dataclass(slots=True)
class Module:
    """A module with weights: the indices of the nodes that call it, and the modules before and after it."""

    path: str
    operation: Op
    shapes: dict[str, tuple[int, ...]]
    calls: list[int] = field(default_factory=list)
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)

    def key(self, name: str) -> str:
        """The key of one of its tensors in the state_dict."""
        return f"{self.path}.{name}" if name else self.path

    @property
    def keys(self) -> list[str]:
        """The keys of all its tensors."""
        return [self.key(name) for name in self.shapes]

    @property
    def op(self) -> str:
        """The name of the op."""
        return self.operation.name

    @property
    def family(self) -> str:
        """What its weights mean: those of a norm are a scale and a bias per channel, whatever the norm is."""
        has_scale = self.op in NORMS and len(self.shapes.get("weight", ())) == 1
        return "norm" if has_scale else self.op


def modules_of(graph: Graph, through: frozenset[str] = frozenset()) -> dict[str, Module]:
    """All modules with weights by path, in order of execution; those of the ops `through` are left out."""
    found: dict[str, Module] = {}
    carried: dict[int, frozenset[str]] = {
        -1 - index: frozenset([f"input:{index}"]) for index in range(len(graph.inputs))
    }
    for index, node in enumerate(graph.nodes):
        before = frozenset(sorted(set().union(*(carried[ref.node] for ref in node.reads)))[:MAX_NEIGHBOURS])
        path = owner(node)
        if node.op in through or not (node.parameters or node.buffers):
            carried[index] = before
            continue
        module = found.setdefault(path, Module(path, node.operation, {**node.parameters, **node.buffers}))
        module.calls.append(index)
        module.before |= before
        carried[index] = frozenset([path])
    for module in found.values():
        for path in module.before:
            if path in found:
                found[path].after.add(module.path)
    for name, ref in graph.outputs.items():
        for path in carried[ref.node]:
            if path in found:
                found[path].after.add(f"output:{name}")
    return found


def owner(node: Node) -> str:
    """The path of the module that a node calls."""
    return node.shares or node.path


def settings(operation: Op, without: frozenset[str] = frozenset()) -> Hashable:
    """The parameters of an op that matter for what it computes."""
    names = [name for name in fields_of(type(operation)) if name not in INITIAL and name not in without]
    return operation.name, tuple((name, _frozen(getattr(operation, name))) for name in names)


def changes_of(old: Op, new: Op, without: Collection[str] = ()) -> list[str]:
    """How the parameters of an op differ, as in `stride 1×1 → 2×2`."""
    names = [name for name in fields_of(type(new)) if name not in INITIAL and name not in without]
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in names)
    return [f"{name} {_shown(before)} → {_shown(after)}" for name, before, after in pairs if before != after]


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
        return show_sizes(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _frozen(value: Any) -> Hashable:
    return value if isinstance(value, str | int | float | bool | type(None)) else repr(value)
