"""The picture of an experiment: learning curves, and below them the accuracy of each run, seed by seed.

The rows of accuracies name the variants and their colours, so that nothing covers the curves.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

from cnngraph.experiment.differences import seeds_of
from cnngraph.experiment.results import Variant
from cnngraph.train.record.plot_colours import DARK, LIGHT, Theme
from cnngraph.train.record.plots import limit_to_later_epochs, plot_text, save_figure, shortened, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 40  # variants that are drawn
MARKERS = "osD^vP*X"  # of the seeds; for more of them, one for all
WIDE, NARROW = 11.0, 4.2  # inches, for a page and for a phone
PANEL, ROW = 3.1, 0.27  # inches: the height of a panel of curves, and of a row of accuracies
LEFT, RIGHT, ABOVE, BELOW = 0.6, 0.15, 0.35, 0.6  # inches around a panel
LETTER = 0.078  # inches of a letter of a name, at most
LONGEST = 42  # letters of a name


class Curves(NamedTuple):
    """The picture as SVG: for a page, light and dark, and for a phone. Empty strings without a finished run."""

    wide: str
    dark: str
    narrow: str
    narrow_dark: str


def all_curves(variants: Sequence[Variant]) -> Curves:
    """The picture for every kind of screen."""
    return Curves(
        curves_svg(variants),
        curves_svg(variants, DARK),
        curves_svg(variants, narrow=True),
        curves_svg(variants, DARK, narrow=True),
    )


def curves_svg(variants: Sequence[Variant], theme: Theme = LIGHT, *, narrow: bool = False) -> str:
    """The picture as SVG; an empty string without a finished run."""
    finished = [variant for variant in variants if variant.runs]
    text = io.StringIO()
    if finished:
        save_figure(curves_figure(finished, theme, narrow=narrow), text, format="svg", facecolor=theme.paper)
    return text.getvalue()


def curves_figure(variants: Sequence[Variant], theme: Theme = LIGHT, *, narrow: bool = False) -> Figure:
    """Loss and accuracy by epoch, and a row for each variant with the accuracy of each seed.

    `narrow` stacks everything, for a phone. Of very many variants, the first and the best ones are drawn.
    """
    from matplotlib.figure import Figure  # takes half a second to import

    shown, left_out = _selected(variants)
    markers = _markers(shown)
    width = NARROW if narrow else WIDE
    high = ABOVE + PANEL + BELOW
    names = 0 if narrow else LETTER * min(LONGEST, max(len(variant.name) for variant in shown)) + 0.45
    row = ROW * (1.9 if narrow else 1)
    rows = ABOVE + row * len(shown) + (0.45 + 0.2 * -(-(len(markers) + 2) // 4) if narrow else 0.35)
    note = 0.22 if left_out else 0
    rows += note
    height = (2 if narrow else 1) * high + rows
    figure = Figure(figsize=(width, height), dpi=100)
    wide = width if narrow else width / 2
    colours = theme.line_colours(len(shown))

    def axes_at(x: float, y: float, wide: float, high: float) -> Any:
        return figure.add_axes((x / width, 1 - (y + high) / height, wide / width, high / height))

    for number, name in enumerate(("loss", "accuracy")):
        x, y = (0, number * high) if narrow else (number * wide, 0)
        axes = axes_at(x + LEFT, y + ABOVE, wide - LEFT - RIGHT, PANEL)
        _draw_curves(axes, shown, name, colours, markers, theme)
    place = (max(names, LEFT), height - rows + ABOVE, width - max(names, LEFT) - RIGHT, row * len(shown))
    axes = axes_at(*place)
    _draw_accuracies(axes, shown, colours, markers, theme, above=narrow)
    _draw_seeds(axes, markers, theme, bottom=note / height if narrow else None)
    if left_out:
        text = f"{len(shown)} of {len(variants)} variants: the first, and the most accurate ones"
        figure.text(0.01, 0.06 / height, text, fontsize=8, color=theme.pale)
    return figure


def _selected(variants: Sequence[Variant]) -> tuple[list[Variant], int]:
    """The variants to draw in their order, and the number of the others."""
    if len(variants) <= MOST:
        return list(variants), 0
    best = sorted(variants[1:], key=lambda variant: mean(variant.accuracies or [0.0]), reverse=True)[: MOST - 1]
    chosen = {variant.name for variant in (variants[0], *best)}
    return [variant for variant in variants if variant.name in chosen], len(variants) - MOST


def _markers(variants: Sequence[Variant]) -> dict[int, str]:
    """The marker of each seed; empty if there are too many to tell apart."""
    seeds = seeds_of(variants)
    return dict(zip(seeds, MARKERS, strict=False)) if len(seeds) <= len(MARKERS) else {}


def _draw_curves(
    axes: Any, variants: Sequence[Variant], name: str, colours: Sequence[str], markers: dict[int, str], theme: Theme
) -> None:
    """The mean of each variant as a line, and its runs as thin lines that end with the marker of their seed.

    For many seeds, a band from the minimum to the maximum.
    """
    factor = 100 if name == "accuracy" else 1
    for number, (variant, colour) in enumerate(zip(variants, colours, strict=True)):
        points = [[factor * value for value in seeds] for seeds in variant.curve(name)]
        epochs = range(1, len(points) + 1)
        several = len(variant.runs) > 1
        style: dict[str, Any] = {"linewidth": 1.8, "zorder": 4 if number else 5}
        axes.plot(epochs, list(map(mean, points)), color=colour, label=plot_text(variant.name), **style)
        if several and not markers:
            axes.fill_between(epochs, list(map(min, points)), list(map(max, points)), color=colour, alpha=0.12, lw=0)
        for run in variant.runs if markers else ():
            values = [factor * value for value in run.curve(name)]
            marker = {"marker": markers.get(run.recipe["seed"], "o"), "markevery": [len(values) - 1], "markersize": 4}
            thin = {"linewidth": 0.7 if several else 0, "alpha": 0.55, "markeredgewidth": 0}
            axes.plot(range(1, len(values) + 1), values, color=colour, zorder=3, **marker, **thin)
    splits = dict.fromkeys(run.split for variant in variants for run in variant.runs)
    style_axes(
        axes, f"{'accuracy, %' if name == 'accuracy' else 'loss'} on the {' or '.join(splits)} images", theme=theme
    )
    limit_to_later_epochs(axes, [[factor * value for value in run.curve(name)] for v in variants for run in v.runs])


def _draw_accuracies(
    axes: Any,
    variants: Sequence[Variant],
    colours: Sequence[str],
    markers: dict[int, str],
    theme: Theme,
    *,
    above: bool,
) -> None:
    """A row for each variant: its name, a dot for each seed, and a bar at the mean."""
    from matplotlib.transforms import blended_transform_factory

    bar = 0.2 if above else 0.32
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for number, (variant, colour) in enumerate(zip(variants, colours, strict=True)):
        for seed, accuracy in variant.by_seed.items():
            marker = markers.get(seed, "o")
            axes.plot([100 * accuracy], [number], marker, color=colour, markersize=5.5, alpha=0.75, markeredgewidth=0)
        if variant.accuracies:
            axes.plot([100 * mean(variant.accuracies)] * 2, [number - bar, number + bar], color=colour, linewidth=2)
        name = {"color": colour if len(variants) <= len(theme.lines) else theme.ink, "fontsize": 8.5}
        text = plot_text(shortened(variant.name, LONGEST))
        if above:
            axes.text(0, number - 0.42, text, transform=beside, va="center", ha="left", **name)
        else:
            axes.text(-0.035, number, text, transform=beside, va="center", ha="right", **name)
            axes.plot([-0.028, -0.008], [number] * 2, color=colour, linewidth=2.4, transform=beside, clip_on=False)
    values = [100 * accuracy for variant in variants for accuracy in variant.accuracies]
    if values:
        axes.axvline(
            100 * mean(variants[0].accuracies or values), color=theme.pale, linewidth=0.8, linestyle=(0, (4, 3))
        )
        margin = 0.08 * (max(values) - min(values)) or 0.5
        axes.set_xlim(min(values) - margin, max(values) + margin)
    axes.set_ylim(len(variants) - 0.5, -0.75 if above else -0.5)
    split = "test" if any(run.test for variant in variants for run in variant.runs) else "validation"
    style_axes(axes, f"accuracy of each run, % on the {split} images", "", theme)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")


def _draw_seeds(axes: Any, markers: dict[int, str], theme: Theme, *, bottom: float | None) -> None:
    """The legend of the rows of accuracies, at the right of their title, or at the bottom of the figure."""
    from matplotlib.lines import Line2D

    common: dict[str, Any] = {"color": theme.pale, "linestyle": "none", "markersize": 5.5, "markeredgewidth": 0}
    seeds = [Line2D([], [], marker=marker, label=f"seed {seed}", **common) for seed, marker in markers.items()]
    bar = Line2D([], [], marker="|", label="mean", **common | {"markersize": 10, "markeredgewidth": 2})
    first = Line2D([], [], color=theme.pale, linewidth=0.8, linestyle=(0, (4, 3)), label="mean of the first")
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": len(seeds) + 2}
    if bottom is not None:
        place = {"loc": "lower left", "bbox_to_anchor": (0.0, bottom), "ncols": 4}
        place["bbox_transform"] = axes.figure.transFigure
    axes.legend(
        handles=[*seeds, bar, first],
        frameon=False,
        fontsize=8,
        labelcolor=theme.ink,
        handletextpad=0.3,
        columnspacing=1.2,
        **place,
    )
