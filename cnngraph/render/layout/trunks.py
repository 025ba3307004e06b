"""The part of a curve that other curves of the same tensor share: it is drawn once, in the style of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import hypot

from cnngraph.render.layout.drawing import Point

Curve = tuple[Point, ...]
NEAR = 0.6  # points: curves that are nearer look like one
SAMPLES = 6  # of a bend
AROUND = 24  # points of another curve before and after those with the same numbers that are compared


def without_stops(curve: Curve) -> Curve:
    """The curve without segments of no length, at which an arrowhead would point back."""
    points = [curve[0]]
    for place in range(1, len(curve), 3):
        segment = curve[place : place + 3]
        if any(point != points[-1] for point in segment):
            points += segment
    return tuple(points)


def without_trunk(curve: Curve, others: Sequence[Curve]) -> Curve:
    """The curve without the segments at its start that are on another one; the last segment always stays."""
    place = 0
    while place + 4 < len(curve):
        part = curve[place : place + 4]
        if all(other[place : place + 4] != part for other in others):  # usually both are made of the same points
            near = [other[max(0, place - AROUND) : place + 4 + AROUND] for other in others]
            lines = [line for other in near if len(other) > 3 for line in pairwise(_samples(other))]
            if not all(_is_on(point, lines) for point in reversed(list(_samples(part)))):
                break
        place += 3
    return curve[place:]


def _samples(curve: Curve) -> Iterator[Point]:
    """Points along a chain of Bézier segments."""
    yield curve[0]
    for place in range(0, len(curve) - 3, 3):
        (a, e), (b, f), (c, g), (d, h) = curve[place : place + 4]
        steps = 2 if a == b == c == d or e == f == g == h else SAMPLES  # a straight line, or a bend
        for step in range(1, steps + 1):
            t = step / steps
            p, q, r, s = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
            yield p * a + q * b + r * c + s * d, p * e + q * f + r * g + s * h


def _is_on(point: Point, lines: Sequence[tuple[Point, Point]]) -> bool:
    return any(_distance(point, *line) < NEAR for line in lines)


def _distance(point: Point, start: Point, end: Point) -> float:
    """The distance from a point to a line."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    part = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / length if length else 0.0
    part = max(0.0, min(1.0, part))
    return hypot(point[0] - start[0] - part * dx, point[1] - start[1] - part * dy)
