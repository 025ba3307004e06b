"""A drawing as rectangles, circles, curves and texts with colours: what SVG, PDF and PNG consist of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from cnngraph.render.colours import Theme, shaded
from cnngraph.render.glyphs import HIGH, SIGN, dilated, gate, glyphs, strokes, trapezium
from cnngraph.render.layout.boxes import (
    BETWEEN,
    CIRCLE,
    LEADING,
    MARK,
    PAD_X,
    PAD_Y,
    SLANT,
    SMALL,
    Line,
    Run,
    frame_lines,
    labels_of,
    lines,
    poolings_of,
    size,
)
from cnngraph.render.layout.curves import NEAR, straight
from cnngraph.render.layout.drawing import Drawing, Key, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.surroundings import HEADING, SWATCH, TIMES, UPSCALED
from cnngraph.render.layout.trunks import without_stops, without_trunk
from cnngraph.render.legend import sample
from cnngraph.render.parts import RADIUS, Circle, Curve, Dash, Group, Part, Polygon, Rect, Text
from cnngraph.render.picture import Box, Change, Flow, Look, Row, Shape, Trait, Volume, sign

ARROW = 5.0  # the length of an arrowhead
LIT, SIDE = 1.1, 0.85  # the colours of the upper and the right side of a volume
ASCENT = 0.36  # from the middle of a line of text down to its baseline, in font sizes


def marks(drawing: Drawing, theme: Theme) -> Iterator[Group]:
    """Everything in a drawing, from back to front."""
    return _Marks(drawing, theme).groups()


def front_of(volume: Volume, at: Rectangle) -> Rectangle:
    """The front of a volume in the middle of its place."""
    x, y = at.middle
    if volume.sign:
        return Rectangle(x + CIRCLE / 2, y - (volume.height - volume.depth) / 2, volume.thickness, volume.height)
    x, y = x - (volume.thickness + volume.depth) / 2, y - (volume.height - volume.depth) / 2
    return Rectangle(x, y, volume.thickness, volume.height)


class _Marks:
    def __init__(self, drawing: Drawing, theme: Theme) -> None:
        self.drawing, self.theme = drawing, theme
        self.volumes = {placed.box.key: placed for placed in drawing.boxes if placed.box.volume}
        self.heads = {placed.arrow.head: placed.curve[-1] for placed in reversed(drawing.arrows)}
        self.trunks: dict[str, list[PlacedArrow]] = {}
        for placed in drawing.arrows:
            if placed.arrow.flow is Flow.DATA:
                self.trunks.setdefault(placed.arrow.source, []).append(placed)
        self.starts: dict[str, list[float]] = {}
        self.ends: dict[str, list[float]] = {}
        for placed in drawing.arrows if self.volumes else ():
            (x, y), (to, end) = placed.curve[0], placed.curve[-1]
            if not self._is_above_or_below(x, placed.arrow.tail):
                self.starts.setdefault(placed.arrow.tail, []).append(y)
            if not self._is_above_or_below(to, placed.arrow.head):
                self.ends.setdefault(placed.arrow.head, []).append(end)

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
            if mark := box.volume.sign:
                (x, y), half = at.middle, CIRCLE / 2
                yield from self._circle(box, mark, Rectangle(x - half, y - half, CIRCLE, CIRCLE))
        elif mark := sign(box):
            yield from self._circle(box, mark, at)
        elif box.shape in (Shape.INPUT, Shape.OUTPUT):
            yield from self._terminal(box, at)
        else:
            yield from self._rows(box, at)

    def _key(self, key: Key) -> Iterator[Part]:
        """An entry of the legend."""
        yield from sample(key, self.theme)
        at = key.x + SWATCH
        if key.sample in (TIMES, UPSCALED):
            yield self._text(key.x + SWATCH / 2, key.y, Line((Run(key.sample, SMALL, bold=True),)))
        yield self._text(at + 4, key.y, Line((Run(key.text, SMALL),)), to_left=True)

    def _circle(self, box: Box, mark: str, at: Rectangle) -> Iterator[Part]:
        x, y = at.middle
        if Trait.GATE in box.traits.marks and box.look is Look.PLAIN:
            yield from gate(x, y, at.width / 2, self.theme)
            return
        colour = self.theme.pale if box.look is Look.UNUSED else self.theme.line
        yield Circle(x, y, at.width / 2, self.theme.box, colour, box.look is not Look.PLAIN)
        yield from strokes(mark, x, y, at.width * 0.27, self.theme.ink)
        if mark == "c":
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
        first = next(iter(box.rows), Row("", box.shape))  # a closed block may have only a title
        kind, level = first.colour, max(first.traits.level, box.traits.level)
        ground = theme.box if unused or not one else theme.tint(kind, level)
        border = theme.pale if unused else theme.edge(kind) if one else theme.line
        exit = self._exit(box, at)
        yield self._outline(box, at, ground, border, exit)
        is_deep = one and level > 0
        inner = _inner(at, exit) if box.change is not Change.NONE else at
        y = inner.y + max(0.0, inner.height - size(box)[1]) / 2 + PAD_Y + BETWEEN * (not one)
        for line in texts:
            strip = Rectangle(inner.x + BETWEEN + 0.5, y, inner.width - 2 * BETWEEN - 1, line.height)
            if line.kind and not one and not unused:
                yield Rect(strip, theme.tint(line.kind, line.traits.level), "", RADIUS - 1)
            middle = y + line.height / 2
            yield from glyphs(line.traits.marks, strip.x + 3, middle, theme, pale=unused)
            x = max(at.middle[0], strip.x + 3 + MARK * len(line.traits.marks) + line.width / 2)
            yield self._text(x, middle, line, theme.pale if unused else theme.ink, has_grey=not is_deep)
            y += line.height + BETWEEN * (bool(line.kind) and not one)

    def _outline(self, box: Box, at: Rectangle, fill: str, stroke: str, exit: Point) -> Part:
        """The border of a box: narrower where the arrow leaves if the map becomes smaller, wider if larger."""
        dashed = box.look is not Look.PLAIN
        if box.change is Change.NONE:
            return Rect(at, fill, stroke, RADIUS, dashed)
        x, y = exit if box.change is Change.SMALLER else (-exit[0], -exit[1])
        return Polygon(trapezium(at, (x, y), SLANT + BETWEEN), fill, stroke, dashed)

    def _exit(self, box: Box, at: Rectangle) -> Point:
        """The direction of the flow through a box."""
        end = self.heads.get(box.key)
        if end is None:
            return (0, 1) if self.drawing.is_down else (1, 0)
        if min(abs(end[1] - at.y), abs(end[1] - at.bottom)) <= min(abs(end[0] - at.x), abs(end[0] - at.right)):
            return (0, 1) if end[1] < at.middle[1] else (0, -1)
        return (1, 0) if end[0] < at.middle[0] else (-1, 0)

    def _volume(self, box: Box, volume: Volume, at: Rectangle) -> Iterator[Part]:
        """Slices in parallel projection, from the front, above and the right, with labels above and below."""
        front = front_of(volume, at)
        yield from self._faces(volume, front)
        x, right, back = front.x, front.right, (volume.depth, -volume.depth)
        line = self.theme.pale if box.look is Look.UNUSED else self.theme.line
        yield Polygon(_quad((x, front.y), (right, front.y), back), "", line)
        yield Polygon(_quad((x, front.y), (right, front.y), (0, front.height)), "", line)
        yield Polygon(_quad((right, front.y), (right, front.bottom), back), "", line)
        if Trait.GATE in box.marks and not volume.sign:
            yield from gate(front.x + front.width / 2, front.y + 1.5 * SIGN, SIGN, self.theme)
        middle, y = at.middle[0], front.bottom + SMALL * LEADING * 0.6
        above = front.y - volume.depth - SMALL * 0.65
        if volume.size:
            yield self._text(middle, above, Line((Run(volume.size, SMALL, grey=True),)))
            above -= SMALL * LEADING
        for start, text in poolings_of(volume):
            yield self._text(front.x + start, above, Line((Run(text, SMALL, grey=True),)))
        for row in range(3):
            texts = [(start, slab.texts[row]) for start, slab in labels_of(volume) if slab.texts[row]]
            for start, text in texts:
                yield self._text(front.x + start, y, Line((Run(text, SMALL, grey=bool(row)),)))
            y += SMALL * LEADING * bool(texts)
        if volume.name:
            yield self._text(middle, y, Line((Run(volume.name, SMALL),)))

    def _faces(self, volume: Volume, front: Rectangle) -> Iterator[Part]:
        x, back = front.x, (volume.depth, -volume.depth)
        colour = self.theme.box
        for piece in (piece for slab in volume.slabs for piece in slab.slices):
            is_input, thickness = piece.kind == Shape.INPUT, piece.thickness
            colour = self.theme.terminal if is_input else self.theme.tint(piece.kind, piece.level)
            yield Polygon(_quad((x, front.y), (x + thickness, front.y), back), shaded(colour, LIT))
            yield Polygon(_quad((x, front.y), (x + thickness, front.y), (0, front.height)), colour)
            if piece.level:
                room = min(1.0, (min(thickness, front.height) - 1) / HIGH)
                yield from dilated(x + thickness / 2, front.middle[1], self.theme.line, room)
            x += thickness
        yield Polygon(_quad((x, front.y), (x, front.bottom), back), shaded(colour, SIDE))

    def _text(
        self, x: float, middle: float, line: Line, colour: str = "", *, to_left: bool = False, has_grey: bool = True
    ) -> Text:
        size = max(run.size for run in line.runs)
        colours = tuple(self.theme.grey if run.grey and has_grey else colour or self.theme.ink for run in line.runs)
        return Text(x, middle + size * ASCENT, line, colours, to_left)

    def _note(self, note: Note) -> Text:
        return self._text(note.x, note.y, Line((Run(note.text, SMALL, grey=True),)))

    def _to_volumes(self, placed: PlacedArrow) -> tuple[Point, ...]:
        """The curve of an arrow, with its ends at the volumes themselves instead of the places with their labels."""
        curve, arrow = without_stops(placed.curve), placed.arrow
        is_beside = not self._is_above_or_below(curve[0][0], arrow.tail)
        if is_beside and (tail := self.volumes.get(arrow.tail)) and (volume := tail.box.volume):
            front = front_of(volume, tail.at)
            side = front.y - volume.depth, front.bottom - volume.depth
            y = _within(side, curve[0][1], tail.at.middle[1], self.starts[arrow.tail])
            curve = _from_side(curve, (front.right + volume.depth, y))
        if (head := self.volumes.get(arrow.head)) and (volume := head.box.volume):
            front = front_of(volume, head.at)
            if volume.sign:
                return _to_circle(curve, head.at.middle)
            if self._is_above_or_below(curve[-1][0], arrow.head):
                return curve
            y = _within((front.y, front.bottom), curve[-1][1], head.at.middle[1], self.ends[arrow.head])
            curve = _from_side(curve[::-1], (front.x, y))[::-1]
        return curve

    def _is_above_or_below(self, x: float, key: str) -> bool:
        """Whether the end of an arrow is above or below a volume, at the labels there."""
        placed = self.volumes.get(key)
        return placed is not None and placed.at.x + NEAR < x < placed.at.right - NEAR

    def _before(self, placed: PlacedArrow) -> Iterator[PlacedArrow]:
        """The arrows of the same tensor that show the start of an arrow, which is drawn only once: earlier ones."""
        arrow = placed.arrow
        for other in self.trunks.get(arrow.source, ()):
            if other is placed and arrow.flow is Flow.DATA:
                return
            is_shown = arrow.flow is not Flow.DATA or (
                not self.volumes and other.arrow.look in (arrow.look, Look.PLAIN)
            )
            if is_shown and other.arrow.head != arrow.head:
                yield other

    def _arrow(self, placed: PlacedArrow) -> Iterator[Part]:
        curve = without_trunk(self._to_volumes(placed), list(map(self._to_volumes, self._before(placed))))
        theme, arrow = self.theme, placed.arrow
        is_size = arrow.flow is Flow.SIZE
        stroke = theme.pale if arrow.look is Look.UNUSED or is_size else theme.line
        (x, y), before = curve[-1], next((point for point in reversed(curve[:-1]) if point != curve[-1]), curve[0])
        length = math.hypot(x - before[0], y - before[1]) or 1.0
        along = (x - before[0]) / length, (y - before[1]) / length
        back = x - ARROW * along[0], y - ARROW * along[1]
        dash = Dash.DASHED if arrow.look is not Look.PLAIN else Dash.NONE
        dash = Dash.DOTTED if arrow.flow is Flow.PROJECTION and dash is Dash.NONE else dash
        yield Curve((*curve[:-1], back), stroke, dash)
        half = ARROW * 0.36
        sides = [(back[0] + half * across * along[1], back[1] - half * across * along[0]) for across in (1, -1)]
        yield Polygon(((x, y), *sides), theme.box, stroke) if is_size else Polygon(((x, y), *sides), stroke)


def _inner(at: Rectangle, exit: Point) -> Rectangle:
    """A box without the room for its slanted sides."""
    across, along = (SLANT, 0.0) if exit[1] else (0.0, SLANT)
    return Rectangle(at.x + across, at.y + along, at.width - 2 * across, at.height - 2 * along)


def _quad(start: Point, end: Point, along: Point) -> tuple[Point, ...]:
    """A parallelogram by one side and the direction of the others."""
    (x, y), (a, b), (dx, dy) = start, end, along
    return start, end, (a + dx, b + dy), (x + dx, y + dy)


def _from_side(curve: tuple[Point, ...], start: Point) -> tuple[Point, ...]:
    """The curve with another start: straight over its labels, then as it was."""
    (x, _), y = curve[0], start[1]
    moved = (x, y), (curve[1][0], y), *curve[2:]
    if abs(moved[3][1] - y) <= NEAR or abs(x - start[0]) <= NEAR:
        return (start, *moved[1:])
    return (*straight(start, (x, y)), *moved[1:])


def _to_circle(curve: tuple[Point, ...], middle: Point) -> tuple[Point, ...]:
    """The curve with its end on the circle in the middle of a volume, which it enters from the left, above or below."""
    (x, y), half = middle, CIRCLE / 2
    if abs(curve[-1][0] - x) < half:
        return (*curve[:-1], (curve[-1][0], y - half if curve[-1][1] < y else y + half))
    end = max(y - half * 0.7, min(y + half * 0.7, curve[-1][1]))
    return (*curve[:-2], (curve[-2][0], end), (x - math.sqrt(half**2 - (end - y) ** 2), end))


def _within(side: Point, y: float, middle: float, ends: Sequence[float]) -> float:
    """A y among those at which arrows end, moved towards the middle such that all are on the side of a volume."""
    up, down = middle - min(ends), max(ends) - middle
    fits = min((middle - side[0]) / up if up > 0 else 1, (side[1] - middle) / down if down > 0 else 1)
    return y if fits >= 1 else middle + (y - middle) * fits * 0.85
