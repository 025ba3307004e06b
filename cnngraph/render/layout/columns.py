"""Breaking a long drawing into columns, like text, so that it fits a page.

A column ends where one line crosses and nothing is beside it. The line continues at the head of the next column; a
frame that is cut has a part in each. Coordinates are abstract: y is along the flow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.frozen import frozen
from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.curves import around
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle

GUTTER = 26.0  # between columns
TURN = 9.0  # how far below and above the columns a line continues
BORDER = 6.0
MAX_COLUMNS = 12
GAIN = 1.05  # how much larger a drawing with one more column must be
HEAD = 16.0  # the height of a title at the head of a column
TITLE_ROOM = 14.0  # beside a title
CONTINUED = 6.0  # … if no title is beside the flow
WORTH = 1.12  # how much higher columns may be that cut fewer frames


@frozen
class Break:
    """A place at which a column may end: the y, the x of the line that crosses it, and how many frames it cuts."""

    y: float
    x: float
    depth: int


@frozen
class Columns:
    """A choice of breaks, with the size that the drawing has then, across and along the flow."""

    breaks: tuple[Break, ...]
    across: float
    along: float


def fitting(drawing: Drawing, breaks: Sequence[Break], across: float, along: float, most: float) -> Columns:
    """The columns with which a drawing is largest on a page, which has this size at scale 1, across and along the flow.

    It is never enlarged more than `most`.
    """
    best: Columns | None = None
    for count in range(1, min(MAX_COLUMNS, len(breaks) + 1) + 1):
        chosen = _sized(drawing, _balanced(drawing, breaks, count))
        if best is None or _scale(chosen, across, along, most) > GAIN * _scale(best, across, along, most):
            best = chosen
        if best and _scale(best, across, along, most) >= most:
            break
    assert best is not None
    return best


def _scale(columns: Columns, across: float, along: float, most: float) -> float:
    return min(most, across / columns.across, along / columns.along)


def _balanced(drawing: Drawing, breaks: Sequence[Break], count: int) -> tuple[Break, ...]:
    """Breaks for a number of columns of nearly equal height, which cut few frames."""
    deepest = max((place.depth for place in breaks), default=0)
    every = _filled(drawing.height, breaks, count)
    for depth in range(deepest):
        some = _filled(drawing.height, [place for place in breaks if place.depth <= depth], count)
        if some is not None and every is not None and _tallest(drawing, some) <= WORTH * _tallest(drawing, every):
            return some
    return every or ()


def _tallest(drawing: Drawing, breaks: Sequence[Break]) -> float:
    ends = [0.0, *(place.y for place in breaks), drawing.height]
    return max(stop - start for start, stop in pairwise(ends))


def _filled(height: float, breaks: Sequence[Break], count: int) -> tuple[Break, ...] | None:
    """The breaks with which the tallest of at most `count` columns is lowest."""
    ys = [place.y for place in breaks]
    low, high, best = height / count, height, None
    for _ in range(18):
        limit = (low + high) / 2
        chosen = _greedy(height, ys, limit)
        if chosen is not None and len(chosen) < count:
            best, high = chosen, limit
        else:
            low = limit
    return tuple(breaks[place] for place in best) if best is not None else None


def _greedy(height: float, ys: Sequence[float], limit: float) -> list[int] | None:
    """Columns filled up to a limit, one after the other; None if a piece is longer than that."""
    chosen, start = [], 0.0
    while height - start > limit:
        last = bisect_right(ys, start + limit) - 1
        if last < 0 or ys[last] <= start:
            return None
        chosen.append(last)
        start = ys[last]
    return chosen


def _sized(drawing: Drawing, breaks: tuple[Break, ...]) -> Columns:
    spans = _spans(drawing, breaks)
    widths = [right - left for left, right in _extents(drawing, spans)]
    heights = [stop - start + _head(_cut_frames(drawing, start)) for start, stop in spans]
    turns = 2 * TURN if breaks else 0.0
    return Columns(
        breaks, sum(widths) + GUTTER * len(breaks) + 2 * BORDER, max(heights) + turns + (2 * BORDER if breaks else 0)
    )


def _cut_frames(drawing: Drawing, y: float) -> list[PlacedFrame]:
    """The frames that a break cuts, from the outermost."""
    cut = [frame for frame in drawing.frames if frame.at.y < y < frame.at.bottom]
    return sorted(cut, key=lambda frame: frame.level)


def _head(frames: Sequence[PlacedFrame]) -> float:
    """The room at the head of a column for the titles of the frames that continue in it."""
    return sum(HEAD if frame.is_down and frame.frame.title else CONTINUED for frame in frames)


def _spans(drawing: Drawing, breaks: Sequence[Break]) -> list[tuple[float, float]]:
    ends = [0.0, *(place.y for place in breaks), drawing.height]
    return list(pairwise(ends))


def _extents(drawing: Drawing, spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least and greatest x in each span of y."""
    stops = [stop for _, stop in spans]
    lefts, rights = [float("inf")] * len(spans), [0.0] * len(spans)

    def widen(start: float, stop: float, left: float, right: float) -> None:
        for column in range(bisect_right(stops, start), min(bisect_left(stops, stop), len(spans) - 1) + 1):
            lefts[column], rights[column] = min(lefts[column], left), max(rights[column], right)

    for at in [*(box.at for box in drawing.boxes), *(frame.at for frame in drawing.frames)]:
        widen(at.y, at.bottom, at.x, at.right)
    for note in drawing.notes:
        widen(note.y, note.y, note.x - note.across / 2, note.x + note.across / 2)
    for arrow in drawing.arrows:
        for place in range(0, len(arrow.curve) - 3, 3):
            segment = arrow.curve[place : place + 4]
            xs, ys = [x for x, _ in segment], [y for _, y in segment]
            widen(min(ys), max(ys), min(xs) - 1, max(xs) + 1)
    return [(left, right) if left < right else (0.0, 0.0) for left, right in zip(lefts, rights, strict=True)]


def in_columns(drawing: Drawing, columns: Columns) -> Drawing:
    """The drawing in columns."""
    return _Moving(drawing, columns).drawing() if columns.breaks else drawing


class _Moving:
    """Moves everything into its column."""

    def __init__(self, drawing: Drawing, columns: Columns) -> None:
        self.old, self.columns, self.breaks = drawing, columns, columns.breaks
        self.spans = _spans(drawing, self.breaks)
        self.stops = [stop for _, stop in self.spans]
        self.extents = _extents(drawing, self.spans)
        self.moves: list[Point] = []
        x = BORDER
        self.cut = [_cut_frames(drawing, start) for start, _ in self.spans]
        for (left, right), (start, _), cut in zip(self.extents, self.spans, self.cut, strict=True):
            self.moves.append((x - left, BORDER + TURN + _head(cut) - start))
            x += right - left + GUTTER

    def drawing(self) -> Drawing:
        return replace(
            self.old,
            width=self.columns.across,
            height=self.columns.along,
            columns=len(self.spans),
            boxes=tuple(self._box(box) for box in self.old.boxes),
            frames=tuple(part for frame in self.old.frames for part in self._parts(frame)),
            arrows=tuple(self._arrow(arrow) for arrow in self.old.arrows),
            notes=tuple(self._note(note) for note in self.old.notes),
        )

    def _column(self, y: float) -> int:
        return min(bisect_right(self.stops, y), len(self.stops) - 1)

    def _moved(self, point: Point, column: int) -> Point:
        x, y = self.moves[column]
        return point[0] + x, point[1] + y

    def _box(self, placed: PlacedBox) -> PlacedBox:
        return replace(placed, at=placed.at.moved(*self.moves[self._column(placed.at.y)]))

    def _note(self, note: Note) -> Note:
        x, y = self.moves[self._column(note.y)]
        return replace(note, x=note.x + x, y=note.y + y)

    def _parts(self, placed: PlacedFrame) -> Iterator[PlacedFrame]:
        """The parts of a frame, one in each of its columns; all but the first are continuations."""
        first, last = self._column(placed.at.y), self._column(placed.at.bottom)
        for column in range(first, last + 1):
            start, stop = self.spans[column]
            top = placed.at.y if column == first else start
            bottom = placed.at.bottom if column == last else stop
            if column > first:
                cut = self.cut[column]
                top -= _head(cut[cut.index(placed) :])
            part = Rectangle(placed.at.x, top, placed.at.width, bottom - top)
            yield replace(placed, at=part.moved(*self.moves[column]), continues=column > first)

    def _arrow(self, placed: PlacedArrow) -> PlacedArrow:
        curve, column = list(placed.curve), self._column(placed.curve[0][1])
        done: list[Point] = []
        last = self._column(placed.curve[-1][1] - 0.01)
        while column < last:
            before, curve = _split(curve, self.breaks[column].y)
            done += [self._moved(point, column) for point in before][bool(done) :]
            done += self._turn(done[-1], self._moved(curve[0], column + 1), column)[1:]
            column += 1
        return replace(placed, curve=(*done, *[self._moved(point, column) for point in curve][bool(done) :]))

    def _turn(self, end: Point, start: Point, column: int) -> tuple[Point, ...]:
        """The way from the end of a column to the start of the next."""
        low = self.spans[column][1] + self.moves[column][1] + TURN
        high = BORDER
        gutter = self.extents[column][1] + self.moves[column][0] + GUTTER / 2
        return around([end, (end[0], low), (gutter, low), (gutter, high), (start[0], high), start])


def _split(curve: Sequence[Point], y: float) -> tuple[list[Point], list[Point]]:
    """A curve that goes down, cut at a y: the part above, and the part below."""
    for place in range(0, len(curve) - 3, 3):
        if curve[place + 3][1] >= y:
            upper, lower = _cut(curve[place : place + 4], y)
            return [*curve[: place + 1], *upper[1:]], [*lower, *curve[place + 4 :]]
    return list(curve), [curve[-1]]


def _cut(segment: Sequence[Point], y: float) -> tuple[list[Point], list[Point]]:
    """One Bézier segment, cut where it reaches a y (de Casteljau)."""
    low, high = 0.0, 1.0
    for _ in range(30):
        t = (low + high) / 2
        low, high = (t, high) if _halves(segment, t)[0][-1][1] < y else (low, t)
    return _halves(segment, (low + high) / 2)


def _halves(segment: Sequence[Point], t: float) -> tuple[list[Point], list[Point]]:
    points, first, last = list(segment), [segment[0]], [segment[-1]]
    while len(points) > 1:
        points = [(one[0] + (two[0] - one[0]) * t, one[1] + (two[1] - one[1]) * t) for one, two in pairwise(points)]
        first.append(points[0])
        last.insert(0, points[-1])
    return first, last


def breaks_of(drawing: Drawing, candidates: Sequence[Break]) -> list[Break]:
    """The candidates at which nothing is beside the line, in order of y."""
    curves = [(min(y for _, y in arrow.curve), max(y for _, y in arrow.curve), arrow.curve) for arrow in drawing.arrows]
    found = []
    for place in sorted(candidates, key=lambda place: place.y):
        if any(box.at.y < place.y < box.at.bottom for box in drawing.boxes):
            continue
        if any(_cuts_title(frame, place.y) for frame in drawing.frames):
            continue
        if all(_passes(curve, place) for low, high, curve in curves if low < place.y < high):
            found.append(place)
    return found


def _cuts_title(frame: PlacedFrame, y: float) -> bool:
    """Whether a break would leave too little of a frame for its title, which is along the flow."""
    if frame.is_down or not frame.at.y < y < frame.at.bottom:
        return False
    title = max((line.width for line in frame_lines(frame.frame.title, is_down=False)), default=0.0) + TITLE_ROOM
    return y - frame.at.y < title or frame.at.bottom - y < title


def _passes(curve: Sequence[Point], place: Break) -> bool:
    """Whether a curve crosses a break at its x."""
    above, _ = _split(curve, place.y)
    return abs(above[-1][0] - place.x) < 1
