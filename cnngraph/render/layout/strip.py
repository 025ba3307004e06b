"""What is arranged on one level of a picture, and the strip that an arrangement builds up.

Coordinates are abstract: x is across the flow, with 0 on the main path (the spine), and y is along it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnngraph.frozen import frozen
from cnngraph.render.layout.drawing import Point

STRAIGHT = 1.0  # points across the flow: less is not a bend
ROOT = ""  # the key of the outermost level
OUTSIDE = -1  # the tail of an edge that enters the level, the head of one that leaves it


@frozen
class Node:
    """A box or a frame on a level, by its extents on both sides of its spine and its length.

    `entries` and `exits` are the x of the ports of a frame, by tensor; those of a box depend on what is around it.
    `join` is the sign of a sum or product, `radius` and `middle` half the extents of a box, across and along the flow,
    without the shapes below it. `weight` is
    the number of boxes, and `is_side` whether none of them always runs. `lead` is the room before the box, for the
    names of its inputs.
    """

    left: float
    right: float
    length: float
    entries: Mapping[str, float] | None = None
    exits: Mapping[str, float] = field(default_factory=dict)
    join: str = ""
    weight: int = 1
    is_side: bool = False
    radius: float = 0.0
    lead: float = 0.0
    middle: float = 0.0


@frozen
class Edge:
    """A tensor that one node of a level computes and another reads.

    `room` is what its end needs across the flow, `size` the height and width of a map. `side` orders
    the edges that enter a level: from above (0), from further right (1, 2, …), or from the left (-1).
    """

    tail: int
    head: int
    tensor: str
    main: bool = True
    room: float = 9.0
    size: tuple[int, int] | None = None
    side: int = 0


@dataclass(slots=True)
class Strip:
    """Nodes with places and edges with points that they pass, from entry (0, 0) to exit (0, length)."""

    left: float = 0.0
    right: float = 0.0
    length: float = 0.0
    at: dict[int, Point] = field(default_factory=dict)
    via: dict[int, list[Point]] = field(default_factory=dict)
    cuts: list[float] = field(default_factory=list)  # the y at which only the spine is

    def put(self, index: int, node: Node, x: float, y: float) -> None:
        """Place a node with its spine at x and its upper end at y."""
        self.at[index] = (x, y)
        self.widen(x - node.left, x + node.right)
        self.length = max(self.length, y + node.length)

    def include(self, other: Strip, x: float, y: float) -> None:
        """Place another strip with its entry at a point."""
        self.at |= {index: (x + a, y + b) for index, (a, b) in other.at.items()}
        for edge, points in other.via.items():
            self.via.setdefault(edge, []).extend((x + a, y + b) for a, b in points)
        self.widen(x - other.left, x + other.right)
        self.length = max(self.length, y + other.length)

    def pass_by(self, edge: int, *points: Point) -> None:
        """Let an edge pass points."""
        self.via.setdefault(edge, []).extend(points)

    def entry(self, index: int, edge: Edge, nodes: Sequence[Node]) -> Point:
        """The first point of an edge into a node."""
        if points := self.via.get(index):
            return min(points, key=lambda point: point[1])
        x, y = self.at[edge.head]
        return x + (nodes[edge.head].entries or {}).get(edge.tensor, 0.0), y

    def exit(self, index: int, edge: Edge, nodes: Sequence[Node]) -> Point:
        """The last point of an edge from a node."""
        if points := self.via.get(index):
            return max(points, key=lambda point: point[1])
        x, y = self.at[edge.tail]
        return x + nodes[edge.tail].exits.get(edge.tensor, 0.0), y + nodes[edge.tail].length

    def pass_ends(
        self,
        ways: tuple[Sequence[int], Sequence[int]],
        ends: tuple[Point, Point],
        edges: Sequence[Edge],
        nodes: Sequence[Node],
    ) -> None:
        """Let the only edges into and out of a part (`ways`) pass its ends, unless they are beside these there."""
        (entering, leaving), (start, stop) = ways, ends
        for index in entering if len(entering) == 1 else ():
            x, y = self.entry(index, edges[index], nodes)
            if y > start[1] or abs(x - start[0]) < STRAIGHT:
                self.pass_by(index, start)
        for index in leaving if len(leaving) == 1 else ():
            x, y = self.exit(index, edges[index], nodes)
            if y < stop[1] or abs(x - stop[0]) < STRAIGHT:
                self.pass_by(index, stop)

    def widen(self, left: float, right: float) -> None:
        """Make room from one x to another."""
        self.left, self.right = max(self.left, -left), max(self.right, right)
