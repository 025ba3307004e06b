"""A plot of the loss and accuracy curves of several runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
MAX_NETWORKS, BEST = 10, 3  # networks that are drawn, and the runs of each, if nothing else is chosen


class Line(NamedTuple):
    """A run as drawn. Only the best run of a network has a `label`, if runs are grouped."""

    row: RunRow
    colour: int
    label: str


class Selection(NamedTuple):
    """The runs to draw, out of how many, and how the others were left out."""

    lines: list[Line]
    total: int
    grouped: bool = False
    note: str = ""

    @property
    def summary(self) -> str:
        """`30 of 120 runs`."""
        runs = f"{self.total:,} run{'' if self.total == 1 else 's'}"
        return runs if len(self.lines) == self.total else f"{len(self.lines):,} of {runs}"


def selected(rows: Sequence[RunRow], best: int | None = None) -> Selection:
    """The runs to draw. Up to ten are drawn one by one, more are grouped: the best of each network.

    `best` is how many of each network, at least 1, or 0 for all. Without it, the best three of the best ten networks.
    """
    shown = [row for row in rows if row.epochs]
    if len(shown) > MAX_RUNS or best is not None:
        return _grouped(shown, best)
    lines = [Line(row, number, f"{shortened(row.path.name, LONGEST)}, {row.split}") for number, row in enumerate(shown)]
    return Selection(lines, len(shown))


def comparison_figure(selection: Selection) -> Figure:
    """Loss on the left, accuracy on the right.

    Runs that are drawn one by one have a colour each, with their training curves pale and dotted. If they are grouped,
    each network has a colour, and its best run is drawn thicker.
    """
    from matplotlib.figure import Figure

    labels = [line.label for line in selection.lines if line.label]
    columns = max(1, min(3, WIDTH // (0.6 + LETTER * max(map(len, labels), default=1))))
    figure = Figure(figsize=(WIDTH, 4.2 + 0.22 * math.ceil(len(labels) / columns)), dpi=150, layout="constrained")
    colours = LIGHT.line_colours(1 + max(line.colour for line in selection.lines))
    splits = " or ".join(sorted({line.row.split for line in selection.lines}))
    dotted = "" if selection.grouped else " (dotted: training)"
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for line in selection.lines:
            _draw(axes, line, name, colours[line.colour], selection.grouped)
        style_axes(axes, f"{splits} {'accuracy, %' if name == 'accuracy' else 'loss'}{dotted}")
        limit_to_later_epochs(axes, [line.get_ydata() for line in axes.lines])
    handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=8, labelcolor=INK)
    if selection.note:
        figure.suptitle(plot_text(selection.note), x=0.01, ha="left", color=INK, fontsize=9)
    return figure


def _grouped(rows: Sequence[RunRow], best: int | None) -> Selection:
    """The best runs of the best networks, by their highest accuracy in any epoch."""
    networks: dict[tuple[str, str], list[RunRow]] = {}
    for row in sorted(rows, key=_highest, reverse=True):
        networks.setdefault((row.network, row.variant), []).append(row)
    names = _names([runs[0] for runs in networks.values()])
    most = BEST if best is None else best or len(rows)
    lines = []
    for colour, runs in enumerate(islice(networks.values(), MAX_NETWORKS if best is None else None)):
        first = runs[0]
        many = f"best of {len(runs)} runs" if len(runs) > 1 else "1 run"
        name, highest = shortened(first.path.name, LONGEST), 100 * _highest(first)
        label = f"{shortened(names[colour], LONGEST)}: {many}, {name}, {highest:.2f} % {first.split}"
        lines += [Line(row, colour, "" if number else label) for number, row in enumerate(runs[:most])]
    selection = Selection(lines, len(rows), grouped=True)
    kept = f": the best {most} of each network" if len(lines) < len(rows) else ""
    left_out = len(networks) - (lines[-1].colour + 1)
    more = f"; {left_out} other network{'s are' if left_out > 1 else ' is'} left out" if left_out else ""
    return selection._replace(note=f"{selection.summary} are drawn{kept}{more}")


def _names(rows: Sequence[RunRow]) -> list[str]:
    """The names of different networks: if several have the same, with the params whose values differ."""
    same: dict[str, list[RunRow]] = {}
    for row in rows:
        same.setdefault(row.network, []).append(row)
    differing = {
        network: [key for key in _keys(others) if len({repr(row.params.get(key)) for row in others}) > 1]
        for network, others in same.items()
    }
    params = ([f"{key} {row.params[key]}" for key in differing[row.network] if key in row.params] for row in rows)
    return [", ".join([row.network, *texts]) for row, texts in zip(rows, params, strict=True)]


def _keys(rows: Sequence[RunRow]) -> Iterable[str]:
    """The names of all params, in order."""
    return dict.fromkeys(key for row in rows for key in row.params)


def _highest(row: RunRow) -> float:
    return max(row.curve("accuracy"))


def _draw(axes: Any, line: Line, name: str, colour: str, grouped: bool) -> None:
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
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label, **style)
