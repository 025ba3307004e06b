"""The confusion matrix as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnngraph.train.record.figures import plain
from cnngraph.train.record.scores import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE, LINE = "#334155", "#ffffff", "#cbd5e1"
MOST_NAMED, MOST_COUNTED = 60, 20  # classes whose names, and whose counts, can be read in a picture
LONGEST = 24  # characters of a class's name


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
