"""Lanes: the maps of a multi-resolution network run side by side, those of one size above each other.

HRNet (Wang et al. 2020, figure 2), feature pyramids (Lin et al. 2017) and path aggregation (Liu et al. 2018) are drawn
in this way. A network has lanes if a box or frame reads or computes maps of three or more sizes, or if these are its
outputs. What reads or computes several of them reaches over their lanes; everything else is in the lane of its result,
in the first rank that is free there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.series import BESIDE, GAP, LANE
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip

LEAST = 3  # sizes of maps that one box or frame reads or computes
NARROW = 26.0  # the least distance between two lanes
NEAR = 1.0  # lines that are nearer to each other are one
SPREAD, MAX_SPREAD = 0.1, 22.0  # more room along the flow where lines change their lane, by how far

Size = tuple[int, int]
Member = tuple[str, int]  # the key of its level, and its position there


@frozen
class Lanes:
    """The lanes of a picture: its sizes of maps from the largest, the members over several lanes, and their levels.

    `lane` is the place of all other members among the sizes, if they have one. `levels` are the keys of frames. Without
    the lanes of which `is_spare` is true, the picture is a chain.
    """

    sizes: tuple[Size, ...]
    spanning: frozenset[Member]
    lane: Mapping[Member, int]
    levels: frozenset[str]
    is_spare: bool

    def entering(self, edge: Edge, member: Member) -> Edge:
        """An edge that enters the level of a member, with the side from which it comes."""
        lane = self.lane.get(member)
        if edge.tail != OUTSIDE or lane is None or edge.size not in self.sizes:
            return edge
        place = self.sizes.index(edge.size)
        return replace(edge, side=(place > lane) - (place < lane))


def lanes_of(levels: Mapping[str, Sequence[Edge]], frames: Mapping[str, Member], root: str | None) -> Lanes | None:
    """The lanes of the levels of a picture, or None. `frames` are the frames that have levels, as members of others.

    The members of the level `root` that nothing reads are the outputs.
    """
    reads: dict[Member, set[Size]] = {}
    computes: dict[Member, set[Size]] = {}
    for key, edges in levels.items():
        for edge in edges:
            if edge.size:
                computes.setdefault((key, edge.tail), set()).add(edge.size)
                reads.setdefault((key, edge.head), set()).add(edge.size)
    inner = [(member, sizes) for ends in (reads, computes) for member, sizes in ends.items() if member[1] != OUTSIDE]
    ends = set().union(*(sizes for member, sizes in reads.items() if member[0] == root and member not in computes))
    is_pyramid, is_parallel = len(ends) >= LEAST, any(len(sizes) >= LEAST for _, sizes in inner)
    if not is_pyramid and not is_parallel:
        return None
    ends = ends if is_pyramid else set()
    several = sorted(ends.union(*(sizes for _, sizes in inner if len(sizes) > 1)), reverse=True)
    spanning = {member for member, sizes in computes.items() if member[1] != OUTSIDE and len(sizes) > 1}
    place = {size: position for position, size in enumerate(several)}
    lane = {}
    for member, _ in inner:
        sizes = computes.get(member) or reads[member]
        if len(sizes) == 1 and (size := min(sizes)) in place:
            lane[member] = place[size]
    laned = {key for key, _ in spanning} | {key for key, member in frames.items() if member in spanning}
    laned |= {root} if root is not None and is_pyramid else set()
    return Lanes(tuple(several), frozenset(spanning), lane, frozenset(laned), not is_parallel)


def by_lane(edges: Sequence[Edge], end: str, member: int, at: Mapping[Size, float]) -> dict[float, list[str]]:
    """The tensors that a box over several lanes reads or computes, by the places of their lanes."""
    lanes: dict[float, list[str]] = {}
    for edge in edges:
        if getattr(edge, end) == member:
            tensors = lanes.setdefault(at.get(edge.size, 0.0) if edge.size else 0.0, [])
            if edge.tensor not in tensors:
                tensors.append(edge.tensor)
    return lanes


def positions(extents: Sequence[tuple[float, float]]) -> list[float]:
    """The x of all lanes, the first at 0, by what the members of each need to the left and to the right."""
    found = [0.0]
    for (_, right), (left, _) in pairwise(extents):
        found.append(found[-1] + max(right + BESIDE + left, NARROW))
    return found


@frozen
class Places:
    """The x of each node of a level, None for one below what it reads, and of the lanes, by size of map."""

    xs: tuple[float | None, ...]
    at: Mapping[Size, float]


def in_lanes(
    nodes: Sequence[Node], edges: Sequence[Edge], order: Sequence[int], ids: Sequence[int], places: Places
) -> Strip:
    """The strip of a level with its nodes in order of execution, and the edges along it."""
    laning = _Laning(nodes, edges, ids, places)
    return laning.strip(order)


class _Laning:
    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge], ids: Sequence[int], places: Places) -> None:
        self.nodes, self.places = nodes, places
        self.edges = {index: edges[index] for index in ids}
        self.rows: list[list[tuple[float, float]]] = []  # what is taken in each rank
        self.row: dict[int, int] = {}
        self.x: dict[int, float] = {}
        self.points: dict[int, list[float]] = {}  # the x of each edge in the ranks that it passes
        self.into: dict[int, list[Edge]] = {}
        for edge in self.edges.values():
            if OUTSIDE not in (edge.tail, edge.head):
                self.into.setdefault(edge.head, []).append(edge)

    def strip(self, order: Sequence[int]) -> Strip:
        for node in order:
            self._place(node, self.places.xs[node], self.into.get(node, ()))
        passing: dict[tuple[str, int], float] = {}
        for index, edge in self.edges.items():
            self._thread(index, edge, passing)
        return self._strip()

    def _place(self, node: int, x: float | None, into: Sequence[Edge]) -> None:
        """Place a node in the first rank below what it reads in which there is room."""
        if x is None:
            x = sum(map(self._exit, into)) / len(into) if into else 0.0
        row = max((self.row[edge.tail] + 1 for edge in into), default=0)
        left, right = x - self.nodes[node].left, x + self.nodes[node].right
        while row < len(self.rows) and any(
            left < stop + BESIDE - NEAR and start - BESIDE + NEAR < right for start, stop in self.rows[row]
        ):
            row += 1
        while len(self.rows) <= row:
            self.rows.append([])
        self.rows[row].append((left, right))
        self.row[node], self.x[node] = row, x

    def _thread(self, index: int, edge: Edge, passing: dict[tuple[str, int], float]) -> None:
        """Choose where an edge passes each rank between its ends: in its lane, or right of what is there."""
        start = self._first(edge)
        stop = len(self.rows) if edge.head == OUTSIDE else self.row[edge.head]
        x = self.places.at.get(edge.size) if edge.size else None
        if x is None:
            x = self._exit(edge) if edge.tail != OUTSIDE else 0.0
        for row in range(start, stop):
            if (edge.tensor, row) not in passing:
                passing[edge.tensor, row] = self._free(row, x, edge.tensor)
        self.points[index] = [passing[edge.tensor, row] for row in range(start, stop)]

    def _exit(self, edge: Edge) -> float:
        """The x at which an edge leaves its tail."""
        return self.x[edge.tail] + self.nodes[edge.tail].exits.get(edge.tensor, 0.0)

    def _first(self, edge: Edge) -> int:
        """The first rank that an edge passes."""
        return 0 if edge.tail == OUTSIDE else self.row[edge.tail] + 1

    def _free(self, row: int, x: float, tensor: str) -> float:
        """The x nearest to the wanted one at which a rank is free, on the side from which nothing else comes."""
        to_left = False
        for node in (node for node, own in self.row.items() if own == row):
            left, right = self.x[node] - self.nodes[node].left, self.x[node] + self.nodes[node].right
            if left < x < right:
                others = [self._exit(edge) for edge in self.into.get(node, ()) if edge.tensor != tensor]
                to_left = bool(others) and min(others) >= self.x[node]
        taken = sorted(self.rows[row], reverse=to_left)
        for start, stop in taken:
            if start - LANE / 2 < x < stop + LANE / 2:
                x = start - LANE / 2 - 1 if to_left else stop + LANE / 2 + 1
        self.rows[row].append((x, x))
        return x

    def _strip(self) -> Strip:
        gaps, cuts = self._between()
        heights = [0.0] * len(self.rows)
        for node, row in self.row.items():
            heights[row] = max(heights[row], self.nodes[node].length)
        strip, tops, y = Strip(), [], gaps[0]
        for row, height in enumerate(heights, 1):
            tops.append(y)
            y += height
            strip.cuts += [y + gaps[row] / 2 - 2] if cuts[row] else []
            y += gaps[row]
        for node, row in self.row.items():
            strip.put(node, self.nodes[node], self.x[node], tops[row])
        for index, edge in self.edges.items():
            if edge.tail != OUTSIDE:  # straight on, as far as there are longer nodes beside it
                row = self.row[edge.tail]
                strip.pass_by(index, (self._exit(edge), tops[row] + heights[row]))
            for row, x in enumerate(self.points[index], self._first(edge)):
                strip.pass_by(index, (x, tops[row]), (x, tops[row] + heights[row]))
                strip.widen(x - LANE / 2, x + LANE / 2)
        strip.length = y
        return strip

    def _between(self) -> tuple[list[float], list[bool]]:
        """The room above each rank and below the last, and whether the level can be broken there.

        There is more room where lines change their lane, by how far; a break is where only one tensor passes.
        """
        across = [0.0] * (len(self.rows) + 1)
        tensors: list[set[str]] = [set() for _ in across]
        for index, edge in self.edges.items():
            start, xs = self._first(edge), list(self.points[index])
            port = self.places.at.get(edge.size) if edge.size else None
            if edge.tail != OUTSIDE:
                xs.insert(0, self._exit(edge))
                start -= 1
            elif port is not None:
                xs.insert(0, port)
                start -= 1
            if edge.head != OUTSIDE:
                xs.append(self.x[edge.head] + (self.nodes[edge.head].entries or {}).get(edge.tensor, 0.0))
            elif port is not None:
                xs.append(port)
            for row, (one, two) in enumerate(pairwise(xs), start + 1):
                across[row] = max(across[row], abs(one - two))
                tensors[row].add(edge.tensor)
        gaps = [GAP + min(MAX_SPREAD, SPREAD * far) for far in across]
        gaps[0], gaps[-1] = (gap if far > NEAR else 0.0 for gap, far in ((gaps[0], across[0]), (gaps[-1], across[-1])))
        return gaps, [len(found) == 1 and 0 < row < len(self.rows) for row, found in enumerate(tensors)]
