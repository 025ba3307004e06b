"""The curves of arrows: straight where the points are above each other, otherwise in the shape of an S."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cnngraph.render.layout.drawing import Point

NEAR = 0.5  # points: what is nearer to a line than this is on it
HEAD = 6.0  # the straight end of a curve, for the arrowhead
CORNER = 6.0  # the radius of a rounded corner


def through(points: Sequence[Point]) -> tuple[Point, ...]:
    """A curve that passes the points, in the direction of the flow (y) at each."""
    kept = _without_idle(points)
    if len(kept) > 1 and abs(kept[-1][0] - kept[-2][0]) > NEAR and kept[-1][1] - kept[-2][1] > 2 * HEAD:
        kept.insert(-1, (kept[-1][0], kept[-1][1] - HEAD))
    curve = [kept[0]]
    for start, end in pairwise(kept):
        curve += _segment(start, end)
    return tuple(curve)


def into_side(points: Sequence[Point], side: Point) -> tuple[Point, ...]:
    """A curve that passes the points and then turns into the side of a box, across the flow."""
    (x, _), (to, y) = points[-1], side
    radius = min(CORNER, abs(to - x), abs(y - points[-1][1]))
    turn = x + (radius if to > x else -radius)
    curve = [*through([*points, (x, y - radius)])]
    curve += [(x, y - radius * 0.45), (turn - (turn - x) * 0.55, y), (turn, y)]
    return (*curve, *_straight((turn, y), side))


def around(points: Sequence[Point]) -> tuple[Point, ...]:
    """A curve along straight lines between the points, with rounded corners."""
    curve = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        curve += _straight(curve[-1], enter)
        curve += [_between(enter, corner, 0.55), _between(leave, corner, 0.55), leave]
    return (*curve, *_straight(curve[-1], points[-1]))


def _without_idle(points: Sequence[Point]) -> list[Point]:
    """The points without those that a straight vertical line passes anyway."""
    kept = [points[0]]
    for point, after in pairwise(points):
        if abs(point[0] - kept[-1][0]) > NEAR or abs(point[0] - after[0]) > NEAR:
            kept.append(point)
    return [*kept, points[-1]] if len(points) > 1 else kept


def _distance(one: Point, two: Point) -> float:
    return abs(one[0] - two[0]) + abs(one[1] - two[1])


def _segment(start: Point, end: Point) -> list[Point]:
    if abs(start[0] - end[0]) <= NEAR:
        return _straight(start, end)
    half = (end[1] - start[1]) / 2
    return [(start[0], start[1] + half), (end[0], end[1] - half), end]


def _straight(start: Point, end: Point) -> list[Point]:
    return [_between(start, end, 1 / 3), _between(start, end, 2 / 3), end]


def _between(start: Point, end: Point, part: float) -> Point:
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _towards(corner: Point, other: Point) -> Point:
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    return _between(corner, other, min(CORNER, length / 2) / length) if length else corner


def split(curve: Sequence[Point], y: float) -> tuple[list[Point], list[Point]]:
    """A curve along the flow, cut at a y: the part above, and the part below."""
    for place in range(0, len(curve) - 3, 3):
        if curve[place + 3][1] >= y:
            upper, lower = _cut(curve[place : place + 4], y)
            return [*curve[: place + 1], *upper[1:]], [*lower, *curve[place + 4 :]]
    return list(curve), [curve[-1]]


def _cut(segment: Sequence[Point], y: float) -> tuple[list[Point], list[Point]]:
    """One Bézier segment, cut where it reaches a y (de Casteljau)."""
    (x, top), (other, bottom) = segment[0], segment[3]
    if bottom > top and max(abs(point[0] - x) for point in segment) < NEAR / 10:  # a line along the flow
        t = (y - top) / (bottom - top)
        middle = x + (other - x) * t, y
        return [*straight(segment[0], middle)], [*straight(middle, segment[3])]
    low, high = 0.0, 1.0
    for _ in range(20):
        t = (low + high) / 2
        low, high = (t, high) if halves(segment, t)[0][-1][1] < y else (low, t)
    return halves(segment, (low + high) / 2)


def straight(start: Point, end: Point) -> tuple[Point, ...]:
    """A straight line as a curve."""
    return (start, *_straight(start, end))


def halves(segment: Sequence[Point], t: float) -> tuple[list[Point], list[Point]]:
    """One Bézier segment, cut at a t (de Casteljau)."""
    points, first, last = list(segment), [segment[0]], [segment[-1]]
    while len(points) > 1:
        points = [(one[0] + (two[0] - one[0]) * t, one[1] + (two[1] - one[1]) * t) for one, two in pairwise(points)]
        first.append(points[0])
        last.insert(0, points[-1])
    return first, last


def bridge(end: Point, start: Point) -> list[Point]:
    """A straight line between the curves of two levels: through the margin of a frame."""
    return [(end[0] + (start[0] - end[0]) * part, end[1] + (start[1] - end[1]) * part) for part in (1 / 3, 2 / 3)] + [
        start
    ]
