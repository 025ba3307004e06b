"""The pieces of a drawing between breaks, and how much room each needs across the flow.

A frame that is cut has a part in every piece that it reaches. A part is as wide as what is in it, and as its title.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.breaks import Break, along, cut_frames
from cnngraph.render.layout.curves import split
from cnngraph.render.layout.drawing import Drawing, PlacedFrame, Rectangle
from cnngraph.render.layout.measures import MARGIN, TITLE_GAP
from cnngraph.render.picture import Shape, sign

HEAD = 16.0  # the height of a title at the head of a column
CONTINUED = 6.0  # … if no title is beside the flow
FOOT = 4.0  # between the lower ends of frames that are cut
OUTER = ""  # the key of a whole piece

Span = tuple[float, float]  # the least and greatest x
Spans = dict[str, Span]  # of a piece, and of the part of each frame in it, by key


class Pieces:
    """The sections of a drawing between all places where it can be broken. A piece is a run of sections."""

    def __init__(self, drawing: Drawing, breaks: Sequence[Break]) -> None:
        self.drawing = drawing
        self.ys = [0.0, *(place.y for place in breaks), drawing.height]
        self.cut = [[], *(cut_frames(drawing, place.y) for place in breaks), []]  # the frames at each y
        self.xs = [0.0, *(place.x for place in breaks)]
        self.heads = [sum(map(_head, cut)) for cut in self.cut]
        self.feet = [FOOT * len(cut) for cut in self.cut]
        self.least = [max((along(frame, continues=True) for frame in cut), default=0.0) for cut in self.cut]
        self.sections: list[Spans] = [{} for _ in range(len(self.ys) - 1)]
        self.counts = [0] * len(self.sections)  # of boxes that compute something
        self.long = [frame for frame in drawing.frames if len(set(self._sections(frame.at))) > 1]
        self.present: list[list[PlacedFrame]] = [[] for _ in self.sections]
        for frame in sorted(self.long, key=lambda frame: frame.level):
            for section in self._sections(frame.at):
                self.present[section].append(frame)
        self.whole: list[list[tuple[int, Spans]]] = [[] for _ in self.sections]
        self._measure()

    def height(self, start: int, stop: int) -> float:
        """The height of the piece from one break to another, with the titles of frames that continue in it."""
        return self.ys[stop] - self.ys[start] + self.heads[start] + self.feet[stop]

    def top(self, frame: PlacedFrame, place: int) -> float:
        """The upper end of the part of a frame that continues after a break."""
        cut = self.cut[place]
        return self.ys[place] - sum(map(_head, cut[cut.index(frame) :]))

    def bottom(self, frame: PlacedFrame, place: int) -> float:
        """The lower end of the part of a frame that is cut by a break."""
        cut = self.cut[place]
        return self.ys[place] + FOOT * (len(cut) - cut.index(frame))

    def grown(self, start: int) -> Iterator[tuple[int, Spans]]:
        """The spans of the pieces that start at a break, from the shortest; the same dictionary each time."""
        found: Spans = {}
        for frame, outer in _nested(self.cut[start]):
            _add(found, _title_span(frame, self.xs[start], continues=True), outer, frame)
        for section in range(start, len(self.sections)):
            _merge(found, self.sections[section])
            for first, spans in self.whole[section]:
                if first >= start:
                    _merge(found, spans)
            yield section + 1, found

    def spans(self, start: int, stop: int) -> Spans:
        """The spans of the piece from one break to another."""
        return next((found for end, found in self.grown(start) if end == stop), {})

    def _sections(self, at: Rectangle) -> range:
        return range(bisect_right(self.ys, at.y) - 1, self._last(at.bottom) + 1)

    def _last(self, y: float) -> int:
        return min(max(bisect_left(self.ys, y) - 1, 0), len(self.ys) - 2)

    def _measure(self) -> None:
        for placed in self.drawing.boxes:
            self._include(placed.at)
            is_computed = placed.box.shape not in (Shape.INPUT, Shape.OUTPUT) and not sign(placed.box)
            self.counts[self._last(placed.at.bottom)] += is_computed
        for note in self.drawing.notes:
            self._include(Rectangle(note.x - note.across / 2, note.y, note.across, 0.0))
        for curve in (arrow.curve for arrow in self.drawing.arrows):
            for place in range(0, len(curve) - 3, 3):
                xs, ys = zip(*curve[place : place + 4], strict=True)
                self._include(Rectangle(min(xs) - 1, min(ys), max(xs) - min(xs) + 2, max(ys) - min(ys)))
        whole = set(map(id, self.long))
        for frame in self.drawing.frames:
            if id(frame) in whole:
                self._include_long(frame)
            else:
                self._include(frame.at)

    def _include(self, at: Rectangle) -> None:
        """Widen the sections in which something is, and the parts of the long frames around it."""
        for section in self._sections(at):
            low, high = max(at.y, self.ys[section]), min(at.bottom, self.ys[section + 1])
            clipped = Rectangle(at.x, low, at.width, high - low)
            around = [frame for frame in self.present[section] if _contains(frame.at, clipped)]
            _add(self.sections[section], (at.x, at.right), around)

    def _include_long(self, frame: PlacedFrame) -> None:
        """Widen the section in which a frame begins for its title, and pieces in which it is whole."""
        first, last = self._sections(frame.at)[0], self._last(frame.at.bottom)
        outer = [other for other in self.present[first] if other.level < frame.level and _contains(other.at, frame.at)]
        spans: Spans = {}
        _add(spans, (frame.at.x, frame.at.right), outer)
        self.whole[last].append((first, spans))
        entry = min(self._entries(frame), default=None)
        _add(self.sections[first], _title_span(frame, entry, continues=False), outer, frame)

    def _entries(self, frame: PlacedFrame) -> Iterator[float]:
        """The x at which arrows enter a frame."""
        at = frame.at
        for arrow in self.drawing.arrows:
            if arrow.curve[0][1] < at.y < arrow.curve[-1][1]:
                x = split(arrow.curve, at.y)[0][-1][0]
                if at.x < x < at.right:
                    yield x


def _head(frame: PlacedFrame) -> float:
    """The room at the head of a column for the title of a frame that continues in it."""
    return HEAD if frame.is_down and frame.frame.title else CONTINUED


def _title_span(frame: PlacedFrame, entry: float | None, *, continues: bool) -> Span:
    """What a frame needs for its title, left of the arrow into it; nothing if the title is along the flow."""
    texts = frame_lines(frame.frame.title, frame.is_down, continues) if frame.is_down else ()
    width = max((line.width for line in texts), default=0.0)
    if not width:
        return float("inf"), float("-inf")
    left = frame.at.x if entry is None else entry - TITLE_GAP - width - MARGIN
    return left, left + width + 2 * MARGIN


def _add(found: Spans, span: Span, around: Sequence[PlacedFrame], own: PlacedFrame | None = None) -> None:
    """Widen a piece and the parts of frames around something, from the outermost; of `own`, the part itself."""
    if own is not None:
        _merge(found, {own.frame.key: span})
    left, right = span
    for frame in reversed(around):
        left, right = left - _before(frame), right + MARGIN
        _merge(found, {frame.frame.key: (left, right)})
    _merge(found, {OUTER: (left, right)})


def _before(frame: PlacedFrame) -> float:
    """The margin of a frame on the side on which the title is, if that is along the flow."""
    texts = () if frame.is_down else frame_lines(frame.frame.title, is_down=False)
    return MARGIN + sum(line.height for line in texts)


def _merge(found: Spans, others: Spans) -> None:
    for key, (left, right) in others.items():
        known = found.get(key)
        found[key] = (left, right) if known is None else (min(left, known[0]), max(right, known[1]))


def _nested(frames: Sequence[PlacedFrame]) -> Iterable[tuple[PlacedFrame, Sequence[PlacedFrame]]]:
    """Each frame with those around it."""
    return ((frame, frames[:place]) for place, frame in enumerate(frames))


def _contains(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer.x - 0.5 <= inner.x
        and inner.right <= outer.right + 0.5
        and outer.y - 0.5 <= inner.y
        and inner.bottom <= outer.bottom + 0.5
    )
