"""Where a drawing can be broken into columns, and how much each break would disturb its structure.

A break is at a y where one line crosses and nothing is beside it. Coordinates are abstract: y is along the flow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnngraph.frozen import frozen
from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.curves import split
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedFrame, Point
from cnngraph.render.picture import Box

TITLE_ROOM = 14.0  # beside a title

# Costs of a break. A column costs as much as text that is 8 % smaller.
COLUMN = 0.6
NEEDLESS = 2.0  # for each frame that is cut and would fit one column, and as much again the smaller it is
NEEDED = 0.2  # for each frame that is cut and is longer than a column
WITHIN = 0.4  # between two boxes of the same resolution that are in no frames of their own
BESIDE_FRAME = 0.1  # … of which one begins or ends a frame
BEFORE_POOL = 0.7  # between convolutions and the pooling that ends their group


@frozen
class Break:
    """A place at which a column may end: the y, the x of the line that crosses it, and how many frames are around."""

    y: float
    x: float
    depth: int


def breaks_of(drawing: Drawing, candidates: Sequence[Break]) -> list[Break]:
    """The candidates at which nothing is beside the line, in order of y."""
    ends = {box.box.key: box.at.bottom for box in drawing.boxes}
    curves = [(_start(arrow, ends), max(y for _, y in arrow.curve), arrow.curve) for arrow in drawing.arrows]
    found = []
    for place in sorted(candidates, key=lambda place: place.y):
        if any(box.at.y < place.y < box.at.bottom for box in drawing.boxes):
            continue
        if any(_cuts_title(frame, place.y) for frame in drawing.frames):
            continue
        if all(_passes(curve, place) for low, high, curve in curves if low < place.y < high):
            found.append(place)
    return found


def _start(placed: PlacedArrow, ends: Mapping[str, float]) -> float:
    """Where an arrow begins: if the flow is to the right, the shape of its tensor is between a box and its line."""
    return min(ends.get(placed.arrow.tail, math.inf), *(y for _, y in placed.curve))


def cut_frames(drawing: Drawing, y: float) -> list[PlacedFrame]:
    """The frames that a break cuts, from the outermost."""
    cut = [frame for frame in drawing.frames if frame.at.y < y < frame.at.bottom]
    return sorted(cut, key=lambda frame: frame.level)


class Costs:
    """The costs of all breaks of a drawing, besides those of the columns between them."""

    def __init__(self, drawing: Drawing, breaks: Sequence[Break]) -> None:
        self.drawing = drawing
        self.boxes = {placed.box.key: placed.box for placed in drawing.boxes}
        self.frames = _frames_around(drawing)
        self.into, self.out = _areas(drawing)
        self.cut = [[frame.at.height for frame in cut_frames(drawing, place.y)] for place in breaks]
        self.fixed = [COLUMN + self._boundary(place.y) for place in breaks]

    def at(self, place: int, height: float) -> float:
        """The cost of a break, if columns have a height."""
        return self.fixed[place] + sum(_cut(frame, height) for frame in self.cut[place])

    def needless(self, place: int, height: float) -> int:
        """How many frames are cut that are not higher than that."""
        return sum(frame <= height for frame in self.cut[place])

    def _boundary(self, y: float) -> float:
        """How much what is before and after a break belongs together."""
        arrows = [arrow for arrow in self.drawing.arrows if arrow.curve[0][1] <= y <= arrow.curve[-1][1]]
        return min(map(self._between, arrows), default=0.0)

    def _between(self, placed: PlacedArrow) -> float:
        tail, head = placed.arrow.tail, placed.arrow.head
        if self._reduces(tail) and _is_pool(self.boxes[tail]):
            return 0.0
        if self._reduces(head):
            return BEFORE_POOL if _is_pool(self.boxes[head]) else 0.0
        return WITHIN if self.frames.get(tail) == self.frames.get(head) else BESIDE_FRAME

    def _reduces(self, key: str) -> bool:
        """Whether the maps that a box computes are smaller than those that it reads."""
        return 0 < self.out.get(key, 0) < self.into.get(key, 0)


def _cut(frame: float, height: float) -> float:
    """The cost of cutting a frame of some height."""
    return NEEDED if frame > height else NEEDLESS * (2 - frame / height)


def _is_pool(box: Box) -> bool:
    return bool(box.rows) and box.rows[-1].kind == "pool"


def _areas(drawing: Drawing) -> tuple[dict[str, int], dict[str, int]]:
    """The areas of the largest maps that each box reads and computes."""
    into: dict[str, int] = {}
    out: dict[str, int] = {}
    for placed in drawing.arrows:
        arrow = placed.arrow
        if arrow.size:
            area = arrow.size[0] * arrow.size[1]
            into[arrow.head], out[arrow.tail] = max(area, into.get(arrow.head, 0)), max(area, out.get(arrow.tail, 0))
    return into, out


def _frames_around(drawing: Drawing) -> dict[str, str]:
    """The innermost frame around each box."""
    found: dict[str, str] = {}
    for placed in drawing.frames:
        found |= {member.key: placed.frame.key for member in placed.frame.members if isinstance(member, Box)}
    return found


def _cuts_title(frame: PlacedFrame, y: float) -> bool:
    """Whether a break would leave too little of a frame for its title, which is along the flow."""
    if frame.is_down or not frame.at.y < y < frame.at.bottom:
        return False
    return y - frame.at.y < along(frame, continues=False) or frame.at.bottom - y < along(frame, continues=True)


def along(frame: PlacedFrame, *, continues: bool) -> float:
    """The least length of a frame or of a part of it, for a title along the flow."""
    texts = () if frame.is_down else frame_lines(frame.frame.title, is_down=False, continues=continues)
    return max((line.width + TITLE_ROOM for line in texts), default=0.0)


def _passes(curve: Sequence[Point], place: Break) -> bool:
    """Whether a curve crosses a break at its x."""
    above, _ = split(curve, place.y)
    return abs(above[-1][0] - place.x) < 1
