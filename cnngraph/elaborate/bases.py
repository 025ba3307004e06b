"""The networks that a network derives from: itself without command-line overrides, and those its spec extends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cnngraph.diagnostics import Source, Span, has_errors
from cnngraph.document import Table, Value, value_of
from cnngraph.elaborate.elaborate import MAX_NODES, elaborate
from cnngraph.graph.graph import Graph
from cnngraph.language.model import Spec
from cnngraph.ops.registry import Registry

HERE = Span(Source("the network's params", " "), 1, 1, 1, 2)


def bases(graph: Graph) -> Iterator[Graph]:
    """The base networks, nearest first. One that does not compile by itself is skipped."""
    return (found for spec in _specs(graph) if (found := _compiled(spec, graph)))


def bases_with_params(graph: Graph) -> Iterator[tuple[Graph, Graph | None]]:
    """The base networks, nearest first, and each of them with the params and inputs of the network.

    What differs between a network and its base with these params is what the spec changed in nodes and blocks. The
    second graph is None if the base does not compile with these params.
    """
    for spec in _specs(graph):
        if found := _compiled(spec, graph):
            yield found, _compiled(_with_params(spec, graph), graph)


def base_names(graph: Graph) -> list[str]:
    """The names of the network and of its bases, nearest first."""
    return list(dict.fromkeys([graph.name, *(spec.name for spec in _specs(graph))]))


def _specs(graph: Graph) -> Iterator[Spec]:
    spec = graph.base
    while spec is not None:
        yield spec
        spec = spec.base


def _compiled(spec: Spec, graph: Graph) -> Graph | None:
    """The graph of a base; None if it has errors."""
    found = elaborate(spec, Registry(graph.plugins), max_nodes=max(MAX_NODES, 2 * len(graph.nodes)))
    return None if has_errors(found.diagnostics) else found.graph


def _with_params(spec: Spec, graph: Graph) -> Spec:
    """A base with the values that params and inputs have in the network."""
    params = dict(spec.library.params)
    for name, value in graph.params.items():
        if name in params and (written := _value(value)) is not None:
            params[name] = replace(params[name], default=written)
    shapes = graph.input_shapes
    if isinstance(spec.input, Table):
        known = [entry.key for entry in spec.input]
        if known != list(shapes):
            return replace(spec, library=replace(spec.library, params=params))
        sizes = _value({name: list(shape) for name, shape in shapes.items()})
    else:
        sizes = _value(list(next(iter(shapes.values()), ())))
    return replace(spec, input=sizes, library=replace(spec.library, params=params))


def _value(value: object) -> Value | None:
    """A param's value as in a file; None if YAML cannot express it."""
    try:
        return value_of(value, HERE)
    except TypeError:
        return None
