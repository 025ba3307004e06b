"""The module tree of a network as data, from which both the built network and its source are generated."""

from __future__ import annotations

import keyword
import re
from collections import defaultdict
from dataclasses import replace

from cnngraph.backend.modules import own_layers
from cnngraph.backend.modules.forward import OUTPUTS, Forward, write_forward
from cnngraph.backend.modules.frames import Frame, Layout
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope
from cnngraph.ops.op import Layer

SEQUENTIAL, MODULE_LIST = "nn.Sequential", "nn.ModuleList"
NOT_CLASSES = frozenset({*keyword.kwlist, *vars(own_layers), "Tensor", "NamedTuple", "Numbered", "ValueError", OUTPUTS})


@frozen(eq=False)
class Leaf:
    """The module of a node, or a free parameter or constant, which is an attribute of the scope's module."""

    path: str
    node: Node
    layer: Layer
    is_attribute: bool


@frozen(eq=False)
class ScopeModule:
    """The module of a scope: nn.Sequential, nn.ModuleList, or a class with a forward (containers have none)."""

    path: str
    kind: str  # the name of the class
    forward: Forward | None
    children: dict[str, Leaf | ScopeModule]
    block: str = ""  # the name of its class, after the block that it is a use of

    @property
    def is_numbered(self) -> bool:
        """Whether it is its own class and has children with numbers as names."""
        return self.kind not in (SEQUENTIAL, MODULE_LIST) and any(name.isdecimal() for name in self.children)


def plan(graph: Graph) -> ScopeModule:
    """The module tree of a graph."""
    return _Planner(*_lay_out(graph)).group(graph.root)


def _lay_out(graph: Graph) -> tuple[Layout, dict[str, Forward | None]]:
    """The frames and their forwards; a frame without a forward is an nn.Sequential.

    A scope that cannot have its own forward is dissolved into the enclosing frame: it calls a shared module outside
    of it, or it shares a module with a different forward.
    """
    dissolved: frozenset[str] = frozenset()
    while True:
        layout = Layout(graph, dissolved)
        unfit = {frame.scope.path for frame in layout.frames_that_call_outside()}
        forwards: dict[str, Forward | None] = {}
        if not unfit:
            for path, frame in layout.frames.items():
                forwards[path] = None if layout.is_chain(frame) else write_forward(layout, frame)
            sharers = (frame for frame in layout.frames.values() if frame.module != frame.scope.path)
            unfit = {
                frame.scope.path
                for frame in sharers
                if frame.module not in forwards or forwards[frame.module] != forwards[frame.scope.path]
            }
        if not unfit:
            return layout, forwards
        dissolved |= unfit


class _Planner:
    def __init__(self, layout: Layout, forwards: dict[str, Forward | None]) -> None:
        self.layout = layout
        self.graph = layout.graph
        self.forwards = forwards
        self.targets = frozenset(layout.shared.values())
        self.names: dict[object, set[str]] = defaultdict(set)  # of the scopes that one location in the spec creates
        for scope in self.graph.scopes():
            if not scope.shares:
                self.names[_place(scope)].add(scope.name)

    def group(self, scope: Scope) -> ScopeModule:
        """The module of a scope, with everything inside it."""
        children: dict[str, Leaf | ScopeModule] = {}
        frame = self.layout.frames.get(scope.path)
        in_chain = frame is not None and self.forwards[scope.path] is None
        for child in scope.children:
            module = self.leaf(child, in_chain) if isinstance(child, int) else self.group(child)
            if module is None or self.layout.module(module.path) != module.path:
                continue
            if isinstance(module, Leaf) or self.is_needed(module):
                children[module.path.rpartition(".")[2]] = module
        if in_chain:
            return ScopeModule(scope.path, SEQUENTIAL, None, children, self.class_name(scope) if scope.block else "")
        modules_only = not any(isinstance(child, Leaf) and child.is_attribute for child in children.values())
        if not frame and modules_only and list(children) == [str(number) for number in range(len(children))]:
            return ScopeModule(scope.path, MODULE_LIST, None, children)
        return ScopeModule(scope.path, self.class_name(scope), self.forwards[scope.path] if frame else None, children)

    def is_needed(self, group: ScopeModule) -> bool:
        """Whether the module of a scope has children, or a forward without children."""
        frame = self.layout.frames.get(group.path)
        return bool(group.children) or (frame is not None and bool(frame.steps))

    def leaf(self, index: int, in_chain: bool) -> Leaf | None:
        """The module of a node, or None for an expression."""
        node = self.graph.nodes[index]
        layer = self.layout.chain_layer(index) if in_chain else self.layout.layers[index]
        if layer is None:
            return None
        if self.overwrites(index, self.layout.owner[index]):
            layer = replace(layer, kwargs={**layer.kwargs, "inplace": True})
        return Leaf(node.path, node, layer, node.operation.is_attribute)

    def overwrites(self, index: int, frame: Frame) -> bool:
        """Whether an activation may run in place: nothing else needs the values of its input."""
        node = self.graph.nodes[index]
        if not node.operation.runs_inplace or len(node.reads) != 1:
            return False
        (ref,) = node.reads
        if self.layout.owner.get(ref.node) is not frame or len(frame.uses.get(ref, ())) != 1:
            return False
        producer = self.graph.nodes[ref.node]
        shared = any(path in self.layout.shared or path in self.targets for path in (node.path, producer.path))
        return producer.operation.output_is_free and not shared

    def class_name(self, scope: Scope) -> str:
        """`InceptionA` for the block inception_a; a scope without a block is named after its node."""
        if scope.kind == "network":
            return _camel(self.graph.name) or "Network"
        if scope.block:
            return _camel(scope.block)
        parent, _, name = scope.path.rpartition(".")
        several = len(self.names[_place(scope)]) > 1
        if name.isdecimal():
            around = parent.rpartition(".")[2] or self.graph.name
            return _camel(f"{around}_item" if several else f"{around}_{name}")
        return _camel(name.rstrip("0123456789") if several else name)


def _place(scope: Scope) -> object:
    return scope.span.file, scope.span.line, scope.span.column


def _camel(name: str) -> str:
    """`InceptionA` for inception_a."""
    words = re.findall("[A-Za-z0-9]+", name)
    text = "".join(word[0].upper() + word[1:] for word in words)
    text = f"Net{text}" if text[:1].isdigit() else text
    return f"{text}Block" if text in NOT_CLASSES else text
