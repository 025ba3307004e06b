"""Repeats in a plain spec, whose nodes have dotted names instead of scopes: `layer1.0.conv`, `layer1.1.conv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref, Scope


class DottedRepeats:
    """Finds the containers of dotted names that are repeats: their children are containers 0, 1, 2, …, run in order."""

    def __init__(self, graph: Graph) -> None:
        self.read_until = _last_readers(graph)
        self.graph = graph

    def scope(self, container: Scope) -> Scope | None:
        """The container as the scope of a repeat with one scope for each iteration; None if it is no repeat."""
        iterations = [child for child in container.children if isinstance(child, Scope) and child.kind == "container"]
        names = [child.name for child in iterations]
        if len(names) < max(2, len(container.children)) or names != [str(number) for number in range(len(names))]:
            return None
        children = tuple(self._filled(child, "nodes") for child in iterations)
        if any(child is None for child in children):
            return None
        repeat = self._filled(replace(container, children=tuple(child for child in children if child)), "repeat")
        starts = [child.start for child in children if child]
        return repeat if starts == sorted(starts) else None

    def _filled(self, container: Scope, kind: str) -> Scope | None:
        """The container as a scope that contains its nodes, unless others run between them."""
        indices = sorted(_indices(container))
        start, stop = indices[0], indices[-1] + 1
        if len(indices) != stop - start:
            return None
        value = tuple(
            Ref(index, output)
            for index in indices
            for output in range(len(self.graph.nodes[index].types))
            if self.read_until.get(Ref(index, output), -1) >= stop
        )
        return replace(container, kind=kind, start=start, stop=stop, value=value)


def _indices(scope: Scope) -> Iterator[int]:
    for child in scope.children:
        if isinstance(child, Scope):
            yield from _indices(child)
        else:
            yield child


def _last_readers(graph: Graph) -> dict[Ref, int]:
    """For each tensor that is read, the index of the last node that reads it; outputs are after all nodes."""
    last = {ref: index for index, node in enumerate(graph.nodes) for ref in node.reads}
    return last | dict.fromkeys(graph.outputs.values(), len(graph.nodes))
