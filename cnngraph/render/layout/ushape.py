"""Networks in the shape of a U: an encoder that goes down, a decoder beside it that goes up, and skips across.

The shape is found from the arrows: at some point of the network several of them pass by, and are nested, as the skips
of a U-Net are: the first one to leave is the last to arrive. Without these arrows the network is a chain, which is
stretched until both ends of each skip are on one level. Coordinates are abstract: y is along the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.boxes import BETWEEN, SLANT, frame_lines
from cnngraph.render.layout.breaks import Break
from cnngraph.render.layout.curves import NEAR, around, split, straight
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.measures import ENDS, MARGIN, TITLE_GAP
from cnngraph.render.picture import Arrow, Change, Picture

LEAST = 3  # skips
GUTTER, APART = 30.0, 8.0  # between encoder and decoder, and on a narrow page
LANE = 8.0  # … more for every skip that is not on one level
LEAST_SKIP = 22.0  # the least length of a skip
TURN = 9.0  # how far the main path goes below both
BORDER = 6.0


@frozen
class Skips:
    """The skips of a picture, from the outermost, the arrow that all of them pass by, and the arrows without skips."""

    skips: tuple[Arrow, ...]
    main: Arrow
    others: tuple[Arrow, ...]


def skips_of(picture: Picture) -> Skips | None:
    """The skips of a network in the shape of a U, or None."""
    place = {box.key: position for position, box in enumerate(picture.boxes())}
    leaving: dict[int, list[Arrow]] = {}
    for arrow in picture.arrows:
        leaving.setdefault(place[arrow.tail], []).append(arrow)
    best: tuple[Arrow, ...] = ()
    over: list[Arrow] = []
    for turn in range(1, len(place)):
        over = [arrow for arrow in (*over, *leaving.get(turn - 1, ())) if turn <= place[arrow.head]]
        if len(over) > len(best) and len(nested := _nested(over, place)) > len(best):
            best = nested
    if len(best) <= LEAST:
        return None
    *skips, main = best
    chosen = set(map(id, skips))
    return Skips(tuple(skips), main, tuple(arrow for arrow in picture.arrows if id(arrow) not in chosen))


def _nested(over: Sequence[Arrow], place: dict[str, int]) -> tuple[Arrow, ...]:
    """The arrows around a point from the outermost, if each is inside the one before; of two innermost, in part."""
    ordered = sorted(over, key=lambda arrow: (place[arrow.tail], -place[arrow.head]))
    ends = [(place[arrow.tail], place[arrow.head]) for arrow in ordered]
    is_nested = all(one[0] < two[0] and one[1] > two[1] for one, two in pairwise(ends[:-1]))
    last_ok = len(ends) < 2 or (ends[-2][0] <= ends[-1][0] and ends[-2][1] >= ends[-1][1])
    return tuple(ordered) if is_nested and last_ok else ()


@frozen
class Space:
    """A page across and along the flow, at the scale at which text is as small as it may be, and the largest scale."""

    across: float
    along: float
    most: float = 1.0

    def width(self, height: float) -> float:
        """How wide a drawing of a height may be without being made smaller."""
        return self.across / max(1.0, min(self.most, self.along / height))


def bent(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow], space: Space | None = None) -> Drawing | None:
    """The strip of a network without its skips, bent to a U, with the skips across; None if it cannot be bent."""
    at = _places(strip)
    inner = skips[-1]
    turns = [
        place
        for place in breaks
        if at[inner.tail].bottom <= place.y <= at[inner.head].y
        and not any(frame.at.y < place.y < frame.at.bottom for frame in strip.frames)
        and sum(arrow.curve[0][1] < place.y < arrow.curve[-1][1] for arrow in strip.arrows) == 1
    ]
    if not turns:
        return None
    turn = turns[-1]
    rising = _Titles(strip, turn.y)
    strip, breaks = rising.moved(), [replace(place, y=rising.y((place.x, place.y))) for place in breaks]
    stretched = _Stretch(_spaces(strip, breaks, skips))
    turn = replace(turn, y=stretched.y(turn.y))
    drawing = _Bending(stretched.drawing(strip), turn, skips, space).drawing()
    return None if any(_is_hit(drawing, arrow) for arrow in drawing.arrows[-len(skips) :]) else drawing


def _places(drawing: Drawing) -> dict[str, Rectangle]:
    return {box.box.key: box.at for box in drawing.boxes}


def _is_hit(drawing: Drawing, arrow: PlacedArrow) -> bool:
    """Whether a skip would cross a box."""
    ends = arrow.arrow.tail, arrow.arrow.head
    others = [box.at for box in drawing.boxes if box.box.key not in ends]
    return any(_overlaps(start, end, at) for start, end in pairwise(arrow.curve[::3]) for at in others)


def _overlaps(start: Point, end: Point, at: Rectangle) -> bool:
    """Whether a line along or across the flow passes a rectangle."""
    (left, right), (high, low) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return left < at.right and at.x < right and high < at.bottom and at.y < low + 0.01


class _Titles:
    """Moves the titles of the frames after the turn to their other end, which is above when they are mirrored."""

    def __init__(self, strip: Drawing, turn: float) -> None:
        self.strip = strip
        frames = [frame for frame in strip.frames if frame.at.y > turn and frame.is_down]
        self.rooms = [(frame.at, sum(line.height for line in frame_lines(frame.frame.title))) for frame in frames]
        self.lefts: dict[str, float] = {}
        for frame in sorted(frames, key=lambda frame: -frame.level):
            width = max((line.width for line in frame_lines(frame.frame.title)), default=0.0)
            inner = [self.lefts.get(member.key, frame.at.right) - MARGIN for member in frame.frame.members]
            before = [x - width - TITLE_GAP - MARGIN for x in _exits(strip, frame.at)]
            self.lefts[frame.frame.key] = min([frame.at.x, *inner, *before])

    def y(self, point: Point) -> float:
        """The new y of a point: without the room for the titles of the frames around it."""
        inside = ((point[1] - at.y, room) for at, room in self.rooms if _is_in(point, at))
        return point[1] - sum(room * min(1.0, start / (room + ENDS)) for start, room in inside)

    def moved(self) -> Drawing:
        strip = self.strip
        return replace(
            strip,
            boxes=tuple(replace(box, at=self._placed(box.at, box.at.middle)) for box in strip.boxes),
            frames=tuple(self._frame(frame) for frame in strip.frames),
            arrows=tuple(
                replace(arrow, curve=tuple((x, self.y((x, y))) for x, y in arrow.curve)) for arrow in strip.arrows
            ),
            notes=tuple(replace(note, y=self.y((note.x, note.y))) for note in strip.notes),
        )

    def _placed(self, at: Rectangle, inside: Point) -> Rectangle:
        return at.moved(0, self.y(inside) - inside[1])

    def _frame(self, frame: PlacedFrame) -> PlacedFrame:
        at = self._placed(frame.at, (frame.at.middle[0], frame.at.y))  # not inside itself
        left = self.lefts.get(frame.frame.key, at.x)
        return replace(frame, at=Rectangle(left, at.y, at.right - left, at.height))


def _exits(strip: Drawing, at: Rectangle) -> list[float]:
    """The x at which arrows leave a frame."""
    curves = [arrow.curve for arrow in strip.arrows if arrow.curve[0][1] < at.bottom < arrow.curve[-1][1]]
    xs = [split(curve, at.bottom)[0][-1][0] for curve in curves]
    return [x for x in xs if at.x < x < at.right]


def _is_in(point: Point, at: Rectangle) -> bool:
    return at.x < point[0] < at.right and at.y < point[1] < at.bottom


def _spaces(strip: Drawing, breaks: Sequence[Break], skips: Sequence[Arrow]) -> list[tuple[float, float]]:
    """Where to insert how much space, so that the ends of all skips are equally far apart."""
    at, found = _places(strip), []
    for outer, inner in pairwise(skips):
        tails, heads = (at[outer.tail], at[inner.tail]), (at[inner.head], at[outer.head])
        more = _distance(*tails) - _distance(*heads)
        first, last = heads if more > 0 else tails
        places = [place for place in breaks if first.bottom <= place.y <= last.y]
        if places and abs(more) > NEAR:
            found.append((min(places, key=lambda place: place.depth).y, abs(more)))
    return found


def _distance(one: Rectangle, two: Rectangle) -> float:
    return two.middle[1] - one.middle[1]


class _Stretch:
    """Inserts space across a whole strip."""

    def __init__(self, spaces: Sequence[tuple[float, float]]) -> None:
        self.spaces = spaces

    def y(self, y: float) -> float:
        return y + sum(more for place, more in self.spaces if place < y)

    def drawing(self, strip: Drawing) -> Drawing:
        return replace(
            strip,
            height=self.y(strip.height),
            boxes=tuple(replace(box, at=self._place(box.at)) for box in strip.boxes),
            frames=tuple(replace(frame, at=self._place(frame.at)) for frame in strip.frames),
            arrows=tuple(replace(arrow, curve=tuple((x, self.y(y)) for x, y in arrow.curve)) for arrow in strip.arrows),
            notes=tuple(replace(note, y=self.y(note.y)) for note in strip.notes),
        )

    def _place(self, at: Rectangle) -> Rectangle:
        top = self.y(at.y)
        return Rectangle(at.x, top, at.width, self.y(at.bottom) - top)


def _extents(strip: Drawing) -> Iterator[tuple[float, tuple[float, float]]]:
    """A y of everything in a strip, with its least and greatest x."""
    for at in [*(box.at for box in strip.boxes), *(frame.at for frame in strip.frames)]:
        yield at.y, (at.x, at.right)
    for note in strip.notes:
        yield note.y, (note.x - note.across / 2, note.x + note.across / 2)
    for arrow in strip.arrows:
        yield from ((y, (x - 1, x + 1)) for x, y in arrow.curve)


class _Bending:
    """Mirrors what is after a break and puts it beside what is before, with the innermost skip on one level."""

    def __init__(self, strip: Drawing, turn: Break, skips: Sequence[Arrow], space: Space | None) -> None:
        self.strip, self.turn, self.skips = strip, turn, skips
        at, inner = _places(strip), skips[-1]
        self.mirror = at[inner.tail].middle[1] + at[inner.head].middle[1]
        self.up = max(0.0, strip.height - self.mirror)  # the decoder may be longer than the encoder
        self.low = self.up + max(turn.y, self.mirror - turn.y) + TURN
        before = [span for y, span in _extents(strip) if y < turn.y]
        after = [span for y, span in _extents(strip) if y > turn.y]
        right, left = max(right for _, right in before), min(left for left, _ in after)
        self.left = BORDER - min(left for left, _ in before)
        self.right = self.left + right
        inside = min(right - at[skip.tail].right + at[skip.head].x - left for skip in skips)  # the part in frames
        narrow = max(APART, LEAST_SKIP - inside)
        rest = self.right + max(right for _, right in after) - left + BORDER + self._lanes()
        wide = space.width(self.low + BORDER) - rest if space else GUTTER
        self.gutter = max(narrow, min(wide, GUTTER)) + self._lanes()
        self.shift = self.right + self.gutter - left
        self.width = self.shift + max(right for _, right in after) + BORDER

    def _lanes(self) -> float:
        """The room for skips whose ends are not on one level."""
        at = _places(self.strip)
        middles = [at[skip.tail].middle[1] + at[skip.head].middle[1] for skip in self.skips]
        return LANE * sum(abs(middle - self.mirror) > NEAR for middle in middles)

    def drawing(self) -> Drawing:
        boxes = tuple(replace(box, at=self._place(box.at)) for box in self.strip.boxes)
        at = {box.box.key: box.at for box in boxes}
        skips = [PlacedArrow(arrow, self._skip(arrow, place, at)) for place, arrow in enumerate(self.skips)]
        return replace(
            self.strip,
            width=self.width,
            height=self.low + BORDER,
            boxes=boxes,
            frames=tuple(replace(frame, at=self._place(frame.at)) for frame in self.strip.frames),
            arrows=(*(self._arrow(arrow) for arrow in self.strip.arrows), *skips),
            notes=tuple(self._note(note) for note in self.strip.notes),
        )

    def _is_after(self, y: float) -> bool:
        return y > self.turn.y

    def _place(self, at: Rectangle) -> Rectangle:
        if not self._is_after(at.y):
            return at.moved(self.left, self.up)
        return Rectangle(at.x + self.shift, self._mirrored(at.bottom), at.width, at.height)

    def _mirrored(self, y: float) -> float:
        return self.up + self.mirror - y

    def _note(self, note: Note) -> Note:
        if not self._is_after(note.y):
            return replace(note, x=note.x + self.left, y=note.y + self.up)
        return replace(note, x=note.x + self.shift, y=self._mirrored(note.y))

    def _point(self, point: Point) -> Point:
        x, y = point
        return (x + self.shift, self._mirrored(y)) if self._is_after(y) else (x + self.left, y + self.up)

    def _arrow(self, placed: PlacedArrow) -> PlacedArrow:
        start, end = placed.curve[0], placed.curve[-1]
        if self._is_after(start[1]) or not self._is_after(end[1]):
            return replace(placed, curve=tuple(map(self._point, placed.curve)))
        first, last = self._point(start), self._point(end)
        return replace(placed, curve=around([first, (first[0], self.low), (last[0], self.low), last]))

    def _skip(self, arrow: Arrow, place: int, at: dict[str, Rectangle]) -> tuple[Point, ...]:
        """From the side of one box to that of the other; an outer skip turns nearer to the decoder."""
        tail, head = at[arrow.tail], at[arrow.head]
        lane = self.right + self.gutter / 2 + LANE * ((len(self.skips) - 1) / 2 - place)
        slanted = {box.box.key: (SLANT + BETWEEN) / 2 for box in self.strip.boxes if box.box.change is not Change.NONE}
        start = tail.right - slanted.get(arrow.tail, 0.0), tail.middle[1]
        end = head.x + slanted.get(arrow.head, 0.0), head.middle[1]
        if abs(start[1] - end[1]) <= NEAR:
            return straight(start, (end[0], start[1]))
        return around([start, (lane, start[1]), (lane, end[1]), end])
