"""The plots of a run, drawn with matplotlib: learning curves and the confusion matrix, with names in any script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnngraph.plot_fonts import quiet_fonts, with_fallbacks
from cnngraph.text import one_line
from cnngraph.train.record.plot_colours import LIGHT, Theme
from cnngraph.train.record.records import Epoch, InitialMetrics, SplitMetrics
from cnngraph.train.record.scores import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
INK, LINE, PALE = LIGHT.ink, "#cbd5e1", "#ffffff"
TRAIN, EVALUATION, TEST = "#9aa5b1", "#2563eb", "#d97706"
MAX_NAMED, MAX_COUNTED = 120, 20  # most classes for which names, and all counts, are legible
SHADES = 0.5  # exponent of the colours of the confusion matrix
DARK_SHADE, COUNT = 0.68, "#0f172a"  # from where white is more legible, and the colour of the other counts
SHOWN_FRACTIONS = 0, 0.01, 0.05, 0.2, 0.5, 1  # on the colour scale
LARGE = 0.1  # fraction of a row that is written for more classes
LONGEST = 24  # characters of a class's name


def save_figure(figure: Figure, file: Path | IO[Any], **options: Any) -> None:
    """Save a figure, always as the same bytes. `format` is one of the options.

    Glyphs that no installed font has are drawn as boxes, and fallback fonts without a bold face in their normal one,
    without a warning.
    """
    from matplotlib import rc_context, rcParams
    from matplotlib.text import Text

    families = with_fallbacks(*rcParams["font.family"])
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    metadata = NO_DATE.get(options["format"])
    with quiet_fonts(), rc_context({"svg.hashsalt": "cnngraph"}):  # for the IDs in an SVG
        figure.savefig(file, metadata=metadata, **options)


def integer_ticks(axes: Any) -> None:
    """Place the ticks of the x axis at integers only, even if there is only one."""
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def plot_text(text: str) -> str:
    """A name escaped for matplotlib: `$` does not start math mode, and invisible characters are escaped."""
    return one_line(text).replace("$", r"\$")


def draw_curves(
    path: Path,
    title: str,
    epochs: tuple[Epoch, ...],
    best: Epoch | None,
    test: SplitMetrics | None,
    initial: InitialMetrics | None = None,
) -> None:
    """Draw the learning curves as PNG, see `curves_figure`."""
    save_figure(curves_figure(title, epochs, best, test, initial), path, format="png")


def curves_figure(
    title: str,
    epochs: tuple[Epoch, ...],
    best: Epoch | None,
    test: SplitMetrics | None,
    initial: InitialMetrics | None = None,
) -> Figure:
    """Loss, accuracy and learning rate by epoch, with the best epoch and the test metrics marked.

    The metrics of `initial` weights are drawn at epoch 0.
    """
    from matplotlib.figure import Figure  # slow to import, and needed only once, at the end

    figure = Figure(figsize=(12.5, 3.8), dpi=150, layout="constrained")
    figure.suptitle(plot_text(title), x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 0.55))
    numbers = [epoch.number for epoch in epochs]
    evaluated = [(epoch.number, epoch.evaluation) for epoch in epochs]
    if initial:
        evaluated.insert(0, (0, initial.metrics))
    evaluation_split = epochs[-1].evaluation_split
    marker = "o" if len(epochs) < 25 else None
    for axes, name in zip(panels, ("loss", "accuracy"), strict=False):
        scale = 100 if name == "accuracy" else 1
        train = [scale * getattr(epoch.train, name) for epoch in epochs]
        at, evaluation = zip(*((number, scale * getattr(metrics, name)) for number, metrics in evaluated), strict=True)
        axes.plot(numbers, train, color=TRAIN, marker=marker, markersize=3, label="train, during the epoch")
        axes.plot(at, evaluation, color=EVALUATION, marker=marker, markersize=3, label=evaluation_split)
        if best:
            value = scale * getattr(best.evaluation, name)
            label = f"best epoch: {best.number}"
            axes.plot([best.number], [value], "o", markersize=8, markerfacecolor="none", color=EVALUATION, label=label)
        if test and evaluation_split != "test":
            value = scale * getattr(test, name)
            axes.axhline(value, color=TEST, linewidth=1, linestyle=(0, (4, 3)), label="test, once at the end")
        style_axes(axes, "accuracy, %" if scale == 100 else "loss")
    _draw_learning_rate(panels[2], epochs, marker)
    if best:
        for axes in panels:
            axes.axvline(best.number, color=EVALUATION, linewidth=0.8, linestyle=":", zorder=1)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=4, frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _draw_learning_rate(axes: Any, epochs: tuple[Epoch, ...], marker: str | None) -> None:
    """The learning rate at the end of each epoch; on a logarithmic scale if much of it would be close to 0."""
    from matplotlib.ticker import NullLocator

    rates = [epoch.learning_rate for epoch in epochs]
    numbers = [epoch.number for epoch in epochs]
    axes.plot(numbers, rates, color=INK, marker=marker, markersize=3, label="learning rate")
    if min(rates) > 0 and max(rates) > 30 * sorted(rates)[len(rates) // 4]:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
    style_axes(axes, "learning rate")


def shortened(text: str, longest: int) -> str:
    """A name that is too long without its middle: beginnings and ends tell names apart."""
    kept = longest - 1
    return text if len(text) <= longest else f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def style_axes(axes: Any, title: str, label: str = "epoch", theme: Theme = LIGHT) -> None:
    """Style axes over epochs, or over what the label says: no frame, a light grid, integer ticks for epochs."""
    axes.set_title(title, loc="left", fontsize=10, color=theme.ink)
    axes.set_xlabel(label, color=theme.ink, fontsize=9)
    if label == "epoch":
        integer_ticks(axes)
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, labelsize=8, length=0)
    axes.grid(color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def limit_to_later_epochs(axes: Any, curves: Sequence[Sequence[float]]) -> None:
    """Fit the y-axis to the values after the first epoch, which is far from the others, if there are several."""
    later = [value for curve in curves for value in curve[1:] if math.isfinite(value)]
    if max(map(len, curves), default=0) < 4 or not later:
        return
    margin = 0.06 * (max(later) - min(later)) or 0.05 * abs(max(later)) or 0.5
    axes.set_ylim(min(later) - margin, max(later) + margin)


def confusion_figure(title: str, report: Report) -> Figure:
    """The confusion matrix, and the recall of each class as bars.

    It has a row for each class and a column for each prediction, coloured by the square root of the fraction of the
    row, so that few errors are visible, too. If there are many classes, only large counts are written.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure  # slow to import
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    count = len(report.classes)
    cell = 0.42 if count <= MAX_COUNTED else 0.17
    side = max(4.5, 2.5 + cell * min(count, MAX_NAMED))
    figure = Figure(figsize=(side + 2.3, side), dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.1))
    axes, bars = figure.subplots(1, 2, sharey=True, width_ratios=(side, 1.1))
    fractions = [[number / max(1, sum(row)) for number in row] for row in report.confusion]
    scale = PowerNorm(SHADES, vmin=0, vmax=1)
    image = axes.imshow(fractions, cmap="Blues", norm=scale, interpolation="nearest")
    _name_classes(axes, report.classes)
    if count <= MAX_NAMED:
        _write_counts(axes, report.confusion, fractions)
    correct = f"{100 * report.accuracy:.2f} % of {report.images:,} correct"
    axes.set_title(plot_text(f"{title}: {correct}"), loc="left", fontsize=10, color=INK)
    axes.set_xlabel("predicted", color=INK, fontsize=9)
    axes.set_ylabel("class", color=INK, fontsize=9)
    _draw_recall(bars, report)
    bar = figure.colorbar(image, ax=bars, fraction=0.25, pad=0.3, aspect=30, ticks=SHOWN_FRACTIONS, format=_percent)
    bar.set_label("fraction of the class's images", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=7, length=0)
    for line in (*axes.spines.values(), bar.outline):
        line.set_color(LINE)
    return figure


def _percent(fraction: float, place: object) -> str:
    """The label of a tick of the colour scale."""
    return f"{100 * fraction:.0f} %"


def _draw_recall(axes: Any, report: Report) -> None:
    """The recall of each class, next to its row; with its value if the classes have names."""
    recalls = [score.recall for score in report.by_class()]
    axes.barh(range(len(recalls)), [recall or 0.0 for recall in recalls], height=0.7, color="#93c5fd")
    axes.set(xlim=(0, 1), xticks=[])
    axes.set_xlabel("recall", color=INK, fontsize=9)
    axes.tick_params(left=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(recalls) <= MAX_NAMED:
        size = 7 if len(recalls) <= MAX_COUNTED else 5.5
        for row, recall in enumerate(recalls):
            text = "–" if recall is None else f"{100 * recall:.1f} %"
            axes.text(0.04, row, text, ha="left", va="center", fontsize=size, color=INK)


def _name_classes(axes: Any, classes: tuple[str, ...]) -> None:
    axes.tick_params(colors=INK, labelsize=8 if len(classes) <= MAX_COUNTED else 6, length=0)
    if len(classes) > MAX_NAMED:
        return
    names = [plot_text(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…") for name in classes]
    positions = range(len(classes))
    short = max(map(len, names)) <= 2
    turned = 45 if len(classes) <= MAX_COUNTED else 90
    axes.set_xticks(positions, names, rotation=0 if short else turned, ha="center" if short else "right")
    axes.set_yticks(positions, names)
    if not short:
        for label in axes.get_xticklabels():
            label.set(rotation_mode="anchor", va="center" if turned == 90 else "top")


def _write_counts(axes: Any, confusion: tuple[tuple[int, ...], ...], fractions: list[list[float]]) -> None:
    """Write the counts into their cells; of many classes, those of at least a tenth of the row."""
    many = len(confusion) > MAX_COUNTED
    for row, numbers in enumerate(confusion):
        for column, number in enumerate(numbers):
            fraction = fractions[row][column]
            if number and (not many or fraction >= LARGE):
                colour = PALE if fraction**SHADES > DARK_SHADE else COUNT
                size = 7 if not many else 4
                axes.text(column, row, f"{number:,}", ha="center", va="center", fontsize=size, color=colour)
