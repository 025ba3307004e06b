"""The networks that a network derives from: itself without command-line overrides, and those its spec extends."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import has_errors
from cnngraph.elaborate.elaborate import MAX_NODES, elaborate
from cnngraph.graph.graph import Graph
from cnngraph.ops.registry import Registry


def bases(graph: Graph) -> Iterator[Graph]:
    """The base networks, nearest first. One that does not compile by itself is skipped."""
    registry = Registry(graph.plugins)
    spec = graph.base
    while spec is not None:
        found = elaborate(spec, registry, max_nodes=max(MAX_NODES, 2 * len(graph.nodes)))
        if found.graph and not has_errors(found.diagnostics):
            yield found.graph
        spec = spec.base


def base_names(graph: Graph) -> list[str]:
    """The names of the network and of its bases, nearest first."""
    names = [graph.name]
    spec = graph.base
    while spec is not None:
        names.append(spec.name)
        spec = spec.base
    return list(dict.fromkeys(names))
