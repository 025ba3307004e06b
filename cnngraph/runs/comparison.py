"""The curves of several runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnngraph.runs.overview import RunRow
from cnngraph.train.record.plots import plot_text, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLOURS = 10  # more runs than that take colours from a scale


def comparison_figure(rows: Sequence[RunRow]) -> Figure:
    """Loss on the left, accuracy on the right; a colour for each run, training pale and dotted beside the held part."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    shown = [each for each in rows if each.epochs]
    scale = colormaps["tab10"] if len(shown) <= MOST_COLOURS else colormaps["turbo"]
    figure = Figure(figsize=(11, 4.2 + 0.16 * len(shown)), dpi=150, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        factor = 100 if name == "accuracy" else 1
        for number, row in enumerate(shown):
            colour = scale(number if len(shown) <= MOST_COLOURS else number / (len(shown) - 1))
            for part, style in (("train", {"linestyle": ":", "alpha": 0.6}), (row.held, {})):
                points = [(each["epoch"], factor * each[f"{part}_{name}"]) for each in row.epochs]
                marker = "o" if len(points) < 2 else None
                label = f"{row.path.name}, {part}" if part != "train" else None
                axes.plot(
                    *zip(*points, strict=True), color=colour, marker=marker, label=plot_text(label or ""), **style
                )
        style_axes(axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'} (dotted: training)")
        axes.get_legend().remove()
    handles, labels = axes.get_legend_handles_labels()
    named = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label]
    figure.legend(
        *zip(*named, strict=True), loc="outside lower center", ncols=min(3, len(named)), frameon=False, fontsize=8
    )
    return figure
