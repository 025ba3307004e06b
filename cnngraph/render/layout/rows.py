"""Volumes of a network in the shape of a U: a row for the maps of each skip, from the encoder to the decoder.

The strip of the network without its skips is cut where the size of the map changes, after the start of each skip and
before its end. The parts of the encoder are below each other, those of the decoder above each other, and the main path
goes down and up between them. A skip passes above what is between its ends, such as a transposed convolution.
Coordinates are abstract: y is along the rows, x is across them, and increases downwards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.render.layout.boxes import PAD_X, PAD_Y, Line, frame_lines, label_lines, unused_label_room
from cnngraph.render.layout.breaks import Break
from cnngraph.render.layout.curves import NEAR, around, straight
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.picture import Arrow, Picture

BORDER = 6.0
BETWEEN = 14.0  # between two rows
LEAST_SKIP = 22.0  # the least length of a skip
TURN = 9.0  # beside a circle or a frame
LANE, HEAD = 4.0, 9.0  # between a skip and what it passes, and the length of its end
TITLE = 3.0  # between a skip and the title of a frame


def in_rows(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow], starts: Sequence[str]) -> Drawing | None:
    """The strip of a network without its skips, in rows with the skips across; None if it cannot be cut so."""
    cuts = list(_cuts(strip, breaks, skips, starts))
    if len(cuts) < 2 * len(skips) or any(one >= two for one, two in pairwise(cuts)):
        return None
    rows = _Rows(strip, cuts, skips)
    return rows.drawing() if rows.is_chain else None


def _cuts(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow], starts: Sequence[str]) -> Iterator[float]:
    """Where the strip is cut: before the boxes with which the parts begin."""
    at = {placed.box.key: placed.at for placed in strip.boxes}
    free = [place.y for place in breaks if not any(frame.at.y < place.y < frame.at.bottom for frame in strip.frames)]
    before = [*(skip.tail for skip in skips), starts[len(skips) - 1], *(skip.head for skip in reversed(skips[1:]))]
    for low, start in zip(before, starts, strict=True):
        yield from [y for y in free if at[low].bottom <= y <= at[start].y][-1:]


class _Rows:
    """Moves the parts of a strip into rows: part 0 and the last one into the first row, and so on."""

    def __init__(self, strip: Drawing, cuts: Sequence[float], skips: Sequence[Arrow]) -> None:
        self.strip, self.cuts, self.skips = strip, cuts, skips
        self.boxes = {placed.box.key: placed for placed in strip.boxes}
        self.at = {key: placed.at for key, placed in self.boxes.items()}
        between = [
            placed.arrow for placed in strip.arrows if self._part(placed.arrow.tail) != self._part(placed.arrow.head)
        ]
        self.steps = {(self._part(arrow.tail), self._part(arrow.head)): arrow for arrow in between}
        self.heads = {(part, arrow.head) for (part, _), arrow in self.steps.items()}
        self.is_chain = len(between) == len(cuts) and all((part, part + 1) in self.steps for part in range(len(cuts)))
        self.around = _frames_around(strip.frames)
        if self.is_chain:
            self.lanes = self._lanes()
            self.frames = tuple(map(self._raised, strip.frames))
            self.spans = [self._span(part) for part in range(len(cuts) + 1)]
            self.moves = self._moves()
            self.placed = {key: at.moved(*self.moves[self._part(key)]) for key, at in self.at.items()}

    def _lanes(self) -> dict[str, float]:
        """How far above the middle of its row each skip has to be that passes something, by its head."""
        places = [*map(_outline, self.strip.boxes), *(frame.at for frame in self.strip.frames)]
        found = {skip.head: self._lane(skip, places) for skip in self.skips}
        return {head: lane for head, lane in found.items() if lane is not None}

    def _lane(self, skip: Arrow, places: Sequence[Rectangle]) -> float | None:
        tail, head = self.at[skip.tail], self.at[skip.head]
        ends, found = {self._part(skip.tail): tail, self._part(skip.head): head}, []
        for at in places:
            part = self._part_at(at.middle[1])
            is_between = at.bottom <= head.y if ends.get(part) is head else at.y >= tail.bottom
            if part in ends and is_between:
                found.append((at.x, ends[part].middle[0]))
        if not any(x < middle for x, middle in found):
            return None
        top = _port(self.boxes[skip.head], is_low=False)[0] - head.middle[0] - HEAD
        return min(top, *(x - LANE - middle for x, middle in found))

    def _raised(self, frame: PlacedFrame) -> PlacedFrame:
        """A frame with room for the skip below its title, and below the titles inside."""
        more = 0.0
        for head, lane in self.lanes.items():
            around = self.around.get(head, ())
            if any(other is frame for other in around):
                y = self.at[head].middle[0] + lane
                more = max(more, *(other.at.x + _title_height(other) + TITLE - y for other in around))
        at = frame.at
        return replace(frame, at=Rectangle(at.x - more, at.y, at.width + more, at.height))

    def _part(self, key: str) -> int:
        return self._part_at(self.at[key].middle[1])

    def _part_at(self, y: float) -> int:
        return bisect_right(self.cuts, y)

    def _span(self, part: int) -> Rectangle:
        """What a part covers on the strip."""
        places = [*map(_outline, self.strip.boxes), *(frame.at for frame in self.frames)]
        every = [at for at in places if self._part_at(at.middle[1]) == part]
        curves = [placed.curve for placed in self.strip.arrows if self._part_at(placed.curve[0][1]) == part]
        xs = [x for curve in curves for x, _ in curve]
        left, right = min([*xs, *(at.x for at in every)]), max([*xs, *(at.right for at in every)])
        start, stop = min(at.y for at in every), max(at.bottom for at in every)
        return Rectangle(left, start, right - left, stop - start)

    def _moves(self) -> list[Point]:
        """How far each part is moved across and along."""
        across = self._across()
        tops = [at.x + across[self._part(key)] for key, at in self.at.items()]  # with all room for labels
        lanes = [self.at[head].middle[0] + lane + across[self._part(head)] for head, lane in self.lanes.items()]
        more = BORDER - min(
            *tops, *lanes, *(frame.at.x + across[self._part_at(frame.at.middle[1])] for frame in self.frames)
        )
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
            exit, left = self._exit(arrow.tail, is_down=part <= len(self.skips)) + moves[-1], BORDER
            move = exit - _port(self.boxes[arrow.head], is_low=part > len(self.skips))[1]
            if self._is_entered_beside(arrow.head, part):
                move, left = BORDER - self.spans[part].y, exit + TURN
            if beside < part:
                left = self.spans[beside].bottom + moves[beside] + LEAST_SKIP
            moves.append(max(move, left - self.spans[part].y))
        return moves

    def _is_entered_beside(self, key: str, part: int) -> bool:
        """Whether the main path comes from above and enters a frame, whose title is there, from the left."""
        return part <= len(self.skips) and key in self.around

    def _exit(self, key: str, *, is_down: bool) -> float:
        """Where the main path leaves a box for another row: in the middle of a volume, or beside it.

        Beside it where another arrow enters it, as it enters a circle, or where the title of a frame is above it.
        """
        placed, frames = self.boxes[key], self.around.get(key, [])
        y = _port(placed, is_low=is_down, is_last=True)[1]
        if not is_down and any(y < frame.at.y + _title_width(frame) for frame in frames):
            return frames[0].at.bottom + TURN
        volume, end = placed.box.volume, _port(placed, is_low=False)[1]
        is_free = volume is not None and not volume.sign and (is_down or y >= end + TURN or not self._is_entered(key))
        return y if is_free else placed.at.bottom + TURN

    def _is_entered(self, key: str) -> bool:
        """Whether an arrow enters a box from above."""
        return key in self.lanes or any(head == key and part < len(self.skips) for part, head in self.heads)

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
                for frame in self.frames
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
        tail, y = boxes[arrow.tail], self._exit(arrow.tail, is_down=is_down) + self.moves[part][1]
        start, end = _port(tail, is_low=is_down, is_last=True), _port(boxes[arrow.head], is_low=not is_down)
        points = [start] if y < tail.at.bottom else [(x := tail.at.middle[0], tail.at.bottom), (x, y)]
        if self._is_entered_beside(arrow.head, after):
            at = boxes[arrow.head].at
            points += [(at.middle[0], y), (at.middle[0], at.y)]
        elif abs(y - end[1]) > NEAR:
            half = (points[-1][0] + end[0]) / 2
            points += [(half, y), (half, end[1]), end]
        else:
            points.append((end[0], y))
        return replace(placed, curve=straight(*points) if len(points) == 2 else around(points))

    def _skip(self, arrow: Arrow) -> PlacedArrow:
        """From the right side of a box to the left one of another, or above what is between them and down."""
        tail, head = self.placed[arrow.tail], self.placed[arrow.head]
        middle = tail.middle[0]
        if arrow.head not in self.lanes:
            return PlacedArrow(arrow, straight((middle, tail.bottom), (middle, head.y)))
        x, y = _port(replace(self.boxes[arrow.head], at=head), is_low=False)
        lane = middle + self.lanes[arrow.head]
        turn = self._turn(arrow)
        return PlacedArrow(arrow, around([(middle, tail.bottom), (middle, turn), (lane, turn), (lane, y), (x, y)]))

    def _turn(self, skip: Arrow) -> float:
        """Where a skip leaves the middle of its row: before the first box or frame that it passes."""
        tail, head = self._part(skip.tail), self._part(skip.head)
        start, move = self.at[skip.tail].bottom, self.moves[tail][1]
        after = [at.y for key, at in self.at.items() if self._part(key) == tail and at.y >= start]
        if after:
            return (start + min(after)) / 2 + move
        return self.spans[head].y + self.moves[head][1] - TURN


def _port(placed: PlacedBox, *, is_low: bool, is_last: bool = False) -> Point:
    """Where an arrow from another row ends, or with `is_last` begins: in the middle of the texts above or below a box.

    Without texts this is at the front of a volume, or at the back of its first or last slab.
    """
    at, volume = _outline(placed), placed.box.volume
    x, middle = at.right if is_low else at.x, at.middle[1]
    if volume is None or volume.sign or label_lines(volume)[is_low]:
        return x, middle
    if is_low:
        return x, middle - volume.depth / 2
    left, slab = middle + (volume.depth - volume.thickness) / 2, volume.slabs[-1 if is_last else 0]
    return x, left + (volume.thickness - slab.thickness / 2 if is_last else slab.thickness / 2)


def _title_width(frame: PlacedFrame) -> float:
    """How far the title of a frame reaches along it."""
    return PAD_X + TURN + max((line.width for line in _title(frame)), default=0.0)


def _title(frame: PlacedFrame) -> Sequence[Line]:
    return frame_lines(frame.frame.title, frame.is_down, frame.continues)


def _title_height(frame: PlacedFrame) -> float:
    """How far the title of a frame reaches into it."""
    return PAD_Y + sum(line.height for line in _title(frame))


def _frames_around(frames: Sequence[PlacedFrame]) -> dict[str, list[PlacedFrame]]:
    """The frames around each box, from the outermost."""
    found: dict[str, list[PlacedFrame]] = {}
    for frame in frames:
        for box in Picture("", (frame.frame,), ()).boxes():
            found.setdefault(box.key, []).append(frame)
    return found


def _outline(placed: PlacedBox) -> Rectangle:
    """The place of a box without the empty room above or below a volume with its labels."""
    at = placed.at
    above, below = unused_label_room(placed.box.volume) if placed.box.volume else (0.0, 0.0)
    return Rectangle(at.x + above, at.y, at.width - above - below, at.height)
