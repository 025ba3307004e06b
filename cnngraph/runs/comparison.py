"""A plot of the loss and accuracy curves of several runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from cnngraph.runs.overview import RunRow
from cnngraph.train.record.plot_colours import LIGHT
from cnngraph.train.record.plots import INK, limit_to_later_epochs, plot_text, shortened, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_RUNS = 10  # with a colour of their own; more are grouped by network
WIDTH, LETTER = 11, 0.066  # inches of the picture, and of a letter of the legend
LONGEST = 64  # letters of a name
MAX_NETWORKS, BEST = 10, 3  # networks that are drawn, and the runs of each


class Line(NamedTuple):
    """A run as drawn. Only the best run of a network has a `label`, if runs are grouped."""

    row: RunRow
    colour: int
    label: str


class Selection(NamedTuple):
    """The runs to draw, and a note of those that are not."""

    lines: list[Line]
    note: str


def comparison_figure(rows: Sequence[RunRow]) -> Figure:
    """Loss on the left, accuracy on the right.

    Up to ten runs have a colour each, with their training curves pale and dotted. More are grouped: a colour for each
    network, and the best runs of each.
    """
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.epochs]
    grouped = len(shown) > MAX_RUNS
    selection = _grouped(shown) if grouped else _single(shown)
    labels = [line.label for line in selection.lines if line.label]
    columns = max(1, min(3, WIDTH // (0.6 + LETTER * max(map(len, labels), default=1))))
    figure = Figure(figsize=(WIDTH, 4.2 + 0.22 * math.ceil(len(labels) / columns)), dpi=150, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for line in selection.lines:
            _draw(axes, line, name, grouped)
        dotted = "" if grouped else " (dotted: training)"
        style_axes(axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'}{dotted}")
        limit_to_later_epochs(axes, [line.get_ydata() for line in axes.lines])
    handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=8, labelcolor=INK)
    if selection.note:
        figure.suptitle(plot_text(selection.note), x=0.01, ha="left", color=INK, fontsize=9)
    return figure


def _single(rows: Sequence[RunRow]) -> Selection:
    lines = [Line(row, number, f"{shortened(row.path.name, LONGEST)}, {row.split}") for number, row in enumerate(rows)]
    return Selection(lines, "")


def _grouped(rows: Sequence[RunRow]) -> Selection:
    """The best runs of the best networks, by their highest accuracy in any epoch."""
    networks: dict[str, list[RunRow]] = {}
    for row in sorted(rows, key=_highest, reverse=True):
        networks.setdefault(row.network, []).append(row)
    lines = []
    for colour, (network, runs) in enumerate(islice(networks.items(), MAX_NETWORKS)):
        best = runs[0]
        many = f"best of {len(runs)} runs" if len(runs) > 1 else "1 run"
        name, highest = shortened(best.path.name, LONGEST), 100 * _highest(best)
        label = f"{shortened(network, LONGEST)}: {many}, {name}, {highest:.2f} % {best.split}"
        lines += [Line(row, colour, "" if number else label) for number, row in enumerate(runs[:BEST])]
    drawn = f"{len(lines)} of {len(rows)} runs are drawn: the best {BEST} of each network"
    left_out = len(networks) - MAX_NETWORKS
    more = f"; {left_out} other network{'s are' if left_out > 1 else ' is'} left out" if left_out > 0 else ""
    return Selection(lines, f"{drawn}{more}")


def _highest(row: RunRow) -> float:
    return max(row.curve("accuracy"))


def _draw(axes: Any, line: Line, name: str, grouped: bool) -> None:
    """Draw a run; if runs are grouped, without its training curve, and thin if it is not the best of its network."""
    factor = 100 if name == "accuracy" else 1
    train: dict[str, Any] = {"linestyle": ":", "alpha": 0.6}
    evaluation: dict[str, Any] = {} if line.label else {"linewidth": 0.8, "alpha": 0.55}
    for split, style in (("train", train), (line.row.split, evaluation)):
        if split == "train" and grouped:
            continue
        points = [(epoch["epoch"], factor * epoch[f"{split}_{name}"]) for epoch in line.row.epochs]
        label = plot_text(line.label) if split != "train" and line.label else None
        marker = "o" if len(points) < 2 else None
        axes.plot(*zip(*points, strict=True), color=LIGHT.lines[line.colour], marker=marker, label=label, **style)
