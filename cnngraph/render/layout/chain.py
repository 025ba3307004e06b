"""Arranging a chain whose nodes read several earlier ones: dense blocks, one-shot aggregation, trees of aggregation.

Each node reads the one before it, so all of them are on the spine. A tensor that is read further down has a lane of its
own beside the spine, from which an arrow turns to each of its readers: the arcs of DenseNet (Huang et al. 2017, figure
1) and HarDNet (Chao et al. 2019, figure 2). Shorter arcs are inside of longer ones. An arc that would cross another
one, because one begins inside of it and ends outside, is on the other side of the spine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip

GAP, SPREAD, MAX_SPREAD = 13.0, 0.1, 14.0  # along the flow, and more of it where edges leave the spine
LANE, FIRST = 8.0, 12.0  # across the flow: between two lanes, and between a box and the first one
MOST = 12  # lanes; more cannot be told apart


def chained(nodes: Sequence[Node], edges: Sequence[Edge], members: Sequence[int], ids: Sequence[int]) -> Strip | None:
    """The strip of a chain in topological order, or None if the nodes are no chain or have too many lanes."""
    chain = _Chain(nodes, edges, members, ids)
    return chain.strip() if chain.is_one and len({(arc.lane, arc.side) for arc in chain.arcs}) <= MOST else None


@dataclass(slots=True)
class _Arc:
    """A tensor that passes nodes: from below the node at `start` to above the one at `stop`, and its edges.

    `lane` counts from the spine, and `side` is 1 for an arc right of it, −1 left of it.
    """

    start: int
    stop: int
    edges: list[int] = field(default_factory=list)
    lane: int = 0
    side: int = 1
    x: float = 0.0

    def crosses(self, other: _Arc) -> bool:
        """Whether one of two arcs begins inside of the other one and ends outside."""
        return self.start < other.start < self.stop < other.stop or other.start < self.start < other.stop < self.stop


class _Chain:
    def __init__(
        self, nodes: Sequence[Node], edges: Sequence[Edge], members: Sequence[int], ids: Sequence[int]
    ) -> None:
        self.nodes, self.edges, self.members = nodes, edges, members
        self.place = {node: position for position, node in enumerate(members, 1)}
        self.end = len(members) + 1
        self.spans = {
            edge: (self.place.get(edges[edge].tail, 0), self.place.get(edges[edge].head, self.end)) for edge in ids
        }
        self.arcs = self._arcs()

    @property
    def is_one(self) -> bool:
        """Whether each node reads the one before."""
        steps = {start for start, stop in self.spans.values() if stop == start + 1}
        return steps >= set(range(1, len(self.members)))

    def _arcs(self) -> list[_Arc]:
        found: dict[tuple[int, str], _Arc] = {}
        for edge, (start, stop) in self.spans.items():
            if stop == start + 1 and not self._is_beside(edge, start):
                continue
            arc = found.setdefault((start, self.edges[edge].tensor), _Arc(start, stop))
            arc.stop = max(arc.stop, stop)
            arc.edges.append(edge)
        arcs = sorted(found.values(), key=lambda arc: (arc.stop - arc.start, -arc.start))
        for position, arc in enumerate(arcs):
            arc.side = self._side(arc, arcs[:position], arcs[position + 1 :])
            near = [
                other
                for other in arcs[:position]
                if other.side == arc.side and other.start < arc.stop and arc.start < other.stop
            ]
            taken = {other.lane for other in near}
            arc.lane = next(lane for lane in range(len(taken) + 1) if lane not in taken)
            passed = [self.nodes[self.members[place - 1]] for place in self._passed(arc)]
            widest = max((node.right if arc.side > 0 else node.left for node in passed), default=0.0)
            away = max(widest + FIRST, *(abs(other.x) + LANE for other in near if other.lane < arc.lane), 0.0)
            arc.x = arc.side * away
        return arcs

    def _side(self, arc: _Arc, others: Sequence[_Arc], later: Sequence[_Arc]) -> int:
        """The side of an arc: the right one, unless it crosses more arcs there, and no port at its ends is right."""
        crossed = [other.side for other in others if arc.crosses(other)]
        crossed += [1 for other in later if arc.crosses(other) and self._comes_from_right(other)]
        return -1 if crossed.count(1) > crossed.count(-1) and not any(map(self._is_right, arc.edges)) else 1

    def _comes_from_right(self, arc: _Arc) -> bool:
        """Whether a tensor enters the level right of another one."""
        return any(self.edges[edge].tail == OUTSIDE and self.edges[edge].side > 0 for edge in arc.edges)

    def _is_right(self, index: int) -> bool:
        """Whether an edge begins or ends at a port that is right of the spine."""
        edge = self.edges[index]
        if edge.tail == OUTSIDE and edge.side > 0:
            return True
        exits = self.nodes[edge.tail].exits if edge.tail != OUTSIDE else {}
        entries = (self.nodes[edge.head].entries or {}) if edge.head != OUTSIDE else {}
        return exits.get(edge.tensor, 0.0) > 0 or entries.get(edge.tensor, 0.0) > min(entries.values(), default=0.0)

    def _is_beside(self, edge: int, start: int) -> bool:
        """Whether an edge into the first node is not the one on the spine."""
        entering = [other for other, (first, stop) in self.spans.items() if first == start == 0 and stop == 1]
        return edge in entering[1:]

    @property
    def _on_spine(self) -> set[str]:
        """The tensors that enter the first node on the spine; others enter in their lanes."""
        return {self.edges[edge].tensor for edge, span in self.spans.items() if span == (0, 1)} - {
            self.edges[edge].tensor for edge, (start, _) in self.spans.items() if self._is_beside(edge, start)
        }

    def _passed(self, arc: _Arc) -> range:
        return range(arc.start + 1, arc.stop)

    def strip(self) -> Strip:
        tops = self._tops()
        strip = Strip()
        for position, node in enumerate(self.members, 1):
            strip.put(node, self.nodes[node], 0, tops[position])
        strip.length = tops[self.end]
        for arc in self.arcs:
            edge = self.edges[arc.edges[0]]
            forks = edge.tail != OUTSIDE or edge.tensor in self._on_spine
            begin = self._bottom(tops, arc.start) + (self._room(arc.start) if forks else 0.0)
            for index in arc.edges:
                stop = self.spans[index][1]
                turn = tops[stop] - (self._room(stop - 1) if self.edges[index].head != OUTSIDE else 0.0)
                strip.pass_by(index, (arc.x, begin), (arc.x, max(begin, turn)))
            strip.widen(min(arc.x - 2, 0.0), max(arc.x + 2, 0.0))
        return strip

    def _tops(self) -> list[float]:
        """The y of the upper end of each node; the last one is that of the end."""
        tops, y = [0.0], self._room(0) if any(not arc.start for arc in self.arcs) else 0.0
        for position, node in enumerate(self.members, 1):
            tops.append(y)
            y += self.nodes[node].length
            y += self._gap(position) if position < len(self.members) else 0.0
        leaves = any(arc.stop == self.end for arc in self.arcs)
        return [*tops, y + (self._room(len(self.members)) if leaves else 0.0)]

    def _bottom(self, tops: Sequence[float], position: int) -> float:
        return tops[position] + (self.nodes[self.members[position - 1]].length if position else 0.0)

    def _gap(self, position: int) -> float:
        """The room below a node: twice if edges leave the spine and others return to it."""
        leave = any(arc.start == position for arc in self.arcs)
        return 2 * self._room(position) if leave else self._room(position)

    def _room(self, position: int) -> float:
        """What edges need along the flow to leave the spine below a node, or to return to it."""
        near = [abs(arc.x) for arc in self.arcs if position in (arc.start, arc.stop - 1)]
        return GAP + min(MAX_SPREAD, SPREAD * max(near, default=0.0)) if near else GAP
