"""What can be wrong with the places in a drawing, found by measuring it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from math import dist

from cnngraph.render import THEMES
from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import (
    CIRCLE,
    PAD_X,
    PAD_Y,
    SMALL,
    Line,
    frame_lines,
    label_lines,
    lines,
    unused_label_room,
)
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedFrame, Point, Rectangle
from cnngraph.render.marks import front_of, marks
from cnngraph.render.parts import Polygon
from cnngraph.render.picture import Box, Frame, sign

SAMPLES = 8  # points on a Bézier segment
TOUCH = 1.5  # points: how near an arrow must come to its boxes


def faults(drawing: Drawing) -> Iterator[str]:
    """Overlaps, texts and arrows that are where they should not be."""
    yield from _outside(drawing)
    yield from _overlaps(drawing)
    yield from _wide_texts(drawing)
    yield from _loose_arrows(drawing)
    yield from _arrows_through_boxes(drawing)
    yield from _arrows_through_texts(drawing)


def _outside(drawing: Drawing) -> Iterator[str]:
    page = Rectangle(0, 0, drawing.width, drawing.height)
    for box in drawing.boxes:
        if not _contains(page, box.at):
            yield f"{box.box.key} is outside the drawing"
    for arrow in drawing.arrows:
        if any(not (-0.5 <= x <= page.width + 0.5 and -0.5 <= y <= page.height + 0.5) for x, y in arrow.curve):
            yield f"the arrow {_name(arrow)} leaves the drawing"
    for note in drawing.notes:
        half = text_width(note.text, SMALL) / 2
        if note.x - half < -0.5 or note.x + half > page.width + 0.5:
            yield f"the shape {note.text} is outside the drawing"
    yield from _outside_frames(drawing)


def _outside_frames(drawing: Drawing) -> Iterator[str]:
    """Boxes that are in no part of the frame that they belong to."""
    parts: dict[str, list[Rectangle]] = {}
    for placed in drawing.frames:
        parts.setdefault(placed.frame.key, []).append(placed.at)
    at = {box.box.key: box.at for box in drawing.boxes}
    for key, frame in {placed.frame.key: placed.frame for placed in drawing.frames}.items():
        for member in frame.members:
            places = parts[member.key] if isinstance(member, Frame) else [at[member.key]]
            if not all(any(_contains(part, place) for part in parts[key]) for place in places):
                yield f"{member.key} is not inside {key}"


def _overlaps(drawing: Drawing) -> Iterator[str]:
    for one, two in combinations(drawing.boxes, 2):
        if _overlap(one.at, two.at):
            yield f"{one.box.key} and {two.box.key} overlap"
    for first, second in combinations(drawing.frames, 2):
        nested = _contains(first.at, second.at) or _contains(second.at, first.at)
        if _overlap(first.at, second.at) and not nested:
            yield f"{first.frame.key} and {second.frame.key} overlap"
    for part in drawing.frames:
        for box in drawing.boxes:
            if _overlap(part.at, box.at) and not _contains(part.at, box.at):
                yield f"{box.box.key} is on the border of {part.frame.key}"


def _wide_texts(drawing: Drawing) -> Iterator[str]:
    for box in drawing.boxes:
        if not sign(box.box) and any(line.width > box.at.width for line in lines(box.box)):
            yield f"a text is wider than {box.box.key}"
    for part in drawing.frames:
        if any(line.width > part.at.width for line in _title(part)):
            yield f"the title of {part.frame.key} is wider than the frame"
    placed = [(note.text, _note(note.x, note.y, note.text)) for note in drawing.notes]
    for (one, at), (two, other) in combinations(placed, 2):
        if _overlap(at, other):
            yield f"the shapes {one} and {two} overlap"
    for text, at in placed:
        for box in drawing.boxes:
            if _overlap(at, box.at):
                yield f"the shape {text} is on {box.box.key}"


def _title(frame: PlacedFrame) -> Sequence[Line]:
    return frame_lines(frame.frame.title, frame.is_down, frame.continues)


def _note(x: float, y: float, text: str) -> Rectangle:
    width, height = text_width(text, SMALL), SMALL * 0.7
    return Rectangle(x - width / 2, y - height / 2, width, height)


def _loose_arrows(drawing: Drawing) -> Iterator[str]:
    at = {box.box.key: box.at for box in drawing.boxes}
    for arrow in drawing.arrows:
        if _distance(arrow.curve[-1], at[arrow.arrow.head]) > TOUCH:
            yield f"the arrow {_name(arrow)} does not reach its head"
        if _distance(arrow.curve[0], at[arrow.arrow.tail]) > TOUCH + 80:  # the shape is between the box and the arrow
            yield f"the arrow {_name(arrow)} does not start at its tail"


def _arrows_through_boxes(drawing: Drawing) -> Iterator[str]:
    for arrow in drawing.arrows:
        points = list(polyline(arrow.curve))
        for box in drawing.boxes:
            above, below = unused_label_room(box.box.volume) if box.box.volume else (0.0, 0.0)
            height = box.at.height - above - below - 2
            inner = Rectangle(box.at.x + 1, box.at.y + above + 1, box.at.width - 2, height)
            if box.box.key not in (arrow.arrow.tail, arrow.arrow.head) and any(_has(inner, point) for point in points):
                yield f"the arrow {_name(arrow)} crosses {box.box.key}"


def _arrows_through_texts(drawing: Drawing) -> Iterator[str]:
    texts = [(f"the title of {frame.frame.key}", title_of(frame)) for frame in drawing.frames]
    for note in drawing.notes:
        if "×" in note.text or not drawing.is_down:  # an arrow that comes from the right may pass its own name
            texts.append((f"the shape {note.text}", _note(note.x, note.y, note.text)))
    curves = [
        [point for line in pairwise(polyline(arrow.curve)) for point in _dense(*line)] for arrow in drawing.arrows
    ]
    for arrow, points in zip(drawing.arrows, curves, strict=True):
        for text, at in texts:
            if any(_has(at, point) for point in points):
                yield f"the arrow {_name(arrow)} crosses {text}"


def _dense(start: Point, end: Point) -> Iterator[Point]:
    """Points on a line, at most 3 points apart."""
    count = int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) / 3) + 1
    for step in range(count + 1):
        yield start[0] + (end[0] - start[0]) * step / count, start[1] + (end[1] - start[1]) * step / count


def title_of(frame: PlacedFrame) -> Rectangle:
    """Where the title of a frame is."""
    texts = _title(frame)
    width, height = max((line.width for line in texts), default=0.0), sum(line.height for line in texts)
    return Rectangle(frame.at.x + PAD_X + 2, frame.at.y + PAD_Y, width, height)


def crossings(drawing: Drawing, *, at_joins: bool = False) -> int:
    """How many pairs of arrows cross that carry different tensors, without those into one box unless `at_joins`."""
    curves = [(arrow.arrow, list(polyline(arrow.curve))) for arrow in drawing.arrows]
    count = 0
    for (one, first), (two, second) in combinations(curves, 2):
        if one.source == two.source or (one.head == two.head and not at_joins) or not _near(first, second):
            continue
        count += any(_cross(*a, *b) for a in pairwise(first) for b in pairwise(second))
    return count


def _near(first: Sequence[Point], second: Sequence[Point]) -> bool:
    return all(
        min(point[axis] for point in one) <= max(point[axis] for point in two)
        for one, two in ((first, second), (second, first))
        for axis in (0, 1)
    )


def polyline(curve: Sequence[Point]) -> Iterator[Point]:
    """Points along a chain of cubic Bézier segments."""
    for place in range(0, len(curve) - 3, 3):
        a, b, c, d = curve[place : place + 4]
        for step in range(SAMPLES + (place + 4 == len(curve))):
            t = step / SAMPLES
            u = 1 - t
            weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            yield (
                sum(weight * point[0] for weight, point in zip(weights, (a, b, c, d), strict=True)),
                sum(weight * point[1] for weight, point in zip(weights, (a, b, c, d), strict=True)),
            )


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def _name(arrow: PlacedArrow) -> str:
    return f"{arrow.arrow.tail} -> {arrow.arrow.head}"


def _has(at: Rectangle, point: Point) -> bool:
    return at.x < point[0] < at.right and at.y < point[1] < at.bottom


def _contains(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer.x <= inner.x + 0.5
        and outer.y <= inner.y + 0.5
        and inner.right <= outer.right + 0.5
        and inner.bottom <= outer.bottom + 0.5
    )


def _overlap(one: Rectangle, two: Rectangle) -> bool:
    return one.x < two.right - 0.5 and two.x < one.right - 0.5 and one.y < two.bottom - 0.5 and two.y < one.bottom - 0.5


def _distance(point: Point, at: Rectangle) -> float:
    across = max(at.x - point[0], 0, point[0] - at.right)
    along = max(at.y - point[1], 0, point[1] - at.bottom)
    return max(across, along)


def loose(drawing: Drawing) -> list[str]:
    """The arrows whose heads do not touch the front of their volume, an edge, its labels, or the circle before it."""
    boxes: dict[str, Box] = {placed.box.key: placed.box for placed in drawing.boxes}
    places = {placed.box.key: placed.at for placed in drawing.boxes}
    fronts = {placed.box.key: front_of(placed.box.volume, placed.at) for placed in drawing.boxes if placed.box.volume}
    groups = [group for group in marks(drawing, THEMES["light"]) if group.kind == "arrow"]
    found = []
    for placed, group in zip(drawing.arrows, groups, strict=True):
        head = placed.arrow.head
        tip = group.parts[-1]
        assert isinstance(tip, Polygon)
        (x, y), front = tip.points[0], fronts.get(head)
        volume = boxes[head].volume
        if volume and volume.sign:
            middle = front_of(volume, places[head]).x - CIRCLE / 2, places[head].middle[1]
            if abs(dist((x, y), middle) - CIRCLE / 2) > 0.1:
                found.append(head)
        elif volume and front and not (abs(x - front.x) < 0.1 and front.y <= y <= front.bottom):
            at, (above, below) = places[head], unused_label_room(volume)
            is_top = abs(y - at.y - above) < 0.1
            edge = front.moved(volume.depth, 0) if is_top else front
            is_on = edge.x <= x <= edge.right or (label_lines(volume)[not is_top] and abs(x - at.middle[0]) < 0.1)
            if not is_on or not (is_top or abs(y - at.bottom + below) < 0.1):
                found.append(boxes[head].key)
    return found
