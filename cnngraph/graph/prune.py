"""Removes nodes from a graph."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Set
from dataclasses import replace

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Input, Ref, Scope


def pruned(graph: Graph, removed: Set[int]) -> Graph:
    """The graph without some nodes, which no other node and no output reads, and without scopes that are left empty."""
    kept = [index for index in range(len(graph.nodes)) if index not in removed]
    new = {index: position for position, index in enumerate(kept)}

    def refs(old: Iterable[Ref]) -> tuple[Ref, ...]:
        left = (ref for ref in old if ref.node not in removed)
        return tuple(Ref(new[ref.node], ref.output) if ref.node >= 0 else ref for ref in left)

    def scope(old: Scope) -> Scope:
        children: list[Scope | int] = []
        for child in old.children:
            if isinstance(child, int):
                children += [new[child]] if child in new else []
            elif (inner := scope(child)).children:
                children.append(inner)
        return replace(
            old,
            inputs=tuple(Input(name, refs(tensors)) for name, tensors in old.inputs),
            value=refs(old.value),
            children=tuple(children),
            start=bisect_left(kept, old.start),
            stop=bisect_left(kept, old.stop),
        )

    return replace(
        graph,
        nodes=tuple(replace(graph.nodes[index], reads=refs(graph.nodes[index].reads)) for index in kept),
        outputs={name: refs((ref,))[0] for name, ref in graph.outputs.items()},
        root=scope(graph.root),
    )
