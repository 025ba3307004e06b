"""Drawing graphs as SVG, PNG, PDF, TikZ, HTML, DOT, Mermaid and for Model Explorer. No PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnngraph.atomic_files import write
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.packages import explained, require_extra
from cnngraph.render.colours import THEMES
from cnngraph.render.compose import check_open, compose
from cnngraph.render.dot import dot
from cnngraph.render.fit import Fitted, fitted, is_large_enough
from cnngraph.render.input_order import with_marks_as_roles
from cnngraph.render.mermaid import mermaid
from cnngraph.render.model_explorer import model_explorer
from cnngraph.render.picture import without_shapes
from cnngraph.render.settings import DEFAULT, PAGES, Settings
from cnngraph.render.svg import svg
from cnngraph.render.tikz import tikz
from cnngraph.text import either

__all__ = ["FORMATS", "PAGES", "THEMES", "Settings", "draw", "format_of", "render"]

FORMATS = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".tex": "tikz",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".html": "html",
    ".htm": "html",
    ".model-explorer.json": "model-explorer",
}

NAMES = {
    "png": "PNG",
    "pdf": "PDF",
    "tikz": "TikZ",
    "html": "HTML",
    "dot": "DOT",
    "mermaid": "Mermaid",
    "model-explorer": "the JSON of Model Explorer",
}
WITHOUT_EFFECT = {  # the settings that a format cannot have
    "png": ("font",),
    "pdf": ("font",),
    "tikz": ("font",),
    "html": ("scale",),
    "dot": ("legend", "scale"),
    "mermaid": ("legend", "scale", "font"),
    "model-explorer": ("depth", "open", "fold", "direction", "shapes", "legend", "title", "scale", "theme", "font"),
}


def format_of(path: Path) -> str | None:
    """The format of a file by its ending; None if it is unknown."""
    name = path.name.lower()
    return next((format for ending, format in FORMATS.items() if name.endswith(ending) and name != ending), None)


def render(graph: Graph, path: Path, settings: Settings = DEFAULT) -> float | None:
    """Draw a graph into a file, in the format of its ending (see FORMATS).

    Returns the size of the smallest text in points if it is below the page's least size: the graph does not fit.

    Raises ValueError for an unknown ending, a path at which there is no block, or a setting that the format cannot
    have, SpecError (E501) if there are more boxes than can be laid out, and WriteError if the
    file cannot be written. The file is written atomically.
    """
    format = format_of(path)
    if format is None:
        raise ValueError(f"{path} must end in {either(FORMATS)}")
    data, fit = _drawn(graph, format, settings)
    write(path, lambda temporary: temporary.write_bytes(data))
    page = PAGES[settings.page] if settings.page else None
    return fit.least_text if fit and page and not is_large_enough(fit, page) else None


def draw(graph: Graph, format: str, settings: Settings = DEFAULT) -> bytes:
    """The drawing itself, in a format that FORMATS names; see `render`."""
    return _drawn(graph, format, settings)[0]


def _drawn(graph: Graph, format: str, settings: Settings) -> tuple[bytes, Fitted | None]:
    """The drawing, and how it fits its page if the format has pages."""
    _refuse(format, settings)
    if format in ("dot", "mermaid"):  # whoever shows the text lays it out, so there is no page on which all may fit
        picture = compose(graph, replace(settings, fold=settings.fold is not False))
        picture = with_marks_as_roles(picture if settings.shapes else without_shapes(picture))
        return (dot if format == "dot" else mermaid)(picture, settings).encode(), None
    if format == "model-explorer":
        return model_explorer(graph, settings.node).encode(), None
    if format == "html":
        check_open(graph, settings.open)
        _check_times(graph, settings.times)
        from cnngraph.render.page import page  # imported on demand, with its analyses

        return page(graph, settings).encode(), None
    fit, theme = fitted(graph, settings), THEMES[settings.theme]
    scale = fit.scale * settings.scale
    if format == "svg":
        return svg(fit.drawing, scale, theme, settings.font).encode(), fit
    if format == "tikz":
        return tikz(fit.drawing, scale, theme).encode(), fit
    require_extra("draw")
    with explained():
        from cnngraph.render import raster  # Matplotlib is slow to import

        return (raster.pdf if format == "pdf" else raster.png)(fit.drawing, scale, theme), fit


def _refuse(format: str, settings: Settings) -> None:
    """Raise ValueError for settings that contradict the format or each other."""
    if settings.style == "volumes" and format not in ("svg", "png", "pdf", "tikz"):
        raise ValueError(
            "volumes cannot be drawn in HTML, DOT, Mermaid and Model Explorer; choose .svg, .png, .pdf or .tex"
        )
    if settings.style == "volumes" and settings.direction == "down":
        raise ValueError("volumes are drawn from left to right; omit the direction")
    if settings.times is not None and format != "html":
        raise ValueError("measured times are shown in HTML only; choose .html, or omit the times")
    for name in WITHOUT_EFFECT.get(format, ()):
        value, default = getattr(settings, name), getattr(DEFAULT, name)
        if value != default and (value is not False or default is True):
            raise ValueError(f"`{name}` has no effect in {NAMES[format]}; omit it")


def _check_times(graph: Graph, times: NodeTimes | None) -> None:
    """Raise ValueError for the times of another network."""
    if times is None:
        return
    missing = next((node.path for node in graph.nodes if node.path not in times.seconds), None)
    if missing is not None:
        raise ValueError(f"the times are those of another network: there is none for {missing!r}")
