"""Which tensor enters a frame from above; the others come from the right."""

from __future__ import annotations

from collections.abc import Sequence

from cnngraph.render.layout.strip import OUTSIDE, Edge


def sides_of(edges: Sequence[Edge], count: int) -> list[dict[str, int]]:
    """For each member of a level with so many, the tensors that enter it, from above (0) or further right (1, 2, …).

    The tensor at the end of the longest path enters from above. Shorter branches are beside it, in the order in which
    they begin.
    """
    into: list[list[Edge]] = [[] for _ in range(count)]
    for edge in edges:
        if edge.head != OUTSIDE:
            into[edge.head].append(edge)
    computed = {OUTSIDE, *(edge.head for edge in edges)}
    depth = {OUTSIDE: 0}
    found = []
    for index, entering in enumerate(into):
        depth[index] = 1 + max((depth.get(edge.tail, 0) for edge in entering), default=0)
        ranks = {edge: (edge.tail in computed, depth.get(edge.tail, 0), -edge.tail, -edge.side) for edge in entering}
        ordered = sorted(ranks, key=ranks.__getitem__, reverse=True)
        found.append({tensor: place for place, tensor in enumerate(dict.fromkeys(edge.tensor for edge in ordered))})
    return found
