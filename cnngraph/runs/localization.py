"""A localisation and its picture: the image, the image with the map over it, and the map with its colour scale."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from cnngraph.frozen import frozen
from cnngraph.runs.classifier import Box
from cnngraph.runs.image_files import image_name
from cnngraph.runs.pictures import png_of, write_picture
from cnngraph.train.data.decoding import ImageError, load_upright
from cnngraph.train.record.plots import INK, LINE, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLD = 0.2  # fraction of the maximum score, as in Zhou et al.
COLOURS = "plasma"  # perceptually uniform: equal steps of the score look equally large
BELOW = "#cbd5e1"  # of scores below 0 in the map
SIDE = 3.4  # inches of the longer side of an image
NARROWEST = 1.9  # inches of a panel, for its title
PIXELS = 680  # of the longer side of an image as drawn
BESIDE, ABOVE = 1.25, 0.32  # inches for the scale and between panels, and for the titles
SMALL = 100  # pixels: the image is enlarged without smoothing
STRONGEST = 0.5  # fraction of the maximum; the region above it is outlined
GREY = 0.18, 0.62  # lightness of black, and what white adds to it: neither hides the colours
OPAQUE = 0.8  # of the colour of the maximum


@frozen(slots=False, eq=False)
class Localization:
    """Where an image shows a class. Notebooks show its picture.

    `map` is an H×W tensor of scores that covers the rectangle `visible` of the image, which the network sees. It is
    computed by `method` (CAM or Grad-CAM) from the feature map at `layer`. With CAM, its mean is `score`, the score of
    the class `label`. `box` is the bounding box of the positions that score at least `threshold` times the maximum, in
    pixels of the image, or None if no score is above 0; `size` is the image's width and height. `error` says why an
    image could not be read, else it is empty.
    """

    source: Path | Image.Image = field(repr=False)
    label: str = ""
    score: float = 0.0
    probability: float = 0.0
    map: Tensor = field(default_factory=lambda: torch.zeros(0, 0), repr=False)
    method: str = ""
    layer: str = ""
    threshold: float = THRESHOLD
    visible: Box = Box(0, 0, 0, 0)
    box: Box | None = None
    size: tuple[int, int] = (0, 0)
    error: str = ""

    @property
    def image(self) -> Path | None:
        """The image file; None for an image in memory."""
        return self.source if isinstance(self.source, Path) else None

    def draw(self, path: str | Path) -> Path:
        """Draw the picture to a .png, .svg or .pdf file.

        Raises ValueError for another ending, or if the image could not be read; SpecError (E621) if it cannot be read
        any more.
        """
        return write_picture(path, lambda: localization_figure(self))

    def to_dict(self) -> dict[str, Any]:
        """The localisation as plain values, for JSON; the box is in pixels of the image."""
        if self.error:
            return {"image": str(self.image), "error": self.error}
        return {
            "image": str(self.image),
            "width": self.size[0],
            "height": self.size[1],
            "class": self.label,
            "score": self.score,
            "probability": self.probability,
            "method": self.method,
            "layer": self.layer,
            "box": self.box and [round(side) for side in self.box],
            "map": [[float(f"{score:.6g}") for score in row] for row in self.map.tolist()],
        }

    def _repr_png_(self) -> bytes | None:
        try:
            return None if self.error else png_of(localization_figure(self))
        except ImageError:  # the file was changed or removed
            return None


def localization_figure(found: Localization) -> Figure:
    """The image, the map over the image in grey with the outline of its strongest region and the box, and the map."""
    from matplotlib.figure import Figure

    if found.error:
        raise ValueError(found.error)
    width, height = found.size
    factor = SIDE / max(width, height)
    inches = 3 * max(NARROWEST, width * factor) + BESIDE, max(1.4, height * factor) + ABOVE
    figure = Figure(figsize=inches, dpi=150, layout="constrained")
    panels = figure.subplots(1, 3)
    image = drawn_image(found)
    titles = (
        image_name(found.source),
        f"{found.label}, {100 * found.probability:.1f} %",
        f"{found.method} at {found.layer}, {found.map.shape[0]}×{found.map.shape[1]}",
    )
    for axes, title in zip(panels, titles, strict=True):
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal")
        axes.set_title(plot_text(title), loc="left", fontsize=8, color=INK)
        for spine in axes.spines.values():
            spine.set_color(LINE)
    extent = (0, width, height, 0)
    panels[0].imshow(image, extent=extent)
    panels[1].imshow(overlay(image, found), extent=extent)
    _outline(panels[1], found)
    _draw_map(figure, panels[2], found)
    return figure


def drawn_image(found: Localization) -> Any:
    """The image as an array H×W×3 of floats from 0 to 1; a small one is enlarged, so that the map over it is smooth."""
    image = load_upright(found.source, "RGB")
    factor = PIXELS / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    method = Image.Resampling.NEAREST if max(image.size) < SMALL else Image.Resampling.LANCZOS
    return np.asarray(image.resize(size, method), dtype=np.float32) / 255


def overlay(image: Any, found: Localization) -> Any:
    """The map over the image, H×W×3: the image is grey, so none of its colours can hide those of the map.

    The higher the score, the more opaque its colour. Scores of 0 and below, and what the network does not see, show the
    image.
    """
    from matplotlib import colormaps

    darkest, range = GREY
    grey = (darkest + range * image @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32))[..., None]
    high, wide = image.shape[:2]
    x, y = wide / found.size[0], high / found.size[1]
    visible = found.visible
    left, right, top, bottom = map(round, (visible.left * x, visible.right * x, visible.top * y, visible.bottom * y))
    strength = np.zeros((high, wide, 1), dtype=np.float32)
    if right > left and bottom > top:
        strength[top:bottom, left:right, 0] = upsampled(relative(found.map), bottom - top, right - left).numpy()
    colour = colormaps[COLOURS](strength[..., 0])[..., :3]
    opacity = OPAQUE * strength**0.7
    return (1 - opacity) * grey + opacity * colour


def upsampled(scores: Tensor, height: int, width: int) -> Tensor:
    """An H×W map resized by bilinear interpolation."""
    return F.interpolate(scores[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]


def relative(scores: Tensor) -> Tensor:
    """The scores as fractions of the maximum, from 0 to 1; what is below 0, or not a number, is 0."""
    positive = torch.nan_to_num(scores, nan=0.0, posinf=0.0).clamp(min=0)
    return positive / (float(positive.max()) or 1.0)


def _outline(axes: Any, found: Localization) -> None:
    """Outline the strongest region, white on black and so visible on any image, and draw the box."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3.4, foreground="black")]
    if found.box:
        corner, size = found.box[:2], (found.box.right - found.box.left, found.box.bottom - found.box.top)
        line: dict[str, Any] = {"edgecolor": "white", "linewidth": 1, "linestyle": "--", "path_effects": halo}
        axes.add_patch(Rectangle(corner, *size, fill=False, clip_on=False, **line))
        x, y, strength = _bordered(found.map, found.visible)
        lines = axes.contour(x, y, strength, levels=[STRONGEST], colors="white", linewidths=1.6)
        lines.set_path_effects(halo)


def _bordered(scores: Tensor, visible: Box) -> tuple[Any, Any, Any]:
    """The coordinates of the positions of the map, enlarged, and their strengths, with a border of 0.

    So the outline of a region at the edge of the image is closed.
    """
    high, wide = (PIXELS // 4, PIXELS // 4)
    strength = np.pad(upsampled(relative(scores), high, wide).numpy(), 1)
    inset = 0.006 * max(visible.right - visible.left, visible.bottom - visible.top)  # half of the line's width
    x = np.linspace(visible.left + inset, visible.right - inset, wide)
    y = np.linspace(visible.top + inset, visible.bottom - inset, high)
    return np.pad(x, 1, mode="edge"), np.pad(y, 1, mode="edge"), strength


def _draw_map(figure: Figure, axes: Any, found: Localization) -> None:
    """Draw the map in its own resolution, with a colour scale that marks the levels of the outline and the box."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scores = torch.nan_to_num(found.map, nan=-1.0)
    largest = float(scores.max())
    colours = colormaps[COLOURS].with_extremes(under=BELOW)
    scale = ScalarMappable(Normalize(0, largest if largest > 0 else 1.0), colours)
    visible = found.visible
    extent = visible.left, visible.right, visible.bottom, visible.top
    axes.imshow(scores.numpy(), cmap=colours, norm=scale.norm, extent=extent, interpolation="nearest")
    below = bool((scores < 0).any())
    place = axes.inset_axes((1.03, 0, 0.05, 1))  # as high as the map
    bar = figure.colorbar(scale, cax=place, extend="min" if below else "neither")
    marks = {0.0: "", found.threshold: " box", STRONGEST: " outline", 1.0: ""} if largest > 0 else {0.0: ""}
    bar.set_ticks(
        [largest * mark if largest > 0 else 0 for mark in marks],
        labels=[f"{largest * mark if largest > 0 else 0:.2g}{name}" for mark, name in marks.items()],
    )
    bar.set_label("score" + (" (grey: below 0)" if below else ""), color=INK, fontsize=7)
    bar.ax.tick_params(colors=INK, labelsize=6, length=2)
    bar.outline.set_visible(False)
