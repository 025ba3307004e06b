"""What marks consist of: rectangles, circles, curves, polygons and texts with colours. All formats draw these."""

from __future__ import annotations

from enum import StrEnum

from cnngraph.frozen import frozen
from cnngraph.render.layout.boxes import Line
from cnngraph.render.layout.drawing import Point, Rectangle

RADIUS = 3.0
STROKE = 0.8
DASHES = (4.0, 2.5)
DOTS = 2.6  # between the dots of a dotted line
DOT = 1.3  # their diameter


class Dash(StrEnum):
    """The pattern of a line."""

    NONE = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"


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
    dash: Dash = Dash.NONE


@frozen
class Polygon:
    """A filled polygon; without a fill, its outline."""

    points: tuple[Point, ...]
    fill: str
    stroke: str = ""
    dashed: bool = False


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
