"""The ports of the nodes of a level, and the curves of its edges between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cnngraph.render.layout.curves import around, into_side, through
from cnngraph.render.layout.drawing import Point
from cnngraph.render.layout.measures import CORNER, IN_GAP, PORTS
from cnngraph.render.layout.obstacles import Obstacles
from cnngraph.render.layout.series import LANE
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip


@dataclass(slots=True)
class Arrangement:
    """A level with places: of nodes by index, of curves by edge, and of the ports by tensor."""

    left: float
    right: float
    length: float
    at: dict[int, Point]
    curves: dict[int, tuple[Point, ...]]
    entries: dict[str, float]
    exits: dict[str, float]
    cuts: list[float]
    ends: dict[int, float] = field(default_factory=dict)  # the x at which edges enter their heads


def routed(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    strip: Strip,
    backward: AbstractSet[int],
    *,
    ports: Mapping[str, float] | None = None,
) -> Arrangement:
    """The arrangement of a strip: with ports and curves. `backward` are edges against the flow.

    `ports` is where tensors enter and leave the level, if that is not only given by what is near.
    """
    return _Router(nodes, edges, strip, backward, ports).arrangement()


class _Router:
    """The curves of the edges of a level, from port to port."""

    def __init__(
        self,
        nodes: Sequence[Node],
        edges: Sequence[Edge],
        strip: Strip,
        backward: AbstractSet[int],
        ports: Mapping[str, float] | None,
    ) -> None:
        self.ports = ports
        self.nodes, self.edges, self.strip, self.backward = nodes, edges, strip, backward
        self.obstacles = Obstacles(nodes, strip.at)
        self.points = {edge: sorted(strip.via.get(edge, ()), key=lambda point: point[1]) for edge in range(len(edges))}

    def arrangement(self) -> Arrangement:
        strip = self.strip
        entries, exits = self._outside("tail", 0), self._outside("head", -1)
        ends = self._ends(entries, exits)
        curves = {}
        for index in range(len(self.edges)):
            start = self._start(index, entries)
            stop, side = ends[index]
            curves[index] = self._curve(index, start, stop, side)
        strip.widen(*self._extent(curves.values()))
        return Arrangement(
            strip.left,
            strip.right,
            strip.length,
            strip.at,
            curves,
            entries,
            exits,
            strip.cuts,
            {index: ends[index][0][0] for index in ends},
        )

    def _curve(self, index: int, start: Point, stop: Point, side: bool) -> tuple[Point, ...]:
        points = self.points[index]
        if index in self.backward:
            x = self.strip.right + LANE
            return around(
                [start, (start[0], start[1] + 6), (x, start[1] + 6), (x, stop[1] - 6), (stop[0], stop[1] - 6), stop]
            )
        if side:
            return into_side([start, *points], stop)
        if (head := self.edges[index].head) != OUTSIDE and (lead := self.nodes[head].lead):
            points = [*points, (stop[0], stop[1] - lead - IN_GAP)]  # straight on, beside its name
        return through([start, *points, stop])

    def _extent(self, curves: Iterable[tuple[Point, ...]]) -> tuple[float, float]:
        xs = [x for curve in curves for x, _ in curve]
        return (min(xs) - 2, max(xs) + 2) if xs else (0.0, 0.0)

    def _start(self, index: int, entries: Mapping[str, float]) -> Point:
        edge = self.edges[index]
        if edge.tail == OUTSIDE:
            return entries[edge.tensor], 0.0
        x, y = self.strip.at[edge.tail]
        node = self.nodes[edge.tail]
        return x + node.exits.get(edge.tensor, 0.0), y + node.length

    def _outside(self, side: str, which: int) -> dict[str, float]:
        """The ports of the level itself: where its edges from or to the outside are, kept apart."""
        wanted: dict[str, float] = {}
        for index, edge in enumerate(self.edges):
            if getattr(edge, side) != OUTSIDE or edge.tensor in wanted:
                continue
            points = self.points[index]
            other = edge.head if side == "tail" else edge.tail
            near = points[which][0] if points else self._near(edge, other, side)
            wanted[edge.tensor] = (self.ports or {}).get(edge.tensor, near)
        if len(wanted) == 1 and side == "tail" and self.ports is None:
            return dict.fromkeys(wanted, 0.0)
        return _apart(wanted)

    def _near(self, edge: Edge, node: int, side: str) -> float:
        if node == OUTSIDE:
            return 0.0
        ports = self.nodes[node].entries if side == "tail" else self.nodes[node].exits
        return self.strip.at[node][0] + (ports or {}).get(edge.tensor, 0.0)

    def _ends(self, entries: Mapping[str, float], exits: Mapping[str, float]) -> dict[int, tuple[Point, bool]]:
        """Where each edge ends, and whether it enters its head from the side."""
        found: dict[int, tuple[Point, bool]] = {}
        into: dict[int, list[int]] = {}
        for index, edge in enumerate(self.edges):
            if edge.head == OUTSIDE:
                found[index] = ((exits[edge.tensor], self.strip.length), False)
                continue
            node, (x, y) = self.nodes[edge.head], self.strip.at[edge.head]
            if node.entries is not None:
                found[index] = ((x + node.entries[edge.tensor], y + node.lead), False)
            else:
                into.setdefault(edge.head, []).append(index)
        for head, ids in into.items():
            found |= self._box_ends(head, ids, entries)
        return found

    def _box_ends(self, head: int, ids: Sequence[int], entries: Mapping[str, float]) -> dict[int, tuple[Point, bool]]:
        node, (x, y) = self.nodes[head], self.strip.at[head]
        source = {index: self._from(index) - x for index in ids}
        if node.join and len(ids) > 1:
            return self._join_ends(node, x, y, source, entries)
        ordered = sorted(ids, key=source.__getitem__)
        straight = [place for place, index in enumerate(ordered) if abs(source[index]) < 1]
        centre = float(straight[0]) if len(straight) == 1 else (len(ordered) - 1) / 2
        room = max((self.edges[index].room for index in ids), default=PORTS)
        most = 2 * (node.radius - CORNER) / max(len(ids) - 1, 1)
        step = min(room, most)
        start, widest = -centre * step, node.radius - CORNER
        start = max(-widest, min(start, widest - (len(ordered) - 1) * step))  # all are moved, so that they stay apart
        ends = {}
        for place, index in enumerate(ordered):
            ends[index] = ((x + start + place * step, y + node.lead), False)
        return ends

    def _join_ends(
        self, node: Node, x: float, y: float, source: Mapping[int, float], entries: Mapping[str, float]
    ) -> dict[int, tuple[Point, bool]]:
        """Edges into a circle: one from above, others from the sides if nothing is in the way."""
        top = min(source, key=lambda index: (round(abs(source[index])), not self.edges[index].main))
        ends = {}
        for index, offset in source.items():
            side = x + (node.radius if offset > 0 else -node.radius), y + node.middle
            may_turn = index != top and abs(offset) > node.radius + 3 and index not in self.backward
            if may_turn and self._is_free(index, entries, side):
                ends[index] = (side, True)
            else:
                aside = 0.0 if index == top else 4.0 if offset >= 0 else -4.0
                ends[index] = ((x + aside, y + abs(aside) * 0.3), False)
        return ends

    def _is_free(self, index: int, entries: Mapping[str, float], side: Point) -> bool:
        """Whether an edge that enters its head from the side is drawn over no other node."""
        edge = self.edges[index]
        met = self.obstacles.on(self._curve(index, self._start(index, entries), side, True))
        return met <= {edge.tail, edge.head}

    def _from(self, index: int) -> float:
        """The x from which an edge comes to its head."""
        if self.points[index]:
            return self.points[index][-1][0]
        edge = self.edges[index]
        if edge.tail == OUTSIDE:
            return 0.0
        return self.strip.at[edge.tail][0] + self.nodes[edge.tail].exits.get(edge.tensor, 0.0)


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Ports near where they are wanted, at least PORTS apart."""
    placed: dict[str, float] = {}
    last = None
    for tensor in sorted(wanted, key=wanted.__getitem__):
        x = wanted[tensor] if last is None else max(wanted[tensor], last + PORTS)
        placed[tensor] = last = x
    return placed
