"""The signs of drawings: of a gate, of dilation and of groups, which need no colour; strokes and slanted boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnngraph.render.colours import Theme
from cnngraph.render.layout.boxes import MARK
from cnngraph.render.layout.drawing import Point, Rectangle
from cnngraph.render.parts import Circle, Curve, Part, Polygon
from cnngraph.render.picture import Trait

DOT = 0.8  # the radius of a dot of a dilated kernel
APART = 3.0  # between two of them
BARS = {Trait.GROUPED: (0.0, 3.8), Trait.DEPTHWISE: (0.0, 2.0, 4.0, 6.0)}  # where the bars of groups begin
THICK = {Trait.GROUPED: 2.8, Trait.DEPTHWISE: 0.9}
HIGH = 6.6  # the height of a sign
SIGN = 4.0  # the radius of a gate beside a text


def glyphs(marks: Sequence[Trait], x: float, middle: float, theme: Theme, *, pale: bool = False) -> Iterator[Part]:
    """The signs of traits, from x to the right."""
    colour = theme.pale if pale else theme.line
    for place, mark in enumerate(marks):
        left = x + place * MARK
        if mark is Trait.GATE:
            yield from gate(left + SIGN, middle, SIGN, theme)
        elif mark is Trait.DILATED:
            yield from dilated(left + HIGH / 2, middle, colour)
        else:
            for start in BARS[mark]:
                at = Rectangle(left + start, middle - HIGH / 2, THICK[mark], HIGH)
                yield Polygon(_corners(at), colour)


def dilated(x: float, y: float, colour: str, size: float = 1.0) -> Iterator[Part]:
    """The nine dots of a dilated kernel around a point."""
    for across in (-size, 0, size):
        for along in (-size, 0, size):
            yield Circle(x + across * APART, y + along * APART, DOT * size, colour, "")


def gate(x: float, y: float, radius: float, theme: Theme) -> Iterator[Part]:
    """The dark circle of a product with values between 0 and 1."""
    yield Circle(x, y, radius, theme.terminal, theme.terminal)
    yield from strokes("×", x, y, radius * 0.54, theme.terminal_ink)


def strokes(mark: str, x: float, y: float, reach: float, colour: str) -> Iterator[Part]:
    """The strokes of a plus, minus or times sign."""
    found = {"+": ((1, 0), (0, 1)), "−": ((1, 0),), "×": ((0.75, 0.75), (0.75, -0.75))}.get(mark, ())
    for across, along in found:
        dx, dy = across * reach, along * reach
        start, end = (x - dx, y - dy), (x + dx, y + dy)
        yield Curve((start, start, end, end), colour)


def trapezium(at: Rectangle, narrow: Point, inset: float) -> tuple[Point, ...]:
    """A rectangle whose side in one direction is shorter by an inset at both ends."""
    corners = _corners(at)
    if narrow[1]:
        y = at.bottom if narrow[1] > 0 else at.y
        middle = at.middle[0]
        return tuple((x + (inset if x < middle else -inset) * (b == y), b) for x, b in corners)
    x, middle = at.right if narrow[0] > 0 else at.x, at.middle[1]
    return tuple((a, b + (inset if b < middle else -inset) * (a == x)) for a, b in corners)


def _corners(at: Rectangle) -> tuple[Point, ...]:
    return (at.x, at.y), (at.right, at.y), (at.right, at.bottom), (at.x, at.bottom)
