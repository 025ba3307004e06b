"""A drawing as rectangles, circles, curves and texts with colours: what SVG, PDF and PNG consist of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.render.colours import Theme, shaded
from cnngraph.render.layout.boxes import BETWEEN, LEADING, PAD_X, PAD_Y, SMALL, Line, Run, frame_lines, labels_of, lines
from cnngraph.render.layout.drawing import Drawing, Key, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.surroundings import HEADING, KINDS, SIGNS, SWATCH
from cnngraph.render.picture import Box, Look, Row, Shape, Volume, sign

ARROW = 5.0  # the length of an arrowhead
RADIUS = 3.0
LIT, SIDE = 1.1, 0.85  # the colours of the upper and the right side of a volume
ASCENT = 0.36  # from the middle of a line of text down to its baseline, in font sizes


@frozen
class Rect:
    """A rectangle with round corners."""

    at: Rectangle
    fill: str
    stroke: str = ""
    radius: float = RADIUS
    dashed: bool = False


@frozen
class Circle:
    """A circle."""

    x: float
    y: float
    radius: float
    fill: str
    stroke: str
    dashed: bool = False


@frozen
class Curve:
    """A chain of cubic Bézier segments."""

    points: tuple[Point, ...]
    stroke: str
    dashed: bool = False


@frozen
class Polygon:
    """A filled polygon; without a fill, its outline."""

    points: tuple[Point, ...]
    fill: str
    stroke: str = ""


@frozen
class Text:
    """A line of text around the middle x, on the baseline y; with `to_left` it starts at x."""

    x: float
    y: float
    line: Line
    colours: tuple[str, ...]
    to_left: bool = False


Part = Rect | Circle | Curve | Polygon | Text


@frozen
class Group:
    """The parts of one box, frame or arrow. `tip` is its tooltip."""

    key: str
    kind: str
    tip: str
    parts: tuple[Part, ...]


def marks(drawing: Drawing, theme: Theme) -> Iterator[Group]:
    """Everything in a drawing, from back to front."""
    return _Marks(drawing, theme).groups()


def front_of(volume: Volume, at: Rectangle) -> Rectangle:
    """The front of a volume in the middle of its place."""
    x, y = at.middle
    x, y = x - (volume.thickness + volume.depth) / 2, y - (volume.height - volume.depth) / 2
    return Rectangle(x, y, volume.thickness, volume.height)


class _Marks:
    def __init__(self, drawing: Drawing, theme: Theme) -> None:
        self.drawing, self.theme = drawing, theme
        self.volumes = {placed.box.key: placed for placed in drawing.boxes if placed.box.volume}
        self.starts: dict[str, list[float]] = {}
        self.ends: dict[str, list[float]] = {}
        for placed in drawing.arrows if self.volumes else ():
            self.starts.setdefault(placed.arrow.tail, []).append(placed.curve[0][1])
            self.ends.setdefault(placed.arrow.head, []).append(placed.curve[-1][1])

    def groups(self) -> Iterator[Group]:
        for frame in self.drawing.frames:
            key = "" if frame.continues else frame.frame.key
            yield Group(key, "frame", frame.frame.tip, tuple(self._frame(frame)))
        for number, arrow in enumerate(self.drawing.arrows):
            key = f"arrow{number}-{arrow.arrow.tail}-{arrow.arrow.head}"
            yield Group(key, "arrow", "", tuple(self._arrow(arrow)))
        for box in self.drawing.boxes:
            yield Group(box.box.key, f"box {box.box.shape}", box.box.tip, tuple(self._box(box)))
        for note in self.drawing.notes:
            yield Group("", "note", "", (self._note(note),))
        if self.drawing.title:
            line = Line((Run(self.drawing.title, HEADING, bold=True),))
            yield Group("", "title", "", (self._text(self.drawing.width / 2, HEADING, line),))
        for entry in self.drawing.legend:
            yield Group("", "legend", "", tuple(self._key(entry)))

    def _frame(self, placed: PlacedFrame) -> Iterator[Part]:
        frame, at, theme = placed.frame, placed.at, self.theme
        plain = frame.look is Look.PLAIN
        ground = theme.frame_fills[(placed.level + 1) % 2]
        yield Rect(at, ground, theme.frame_line if plain else theme.pale, 2 * RADIUS, not plain)
        texts = frame_lines(frame.title, placed.is_down, placed.continues)
        y = at.y + PAD_Y
        for line in texts:
            y += line.height
            yield self._text(at.x + PAD_X + 2, y - line.height / 2, line, to_left=True)

    def _box(self, placed: PlacedBox) -> Iterator[Part]:
        box, at = placed.box, placed.at
        if box.volume:
            yield from self._volume(box, box.volume, at)
        elif mark := sign(box):
            yield from self._circle(box, mark, at)
        elif box.shape in (Shape.INPUT, Shape.OUTPUT):
            yield from self._terminal(box, at)
        else:
            yield from self._rows(box, at)

    def _key(self, key: Key) -> Iterator[Part]:
        """An entry of the legend."""
        sample, theme = key.sample, self.theme
        at = Rectangle(key.x, key.y - SWATCH / 2, SWATCH, SWATCH)
        if sample in SIGNS:
            box = Box("", Shape.JOIN, rows=(Row(SIGNS[sample], "merge"),))
            yield from self._circle(box, sample, at)
        elif sample in set(Look):
            yield Rect(at, theme.box, theme.pale if sample == Look.UNUSED else theme.line, RADIUS, dashed=True)
        elif sample in KINDS:
            yield Rect(at, theme.fill(sample), theme.edge(sample), RADIUS)
        else:
            yield self._text(at.middle[0], key.y, Line((Run(sample, SMALL, bold=True),)))
        yield self._text(at.right + 4, key.y, Line((Run(key.text, SMALL),)), to_left=True)

    def _circle(self, box: Box, mark: str, at: Rectangle) -> Iterator[Part]:
        x, y = at.middle
        colour = self.theme.pale if box.look is Look.UNUSED else self.theme.line
        yield Circle(x, y, at.width / 2, self.theme.box, colour, box.look is not Look.PLAIN)
        strokes = {"+": ((1, 0), (0, 1)), "−": ((1, 0),), "×": ((0.75, 0.75), (0.75, -0.75))}.get(mark, ())
        for across, along in strokes:
            dx, dy = across * at.width * 0.27, along * at.width * 0.27
            yield Curve(_segment((x - dx, y - dy), (x + dx, y + dy)), self.theme.ink)
        if not strokes:
            yield self._text(x, y, Line((Run(mark),)))

    def _terminal(self, box: Box, at: Rectangle) -> Iterator[Part]:
        plain, theme = box.look is Look.PLAIN, self.theme
        yield Rect(at, theme.terminal if plain else theme.box, theme.terminal, 2 * RADIUS, not plain)
        (line,) = lines(box)
        x, y = at.middle
        yield self._text(x, y, line, theme.terminal_ink if plain else theme.ink)

    def _rows(self, box: Box, at: Rectangle) -> Iterator[Part]:
        theme, unused = self.theme, box.look is Look.UNUSED
        texts, one = lines(box), box.is_one
        ground = theme.box if unused or not one else theme.fill(box.rows[0].kind)
        border = theme.pale if unused else theme.edge(box.rows[0].kind) if one else theme.line
        yield Rect(at, ground, border, RADIUS, box.look is not Look.PLAIN)
        y = at.y + PAD_Y + BETWEEN * (not one)
        for line in texts:
            if line.kind and not one and not unused:
                strip = Rectangle(at.x + BETWEEN + 0.5, y, at.width - 2 * BETWEEN - 1, line.height)
                yield Rect(strip, theme.fill(line.kind), "", RADIUS - 1)
            yield self._text(at.middle[0], y + line.height / 2, line, theme.pale if unused else theme.ink)
            y += line.height + BETWEEN * (bool(line.kind) and not one)

    def _volume(self, box: Box, volume: Volume, at: Rectangle) -> Iterator[Part]:
        """Slices in parallel projection, from the front, above and the right, with labels above and below."""
        front = front_of(volume, at)
        yield from self._faces(volume, front)
        x, right, back = front.x, front.right, (volume.depth, -volume.depth)
        line = self.theme.pale if box.look is Look.UNUSED else self.theme.line
        yield Polygon(_quad((x, front.y), (right, front.y), back), "", line)
        yield Polygon(_quad((x, front.y), (right, front.y), (0, front.height)), "", line)
        yield Polygon(_quad((right, front.y), (right, front.bottom), back), "", line)
        middle, y = at.middle[0], front.bottom + SMALL * LEADING * 0.6
        if volume.size:
            above = front.y - volume.depth - SMALL * 0.65
            yield self._text(middle, above, Line((Run(volume.size, SMALL, grey=True),)))
        labelled = [(start, slab.label) for start, slab in labels_of(volume) if slab.label]
        for start, label in labelled:
            yield self._text(front.x + start, y, Line((Run(label, SMALL),)))
        if volume.name:
            yield self._text(middle, y + SMALL * LEADING * bool(labelled), Line((Run(volume.name, SMALL),)))

    def _faces(self, volume: Volume, front: Rectangle) -> Iterator[Part]:
        x, back = front.x, (volume.depth, -volume.depth)
        colour = self.theme.box
        for kind, thickness in (piece for slab in volume.slabs for piece in slab.slices):
            colour = self.theme.terminal if kind == Shape.INPUT else self.theme.fill(kind)
            yield Polygon(_quad((x, front.y), (x + thickness, front.y), back), shaded(colour, LIT))
            yield Polygon(_quad((x, front.y), (x + thickness, front.y), (0, front.height)), colour)
            x += thickness
        yield Polygon(_quad((x, front.y), (x, front.bottom), back), shaded(colour, SIDE))

    def _text(self, x: float, middle: float, line: Line, colour: str = "", *, to_left: bool = False) -> Text:
        size = max(run.size for run in line.runs)
        colours = tuple(self.theme.grey if run.grey else colour or self.theme.ink for run in line.runs)
        return Text(x, middle + size * ASCENT, line, colours, to_left)

    def _note(self, note: Note) -> Text:
        return self._text(note.x, note.y, Line((Run(note.text, SMALL, grey=True),)))

    def _to_volumes(self, placed: PlacedArrow) -> tuple[Point, ...]:
        """The curve of an arrow, with its ends at the volumes themselves instead of the places with their labels."""
        curve, arrow = placed.curve, placed.arrow
        if (tail := self.volumes.get(arrow.tail)) and (volume := tail.box.volume):
            front = front_of(volume, tail.at)
            side = front.y - volume.depth, front.bottom - volume.depth
            y = _within(side, curve[0][1], tail.at.middle[1], self.starts[arrow.tail])
            curve = ((front.right + volume.depth, y), (curve[1][0], y), *curve[2:])
        if (head := self.volumes.get(arrow.head)) and (volume := head.box.volume):
            front = front_of(volume, head.at)
            y = _within((front.y, front.bottom), curve[-1][1], head.at.middle[1], self.ends[arrow.head])
            curve = (*curve[:-2], (curve[-2][0], y), (front.x, y))
        return curve

    def _arrow(self, placed: PlacedArrow) -> Iterator[Part]:
        curve = self._to_volumes(replace(placed, curve=_without_stops(placed.curve)))
        stroke = self.theme.pale if placed.arrow.look is Look.UNUSED else self.theme.line
        (x, y), before = curve[-1], next((point for point in reversed(curve[:-1]) if point != curve[-1]), curve[0])
        length = math.hypot(x - before[0], y - before[1]) or 1.0
        along = (x - before[0]) / length, (y - before[1]) / length
        back = x - ARROW * along[0], y - ARROW * along[1]
        yield Curve((*curve[:-1], back), stroke, placed.arrow.look is not Look.PLAIN)
        half = ARROW * 0.36
        sides = [(back[0] + half * across * along[1], back[1] - half * across * along[0]) for across in (1, -1)]
        yield Polygon(((x, y), *sides), stroke)


def _quad(start: Point, end: Point, along: Point) -> tuple[Point, ...]:
    """A parallelogram by one side and the direction of the others."""
    (x, y), (a, b), (dx, dy) = start, end, along
    return start, end, (a + dx, b + dy), (x + dx, y + dy)


def _within(side: Point, y: float, middle: float, ends: Sequence[float]) -> float:
    """A y among those at which arrows end, moved towards the middle such that all are on the side of a volume."""
    up, down = middle - min(ends), max(ends) - middle
    fits = min((middle - side[0]) / up if up > 0 else 1, (side[1] - middle) / down if down > 0 else 1)
    return y if fits >= 1 else middle + (y - middle) * fits * 0.85


def _without_stops(curve: Sequence[Point]) -> tuple[Point, ...]:
    """The curve without segments of no length, at which an arrowhead would point back."""
    points = [curve[0]]
    for place in range(1, len(curve), 3):
        segment = curve[place : place + 3]
        if any(point != points[-1] for point in segment):
            points += segment
    return tuple(points)


def _segment(start: Point, end: Point) -> tuple[Point, ...]:
    """A straight line as a curve."""
    return start, start, end, end
