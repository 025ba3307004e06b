"""Writing a network as JSON for Model Explorer, which lays out and folds the graph itself.

https://github.com/google-ai-edge/model-explorer; its names of the fields are those of `graph_builder.py` there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cnngraph.fields import show_value
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, NodeError, Ref, Scope
from cnngraph.numbers import show_count, show_sizes
from cnngraph.render.colours import edge, fill
from cnngraph.render.label import changed_parameters, clean, op_label
from cnngraph.render.picture import Box
from cnngraph.render.terminals import terminals_of
from cnngraph.render.tree import Tree, build_tree
from cnngraph.tensor_type import TensorType
from cnngraph.text import json_safe, one_line

SHAPE, TAG = "tensor_shape", "__tensor_tag"  # keys that Model Explorer knows: shown on arrows, and name of an input
DRAWABLE = str.maketrans({"×": "x", "↑": "x", "…": "...", "−": "-"})  # its font for drawings has ASCII only
Json = dict[str, Any]


def model_explorer(graph: Graph, part: str | None = None) -> str:
    """A collection with one graph: all operations of a network, or of the block at a path, in the groups of modules.

    Raises ValueError if there is no such block.
    """
    tree = build_tree(graph, part)
    tree = replace(tree, reads=tuple(node.reads for node in graph.nodes))  # each concat as it is, without ladders
    written = {
        "id": one_line(graph.name) or "network",
        "nodes": list(_Writer(tree).nodes()),
        "groupNodeAttributes": {"": _facts(graph), **dict(_groups(tree))},
    }
    collection = {"label": one_line(graph.name) or "network", "graphs": [written]}
    return json_safe(json.dumps(collection, ensure_ascii=False, separators=(",", ":"))) + "\n"


class _Writer:
    def __init__(self, tree: Tree) -> None:
        self.tree, self.graph = tree, tree.graph
        self.shown = tree.root.indices()
        self.inside = frozenset(self.shown)
        self.ends = terminals_of(tree, self.inside)
        ends = (self.ends.inputs, self.ends.outputs)
        self.keys = {box.key: f"{box.shape}:{place}" for boxes in ends for place, box in enumerate(boxes)}

    def nodes(self) -> Iterator[Json]:
        """Inputs, operations, nodes with errors, and outputs."""
        for box in self.ends.inputs:
            yield _node(self.keys[box.key], _end_label(box), "", [], [], box.types)
        for index in self.shown:
            yield self._operation(self.graph.nodes[index])
        around = f"{self.tree.root.scope.path}." if self.tree.is_part else ""
        for number, error in enumerate(self.graph.errors):
            if error.path.startswith(around):
                yield self._error(number, error)
        for box in self.ends.outputs:
            reads = [self._edge(0, self.ends.ends[box.key])]
            yield _node(self.keys[box.key], _end_label(box), "", _pairs(_look(box)), reads, box.types)

    def _operation(self, node: Node) -> Json:
        names = node.operation.input_names if len(node.reads) > 1 else ()
        label = op_label(node.operation, tuple(self.graph.type_of(ref) for ref in node.reads))
        reads = [self._edge(place, ref) for place, ref in enumerate(node.reads)]
        written = _node(one_line(node.path), label, _namespace(node.path), _pairs(_attributes(node)), reads, node.types)
        if names:
            tags = zip(range(len(node.reads)), names, strict=False)
            written["inputsMetadata"] = [{"id": str(place), "attrs": _pairs({TAG: name})} for place, name in tags]
        return written

    def _error(self, number: int, error: NodeError) -> Json:
        known = [ref for ref in error.reads if ref in self.ends.tails or ref.node in self.inside]
        facts = {"path": error.path, "error": error.code, "message": error.message, "source": str(error.span)}
        label = clean(f"{error.code} {error.message}".replace("`", ""))
        reads = [self._edge(place, ref) for place, ref in enumerate(known)]
        written = _node(f"error:{number}", label, _namespace(error.path), _pairs(facts), reads, ())
        return written | {"style": {"backgroundColor": fill("error"), "borderColor": edge("error")}}

    def _edge(self, place: int, ref: Ref) -> Json:
        """One tensor that is read. An input has one tensor, even if it is one of several of a node outside."""
        if ref in self.ends.tails:
            source, output = self.keys[self.ends.tails[ref]], 0
        else:
            source, output = one_line(self.graph.nodes[ref.node].path), ref.output
        return {"sourceNodeId": source, "sourceNodeOutputId": str(output), "targetNodeInputId": str(place)}


def _node(
    key: str, label: str, namespace: str, attributes: list[Json], reads: list[Json], types: tuple[TensorType, ...]
) -> Json:
    return {
        "id": key,
        "label": label.translate(DRAWABLE),
        "namespace": namespace,
        "attrs": attributes,
        "incomingEdges": reads,
        "outputsMetadata": [
            {"id": str(place), "attrs": _pairs({SHAPE: str(type_).translate(DRAWABLE)})}
            for place, type_ in enumerate(types)
        ],
    }


def _end_label(box: Box) -> str:
    return box.title.name if box.title.name == box.shape else f"{box.shape} {box.title.name}"


def _namespace(path: str) -> str:
    """`layer1/0` for `layer1.0.conv1`."""
    return one_line(path.rpartition(".")[0]).replace("/", "_").replace(".", "/")


def _attributes(node: Node) -> Iterator[tuple[str, str]]:
    """What the side panel shows about an operation."""
    yield "path", node.path
    yield "op", node.op
    for name, value in changed_parameters(node.operation).items():
        yield name, show_value(value)
    for name, shape in {**node.parameters, **node.buffers}.items():
        yield f"{name or 'value'} (weight)", show_sizes(shape)
    if node.num_params:
        yield "parameters", f"{node.num_params:,}"
    if node.macs:
        yield "MACs", f"{node.macs:,}"
    if node.shares:
        yield "shares", node.shares
    if node.unused or node.training_only:
        yield "runs", "never" if node.unused else "only in training mode"
    yield "source", str(node.span)


def _look(box: Box) -> dict[str, str]:
    return {"runs": "only in training mode"} if box.look == "training" else {}


def _groups(tree: Tree) -> Iterator[tuple[str, dict[str, str]]]:
    """What the side panel shows about a module with others inside, by its namespace."""
    params: Counter[str] = Counter()  # of everything inside, by path
    for index in tree.root.indices():
        node = tree.graph.nodes[index]
        parts = node.path.split(".")
        params.update({".".join(parts[:length]): node.num_params for length in range(1, len(parts))})
    for scope in tree.graph.scopes():
        if scope.path in params:
            facts = {"path": scope.path, **({"block": scope.block} if scope.block else {}), **_uses(scope)}
            facts |= {"parameters": f"{params[scope.path]:,}", "source": str(scope.span)}
            yield _namespace(f"{scope.path}."), {one_line(name): one_line(text) for name, text in facts.items()}


def _uses(scope: Scope) -> Mapping[str, str]:
    return {f"{name} (param)": show_value(value) for name, value in (scope.params or {}).items()}


def _facts(graph: Graph) -> dict[str, str]:
    """What the side panel shows about the network."""
    facts = {"about": " ".join(graph.about.split()), "paper": graph.paper}
    facts |= {"parameters": f"{graph.num_params:,}", "MACs": show_count(graph.macs)}
    return {name: one_line(text) for name, text in facts.items() if text}


def _pairs(values: Mapping[str, str] | Iterator[tuple[str, str]]) -> list[Json]:
    items = values.items() if isinstance(values, Mapping) else values
    return [{"key": one_line(name), "value": one_line(text)} for name, text in items]
