"""Writing a drawing as SVG: texts stay text, in Helvetica or a font with the same metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from cnngraph.render.colours import THEMES, Theme
from cnngraph.render.fonts import FAMILY
from cnngraph.render.layout.drawing import Drawing, Point
from cnngraph.render.marks import marks
from cnngraph.render.parts import DASHES, DOT, DOTS, STROKE, Circle, Curve, Dash, Group, Part, Polygon, Rect, Text

DASHED = ' stroke-dasharray="{:g} {:g}"'.format(*DASHES)
DOTTED = f' stroke-width="{DOT}" stroke-dasharray="0 {DOTS}" stroke-linecap="round"'


def svg(drawing: Drawing, scale: float = 1.0, theme: Theme = THEMES["light"], font: str | None = None) -> str:
    """The SVG document of a drawing. Its size in points is that of the drawing, times the scale."""
    width, height = _number(drawing.width), _number(drawing.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(drawing.width * scale)}pt" '
        f'height="{_number(drawing.height * scale)}pt" viewBox="0 0 {width} {height}" '
        f'font-family={quoteattr(f"{font}, {FAMILY}" if font else FAMILY)} fill="{theme.ink}">',
        f"<title>{escape(drawing.name)}</title>",
        f'<rect width="{width}" height="{height}" fill="{theme.ground}"/>',
        *(line for group in marks(drawing, theme) for line in _group(group)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _group(group: Group) -> Iterator[str]:
    name = f' id="{group.key}"' if group.key else ""
    yield f'<g{name} class="{group.kind}">'
    if group.tip:
        yield f"<title>{escape(group.tip)}</title>"
    yield from map(markup, group.parts)
    yield "</g>"


def markup(part: Part) -> str:
    """The SVG element of a part."""
    match part:
        case Rect():
            at = part.at
            place = f'x="{_number(at.x)}" y="{_number(at.y)}" width="{_number(at.width)}" height="{_number(at.height)}"'
            return f'<rect {place} rx="{_number(part.radius)}" fill="{part.fill}"{_stroke(part.stroke, part.dashed)}/>'
        case Circle():
            place = f'cx="{_number(part.x)}" cy="{_number(part.y)}" r="{_number(part.radius)}"'
            return f'<circle {place} fill="{part.fill}"{_stroke(part.stroke, part.dashed)}/>'
        case Curve():
            return f'<path d="{_path(part.points)}" fill="none"{_line(part)}/>'
        case Polygon():
            points, stroke = " ".join(map(_point, part.points)), _stroke(part.stroke, part.dashed)
            return f'<polygon points="{points}" fill="{part.fill or "none"}"{stroke}/>'
        case Text():
            return _text(part)


def _text(text: Text) -> str:
    runs = text.line.runs
    anchor = "" if text.to_left else ' text-anchor="middle"'
    spans = "".join(
        f'<tspan font-size="{_number(run.size)}"{_weight(run.bold)}{_fill(colour)}>{escape(run.text)}</tspan>'
        for run, colour in zip(runs, text.colours, strict=True)
    )
    return f'<text x="{_number(text.x)}" y="{_number(text.y)}"{anchor} xml:space="preserve">{spans}</text>'


def _weight(bold: bool) -> str:
    return ' font-weight="bold"' if bold else ""


def _fill(colour: str) -> str:
    return f' fill="{colour}"'


def _stroke(colour: str, dashed: bool) -> str:
    if not colour:
        return ""
    return f' stroke="{colour}" stroke-width="{STROKE}"' + DASHED * dashed


def _line(curve: Curve) -> str:
    if curve.dash is Dash.DOTTED:
        return f' stroke="{curve.stroke}"{DOTTED}'
    return _stroke(curve.stroke, curve.dash is Dash.DASHED)


def _path(points: Iterable[Point]) -> str:
    start, *rest = points
    segments = (" ".join(map(_point, rest[place : place + 3])) for place in range(0, len(rest), 3))
    return f"M{_point(start)}" + "".join(f"C{segment}" for segment in segments)


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
