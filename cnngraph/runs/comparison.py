"""A plot of the loss and accuracy curves of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnngraph.runs.overview import RunRow
from cnngraph.train.record.plots import plot_text, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_COLOURS = 10  # more runs take their colours from a continuous colour map


def comparison_figure(rows: Sequence[RunRow]) -> Figure:
    """Loss on the left, accuracy on the right, one colour per run; training curves are pale and dotted."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.epochs]
    scale = colormaps["tab10"] if len(shown) <= MAX_COLOURS else colormaps["turbo"]
    figure = Figure(figsize=(11, 4.2 + 0.16 * len(shown)), dpi=150, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        factor = 100 if name == "accuracy" else 1
        for number, row in enumerate(shown):
            colour = scale(number if len(shown) <= MAX_COLOURS else number / (len(shown) - 1))
            for split, style in (("train", {"linestyle": ":", "alpha": 0.6}), (row.split, {})):
                points = [(epoch["epoch"], factor * epoch[f"{split}_{name}"]) for epoch in row.epochs]
                marker = "o" if len(points) < 2 else None
                label = plot_text(f"{row.path.name}, {split}") if split != "train" else ""
                axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label, **style)
        style_axes(axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'} (dotted: training)")
        axes.get_legend().remove()
    handles, labels = axes.get_legend_handles_labels()
    named = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label]
    figure.legend(
        *zip(*named, strict=True), loc="outside lower center", ncols=min(3, len(named)), frameon=False, fontsize=8
    )
    return figure
