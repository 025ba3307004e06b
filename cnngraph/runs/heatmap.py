"""A map of scores, drawn over the picture that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnngraph.runs.localization import Place, enlarged
from cnngraph.train.data.decoding import load_upright
from cnngraph.train.record.plots import INK, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 4.2  # inches of a picture's longer side
LARGEST = 1600  # pixels of a picture's longer side that are drawn
BOX = "#22d3ee"


def heat_figure(place: Place) -> Figure:
    """The picture, and beside it the picture under the map, with the box around where the class is seen."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    assert place.scores is not None
    image = load_upright(place.file, "RGB")
    image.thumbnail((LARGEST, LARGEST))
    width, height = place.size
    factor = SIDE / max(width, height)
    inches = 2 * max(2.2, width * factor) + 1.1, max(1.6, height * factor) + 0.6
    figure = Figure(figsize=inches, dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.imshow(image, extent=(0, width, height, 0), interpolation="nearest" if width < 100 else "antialiased")
        axes.set_xticks([])
        axes.set_yticks([])
    left.set_title(plot_text(place.file.name), loc="left", fontsize=8, color=INK)
    right.set_title(plot_text(f"{place.name}, {100 * place.probability:.1f} %"), loc="left", fontsize=8, color=INK)
    seen = place.seen
    scores = enlarged(place.scores, max(1, round(seen.bottom - seen.top)), max(1, round(seen.right - seen.left)))
    largest = float(scores.abs().max()) or 1.0
    heat = ScalarMappable(Normalize(-largest, largest), "coolwarm")
    opaque = 0.1 + 0.65 * scores.abs() / largest  # what says nothing leaves the picture as it is
    extent = seen.left, seen.right, seen.bottom, seen.top
    right.imshow(heat.to_rgba(scores.numpy()), extent=extent, alpha=opaque.numpy())
    if place.box:
        corner, size = place.box[:2], (place.box.right - place.box.left, place.box.bottom - place.box.top)
        right.add_patch(Rectangle(corner, *size, fill=False, edgecolor=BOX, linewidth=1.8))
    right.set_xlim(0, width)
    right.set_ylim(height, 0)
    bar = figure.colorbar(heat, ax=right, fraction=0.05, pad=0.02)
    bar.set_label("score at the place", color=INK, fontsize=7)
    bar.ax.tick_params(colors=INK, labelsize=6, length=0)
    for spine in (*left.spines.values(), *right.spines.values(), bar.outline):
        spine.set_visible(False)
    return figure
