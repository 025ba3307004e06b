"""What a drawing shows and how it looks: the options of `render`."""

from __future__ import annotations

from typing import Literal, get_args

from cnngraph.frozen import frozen
from cnngraph.graph.node_times import NodeTimes
from cnngraph.render.colours import THEMES
from cnngraph.text import either

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
    "column": Page(236, 580),  # one of two columns of a paper on letter (CVPR, IEEE), with a caption of 3 lines
}
SCALES = (0.01, 100.0)
CHOICES: dict[str, tuple[str | None, ...]] = {
    "page": (*PAGES, None),
    "direction": (*get_args(Direction), None),
    "theme": tuple(THEMES),
    "style": get_args(Style),
}


@frozen
class Settings:
    """The options of a drawing.

    `depth` is the number of levels of nesting to show: 1 draws each top-level node as one box. By default as many are
    shown as fit the page. `open` are patterns of the paths of blocks that are drawn open; others are as `depth` says,
    or closed. `node` is the path of a block to be drawn alone. `fold` draws equal iterations of a repeat as one, with
    `×6`. `page` is one of PAGES, or None for no limit. `direction` is that of the flow; by default that of the page, or
    the other one if the text is too small otherwise. `title`, `legend` and `shapes` are what is shown beside the boxes;
    `scale` enlarges; `theme` and `font` are the colours and the font family. `style` is how operations are drawn: as
    boxes, or as volumes, whose flow is always to the right, and which have a legend by default. `times` are measured
    times, which HTML shows.

    Raises ValueError for values that no drawing has, and TypeError for those of another type.
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

    def __post_init__(self) -> None:
        """Refuse what would otherwise fail in the middle of the drawing, or give an empty one."""
        for name, known in CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} must be {either(map(repr, known))}, got {value!r}")
        for name, kind, what in (("depth", int, "an integer"), ("scale", (int, float), "a number")):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
                raise TypeError(f"{name} must be {what}, got {value!r}")
        if self.title is not None and not isinstance(self.title, str):
            raise TypeError(f"title must be a string, got {self.title!r}")
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"depth must be at least 1, got {self.depth}")
        if not SCALES[0] <= self.scale <= SCALES[1]:
            raise ValueError(f"scale must be a number from {SCALES[0]:g} to {SCALES[1]:g}, got {self.scale}")

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
