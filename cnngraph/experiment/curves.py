"""Plots the learning curves of an experiment: a line for each variant, the mean over its seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from cnngraph.experiment.results import Variant
from cnngraph.train.record.plots import plot_text, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_COLOURS = 10  # for more variants, a continuous colour map is used


def curves_svg(variants: Sequence[Variant]) -> str:
    """The plot as SVG; an empty string without a finished run."""
    finished = [variant for variant in variants if variant.runs]
    text = io.StringIO()
    if finished:
        save_figure(curves_figure(finished), text, format="svg")
    return text.getvalue()


def curves_figure(variants: Sequence[Variant]) -> Figure:
    """Loss on the left, accuracy on the right, a colour for each variant."""
    from matplotlib.figure import Figure  # takes half a second to import

    figure = Figure(figsize=(11, 4.4 + 0.08 * len(variants)), dpi=100, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        draw(axes, variants, name)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def draw(axes: Any, variants: Sequence[Variant], name: str) -> None:
    """Draw the means as lines, with a band from the minimum to the maximum over the seeds."""
    from matplotlib import colormaps

    few = len(variants) <= MAX_COLOURS
    factor = 100 if name == "accuracy" else 1
    for number, variant in enumerate(variants):
        colour = colormaps["tab10"](number) if few else colormaps["turbo"](number / (len(variants) - 1))
        points = [[factor * value for value in seeds] for seeds in variant.curve(name)]
        epochs = range(1, len(points) + 1)
        marker = "o" if len(points) < 25 else None
        axes.plot(
            epochs, list(map(mean, points)), color=colour, marker=marker, markersize=3, label=plot_text(variant.name)
        )
        if len(variant.runs) > 1:
            axes.fill_between(epochs, list(map(min, points)), list(map(max, points)), color=colour, alpha=0.12, lw=0)
    splits = dict.fromkeys(run.split for variant in variants for run in variant.runs)
    style_axes(axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'} on the {' or '.join(splits)} images")
    axes.get_legend().remove()
    _limit_to_later_epochs(axes, variants, name, factor)


def _limit_to_later_epochs(axes: Any, variants: Sequence[Variant], name: str, factor: int) -> None:
    """Fit the y-axis to the values after the first epoch, which is far from the others, if there are several."""
    later = [factor * value for variant in variants for seeds in variant.curve(name)[1:] for value in seeds]
    if len(variants[0].curve(name)) < 4 or not later:
        return
    margin = 0.06 * (max(later) - min(later)) or 0.5
    axes.set_ylim(min(later) - margin, max(later) + margin)
