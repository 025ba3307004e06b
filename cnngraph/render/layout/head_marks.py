"""Marks at arrowheads: signs and numbers that tell the inputs of an operation apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cnngraph.render.fonts import text_width
from cnngraph.render.input_order import numbers_of
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.curves import halves
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, Point, Rectangle

BACK = 4.2, 6.5, 9.5, 13.0  # from the tip of an arrow to the middle of its mark: the nearest that is free
BESIDE = 2.2  # between a line and its mark
CLEAR = 0.7  # between a mark and other lines
HIGH = SMALL * 0.7  # of a digit
NEARER = 1.0  # how much nearer its own line is to a mark than any other
MISLEADING = -math.inf
NEIGHBOURS = 3  # arrows on each side of one that are looked at
PARTS = 16  # of a segment of a curve, between which it is nearly straight


def with_marks(drawing: Drawing) -> Drawing:
    """The drawing with marks beside the lines of arrows, at their heads.

    Numbers are shown only where the inputs are not in order: from left to right, or if the flow is to the right, from
    above to below.
    """
    arrows = [placed.arrow for placed in drawing.arrows]
    if not any(arrow.places or arrow.mark for arrow in arrows):
        return drawing
    axis = 0 if drawing.is_down else 1
    numbers = numbers_of(arrows, [placed.curve[-1][axis] for placed in drawing.arrows])
    marks = {index: text for index, arrow in enumerate(arrows) if (text := numbers.get(index, arrow.mark))}
    notes = tuple(_notes(drawing, marks, axis))
    return replace(drawing, notes=(*drawing.notes, *notes)) if notes else drawing


def unordered(strip: Drawing) -> set[str]:
    """The boxes of a strip, in abstract coordinates, whose inputs are not in order, and so have numbers."""
    arrows = [placed.arrow for placed in strip.arrows]
    return {arrows[index].head for index in numbers_of(arrows, [placed.curve[-1][0] for placed in strip.arrows])}


def _notes(drawing: Drawing, marks: Mapping[int, str], axis: int) -> Iterator[Note]:
    boxes = {placed.box.key: placed.at for placed in drawing.boxes}
    into: dict[str, list[int]] = {}
    for index, placed in enumerate(drawing.arrows):
        into.setdefault(placed.arrow.head, []).append(index)
    for head in dict.fromkeys(drawing.arrows[index].arrow.head for index in marks):
        ordered = sorted(into[head], key=lambda index: drawing.arrows[index].curve[-1][axis])
        lines = [list(_end(drawing.arrows[index])) for index in ordered]
        choices: list[list[tuple[float, Rectangle]]] = []  # for each mark, its possible places and the room there
        texts = [marks[index] for index in ordered if index in marks]
        for place, index in enumerate(ordered):
            if index in marks:
                near = [*lines[max(0, place - NEIGHBOURS) : place], *lines[place + 1 : place + NEIGHBOURS + 1]]
                places = _places(marks[index], drawing.arrows[index].curve)
                choices.append([(_free(at, lines[place], near, boxes[head]), at) for at in places])
        if all(max(room for room, _ in places) > MISLEADING for places in choices):  # else it is better to say nothing
            for text, at in zip(texts, _chosen(choices), strict=True):
                yield Note(text, *at.middle, at.width)


def _chosen(choices: Sequence[Sequence[tuple[float, Rectangle]]]) -> list[Rectangle]:
    """The place of each mark: on the same side of every line, at the same distance, if that is free of lines."""
    for same in zip(*choices, strict=True):
        if all(room >= CLEAR for room, _ in same):
            return [at for _, at in same]
    found: list[Rectangle] = []
    for places in choices:
        free = [place for place in places if not any(_overlap(place[1], other) for other in found)]
        found.append(max(free or places, key=lambda place: min(place[0], CLEAR))[1])
    return found


def _places(text: str, curve: Sequence[Point]) -> Iterator[Rectangle]:
    """Where the mark of an arrow can be, from the nearest to the tip, on either side of the line."""
    width, (x, y) = text_width(text, SMALL), curve[-1]
    before = next((point for point in reversed(curve[:-1]) if math.dist(point, (x, y)) > CLEAR), (x, y - 1))
    length = math.dist(before, (x, y))
    along, across = abs(x - before[0]) / length, abs(y - before[1]) / length
    aside = BESIDE + (width * across + HIGH * along) / 2
    for back in BACK:
        back += (width - HIGH) / 2 * along
        middle = x + back * (before[0] - x) / length, y + back * (before[1] - y) / length
        for side in (1, -1):
            at = middle[0] + side * aside * across, middle[1] - side * aside * along
            yield Rectangle(at[0] - width / 2, at[1] - HIGH / 2, width, HIGH)


def _end(placed: PlacedArrow) -> Iterator[Point]:
    """Points of the last segments of a curve."""
    curve = placed.curve[-7:]
    for start in range(0, len(curve) - 3, 3):
        yield from (halves(curve[start : start + 4], part / PARTS)[1][0] for part in range(PARTS + 1))


def _free(place: Rectangle, line: Sequence[Point], others: Sequence[Sequence[Point]], box: Rectangle) -> float:
    """How far lines are from a rectangle; MISLEADING if it is on the box, or does not seem to be of its own line."""
    own = min(_room(place, point) for point in line)
    other = min((_room(place, point) for points in others for point in points), default=math.inf)
    return MISLEADING if _overlap(place, box) or other < own + NEARER else min(own, other)


def _overlap(one: Rectangle, two: Rectangle) -> bool:
    return max(one.x, two.x) < min(one.right, two.right) and max(one.y, two.y) < min(one.bottom, two.bottom)


def _room(place: Rectangle, point: Point) -> float:
    """How far a point is from a rectangle; negative inside of it."""
    across = max(place.x - point[0], point[0] - place.right)
    return max(across, place.y - point[1], point[1] - place.bottom)
