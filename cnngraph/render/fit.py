"""Choosing the picture with the most detail that fits the page, and its scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.render.compose import pictures
from cnngraph.render.layout import boxes
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.layout.surroundings import surrounded
from cnngraph.render.picture import Picture
from cnngraph.render.settings import PAGES, Page, Settings
from cnngraph.render.volumes import with_volumes

ROUNDING = 1e-6
MOST_INK = 0.45  # the part of a page that boxes can cover; drawings with more are not tried


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
    if page is None:
        layout = lay_out(next(_pictures(graph, settings)), settings)
        return Fitted(surrounded(layout.drawing(), settings.title, settings.has_legend), 1.0)
    candidates = list(_distinct(_pictures(graph, settings)))
    small = [picture for picture in candidates if _area(picture) <= MOST_INK * _room(page)] or candidates[-1:]
    best: Fitted | None = None
    for picture in small:
        enlarged = SMALL / page.least
        drawing = lay_out(picture, settings).drawing(
            (page.width * enlarged, page.height * enlarged), page.most * enlarged
        )
        drawing = surrounded(drawing, settings.title, settings.has_legend)
        scale = _scale(drawing, page)
        if best is None or scale > best.scale:
            best = Fitted(drawing, scale)
        if best.least_text >= page.least - ROUNDING:
            break
    assert best is not None
    return best


def _pictures(graph: Graph, settings: Settings) -> Iterator[Picture]:
    """The pictures of a graph in the style of the drawing."""
    for picture in pictures(graph, settings):
        yield with_volumes(picture, shapes=settings.shapes) if settings.style == "volumes" else picture


def _distinct(candidates: Iterable[Picture]) -> Iterator[Picture]:
    """The pictures without those that equal the one before."""
    before: Picture | None = None
    for picture in candidates:
        if picture != before:
            yield picture
        before = picture


def _room(page: Page) -> float:
    """The area of a drawing that fills a page with text of the least size."""
    return page.width * page.height * (SMALL / page.least) ** 2


def _area(picture: Picture) -> float:
    """The area of all boxes."""
    return sum(width * height for width, height in map(boxes.size, picture.boxes()))


def _scale(drawing: Drawing, page: Page) -> float:
    return min(page.most, page.width / drawing.width, page.height / drawing.height)
