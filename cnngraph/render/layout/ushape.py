"""Networks in the shape of a U: an encoder that goes down, a decoder beside it that goes up, and skips across.

The shape is found from the arrows: at some point of the network several of them pass by, and are nested, as the skips
of a U-Net are: the first one to leave is the last to arrive. Without these arrows the network is a chain. Coordinates
are abstract: y is along the flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.breaks import Break
from cnngraph.render.layout.curves import around
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedFrame, Point, Rectangle
from cnngraph.render.picture import Arrow, Picture

LEAST = 3  # skips
GUTTER = 22.0  # between encoder and decoder, more for every skip
LANE = 8.0
TURN = 9.0  # how far the main path goes below both
BORDER = 6.0


@frozen
class Skips:
    """The skips of a picture, from the outermost, and the arrows without them."""

    skips: tuple[Arrow, ...]
    others: tuple[Arrow, ...]


def skips_of(picture: Picture) -> Skips | None:
    """The skips of a network in the shape of a U, or None."""
    place = {box.key: position for position, box in enumerate(picture.boxes())}
    best: tuple[Arrow, ...] = ()
    for turn in range(1, len(place)):
        over = [arrow for arrow in picture.arrows if place[arrow.tail] < turn <= place[arrow.head]]
        nested = _nested(over, place)
        if len(nested) > len(best):
            best = nested
    if len(best) < LEAST:
        return None
    chosen = set(map(id, best))
    return Skips(best, tuple(arrow for arrow in picture.arrows if id(arrow) not in chosen))


def _nested(over: Sequence[Arrow], place: dict[str, int]) -> tuple[Arrow, ...]:
    """The arrows around a point but the innermost one, if each is inside the one before."""
    ordered = sorted(over, key=lambda arrow: (place[arrow.tail], -place[arrow.head]))
    ends = [(place[arrow.tail], place[arrow.head]) for arrow in ordered]
    is_nested = all(one[0] < two[0] and one[1] > two[1] for one, two in pairwise(ends[:-1]))
    last_ok = len(ends) < 2 or (ends[-2][0] <= ends[-1][0] and ends[-2][1] >= ends[-1][1])
    return tuple(ordered[:-1]) if is_nested and last_ok else ()


def bent(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow]) -> Drawing | None:
    """The strip of a network without its skips, bent to a U, with the skips across; None if it cannot be bent."""
    at = {box.box.key: box.at for box in strip.boxes}
    inner = skips[-1]
    turns = [
        place
        for place in breaks
        if at[inner.tail].bottom <= place.y <= at[inner.head].y
        and not any(frame.at.y < place.y < frame.at.bottom for frame in strip.frames)
    ]
    if not turns:
        return None
    drawing = _Bending(strip, turns[-1], skips).drawing()
    return None if any(_is_hit(drawing, arrow) for arrow in drawing.arrows[-len(skips) :]) else drawing


def _is_hit(drawing: Drawing, arrow: PlacedArrow) -> bool:
    """Whether a skip would cross a box."""
    ends = arrow.arrow.tail, arrow.arrow.head
    others = [box.at for box in drawing.boxes if box.box.key not in ends]
    return any(_overlaps(start, end, at) for start, end in pairwise(arrow.curve[::3]) for at in others)


def _overlaps(start: Point, end: Point, at: Rectangle) -> bool:
    """Whether a line along or across the flow passes a rectangle."""
    (left, right), (high, low) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return left < at.right and at.x < right and high < at.bottom and at.y < low + 0.01


class _Bending:
    """Mirrors what is after a break and puts it beside what is before."""

    def __init__(self, strip: Drawing, turn: Break, skips: Sequence[Arrow]) -> None:
        self.strip, self.turn, self.skips = strip, turn, skips
        self.up = max(0.0, strip.height - 2 * turn.y)  # the decoder may be longer than the encoder
        places = [*(box.at for box in strip.boxes), *(frame.at for frame in strip.frames)]
        before = [place for place in places if place.y < turn.y]
        after = [place for place in places if place.y > turn.y]
        self.right = max(place.right for place in before)
        self.gutter = GUTTER + LANE * len(skips)
        self.shift = self.right + self.gutter - min(place.x for place in after)
        self.width = self.shift + max(place.right for place in after) + BORDER

    def drawing(self) -> Drawing:
        boxes = tuple(replace(box, at=self._place(box.at)) for box in self.strip.boxes)
        at = {box.box.key: box.at for box in boxes}
        skips = [PlacedArrow(arrow, self._skip(arrow, place, at)) for place, arrow in enumerate(self.skips)]
        return replace(
            self.strip,
            width=self.width,
            height=self.up + self.turn.y + TURN + BORDER,
            boxes=boxes,
            frames=tuple(self._frame(frame) for frame in self.strip.frames),
            arrows=(*(self._arrow(arrow) for arrow in self.strip.arrows), *skips),
            notes=tuple(self._note(note) for note in self.strip.notes),
        )

    def _is_after(self, y: float) -> bool:
        return y > self.turn.y

    def _place(self, at: Rectangle) -> Rectangle:
        if not self._is_after(at.y):
            return at.moved(0, self.up)
        return Rectangle(at.x + self.shift, self._mirrored(at.bottom), at.width, at.height)

    def _mirrored(self, y: float) -> float:
        return self.up + 2 * self.turn.y - y

    def _frame(self, frame: PlacedFrame) -> PlacedFrame:
        return replace(frame, at=self._place(frame.at), rises=self._is_after(frame.at.y))

    def _note(self, note: Note) -> Note:
        if not self._is_after(note.y):
            return replace(note, y=note.y + self.up)
        return replace(note, x=note.x + self.shift, y=self._mirrored(note.y))

    def _point(self, point: Point) -> Point:
        x, y = point
        return (x + self.shift, self._mirrored(y)) if self._is_after(y) else (x, y + self.up)

    def _arrow(self, placed: PlacedArrow) -> PlacedArrow:
        start, end = placed.curve[0], placed.curve[-1]
        if self._is_after(start[1]) or not self._is_after(end[1]):
            return replace(placed, curve=tuple(map(self._point, placed.curve)))
        low = self.up + self.turn.y + TURN
        first, last = self._point(start), self._point(end)
        return replace(placed, curve=around([first, (first[0], low), (last[0], low), last]))

    def _skip(self, arrow: Arrow, place: int, at: dict[str, Rectangle]) -> tuple[Point, ...]:
        """From the side of one box to that of the other; an outer skip turns nearer to the decoder."""
        tail, head = at[arrow.tail], at[arrow.head]
        lane = self.right + self.gutter / 2 + LANE * ((len(self.skips) - 1) / 2 - place)
        start, end = (tail.right, tail.middle[1]), (head.x, head.middle[1])
        return around([start, (lane, start[1]), (lane, end[1]), end])
