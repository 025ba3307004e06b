"""Rendering DOT as SVG, PNG and PDF with Graphviz, which is included in pygraphviz."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from cnngraph.render.dot import At, TitlePlace, can_break, dot
from cnngraph.render.picture import Picture

DPI = 192
POINTS = 72  # to an inch
INSET = 8  # points from a frame's corner to its title
CLEAR = 4  # points between a title and an arrow
MAX_FOR_PLACEMENT = 400  # titles are moved away from arrows in pictures with at most this many boxes
ATTEMPTS = 4
SAMPLES = 12  # straight segments that approximate one Bézier curve


def draw(picture: Picture, format: str, direction: str = "TB") -> bytes:
    """The picture as `svg`, `png` or `pdf`."""
    places: dict[str, TitlePlace] = {}
    moves_titles = sum(1 for _ in picture.boxes()) <= MAX_FOR_PLACEMENT
    breakable = {frame.key for frame in picture.frames() if can_break(frame.title)}
    for attempt in range(ATTEMPTS if moves_titles else 0):
        layout = json.loads(_run(dot(picture, direction, places), "json0"))
        better = _better_places(layout, places, breakable if attempt + 1 < ATTEMPTS else None)
        if not better:
            break
        places |= better
    return _run(dot(picture, direction, places, dpi=DPI if format == "png" else None), format)


def _run(text: str, format: str) -> bytes:
    with _quiet():
        from pygraphviz import AGraph

        graph = AGraph(string=text)
        try:
            return bytes(graph.draw(format=format, prog="dot"))
        finally:
            graph.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discard warnings that Graphviz and its font library write directly to the stderr of the process."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the process may have no stderr
            original = os.dup(2)
            stack.callback(os.close, original)
            stack.callback(os.dup2, original, 2)
            os.dup2(stack.enter_context(open(os.devnull, "wb")).fileno(), 2)
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


def _better_places(
    layout: Mapping[str, Any], places: Mapping[str, TitlePlace], breakable: Collection[str] | None
) -> dict[str, TitlePlace]:
    """New places for the titles that an arrow crosses: the other corner, two lines, or a wider frame.

    If `breakable` is None, only the corner may change.
    """
    curves = [_polyline(arrow["pos"]) for arrow in layout.get("edges", ()) if "pos" in arrow]
    better = {}
    for frame in layout.get("objects", ()):
        if not {"bb", "lp", "lwidth", "lheight"} <= frame.keys():
            continue
        key = frame["name"].removeprefix("cluster_")
        now = places.get(key, TitlePlace())
        title = _Title(frame, now)
        free = [at for at in (now.at, At.LEFT, At.RIGHT) if not any(title.is_crossed(at, curve) for curve in curves)]
        if free and free[0] is not now.at:
            better[key] = TitlePlace(free[0], now.broken, now.room)
        elif not free and breakable is not None and not now.room:
            breaks = key in breakable and not now.broken
            room = 0 if breaks else title.width + 2 * CLEAR
            better[key] = TitlePlace(now.at, now.broken or breaks, room)
    return better


class _Title:
    """The title of a frame in a layout: its width, and the rectangles in which it can be placed."""

    def __init__(self, frame: Mapping[str, Any], now: TitlePlace) -> None:
        self.left, _, self.right, _ = map(float, frame["bb"].split(","))
        self.width = float(frame["lwidth"]) * POINTS - now.room
        middle, half = float(frame["lp"].split(",")[1]), float(frame["lheight"]) * POINTS / 2
        self.bottom, self.top = middle - half, middle + half

    def is_crossed(self, at: At, curve: Sequence[tuple[float, float]]) -> bool:
        """Whether an arrow would cross the title at this corner."""
        start = self.left + INSET if at is At.LEFT else self.right - INSET - self.width
        end = start + self.width
        return any(start - CLEAR < x < end + CLEAR and self.bottom < y < self.top for x, y in curve)


def _polyline(position: str) -> list[tuple[float, float]]:
    """Points along a curve in Graphviz's notation: `e,x,y` for the arrowhead, then a chain of Bézier curves."""
    points = [(float(x), float(y)) for x, y in (point.split(",")[-2:] for point in position.split())]
    ends = [point for point in position.split() if point[0] in "es"]
    chain = points[len(ends) :]
    found = []
    for first in range(0, len(chain) - 3, 3):
        a, b, c, d = chain[first : first + 4]
        for step in range(SAMPLES + 1):
            t = step / SAMPLES
            u = 1 - t
            weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            x = sum(weight * point[0] for weight, point in zip(weights, (a, b, c, d), strict=True))
            y = sum(weight * point[1] for weight, point in zip(weights, (a, b, c, d), strict=True))
            found.append((x, y))
    return found
