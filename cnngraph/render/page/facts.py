"""What a page knows about a network, as data for its script: every operation and tensor, the groups, and the files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from cnngraph.analysis.receptive_field import receptive_fields
from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.fields import fields_of, show_value
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.graph.nodes import Node, NodeError
from cnngraph.numbers import show_count, show_sizes
from cnngraph.ops.op import Op
from cnngraph.render.layout.drawing import Rectangle
from cnngraph.render.names import range_of
from cnngraph.render.page.fragments import Drawn, Fragment
from cnngraph.render.page.skips import Skip
from cnngraph.render.picture import Arrow, Flow, Look
from cnngraph.render.titles import paths_of
from cnngraph.render.tree import SERIES, Group, Tree
from cnngraph.text import json_safe, one_line, visible

BYTES = 4  # of a number in float32


class _Distinct:
    """Distinct values with their numbers, in the order in which they are first used."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        """The number of a hashable value."""
        return self.numbers.setdefault(value, len(self.numbers))

    def all(self) -> list[Any]:
        """All values."""
        return list(self.numbers)


class Files:
    """The files in which a network is defined, and in which errors are.

    A file with errors can have another text than when the network was drawn: these are two files.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}

    def place(self, span: Span | None) -> list[int] | None:
        """The number of the file, the first line and the last line of a span."""
        if span is None:
            return None
        number = self.numbers.setdefault((span.file, span.source.text), len(self.numbers))
        last = span.end_line - (span.end_column == 1 and span.end_line > span.line)
        return [number, span.line, last]

    def all(self) -> list[dict[str, str]]:
        """Name and text of each file."""
        last = {name: number for (name, _), number in self.numbers.items()}
        return [
            {"name": one_line(name) + (" (as drawn)" if number < last[name] else ""), "text": visible(text)}
            for (name, text), number in self.numbers.items()
        ]


def network_facts(
    tree: Tree, drawn: Sequence[Drawn], files: Files, skips: Sequence[Skip] = (), times: NodeTimes | None = None
) -> dict[str, Any]:
    """All facts about a network that is drawn, with its skips and measured times, if there are any."""
    graph = tree.graph
    ops, shapes, legends = _Distinct(), _Distinct(), _Distinct()
    nodes = _nodes(graph, ops, shapes, files)
    timing: dict[str, Any] = {}
    if times is not None:
        nodes["time"] = [float(f"{times.seconds[node.path]:.4g}") for node in graph.nodes]
        timing = {"timing": {"on": one_line(times.device), "passes": times.passes}}
    return {
        "name": one_line(graph.name),
        "about": one_line(" ".join(graph.about.split())),
        "summary": _summary(graph),
        "inputs": [[one_line(name), shapes.number(str(type_))] for name, type_ in graph.inputs.items()],
        "outputs": [[one_line(name), *ref] for name, ref in graph.outputs.items()],
        "nodes": nodes,
        "ops": ops.all(),
        "shapes": shapes.all(),
        "groups": [_group(tree, item, files, legends) for item in drawn],
        "legends": legends.all(),
        "errors": [_error(graph, error, files) for error in graph.errors],
        "skips": [[*skip.ref, list(skip.readers), _style(skip.arrow)] for skip in skips],
        "standIn": {str(node): tree.drawn(node) for node in tree.stand_in},
        **timing,
    }


def as_json(value: object) -> str:
    """JSON that can stand in HTML: no text in it ends the element or starts another."""
    text = json_safe(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def diagnostic_facts(diagnostics: Iterable[Diagnostic], files: Files) -> list[dict[str, Any]]:
    """Errors and warnings, with their place and the text that the command line prints."""
    return [{"severity": str(item.severity), "text": str(item), "at": files.place(item.span)} for item in diagnostics]


def _summary(graph: Graph) -> str:
    sizes = [", ".join(map(show_sizes, shapes.values())) for shapes in (graph.input_shapes, graph.output_shapes)]
    cost = f"{show_count(graph.num_params)} parameters · {show_count(graph.macs)} MACs"
    return f"{' → '.join(filter(None, sizes))} · {cost} · {len(graph.nodes):,} operations"


def _nodes(graph: Graph, ops: _Distinct, shapes: _Distinct, files: Files) -> dict[str, list[Any]]:
    """The facts of every operation, by column."""
    nodes = graph.nodes
    return {
        "path": [one_line(node.path) for node in nodes],
        "op": [ops.number(_op(node.operation)) for node in nodes],
        "reads": [[part for ref in node.reads for part in ref] for node in nodes],
        "types": [[shapes.number(str(type_)) for type_ in node.types] for node in nodes],
        "weights": [ops.number(_weights(node)) for node in nodes],
        "params": [node.num_params for node in nodes],
        "macs": [node.macs for node in nodes],
        "memory": [0 if node.unused else BYTES * sum(type_.count for type_ in node.types) for node in nodes],
        "field": [None if field is None else list(field) for field in receptive_fields(graph)],
        "at": [files.place(node.span) for node in nodes],
        "note": [one_line(_note(node)) for node in nodes],
    }


def _op(operation: Op) -> tuple[Any, ...]:
    """The name and kind of an op, and its parameters with whether each is the default."""
    values = [
        (name, show_value(getattr(operation, name)), not field.required and getattr(operation, name) == field.default)
        for name, field in fields_of(type(operation)).items()
    ]
    return (operation.name, operation.kind, *values)


def _weights(node: Node) -> tuple[Any, ...]:
    """The shapes of the weights of a node, in the form of an op."""
    state = {} if node.shares else {**node.parameters, **node.buffers}
    return tuple((one_line(name), show_sizes(shape)) for name, shape in state.items())


def _note(node: Node) -> str:
    notes = ["never runs"] if node.unused else ["only in training mode"] if node.training_only else []
    return ", ".join([f"shares {node.shares}", *notes] if node.shares else notes)


def _group(tree: Tree, drawn: Drawn, files: Files, legends: _Distinct) -> dict[str, Any]:
    group, inner = drawn.group, drawn.inner
    return {
        "path": _path(group),
        "inner": _path(inner),
        "block": one_line(inner.scope.block or group.scope.block or ""),
        "parent": drawn.parent,
        "at": files.place(group.scope.span),
        "paths": _copies(tree, inner),
        "nodes": inner.indices(),
        "drawing": drawn.fragment and _drawing(tree.graph, drawn.fragment, legends),
        **({"chain": _places(drawn.chain)} if drawn.chain else {}),
    }


def _error(graph: Graph, error: NodeError, files: Files) -> dict[str, Any]:
    """A node with an error; what it reads is left out if it has tensors of its own, which are listed instead."""
    has_own = any(ref.node >= 0 and graph.nodes[ref.node].path == error.path for ref in error.reads)
    return {
        "path": one_line(error.path),
        "code": error.code,
        "message": one_line(error.message),
        "reads": [] if has_own else [part for ref in error.reads for part in ref],
        "at": files.place(error.span),
    }


def _path(group: Group) -> str:
    """The path of the iteration that is drawn, by which it is found; those of a series, which has no path."""
    return one_line(range_of(paths_of(group)) if group.scope.kind == SERIES else group.scope.path)


def _copies(tree: Tree, group: Group) -> list[str]:
    """The paths of all scopes that a group represents."""
    if group.scope.kind == SERIES:
        return [_path(replace(group, scope=scope, folded=())) for scope in (group.scope, *group.folded)]
    depth = group.scope.path.count(".") + 1
    first = next(iter(group.indices()), None)
    copies = tree.copies.get(first, ()) if first is not None else ()
    paths = [".".join(tree.graph.nodes[copy].path.split(".")[:depth]) for copy in copies]
    return [one_line(path) for path in dict.fromkeys(paths)]


def _drawing(graph: Graph, fragment: Fragment, legends: _Distinct) -> dict[str, Any]:
    return {
        **_places(fragment),
        "boxes": {
            key: {
                "at": _rectangle(at),
                **({"legend": legends.number(fragment.legend[key])} if fragment.legend[key] else {}),
                **({"nodes": fragment.nodes[key]} if key in fragment.nodes and key not in fragment.groups else {}),
                **({"group": fragment.groups[key]} if key in fragment.groups else {}),
                **({"error": graph.errors.index(fragment.errors[key])} if key in fragment.errors else {}),
            }
            for key, at in fragment.boxes.items()
        },
    }


def _places(fragment: Fragment) -> dict[str, Any]:
    """Where everything in a drawing is."""
    return {
        "size": [_round(fragment.width), _round(fragment.height)],
        "boxes": {key: _rectangle(at) for key, at in fragment.boxes.items()},
        "arrows": [
            [
                placed.arrow.tail,
                placed.arrow.head,
                placed.arrow.source,
                _style(placed.arrow),
                [_round(part) for point in placed.curve for part in point],
            ]
            for placed in fragment.arrows
        ],
        "entries": {source: _round(place) for source, place in fragment.entries.items()},
        "exits": {source: _round(place) for source, place in fragment.exits.items()},
        **({"title": [_round(part) for part in fragment.title]} if any(fragment.title) else {}),
    }


def _rectangle(at: Rectangle) -> list[float | int]:
    return [_round(part) for part in (at.x, at.y, at.width, at.height)]


def _style(arrow: Arrow) -> str:
    """The class of an arrow in the page's style sheet, if it is not an ordinary one."""
    if arrow.look is not Look.PLAIN:
        return "side"
    return "" if arrow.flow is Flow.DATA else arrow.flow.value


def _round(number: float) -> float | int:
    rounded = round(number, 1)
    return int(rounded) if rounded == int(rounded) else rounded
