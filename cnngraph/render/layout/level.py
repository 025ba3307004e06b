"""Arranging one level of a picture: the main part, and what hangs beside it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cnngraph.render.layout.lanes import Places, in_lanes
from cnngraph.render.layout.obstacles import Obstacles
from cnngraph.render.layout.routes import Arrangement, routed
from cnngraph.render.layout.series import BESIDE, GAP, LANE, branches, series
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip

EQUAL = 0.5  # lengths that differ less are equal
LOW = 40.0  # the greatest length of a parameter that is placed above what reads it
ATTEMPTS = 3  # to arrange parts beside the main one with it


def arrange(nodes: Sequence[Node], edges: Sequence[Edge], places: Places | None = None) -> Arrangement:
    """Places for all nodes and edges of a level; `places` are those in lanes, if there are any."""
    level = _Level(nodes, edges)
    return level.arrangement() if places is None else level.in_lanes(places)


class _Level:
    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.nodes, self.edges = nodes, edges
        self.order, self.backward = _topological(len(nodes), edges)
        self.forward = [index for index in range(len(edges)) if index not in self.backward]

    def arrangement(self) -> Arrangement:
        """The main part with others beside it; those with an edge over a node are arranged with the main part."""
        main = self._main()
        placed, beside = self._placed(main)
        for _ in range(ATTEMPTS):
            if not (tangled := self._tangled(placed, beside)):
                break
            main = [node for node in self.order if node in tangled or node in main]
            placed, beside = self._placed(main)
        return placed

    def _tangled(self, placed: Arrangement, beside: Sequence[Sequence[int]]) -> set[int]:
        """The nodes of the parts beside the main one with an edge against the flow or over a node, or under an edge."""
        part = {node: position for position, group in enumerate(beside) for node in group}
        if not part:
            return set()
        obstacles, found = Obstacles(self.nodes, placed.at), set()
        for index in self.forward:
            curve, ends = placed.curves[index], {self.edges[index].tail, self.edges[index].head}
            met = obstacles.on(curve) - ends
            if met or curve[-1][1] < curve[0][1]:
                found |= {part[node] for node in met | ends if node in part}
        return {node for position in found for node in beside[position]}

    def _placed(self, main: Sequence[int]) -> tuple[Arrangement, list[list[int]]]:
        """The arrangement with some nodes in the main part, and the parts beside it."""
        inside = {*main, OUTSIDE}
        ids = [edge for edge in self.forward if {self.edges[edge].tail, self.edges[edge].head} <= inside]
        carried = self._carried(main, ids)
        nodes = [self._with_carried(node, carried.get(node, ())) for node in range(len(self.nodes))]
        strip = series(nodes, self.edges, main, ids)
        for reader, sources in carried.items():
            self._put_carried(strip, reader, sources)
        hanging = [node for node in self.order if node not in inside and node not in strip.at]
        pairs = [(self.edges[edge].tail, self.edges[edge].head) for edge in self.forward]
        groups = branches(hanging, pairs)
        reading = [group for group in reversed(groups) if any(head in group and tail in inside for tail, head in pairs)]
        reading.sort(key=self._from(strip), reverse=True)  # of two heads side by side, the later one is nearer
        others = [group for group in groups if group not in reading]
        for group in [*reading, *others]:
            strip = self._hang(strip, group)
        beside = [*groups, *([source] for sources in carried.values() for source in sources)]
        return routed(self.nodes, self.edges, strip, self.backward), beside

    def _from(self, strip: Strip) -> Callable[[Sequence[int]], float]:
        """The key of a hanging part: the y of the lowest node of the main part that it reads."""

        def key(group: Sequence[int]) -> float:
            tails = (edge.tail for edge in self.edges if edge.head in group)
            return max((strip.at[tail][1] + self.nodes[tail].length for tail in tails if tail in strip.at), default=0.0)

        return key

    def _carried(self, main: Sequence[int], ids: Sequence[int]) -> dict[int, list[int]]:
        """Free parameters and constants, by the node that reads them, if edges pass by it: they are inside of these."""
        place = {OUTSIDE: -1, **{node: position for position, node in enumerate(main)}}
        heads = {edge.head for edge in self.edges}
        leaving: dict[int, list[int]] = {}
        for edge in self.edges:
            leaving.setdefault(edge.tail, []).append(edge.head)
        found: dict[int, list[int]] = {}
        for node in range(len(self.nodes)):
            reader = leaving.get(node, [OUTSIDE])[0]
            if node in heads or node in place or len(leaving.get(node, ())) != 1 or reader == OUTSIDE:
                continue
            if reader not in place or self.nodes[reader].entries is not None or self.nodes[node].length > LOW:
                continue
            spans = ((place[self.edges[edge].tail], place[self.edges[edge].head]) for edge in ids)
            if any(start < place[reader] and (stop < 0 or place[reader] < stop) for start, stop in spans):
                found.setdefault(reader, []).append(node)
        return found

    def _with_carried(self, reader: int, sources: Sequence[int]) -> Node:
        """A node with room for what it carries: right of it and above."""
        node = self.nodes[reader]
        if not sources:
            return node
        right = node.right + sum(BESIDE + self.nodes[source].left + self.nodes[source].right for source in sources)
        return replace(node, right=right, length=self._above(sources) + node.length)

    def _above(self, sources: Sequence[int]) -> float:
        return max(self.nodes[source].length for source in sources) + GAP

    def _put_carried(self, strip: Strip, reader: int, sources: Sequence[int]) -> None:
        x, y = strip.at[reader]
        strip.at[reader] = (x, y + self._above(sources))
        right = x + self.nodes[reader].right
        for source in sources:
            node = self.nodes[source]
            strip.put(source, node, right + BESIDE + node.left, y + self._above(sources) - GAP - node.length)
            right += BESIDE + node.left + node.right

    def in_lanes(self, places: Places) -> Arrangement:
        strip = in_lanes(self.nodes, self.edges, self.order, self.forward, places)
        ports = {edge.tensor: places.at[edge.size] for edge in self.edges if edge.size and edge.size in places.at}
        return routed(self.nodes, self.edges, strip, self.backward, ports=ports)

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
        if len(entering) > 1:
            self._enter_beside(strip, entering, y)
        tails, heads = self._ends(strip, entering, leaving)
        stop = y + sub.length
        if heads and not tails:  # further up than its readers: the edge goes on beside what is between them
            stop = max(stop, min(strip.at[head][1] for head in heads) - GAP)
        x = self._free(strip, y - GAP, stop + GAP) + BESIDE + sub.left
        strip.include(sub, x, y)
        strip.pass_ends((entering, leaving), ((x, y), (x, y + sub.length)), self.edges, self.nodes)
        if len(leaving) == 1 and stop > y + sub.length:
            strip.pass_by(leaving[0], (x, stop))
        first = min([y, *(strip.at[tail][1] for tail in tails)])
        last = max([y + sub.length, *(strip.at[head][1] for head in heads)])
        strip.cuts = [cut for cut in strip.cuts if not first < cut < last]
        return strip

    def _enter_beside(self, strip: Strip, entering: Sequence[int], y: float) -> None:
        """Let edges that enter a hanging part at y pass beside the nodes below their tails, the longest outside."""
        tails = {edge: self.edges[edge].tail for edge in entering if self.edges[edge].tail in strip.at}
        starts = {edge: strip.at[tail][1] + self.nodes[tail].length for edge, tail in tails.items()}
        spans = [(at[1], at[1] + self.nodes[node].length) for node, at in strip.at.items()]
        for edge, start in sorted(starts.items(), key=lambda item: -item[1]):
            first = max([start, *(below for above, below in spans if above <= start < below <= y)])
            if first > start:  # straight on, as far as there are longer nodes beside the tail
                x = strip.at[tails[edge]][0] + self.nodes[tails[edge]].exits.get(self.edges[edge].tensor, 0.0)
                strip.pass_by(edge, (x, first))
            if passed := [(above, below) for above, below in spans if first <= above < y]:
                x = self._free(strip, first, y) + LANE
                strip.pass_by(edge, (x, min(above for above, _ in passed)), (x, max(below for _, below in passed)))
                strip.widen(x - LANE / 2, x + LANE / 2)

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
            return self._level_with_equal(strip, sub, min(strip.at[head][1] for head in heads) - GAP - sub.length)
        return 0.0

    def _level_with_equal(self, strip: Strip, sub: Strip, y: float) -> float:
        """The y of a hanging part that begins the network: further up if its largest node is then beside an equal one.

        So the encoders of two inputs begin at the same height, wherever they are read.
        """
        own = max(sub.at, key=lambda node: (self._is_frame(node), self.nodes[node].length))
        if not self._is_frame(own) and not self._reads_inputs(own):
            return y
        start = sub.at[own][1]
        tops = (top for node, (_, top) in strip.at.items() if top <= y + start and self._are_equal(node, own))
        return max(tops, default=y + start) - start

    def _are_equal(self, one: int, two: int) -> bool:
        """Whether two nodes look alike: frames, or boxes that read inputs, of the same length."""
        first, second = self.nodes[one], self.nodes[two]
        if abs(first.length - second.length) > EQUAL or first.weight != second.weight:
            return False
        frames = self._is_frame(one), self._is_frame(two)
        return all(frames) or (not any(frames) and self._reads_inputs(one))

    def _is_frame(self, node: int) -> bool:
        return self.nodes[node].entries is not None

    def _reads_inputs(self, node: int) -> bool:
        """Whether a node reads something, and only what reads nothing itself."""
        heads = {edge.head for edge in self.edges}
        tails = [edge.tail for edge in self.edges if edge.head == node]
        return bool(tails) and not any(tail in heads for tail in tails)

    def _free(self, strip: Strip, start: float, stop: float) -> float:
        """The x right of everything between two y."""
        rights = [0.0]
        for index, (x, y) in strip.at.items():
            if y < stop and y + self.nodes[index].length > start:
                rights.append(x + self.nodes[index].right)
        for edge, points in strip.via.items():
            low, high = min(y for _, y in points), max(y for _, y in points)
            if (head := self.edges[edge].head) in strip.at and self.nodes[head].join:  # it may enter it from the side
                high = max(high, strip.at[head][1] + self.nodes[head].middle)
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
