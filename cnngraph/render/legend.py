"""The samples of a legend: small boxes, signs and lines."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.render.colours import Theme
from cnngraph.render.glyphs import HIGH, gate, glyphs, strokes, trapezium
from cnngraph.render.layout.boxes import SMALL, Line, Run
from cnngraph.render.layout.drawing import Key, Rectangle
from cnngraph.render.layout.surroundings import KINDS, SIGNS, SWATCH
from cnngraph.render.parts import RADIUS, Circle, Curve, Dash, Part, Polygon, Rect, Text
from cnngraph.render.picture import Change, Flow, Look, Trait

BASELINE = SMALL * 0.36
HEAD = 5.0


def sample(key: Key, theme: Theme) -> Iterator[Part]:
    """What is left of the text of an entry."""
    at, name = Rectangle(key.x, key.y - SWATCH / 2, SWATCH, SWATCH), key.sample
    x, y = at.middle
    if name in SIGNS:
        yield Circle(x, y, SWATCH / 2, theme.box, theme.line)
        yield from strokes(SIGNS[name], x, y, SWATCH * 0.27, theme.ink)
        if SIGNS[name] == "c":
            yield Text(x, y + BASELINE, Line((Run("c", SMALL),)), (theme.ink,))
    elif name in set(Change):
        toward = (0, 1) if name == Change.SMALLER else (0, -1)
        yield Polygon(trapezium(at, toward, SWATCH / 4), theme.box, theme.line)
    elif name == Trait.GATE:
        yield from gate(x, y, SWATCH / 2, theme)
    elif name in set(Trait):
        yield from _traits(Trait(name), at, theme)
    elif name in set(Look):
        yield Rect(at, theme.box, theme.pale if name == Look.UNUSED else theme.line, RADIUS, dashed=True)
    elif name in set(Flow):
        yield from _line(Flow(name), at, theme)
    elif name in KINDS:
        yield Rect(at, theme.fill(name), theme.edge(name), RADIUS)


def _traits(trait: Trait, at: Rectangle, theme: Theme) -> Iterator[Part]:
    level = 1 if trait is Trait.DILATED else 0
    yield Rect(at, theme.tint("conv", level), "", RADIUS - 1)
    yield from glyphs((trait,), at.x + (SWATCH - HIGH) / 2, at.middle[1], theme)


def _line(flow: Flow, at: Rectangle, theme: Theme) -> Iterator[Part]:
    y, is_size = at.middle[1], flow is Flow.SIZE
    colour, start, end = theme.pale if is_size else theme.line, (at.x, at.middle[1]), (at.right - HEAD, y)
    yield Curve((start, start, end, end), colour, Dash.NONE if is_size else Dash.DOTTED)
    tip = ((at.right, y), (end[0], y + HEAD * 0.36), (end[0], y - HEAD * 0.36))
    yield Polygon(tip, theme.box, colour) if is_size else Polygon(tip, colour)
