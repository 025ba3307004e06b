"""Which nodes of a level an edge would be drawn over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from cnngraph.render.layout.drawing import Point
from cnngraph.render.layout.strip import Node

CELL = 64.0  # points: the side of a cell of the grid in which nodes are found
STEP = 4.0  # points: between two places on a curve that are looked at
INSIDE = 1.0  # points: how far from its border a node is met


class Obstacles:
    """The nodes of a level, by where they are."""

    def __init__(self, nodes: Sequence[Node], at: Mapping[int, Point]) -> None:
        self.places = {
            index: (
                x - nodes[index].left + INSIDE,
                y + INSIDE,
                x + nodes[index].right - INSIDE,
                y + nodes[index].length - INSIDE,
            )
            for index, (x, y) in at.items()
        }
        self.cells: dict[tuple[int, int], list[int]] = {}
        for index, (left, top, right, bottom) in self.places.items():
            for cell in _cells(left, top, right, bottom):
                self.cells.setdefault(cell, []).append(index)

    def within(self, left: float, top: float, right: float, bottom: float) -> Iterator[int]:
        """The nodes that are met by a rectangle."""
        found = {index for cell in _cells(left, top, right, bottom) for index in self.cells.get(cell, ())}
        for index in found:
            a, b, c, d = self.places[index]
            if left < c and a < right and top < d and b < bottom:
                yield index

    def on(self, curve: Sequence[Point]) -> set[int]:
        """The nodes that a curve is drawn over."""
        found: set[int] = set()
        for place in range(0, len(curve) - 3, 3):
            for (a, b), (c, d) in pairwise(_samples(curve[place : place + 4])):
                found.update(self.within(min(a, c), min(b, d), max(a, c), max(b, d)))
        return found


def _cells(left: float, top: float, right: float, bottom: float) -> Iterable[tuple[int, int]]:
    for column in range(int(left // CELL), int(right // CELL) + 1):
        for row in range(int(top // CELL), int(bottom // CELL) + 1):
            yield column, row


def _samples(segment: Sequence[Point]) -> Iterator[Point]:
    (a, e), (b, f), (c, g), (d, h) = segment
    is_straight = max(a, b, c, d) - min(a, b, c, d) < 0.01 or max(e, f, g, h) - min(e, f, g, h) < 0.01
    steps = 1 if is_straight else 1 + int((abs(d - a) + abs(h - e)) / STEP)
    for step in range(steps + 1):
        t = step / steps
        u = 1 - t
        p, q, r, s = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
        yield p * a + q * b + r * c + s * d, p * e + q * f + r * g + s * h
