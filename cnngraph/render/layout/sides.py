"""Which tensor enters a frame from above; the others come from the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from cnngraph.render.layout.drawing import Point
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


def with_sides(edges: Sequence[Edge], side: Mapping[str, int]) -> list[Edge]:
    """The edges of a level, with the sides of those that enter it."""
    return [replace(edge, side=side.get(edge.tensor, 0)) if edge.tail == OUTSIDE else edge for edge in edges]


def in_order(
    edges: Sequence[Edge], frames: AbstractSet[int], curves: Mapping[str, Sequence[Point]]
) -> list[Edge] | None:
    """The edges of a level whose inputs enter in the order in which they come, by tensor; None if they do.

    Only if one box reads all of them: then no edge inside can cross another one.
    """
    heads = {edge.head for edge in edges if edge.tail == OUTSIDE}
    if len(curves) < 2 or len(heads) != 1 or heads & frames or OUTSIDE in heads:
        return None
    come = sorted(curves, key=lambda tensor: _before_turn(curves[tensor]))
    if come == sorted(curves, key=lambda tensor: curves[tensor][-1][0]):
        return None
    return with_sides(edges, {tensor: rank for rank, tensor in enumerate(come)})


def _before_turn(curve: Sequence[Point]) -> float:
    """The x from which a curve comes to the x of its end."""
    end = curve[-1][0]
    return next((x for x, _ in reversed(curve) if abs(x - end) > 1), end)
