"""A heat map of class scores, drawn over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnngraph.runs.localization import Localization, upsampled
from cnngraph.train.data.decoding import load_upright
from cnngraph.train.record.plots import INK, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 4.2  # inches of the longer side of an image
MAX_PIXELS = 1600  # of the longer side of a drawn image; larger images are reduced
BOX_COLOUR = "#22d3ee"


def heatmap_figure(found: Localization) -> Figure:
    """The image, and next to it the image with the heat map and the bounding box of the class."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    assert found.scores is not None
    image = load_upright(found.file, "RGB")
    image.thumbnail((MAX_PIXELS, MAX_PIXELS))
    width, height = found.size
    factor = SIDE / max(width, height)
    inches = 2 * max(2.2, width * factor) + 1.1, max(1.6, height * factor) + 0.6
    figure = Figure(figsize=inches, dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.imshow(image, extent=(0, width, height, 0), interpolation="nearest" if width < 100 else "antialiased")
        axes.set_xticks([])
        axes.set_yticks([])
    left.set_title(plot_text(found.file.name), loc="left", fontsize=8, color=INK)
    right.set_title(plot_text(f"{found.name}, {100 * found.probability:.1f} %"), loc="left", fontsize=8, color=INK)
    visible = found.visible_box
    scores = upsampled(
        found.scores, max(1, round(visible.bottom - visible.top)), max(1, round(visible.right - visible.left))
    )
    largest = float(scores.abs().max()) or 1.0
    heat = ScalarMappable(Normalize(-largest, largest), "coolwarm")
    opaque = 0.1 + 0.65 * scores.abs() / largest  # positions with a score near 0 show the image unchanged
    extent = visible.left, visible.right, visible.bottom, visible.top
    right.imshow(heat.to_rgba(scores.numpy()), extent=extent, alpha=opaque.numpy())
    if found.box:
        corner, size = found.box[:2], (found.box.right - found.box.left, found.box.bottom - found.box.top)
        right.add_patch(Rectangle(corner, *size, fill=False, edgecolor=BOX_COLOUR, linewidth=1.8))
    right.set_xlim(0, width)
    right.set_ylim(height, 0)
    bar = figure.colorbar(heat, ax=right, fraction=0.05, pad=0.02)
    bar.set_label("class score", color=INK, fontsize=7)
    bar.ax.tick_params(colors=INK, labelsize=6, length=0)
    for spine in (*left.spines.values(), *right.spines.values(), bar.outline):
        spine.set_visible(False)
    return figure
