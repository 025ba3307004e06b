"""Packing lanes: each is as near to the one before as what is beside each other in the ranks allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.drawing import Point
from cnngraph.render.layout.pyramid import Size
from cnngraph.render.layout.series import BESIDE, LANE
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node

NARROW = 26.0  # the least distance between two lanes
APART = 1.0  # more for a line that passes between two nodes

Extent = tuple[float, float]  # left and right of a lane


@frozen
class LaidLevel:
    """A level in lanes that are wide apart: its nodes with their places, and the lanes of those that are in one.

    `aside` is how far nodes are from their lanes, `labels` half of what
    the shapes below those over several lanes need in each.
    """

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    at: Mapping[int, Point]
    lane: Mapping[int, int]
    aside: Mapping[int, float]
    sizes: Sequence[Size]
    labels: Mapping[int, Mapping[int, float]]

    def ranks(self) -> Iterator[dict[int, Extent]]:
        """What each rank needs to both sides of the lanes in which there is something."""
        ends = {node: round(y + self.nodes[node].lead, 2) for node, (_, y) in self.at.items()}  # of arrows into it
        tops = {y: rank for rank, y in enumerate(sorted(set(ends.values())))}
        rank = {node: tops[y] for node, y in ends.items()}
        places = {size: place for place, size in enumerate(self.sizes)}
        found: list[dict[int, Extent]] = [{} for _ in tops]
        lines: list[dict[int, set[str]]] = [{} for _ in tops]
        for edge in self.edges:
            lane = places.get(edge.size) if edge.size else None
            if lane is None:
                continue
            start = 0 if edge.tail == OUTSIDE else rank[edge.tail] + 1
            for passed in lines[start : len(tops) if edge.head == OUTSIDE else rank[edge.head]]:
                passed.setdefault(lane, set()).add(edge.tensor)
        for node, lane in self.lane.items():
            x, count = self.aside.get(node, 0.0), len(lines[rank[node]].pop(lane, ()))
            beside = LANE * (count - 1) + APART if count else 0.0
            _widen(found[rank[node]], lane, self.nodes[node].left - x + beside, self.nodes[node].right + x + beside)
        for node, halves in self.labels.items():
            for lane, half in halves.items():
                _widen(found[rank[node]], lane, half, half)
        for extents, passed in zip(found, lines, strict=True):
            for lane, tensors in passed.items():
                _widen(extents, lane, LANE / 2 * len(tensors), LANE / 2 * len(tensors))
        yield from found


def _widen(rank: dict[int, Extent], lane: int, left: float, right: float) -> None:
    before = rank.get(lane, (0.0, 0.0))
    rank[lane] = max(before[0], left), max(before[1], right)


def packed(levels: Iterable[LaidLevel], count: int) -> list[float]:
    """The x of all lanes, the first at 0."""
    apart: list[dict[int, float]] = [{} for _ in range(count)]  # the least distance of each lane from others before
    for level in levels:
        for rank in level.ranks():
            for one, two in pairwise(sorted(rank)):
                needed = rank[one][1] + BESIDE + rank[two][0]
                apart[two][one] = max(apart[two].get(one, 0.0), needed)
    found: list[float] = []
    for others in apart:
        least = found[-1] + NARROW if found else 0.0
        found.append(max(least, *(found[other] + needed for other, needed in others.items())) if others else least)
    return found
