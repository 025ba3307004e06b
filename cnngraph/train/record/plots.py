"""The pictures that a run draws with matplotlib: curves by epoch and the confusion matrix, with names in any script."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnngraph.text import one_line
from cnngraph.train.record.records import Epoch, Figures
from cnngraph.train.record.scores import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = (  # fonts with glyphs that matplotlib's own one lacks, as Linux, macOS and Windows have them
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK KR", "Source Han Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "PingFang SC", "Hiragino Sans GB", "Hiragino Sans", "Heiti TC", "Apple SD Gothic Neo", "Arial Unicode MS",
    "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic",
    "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai",
    "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip
INK, GRID, LINE, PALE = "#334155", "#e2e8f0", "#cbd5e1", "#ffffff"
TRAIN, HELD, TEST = "#9aa5b1", "#2563eb", "#d97706"
MOST_NAMED, MOST_COUNTED = 60, 20  # classes whose names, and whose counts, can be read in a picture
LONGEST = 24  # characters of a class's name


def save_figure(figure: Figure, file: Path | IO[Any], **options: Any) -> None:
    """Save a figure; a glyph that no font here has is drawn as a box, without a word."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = set(fontManager.get_font_names())
    families = [*rcParams["font.family"], *(each for each in WIDE if each in installed)]
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(file, **options)


def tick_whole_numbers(axes: Any) -> None:
    """Ticks from left to right at whole numbers alone, also where there is but one of them."""
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def plain(text: str) -> str:
    """A name as matplotlib may draw it: dollars are no mathematics, and what is invisible is escaped."""
    return one_line(text).replace("$", r"\$")


def draw_curves(path: Path, title: str, epochs: tuple[Epoch, ...], best: Epoch | None, test: Figures | None) -> None:
    """Draw a PNG: the loss on the left, the accuracy on the right; the best epoch and the test figures are marked."""
    from matplotlib.figure import Figure  # takes half a second to import, and is needed once, at the end

    figure = Figure(figsize=(10, 3.8), dpi=150, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    numbers = [each.number for each in epochs]
    held_part = epochs[-1].held_part
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        scale = 100 if name == "accuracy" else 1
        marker = "o" if len(epochs) < 25 else None
        train = [scale * getattr(each.train, name) for each in epochs]
        held = [scale * getattr(each.held, name) for each in epochs]
        axes.plot(numbers, train, color=TRAIN, marker=marker, markersize=3, label="train, while learning")
        axes.plot(numbers, held, color=HELD, marker=marker, markersize=3, label=held_part)
        if best:
            value = scale * getattr(best.held, name)
            label = f"best epoch: {best.number}"
            axes.plot([best.number], [value], "o", markersize=8, markerfacecolor="none", color=HELD, label=label)
        if test and held_part != "test":
            value = scale * getattr(test, name)
            axes.axhline(value, color=TEST, linewidth=1, linestyle=(0, (4, 3)), label="test, once at the end")
        dress(axes, "accuracy, %" if scale == 100 else "loss")
    save_figure(figure, path, format="png")


def dress(axes: Any, title: str) -> None:
    """Quiet axes: no box, a pale grid, whole epochs."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel("epoch", color=INK, fontsize=9)
    tick_whole_numbers(axes)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)


def confusion_figure(title: str, report: Report) -> Figure:
    """A row for each class, a column for each answer, coloured by parts of the row."""
    from matplotlib.figure import Figure  # takes half a second to import

    count = len(report.classes)
    side = min(14.0, max(4.5, 2.5 + 0.42 * min(count, MOST_NAMED) * (1.0 if count <= MOST_COUNTED else 0.55)))
    figure = Figure(figsize=(side + 0.8, side), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    parts = [[each / max(1, sum(row)) for each in row] for row in report.confusion]
    picture = axes.imshow(parts, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    _name_classes(axes, report.classes)
    if count <= MOST_COUNTED:
        _write_counts(axes, report.confusion, parts)
    axes.set_title(plain(title), loc="left", fontsize=10, color=INK)
    axes.set_xlabel("answered", color=INK, fontsize=9)
    axes.set_ylabel("class", color=INK, fontsize=9)
    bar = figure.colorbar(picture, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("part of the class's images", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=7, length=0)
    for each in (*axes.spines.values(), bar.outline):
        each.set_color(LINE)
    return figure


def _name_classes(axes: Any, classes: tuple[str, ...]) -> None:
    axes.tick_params(colors=INK, labelsize=8 if len(classes) <= MOST_COUNTED else 6, length=0)
    if len(classes) > MOST_NAMED:
        return
    names = [plain(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…") for name in classes]
    places = range(len(classes))
    upright = max(map(len, names)) <= 2
    axes.set_xticks(places, names, rotation=0 if upright else 45, ha="center" if upright else "right")
    axes.set_yticks(places, names)
    if not upright:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")


def _write_counts(axes: Any, confusion: tuple[tuple[int, ...], ...], parts: list[list[float]]) -> None:
    for row, numbers in enumerate(confusion):
        for column, number in enumerate(numbers):
            if number:
                colour = PALE if parts[row][column] > 0.5 else INK
                axes.text(column, row, f"{number:,}", ha="center", va="center", fontsize=7, color=colour)
