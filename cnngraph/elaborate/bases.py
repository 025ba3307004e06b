"""The networks that a network is a change of: before the command line changed it, and those that its spec extends."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import has_errors
from cnngraph.elaborate.elaborate import MAX_NODES, elaborate
from cnngraph.graph.graph import Graph
from cnngraph.ops.registry import Registry


def bases(graph: Graph) -> Iterator[Graph]:
    """Those networks, the nearest first. One that cannot stand alone, as with a param that must be given, is none."""
    registry = Registry(graph.plugins)
    spec = graph.base
    while spec is not None:
        found = elaborate(spec, registry, max_nodes=max(MAX_NODES, 2 * len(graph.nodes)))
        if found.graph and not has_errors(found.diagnostics):
            yield found.graph
        spec = spec.base


def base_names(graph: Graph) -> list[str]:
    """The network's own name, then those of the networks that it is a change of."""
    names = [graph.name]
    spec = graph.base
    while spec is not None:
        names.append(spec.name)
        spec = spec.base
    return list(dict.fromkeys(names))
