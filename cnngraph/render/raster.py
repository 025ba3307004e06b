"""Writing a drawing as PDF and PNG with Matplotlib. Texts are outlines, so that they look the same on every machine.

The glyphs are those of DejaVu Sans, which Matplotlib brings, compressed to the widths of Helvetica of the layout. Those
that it lacks, such as Chinese ones in a title, are from a font of the machine.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import Affine2D

from cnngraph.plot_fonts import quiet_fonts, with_fallbacks
from cnngraph.render.colours import THEMES, Theme
from cnngraph.render.layout.drawing import Drawing, Point
from cnngraph.render.marks import marks
from cnngraph.render.parts import DASHES, DOT, DOTS, STROKE, Circle, Curve, Dash, Part, Polygon, Rect, Text

if TYPE_CHECKING:
    from matplotlib.patches import Patch

DPI = 192
POINTS = 72  # to an inch
MAX_PIXELS = 30_000  # on a side of a PNG
ROUND = 0.5523  # where the control points of a quarter circle are, in radii


def pdf(drawing: Drawing, scale: float = 1.0, theme: Theme = THEMES["light"]) -> bytes:
    """The drawing as a PDF of one page."""
    figure = _figure(drawing, scale, theme)
    FigureCanvasPdf(figure)
    file = io.BytesIO()
    figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Title": drawing.name})
    return file.getvalue()


def png(drawing: Drawing, scale: float = 1.0, theme: Theme = THEMES["light"]) -> bytes:
    """The drawing as a PNG with 192 pixels to an inch, or as many as its size allows."""
    figure = _figure(drawing, scale, theme)
    FigureCanvasAgg(figure)
    longest = max(drawing.width, drawing.height) * scale / POINTS
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=min(DPI, MAX_PIXELS / longest), metadata={"Software": None})
    return file.getvalue()


def _figure(drawing: Drawing, scale: float, theme: Theme) -> Figure:
    figure = Figure(figsize=(drawing.width * scale / POINTS, drawing.height * scale / POINTS), facecolor=theme.ground)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    for group in marks(drawing, theme):
        for part in group.parts:
            for patch in _patches(part, scale):
                axes.add_artist(patch)
    return figure


def _patches(part: Part, scale: float) -> Iterator[Patch]:
    width = STROKE * scale
    match part:
        case Rect():
            yield _patch(_rounded(part), part.fill, part.stroke, width, part.dashed)
        case Circle():
            path = Path.circle((part.x, part.y), part.radius)
            yield _patch(path, part.fill, part.stroke, width, part.dashed)
        case Curve():
            codes = [Path.MOVETO, *[Path.CURVE4] * (len(part.points) - 1)]
            path = Path(part.points, codes)
            if part.dash is Dash.DOTTED:
                dots, thick = (0, (0.01, DOTS / DOT)), DOT * scale
                yield PathPatch(
                    path, fill=False, edgecolor=part.stroke, linewidth=thick, linestyle=dots, capstyle="round"
                )
            else:
                yield _patch(path, "none", part.stroke, width, part.dash is Dash.DASHED)
        case Polygon():
            path = Path([*part.points, part.points[0]], closed=True)
            yield _patch(path, part.fill or "none", part.stroke, width, part.dashed)
        case Text():
            x = part.x if part.to_left else part.x - part.line.width / 2
            for run, colour in zip(part.line.runs, part.colours, strict=True):
                if run.text.strip():
                    yield _patch(_glyphs(run.text, run.size, run.bold, run.width, x, part.y), colour, "", width, False)
                x += run.width


def _patch(path: Path, fill: str, stroke: str, width: float, dashed: bool) -> Patch:
    style = (0, tuple(length / STROKE for length in DASHES)) if dashed else "solid"
    return PathPatch(
        path, facecolor=fill, edgecolor=stroke or "none", linewidth=width if stroke else 0, linestyle=style
    )


def _rounded(part: Rect) -> Path:
    at, radius = part.at, min(part.radius, part.at.width / 2, part.at.height / 2)
    near = radius * (1 - ROUND)
    corners: list[tuple[Point, Point, Point, Point]] = [
        ((at.right - radius, at.y), (at.right - near, at.y), (at.right, at.y + near), (at.right, at.y + radius)),
        (
            (at.right, at.bottom - radius),
            (at.right, at.bottom - near),
            (at.right - near, at.bottom),
            (at.right - radius, at.bottom),
        ),
        ((at.x + radius, at.bottom), (at.x + near, at.bottom), (at.x, at.bottom - near), (at.x, at.bottom - radius)),
        ((at.x, at.y + radius), (at.x, at.y + near), (at.x + near, at.y), (at.x + radius, at.y)),
    ]
    points = [corners[-1][-1], *(point for corner in corners for point in corner), corners[-1][-1]]
    codes = [Path.MOVETO, *[Path.LINETO, *[Path.CURVE4] * 3] * 4, Path.CLOSEPOLY]
    return Path(points, codes)


def _glyphs(text: str, size: float, bold: bool, width: float, x: float, y: float) -> Path:
    """The outlines of a text, from x to x + width, on a baseline; y is downwards."""
    path, own = _outline(text, size, bold)
    return Affine2D().scale(width / own if own else 1, -1).translate(x, y).transform_path(path)


@lru_cache(maxsize=2048)
def _outline(text: str, size: float, bold: bool) -> tuple[Path, float]:
    """The outlines of a text, and its width in the font."""
    font = FontProperties(family=_families(), weight="bold" if bold else "normal", size=size)
    with quiet_fonts():
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
        return TextPath((0, 0), text.replace("$", r"\$"), size=size, prop=font), width


@lru_cache(maxsize=1)
def _families() -> list[str]:
    return with_fallbacks("DejaVu Sans")
