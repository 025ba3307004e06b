"""Choosing the picture with the most detail that fits the page, and its scale."""

from __future__ import annotations

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.render.compose import pictures
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.layout.surroundings import surrounded
from cnngraph.render.settings import PAGES, Page, Settings
from cnngraph.render.volumes import with_volumes

ROUNDING = 1e-6


@frozen
class Fitted:
    """A drawing, and the scale at which it fits its page."""

    drawing: Drawing
    scale: float

    @property
    def least_text(self) -> float:
        """The size of the smallest text on the page, in points."""
        return SMALL * self.scale


def fitted(graph: Graph, settings: Settings) -> Fitted:
    """The drawing of a graph: of those whose text is large enough on the page, the one with the most detail.

    If the text is too small in all, the drawing is the one in which it is largest. Raises what `compose` raises.
    """
    page = PAGES[settings.page] if settings.page else None
    best: Fitted | None = None
    for picture in pictures(graph, settings):
        if settings.style == "volumes":
            picture = with_volumes(picture, shapes=settings.shapes)
        layout = lay_out(picture, settings)
        if page is None:
            return Fitted(surrounded(layout.drawing(), settings.title, settings.legend), 1.0)
        enlarged = SMALL / page.least
        drawing = layout.drawing((page.width * enlarged, page.height * enlarged))
        drawing = surrounded(drawing, settings.title, settings.legend)
        scale = _scale(drawing, page)
        if best is None or scale > best.scale:
            best = Fitted(drawing, scale)
        if best.least_text >= page.least - ROUNDING:
            break
    assert best is not None
    return best


def _scale(drawing: Drawing, page: Page) -> float:
    return min(1.0, page.width / drawing.width, page.height / drawing.height)
