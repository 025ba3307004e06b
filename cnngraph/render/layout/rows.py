"""Volumes of a network in the shape of a U: a row for the maps of each skip, from the encoder to the decoder.

The strip of the network without its skips is cut after the start of each skip and before its end. The parts of the
encoder are below each other, those of the decoder above each other, and the main path goes down and up between them.
Coordinates are abstract: y is along the rows, x is across them, and increases downwards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.render.layout.boxes import unused_label_room
from cnngraph.render.layout.breaks import Break
from cnngraph.render.layout.curves import NEAR, around, straight
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedBox, Point, Rectangle
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture

BORDER = 6.0
BETWEEN = 14.0  # between two rows
LEAST_SKIP = 22.0  # the least length of a skip
TURN = 9.0  # beside a circle


def levels_of(picture: Picture, skips: Sequence[Arrow]) -> tuple[Arrow, ...]:
    """The skips around smaller maps than their own, without a shortcut inside of the innermost."""
    boxes = list(picture.boxes())
    place = {box.key: position for position, box in enumerate(boxes)}

    def is_level(skip: Arrow) -> bool:
        inside = (type_ for box in boxes[place[skip.tail] : place[skip.head]] for type_ in box.types)
        return skip.size is not None and any(type_.is_map and type_.sizes[1:] < skip.size for type_ in inside)

    return tuple(filter(is_level, skips))


def without_skips(picture: Picture, skips: Sequence[Arrow]) -> Picture:
    """The picture without some arrows, and without the frames that only have a name, which can be in two rows."""
    others = tuple(arrow for arrow in picture.arrows if all(arrow is not skip for skip in skips))
    return replace(picture, members=tuple(_without_plain(picture.members)), arrows=others)


def _without_plain(members: Sequence[Box | Frame]) -> Iterator[Box | Frame]:
    """The members without the frames that only have a name."""
    for member in members:
        if isinstance(member, Box):
            yield member
            continue
        inner = tuple(_without_plain(member.members))
        if member.title.times == 1 and member.look is Look.PLAIN:
            yield from inner
        else:
            yield replace(member, members=inner)


def in_rows(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow]) -> Drawing | None:
    """The strip of a network without its skips, in rows with the skips across; None if it cannot be cut so."""
    cuts = list(_cuts(strip, breaks, skips))
    if len(cuts) < 2 * len(skips) or any(one >= two for one, two in pairwise(cuts)):
        return None
    rows = _Rows(strip, cuts, skips)
    return rows.drawing() if rows.are_possible() else None


def _cuts(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow]) -> Iterator[float]:
    """Where the strip is cut: as soon as possible after the start of each skip, as late as possible before its end."""
    at = {placed.box.key: placed.at for placed in strip.boxes}
    free = [place.y for place in breaks if not any(frame.at.y < place.y < frame.at.bottom for frame in strip.frames)]
    tails, heads = [at[skip.tail] for skip in skips], [at[skip.head] for skip in skips]
    for tail, after in pairwise([*tails, heads[-1]]):
        yield from [y for y in free if tail.bottom <= y <= after.y][:1]
    for before, head in pairwise([tails[-1], *reversed(heads)]):
        yield from [y for y in free if before.bottom <= y <= head.y][-1:]


class _Rows:
    """Moves the parts of a strip into rows: part 0 and the last one into the first row, and so on."""

    def __init__(self, strip: Drawing, cuts: Sequence[float], skips: Sequence[Arrow]) -> None:
        self.strip, self.cuts, self.skips = strip, cuts, skips
        self.boxes = {placed.box.key: placed for placed in strip.boxes}
        self.at = {key: placed.at for key, placed in self.boxes.items()}
        self.spans = [self._span(part) for part in range(len(cuts) + 1)]
        between = [
            placed.arrow for placed in strip.arrows if self._part(placed.arrow.tail) != self._part(placed.arrow.head)
        ]
        self.steps = {(self._part(arrow.tail), self._part(arrow.head)): arrow for arrow in between}
        self.is_chain = len(between) == len(cuts) and all((part, part + 1) in self.steps for part in range(len(cuts)))
        if self.is_chain:
            self.moves = self._moves()
            self.placed = {key: at.moved(*self.moves[self._part(key)]) for key, at in self.at.items()}

    def are_possible(self) -> bool:
        """Whether one arrow leads from each part to the next, and no box is in the way of a skip."""
        return self.is_chain and not any(
            self.placed[skip.tail].bottom < at.bottom
            and at.y < self.placed[skip.head].y
            and at.x < self.placed[skip.tail].middle[0] < at.right
            for skip in self.skips
            for at in self.placed.values()
        )

    def _part(self, key: str) -> int:
        return self._part_at(self.at[key].middle[1])

    def _part_at(self, y: float) -> int:
        return bisect_right(self.cuts, y)

    def _span(self, part: int) -> Rectangle:
        """What a part covers on the strip."""
        places = [*map(_outline, self.strip.boxes), *(frame.at for frame in self.strip.frames)]
        every = [at for at in places if self._part_at(at.middle[1]) == part]
        curves = [placed.curve for placed in self.strip.arrows if self._part_at(placed.curve[0][1]) == part]
        xs = [x for curve in curves for x, _ in curve]
        left, right = min([*xs, *(at.x for at in every)]), max([*xs, *(at.right for at in every)])
        start, stop = min(at.y for at in every), max(at.bottom for at in every)
        return Rectangle(left, start, right - left, stop - start)

    def _moves(self) -> list[Point]:
        """How far each part is moved across and along."""
        across = self._across()
        more = BORDER - min(at.x + across[self._part(key)] for key, at in self.at.items())  # with all room for labels
        return [(x + more, y) for x, y in zip(across, self._along(), strict=True)]

    def _across(self) -> list[float]:
        """How far each part is moved across: such that the ends of each skip are in the middle of its row."""
        tails, heads = (
            [self.at[end] for end in ends] for ends in zip(*((s.tail, s.head) for s in self.skips), strict=True)
        )
        middles = [at.middle[0] for at in (*tails, heads[-1], *reversed(heads))]
        moves, low = [0.0] * len(middles), 0.0
        for row in range(len(self.skips) + 1):
            parts = {row, len(self.cuts) - row}
            middle = low + max(middles[part] - self.spans[part].x for part in parts)
            moves = [middle - middles[part] if part in parts else move for part, move in enumerate(moves)]
            low = max(self.spans[part].right + moves[part] for part in parts) + BETWEEN
        return moves

    def _along(self) -> list[float]:
        """How far each part is moved along: such that the path from the one before is straight, if there is room."""
        moves = [BORDER - self.spans[0].y]
        for part in range(1, len(self.spans)):
            arrow, beside = self.steps[part - 1, part], len(self.cuts) - part
            move = _exit(self.boxes[arrow.tail]) + moves[-1] - self.at[arrow.head].middle[1]
            left = BORDER
            if beside < part:
                left = self.spans[beside].bottom + moves[beside] + LEAST_SKIP
            moves.append(max(move, left - self.spans[part].y))
        return moves

    def drawing(self) -> Drawing:
        spans = [span.moved(*move) for span, move in zip(self.spans, self.moves, strict=True)]
        boxes = {placed.box.key: replace(placed, at=self.placed[placed.box.key]) for placed in self.strip.boxes}
        return replace(
            self.strip,
            width=max([*(span.right for span in spans), *(at.right for at in self.placed.values())]) + BORDER,
            height=max(span.bottom for span in spans) + BORDER,
            boxes=tuple(boxes.values()),
            frames=tuple(
                replace(frame, at=frame.at.moved(*self.moves[self._part_at(frame.at.middle[1])]))
                for frame in self.strip.frames
            ),
            arrows=(*(self._arrow(arrow, boxes) for arrow in self.strip.arrows), *map(self._skip, self.skips)),
            notes=tuple(
                replace(note, x=x, y=y) for note in self.strip.notes for x, y in [self._moved((note.x, note.y))]
            ),
        )

    def _moved(self, point: Point) -> Point:
        x, y = self.moves[self._part_at(point[1])]
        return point[0] + x, point[1] + y

    def _arrow(self, placed: PlacedArrow, boxes: dict[str, PlacedBox]) -> PlacedArrow:
        """An arrow inside a part, or between two: from the lower side of a box to the upper one of another, or up."""
        arrow = placed.arrow
        part, after = self._part(arrow.tail), self._part(arrow.head)
        if part == after:
            return replace(placed, curve=tuple(map(self._moved, placed.curve)))
        is_down = part < len(self.skips)
        tail, end, y = boxes[arrow.tail], _side(boxes[arrow.head], not is_down), _exit(boxes[arrow.tail])
        points = [_side(tail, is_down)] if y < tail.at.bottom else [(x := tail.at.middle[0], tail.at.bottom), (x, y)]
        if abs(y - end[1]) > NEAR:
            half = (points[-1][0] + end[0]) / 2
            points += [(half, y), (half, end[1])]
        points.append((end[0], y) if len(points) < 3 else end)
        return replace(placed, curve=straight(*points) if len(points) == 2 else around(points))

    def _skip(self, arrow: Arrow) -> PlacedArrow:
        tail, head = self.placed[arrow.tail], self.placed[arrow.head]
        return PlacedArrow(arrow, straight((tail.middle[0], tail.bottom), (tail.middle[0], head.y)))


def _side(placed: PlacedBox, is_low: bool) -> Point:
    """The middle of the lower or upper side of a box."""
    at = _outline(placed)
    return (at.right if is_low else at.x), at.middle[1]


def _exit(placed: PlacedBox) -> float:
    """Where the main path leaves a box for another row: in the middle of a volume, beside a circle, which it enters."""
    volume = placed.box.volume
    return placed.at.middle[1] if volume and not volume.sign else placed.at.bottom + TURN


def _outline(placed: PlacedBox) -> Rectangle:
    """The place of a box without the empty room above or below a volume with its labels."""
    at = placed.at
    above, below = unused_label_room(placed.box.volume) if placed.box.volume else (0.0, 0.0)
    return Rectangle(at.x + above, at.y, at.width - above - below, at.height)
