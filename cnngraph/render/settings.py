"""What a drawing shows and how it looks: the options of `render`."""

from __future__ import annotations

from typing import Literal

from cnngraph.frozen import frozen
from cnngraph.graph.node_times import NodeTimes

Direction = Literal["down", "right"]
Style = Literal["boxes", "volumes"]


@frozen
class Page:
    """The area of text on a page and the least size of text, in points. `most` is how far drawings are enlarged."""

    width: float
    height: float
    least: float = 6.0
    direction: Direction = "down"
    most: float = 1.0


PAGES = {
    "a4": Page(482, 700),  # 170 × 247 mm
    "slide": Page(880, 460, 9.0, "right", 1.6),  # of 960 × 540
    "column": Page(237, 640),  # one of two columns of a conference paper
}


@frozen
class Settings:
    """The options of a drawing.

    `depth` is the number of levels of nesting to show: 1 draws each top-level node as one box. By default as many are
    shown as fit the page. `open` are patterns of the paths of blocks that are drawn open; others are as `depth` says,
    or closed. `node` is the path of a block to be drawn alone. `fold` draws equal iterations of a repeat as one, with
    `×6`. `page` is one of PAGES, or None for no limit. `direction` is that of the flow; by default that of the page.
    `title`, `legend` and `shapes` are what is shown beside the boxes; `scale` enlarges; `theme` and `font` are the
    colours and the font family. `style` is how operations are drawn: as boxes, or as volumes, whose flow is always to
    the right, and which have a legend by default. `times` are measured times, which HTML shows.
    """

    depth: int | None = None
    open: tuple[str, ...] = ()
    node: str | None = None
    fold: bool | None = None
    page: str | None = "a4"
    direction: Direction | None = None
    shapes: bool = True
    legend: bool | None = None
    title: str | None = None
    scale: float = 1.0
    theme: str = "light"
    style: Style = "boxes"
    font: str | None = None
    times: NodeTimes | None = None

    @property
    def flow(self) -> Direction:
        """The direction of the flow."""
        if self.style == "volumes":
            return "right"
        return self.direction or (PAGES[self.page].direction if self.page else "down")

    @property
    def has_legend(self) -> bool:
        """Whether there is a legend: by default only if colours alone tell operations apart."""
        return self.style == "volumes" if self.legend is None else self.legend


DEFAULT = Settings()
UNLIMITED = Settings(page=None)
