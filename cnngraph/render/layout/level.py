"""Arranging one level of a picture: the main part, what hangs beside it, the ports, and the curves of its edges."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cnngraph.render.layout.curves import around, into_side, through
from cnngraph.render.layout.drawing import Point
from cnngraph.render.layout.series import BESIDE, GAP, LANE, branches, series
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip

PORTS = 9.0  # between the ports of a box


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


def arrange(nodes: Sequence[Node], edges: Sequence[Edge]) -> Arrangement:
    """Places for all nodes and edges of a level."""
    return _Level(nodes, edges).arrangement()


class _Level:
    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.nodes, self.edges = nodes, edges
        self.order, self.backward = _topological(len(nodes), edges)
        self.forward = [index for index in range(len(edges)) if index not in self.backward]

    def arrangement(self) -> Arrangement:
        main = self._main()
        inside = {*main, OUTSIDE}
        ids = [edge for edge in self.forward if {self.edges[edge].tail, self.edges[edge].head} <= inside]
        strip = series(self.nodes, self.edges, main, ids)
        hanging = [node for node in self.order if node not in inside]
        pairs = [(self.edges[edge].tail, self.edges[edge].head) for edge in self.forward]
        for group in branches(hanging, pairs):
            strip = self._hang(strip, group)
        return _Router(self.nodes, self.edges, strip, self.backward).arrangement()

    def _main(self) -> list[int]:
        """The nodes between the main source and the main sink, in topological order."""
        down, up = self._neighbours()
        source = self._farthest([node for node in self.order if not up[node]], down)
        sink = self._farthest([node for node in self.order if not down[node]], up)
        after, before = _reached(source, down), _reached(sink, up)
        return [node for node in self.order if node in after and node in before]

    def _neighbours(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        down: dict[int, list[int]] = {node: [] for node in (*self.order, OUTSIDE)}
        up: dict[int, list[int]] = {node: [] for node in (*self.order, OUTSIDE)}
        for index in self.forward:
            edge = self.edges[index]
            down[edge.tail].append(edge.head)
            up[edge.head].append(edge.tail)
        return down, up

    def _farthest(self, ends: Sequence[int], following: Mapping[int, Sequence[int]]) -> int:
        """The end from which most nodes are reached; the outside if there is an edge to it."""
        if following[OUTSIDE]:
            return OUTSIDE
        return max(
            ends,
            key=lambda end: (not self.nodes[end].is_side, len(_reached(end, following))),
            default=OUTSIDE,
        )

    def _hang(self, strip: Strip, group: list[int]) -> Strip:
        """Place nodes that are not between source and sink beside the main part: heads, second inputs, constants."""
        inside = set(group)
        ids = [edge for edge in self.forward if self.edges[edge].tail in inside or self.edges[edge].head in inside]
        sub = series(self.nodes, self.edges, group, ids)
        entering = [edge for edge in ids if self.edges[edge].tail not in inside]
        leaving = [edge for edge in ids if self.edges[edge].head not in inside]
        y = self._start(strip, sub, entering, leaving)
        if y < 0:
            lower = Strip()
            lower.include(strip, 0, -y)
            lower.cuts = [cut - y for cut in strip.cuts]
            strip, y = lower, 0.0
        x = self._free(strip, y - GAP, y + sub.length + GAP) + BESIDE + sub.left
        strip.include(sub, x, y)
        if len(entering) == 1:
            strip.pass_by(entering[0], (x, y))
        if len(leaving) == 1:
            strip.pass_by(leaving[0], (x, y + sub.length))
        tails, heads = self._ends(strip, entering, leaving)
        first = min([y, *(strip.at[tail][1] for tail in tails)])
        last = max([y + sub.length, *(strip.at[head][1] for head in heads)])
        strip.cuts = [cut for cut in strip.cuts if not first < cut < last]
        return strip

    def _ends(self, strip: Strip, entering: Sequence[int], leaving: Sequence[int]) -> tuple[list[int], list[int]]:
        """The tails of edges that enter a hanging part, and the heads of those that leave it, if they have places."""
        tails = [self.edges[edge].tail for edge in entering]
        heads = [self.edges[edge].head for edge in leaving]
        return [tail for tail in tails if tail in strip.at], [head for head in heads if head in strip.at]

    def _start(self, strip: Strip, sub: Strip, entering: Sequence[int], leaving: Sequence[int]) -> float:
        """The y of a hanging part: below what it reads, or else above what reads it."""
        tails, heads = self._ends(strip, entering, leaving)
        if tails:
            return max(strip.at[tail][1] + self.nodes[tail].length for tail in tails) + GAP
        if heads:
            return min(strip.at[head][1] for head in heads) - GAP - sub.length
        return 0.0

    def _free(self, strip: Strip, start: float, stop: float) -> float:
        """The x right of everything between two y."""
        rights = [0.0]
        for index, (x, y) in strip.at.items():
            if y < stop and y + self.nodes[index].length > start:
                rights.append(x + self.nodes[index].right)
        for points in strip.via.values():
            low, high = min(y for _, y in points), max(y for _, y in points)
            if low < stop and high > start:
                rights.append(max(x for x, _ in points) + LANE)
        return max(rights)


def _topological(count: int, edges: Sequence[Edge]) -> tuple[list[int], set[int]]:
    """The nodes in an order in which edges go forward, and the edges that cannot: frames may read each other."""
    waiting = [0] * count
    leaving: dict[int, list[int]] = {}
    for edge in edges:
        if OUTSIDE not in (edge.tail, edge.head):
            waiting[edge.head] += 1
            leaving.setdefault(edge.tail, []).append(edge.head)
    ready = [node for node in range(count) if not waiting[node]]
    order: list[int] = []
    done: set[int] = set()
    while len(order) < count:
        node = heapq.heappop(ready) if ready else next(node for node in range(count) if node not in done)
        if node in done:
            continue
        order.append(node)
        done.add(node)
        for head in leaving.get(node, ()):
            waiting[head] -= 1
            if not waiting[head] and head not in done:
                heapq.heappush(ready, head)
    place = {node: position for position, node in enumerate(order)}
    backward = {
        index
        for index, edge in enumerate(edges)
        if OUTSIDE not in (edge.tail, edge.head) and place[edge.tail] >= place[edge.head]
    }
    return order, backward


def _reached(start: int, following: Mapping[int, Sequence[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        for node in following[waiting.pop()]:
            if node not in found and node != OUTSIDE:
                found.add(node)
                waiting.append(node)
    return found


class _Router:
    """The curves of the edges of a level, from port to port."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge], strip: Strip, backward: set[int]) -> None:
        self.nodes, self.edges, self.strip, self.backward = nodes, edges, strip, backward
        self.points = {edge: sorted(strip.via.get(edge, ()), key=lambda point: point[1]) for edge in range(len(edges))}

    def arrangement(self) -> Arrangement:
        strip = self.strip
        entries, exits = self._outside("tail", 0), self._outside("head", -1)
        ends = self._ends(exits)
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
            wanted[edge.tensor] = points[which][0] if points else self._near(edge, other, side)
        if len(wanted) == 1 and side == "tail":
            return dict.fromkeys(wanted, 0.0)
        return _apart(wanted)

    def _near(self, edge: Edge, node: int, side: str) -> float:
        if node == OUTSIDE:
            return 0.0
        ports = self.nodes[node].entries if side == "tail" else self.nodes[node].exits
        return self.strip.at[node][0] + (ports or {}).get(edge.tensor, 0.0)

    def _ends(self, exits: Mapping[str, float]) -> dict[int, tuple[Point, bool]]:
        """Where each edge ends, and whether it enters its head from the side."""
        found: dict[int, tuple[Point, bool]] = {}
        into: dict[int, list[int]] = {}
        for index, edge in enumerate(self.edges):
            if edge.head == OUTSIDE:
                found[index] = ((exits[edge.tensor], self.strip.length), False)
                continue
            node, (x, y) = self.nodes[edge.head], self.strip.at[edge.head]
            if node.entries is not None:
                found[index] = ((x + node.entries[edge.tensor], y), False)
            else:
                into.setdefault(edge.head, []).append(index)
        for head, ids in into.items():
            found |= self._box_ends(head, ids)
        return found

    def _box_ends(self, head: int, ids: Sequence[int]) -> dict[int, tuple[Point, bool]]:
        node, (x, y) = self.nodes[head], self.strip.at[head]
        source = {index: self._from(index) - x for index in ids}
        if node.join and len(ids) > 1:
            return self._join_ends(node, x, y, source)
        ordered = sorted(ids, key=source.__getitem__)
        straight = [place for place, index in enumerate(ordered) if abs(source[index]) < 1]
        centre = float(straight[0]) if len(straight) == 1 else (len(ordered) - 1) / 2
        room = max((self.edges[index].room for index in ids), default=PORTS)
        most = (2 * node.radius - 8) / max(len(ids) - 1, 1)
        step = min(room, most)
        ends = {}
        for place, index in enumerate(ordered):
            offset = max(4 - node.radius, min(node.radius - 4, (place - centre) * step))
            ends[index] = ((x + offset, y + node.lead), False)
        return ends

    def _join_ends(self, node: Node, x: float, y: float, source: Mapping[int, float]) -> dict[int, tuple[Point, bool]]:
        """Edges into a circle: one from above, others from the sides."""
        top = min(source, key=lambda index: (round(abs(source[index])), not self.edges[index].main))
        ends = {}
        for index, offset in source.items():
            if index == top or abs(offset) <= node.radius + 3 or index in self.backward:
                ends[index] = ((x + (0 if index == top else 4), y + (0 if index == top else 0.6)), False)
            else:
                edge = x + (node.radius if offset > 0 else -node.radius)
                ends[index] = ((edge, y + node.radius), True)
        return ends

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
