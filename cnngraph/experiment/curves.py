"""The curves of an experiment in one picture: a line for each variant, the mean over its seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from cnngraph.experiment.results import Variant
from cnngraph.train.record.plots import plot_text, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLOURS = 10  # more variants than that take colours from a scale


def curves_svg(variants: Sequence[Variant]) -> str:
    """The picture as SVG text; empty where no run is finished."""
    import matplotlib

    shown = [each for each in variants if each.runs]
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "cnngraph"}):  # the same picture each time
        if shown:
            save_figure(curves_figure(shown), text, format="svg", metadata={"Date": None})
    return text.getvalue()


def curves_figure(shown: Sequence[Variant]) -> Figure:
    """Loss on the left, accuracy on the right, a colour for each variant."""
    from matplotlib.figure import Figure  # takes half a second to import

    figure = Figure(figsize=(11, 4.4 + 0.08 * len(shown)), dpi=100, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        draw(axes, shown, name)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def draw(axes: Any, shown: Sequence[Variant], name: str) -> None:
    """Lines of means, with a band from the least to the most of the seeds."""
    from matplotlib import colormaps

    few = len(shown) <= MOST_COLOURS
    factor = 100 if name == "accuracy" else 1
    for number, variant in enumerate(shown):
        colour = colormaps["tab10"](number) if few else colormaps["turbo"](number / (len(shown) - 1))
        points = [[factor * each for each in seeds] for seeds in variant.curve(name)]
        epochs = range(1, len(points) + 1)
        marker = "o" if len(points) < 25 else None
        axes.plot(
            epochs, list(map(mean, points)), color=colour, marker=marker, markersize=3, label=plot_text(variant.name)
        )
        if len(variant.runs) > 1:
            axes.fill_between(epochs, list(map(min, points)), list(map(max, points)), color=colour, alpha=0.12, lw=0)
    parts = dict.fromkeys(each.held for variant in shown for each in variant.runs)
    style_axes(axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'} on the {' or '.join(parts)} images")
    axes.get_legend().remove()
    _leave_out_the_beginning(axes, shown, name, factor)


def _leave_out_the_beginning(axes: Any, shown: Sequence[Variant], name: str, factor: int) -> None:
    """Bounds for the values after the first epoch, which is far from all others, where there are enough of them."""
    later = [factor * each for variant in shown for seeds in variant.curve(name)[1:] for each in seeds]
    if len(shown[0].curve(name)) < 4 or not later:
        return
    margin = 0.06 * (max(later) - min(later)) or 0.5
    axes.set_ylim(min(later) - margin, max(later) + margin)
