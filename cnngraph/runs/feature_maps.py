"""Feature maps and their picture: the image, a grid of the channels, and their colour scale; bars for a vector."""

from __future__ import annotations

import math
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from cnngraph.frozen import frozen
from cnngraph.numbers import show_sizes
from cnngraph.runs.image_files import image_name
from cnngraph.runs.pictures import png_of, write_picture
from cnngraph.train.record.plots import INK, LINE, integer_ticks, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scale: TypeAlias = Literal["each", "all"]

MOST = 64  # channels in a picture, by default
MAX_CHANNELS = 256  # in any picture
MIN_SIDE, MAX_SIDE = 104, 320  # pixels of the longer side of a drawn map
GRID_SIDE = 1600  # approximate pixels of the side of the grid
GAP, LABEL = 10, 18  # pixels between the maps, and above a map for its number and range
SIDE = 260  # pixels of the longer side of the image
MARGIN, TITLE, BAR = 24, 44, 90  # pixels around everything, of the title, and of the colour scale
DPI = 100
MAX_TICKS = 40  # channels of a vector that are all numbered
COLOURS = "viridis"


@frozen(slots=False, eq=False)
class FeatureMaps:
    """The output of a node for an image. Notebooks show its picture.

    `maps` is a tensor C×H×W, or C×1×1 for a vector; `shape` is the node's shape. `seen` is what the network sees of the
    image: the image without what is cropped.
    """

    network: str
    node: str
    source: Path | Image.Image = field(repr=False)
    seen: Image.Image = field(repr=False)
    maps: Tensor = field(repr=False)
    shape: tuple[int, ...]

    @property
    def image(self) -> Path | None:
        """The image file; None for an image in memory."""
        return self.source if isinstance(self.source, Path) else None

    @property
    def zero_channels(self) -> int:
        """The number of channels that are 0 at every position."""
        return int((self.maps.flatten(1) == 0).all(1).sum())

    def draw(self, path: str | Path, most: int = MOST, scale: Scale = "each") -> Path:
        """Draw the image and the first `most` channels to a .png, .svg or .pdf file; bars for a vector.

        With the scale `each`, every channel is coloured from its own minimum to its maximum; with `all`, they have the
        same scale. Raises ValueError for another ending, another scale, or `most` below 1.
        """
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        if scale not in get_args(Scale):
            raise ValueError(f"scale must be 'each' or 'all', got {scale!r}")
        return write_picture(path, lambda: features_figure(self, most, scale))

    def to_dict(self) -> dict[str, Any]:
        """The features as plain values, for JSON: statistics per channel instead of the maps."""
        rows = self.maps.flatten(1)
        statistics = zip(rows.amin(1).tolist(), rows.mean(1).tolist(), rows.amax(1).tolist(), strict=True)
        return {
            "network": self.network,
            "node": self.node,
            "image": str(self.image),
            "shape": self.shape,
            "channels": [{"min": low, "mean": mean, "max": high} for low, mean, high in statistics],
        }

    def _repr_png_(self) -> bytes:
        return png_of(features_figure(self, MOST))


def features_figure(found: FeatureMaps, max_channels: int, scale: Scale = "each") -> Figure:
    """The image, and a grid of the first maps, coloured from their minimum to their maximum; bars for a vector.

    With the scale `each`, every map has its own range, which is printed above it; with `all`, they share one.
    """
    return _grid(found, max_channels, scale) if found.maps[0].numel() > 1 else _bars(found)


class _Page:
    """A figure in which everything is placed by pixels from its upper left corner, with the image on the left."""

    def __init__(self, found: FeatureMaps, width: int, height: int, below: int = 0) -> None:
        """`width` and `height` are those of what is drawn next to the image, and `below` is the height below it."""
        from matplotlib.figure import Figure

        self.image = _enlarged(found.seen)
        self.left = 2 * MARGIN + SIDE
        self.width = self.left + width + MARGIN
        self.height = MARGIN + TITLE + max(height, self.image.height + LABEL + below)
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI)
        self.frame(MARGIN, TITLE + LABEL, self.image.width, self.image.height).imshow(self.image, aspect="auto")
        self.text(MARGIN, TITLE + LABEL - 5, image_name(found.source), 8)

    def axes(self, x: float, y: float, width: float, height: float) -> Any:
        """Axes whose upper left corner is at x, y."""
        bottom = self.height - y - height
        return self.figure.add_axes((x / self.width, bottom / self.height, width / self.width, height / self.height))

    def frame(self, x: float, y: float, width: float, height: float) -> Any:
        """Axes for pixels: a pale frame without ticks."""
        axes = self.axes(x, y, width, height)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_color(LINE)
        return axes

    def text(self, x: float, y: float, text: str, size: float, weight: str = "normal") -> None:
        """Text whose baseline begins at x, y."""
        place = x / self.width, 1 - y / self.height
        self.figure.text(*place, plot_text(text), fontsize=size, color=INK, fontweight=weight)

    def title(self, found: FeatureMaps, shown: int) -> None:
        """The path of the node and its shape, and below it, smaller, the network and how many channels are drawn."""
        count = f"channels 0 to {shown - 1} of {len(found.maps)}" if shown < len(found.maps) else ""
        self.text(MARGIN, 22, f"{found.node} · {show_sizes(found.shape)}", 11, "bold")
        self.text(MARGIN, 38, " · ".join(filter(None, (found.network, count))), 8)


def _grid(found: FeatureMaps, max_channels: int, scale: Scale) -> Figure:
    maps = found.maps[: min(max_channels, MAX_CHANNELS)]
    drawn = _drawn_size(maps).numpy()
    count, height, width = drawn.shape
    columns = _columns(count, height / width)
    page = _Page(found, columns * (width + GAP), -(-count // columns) * (height + LABEL + GAP), BAR)
    page.title(found, count)
    low, high = float(maps.min()), float(maps.max())
    for number, (values, picture) in enumerate(zip(maps, drawn, strict=True)):
        x = page.left + (number % columns) * (width + GAP)
        y = TITLE + LABEL + (number // columns) * (height + LABEL + GAP)
        least, most = (low, high) if scale == "all" else (float(values.min()), float(values.max()))
        limits = {"vmin": least, "vmax": most if most > least else least + 1}  # a constant map has the darkest colour
        page.frame(x, y, width, height).imshow(picture, COLOURS, interpolation="nearest", aspect="auto", **limits)
        page.text(x, y - 5, f"{number}: {values.min():.2g} … {values.max():.2g}", 6.5 if width < 160 else 8)
    _draw_scale(page, ("min", "max of each map") if scale == "each" else (f"{low:.3g}", f"{high:.3g}"))
    return page.figure


def _columns(count: int, aspect: float) -> int:
    """The columns of a grid that is about square; of those near it, the one that leaves the least of its rows empty."""
    square = math.sqrt(count * aspect)
    candidates = range(max(1, math.ceil(0.85 * square)), max(1, math.ceil(1.25 * square)) + 1)
    return min(count, min(candidates, key=lambda columns: (-count % columns / columns, abs(columns - square))))


def _draw_scale(page: _Page, ends: tuple[str, str]) -> None:
    """The colour scale, below the image."""
    bar = page.frame(MARGIN, TITLE + LABEL + page.image.height + 30, SIDE, 14)
    bar.imshow(np.linspace(0, 1, 256)[None], COLOURS, aspect="auto")
    bar.set_xticks([0, 255], ends)
    for label, side in zip(bar.get_xticklabels(), ("left", "right"), strict=True):
        label.set_ha(side)
    bar.tick_params(colors=INK, labelsize=8, length=0)


def _bars(found: FeatureMaps) -> Figure:
    values = found.maps.flatten().numpy()
    page = _Page(found, 900, SIDE + LABEL + 50)
    page.title(found, len(values))
    axes = page.axes(page.left + 40, TITLE + LABEL, 840, SIDE)
    axes.bar(range(len(values)), values, width=1.0 if len(values) > 100 else 0.8, color="#2563eb")
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.set_xlabel("channel", color=INK, fontsize=8)
    if len(values) <= MAX_TICKS:
        axes.set_xticks(range(len(values)))
    else:
        integer_ticks(axes)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return page.figure


def _enlarged(image: Image.Image) -> Image.Image:
    """The image with `SIDE` pixels on its longer side; a small one with visible pixels."""
    factor = SIDE / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.NEAREST if factor > 2 else Image.Resampling.LANCZOS)


def _drawn_size(maps: Tensor) -> Tensor:
    """Small maps enlarged by an integer factor, large ones reduced so that the grid fits on a page."""
    longest = max(maps.shape[1:])
    limit = max(MIN_SIDE, min(MAX_SIDE, GRID_SIDE // math.isqrt(len(maps))))
    if longest > limit:
        height, width = (max(1, side * limit // longest) for side in maps.shape[1:])
        return F.adaptive_avg_pool2d(torch.nan_to_num(maps), (height, width))
    factor = min(max(1, limit // longest), -(-MIN_SIDE * 2 // longest))
    return maps.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
