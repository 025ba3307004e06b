"""The picture of an experiment: every seed is seen, nothing is covered or cut off, and it is bounded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cnngraph.experiment.curves import MARKERS, MOST, all_curves, curves_figure
from cnngraph.experiment.results import Variant
from cnngraph.runs.overview import RunRow
from cnngraph.train.record.plot_colours import DARK, LIGHT, Theme
from tests.experiment.test_report import contrast


def run(seed: int, accuracy: float, epochs: int = 5, loss: float = 0.1) -> RunRow:
    rows = tuple(
        {
            "epoch": epoch,
            "validation_loss": loss + (epoch == 1) * 50 + seed / 100,
            "validation_accuracy": accuracy - (epoch == 1) * 0.5 - (epochs - epoch) / 1000,
        }
        for epoch in range(1, epochs + 1)
    )
    test = {"accuracy": accuracy, "loss": 1.0}
    recipe = {"seed": seed}
    path = Path("run")
    return RunRow(
        path, "net", "digits", 10, epochs, rows, "validation", None, {}, test, 1.0, True, "", recipe, measured=False
    )


def variant(name: str, accuracies: dict[int, float]) -> Variant:
    return Variant(name, tuple(run(seed, accuracy) for seed, accuracy in accuracies.items()), 3, 10, 10)


def lines_of(axes: Any) -> list[Any]:
    return list(axes.lines)


VARIANTS = [
    variant("first", {0: 0.90, 1: 0.91, 7: 0.95}),
    variant("a_variant_with_quite_a_long_name, width 3", {0: 0.92, 1: 0.94, 7: 0.93}),
    variant("$third", {7: 0.89}),
]


@pytest.mark.parametrize("narrow", [False, True])
def test_every_run_is_a_dot_with_the_marker_of_its_seed(*, narrow: bool) -> None:
    loss, accuracy, rows = curves_figure(VARIANTS, narrow=narrow).axes
    dots: list[Any] = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), line.get_marker(), to_hex(line.get_color()))
        for line in lines_of(rows)
        if len(line.get_xdata()) == 1
    ]
    shapes = dict(zip((0, 1, 7), MARKERS, strict=False))
    assert dots == [
        (pytest.approx(100 * run.accuracy), number, shapes[run.recipe["seed"]], LIGHT.lines[number])
        for number, variant in enumerate(VARIANTS)
        for run in variant.runs
        if run.accuracy is not None
    ]
    for axes in (loss, accuracy):  # a line for each mean, and one that ends with its marker for each run
        ends = [line.get_marker() for line in lines_of(axes) if line.get_marker() != "None"]
        assert ends == [shapes[seed] for seed in (0, 1, 7, 0, 1, 7, 7)]
        assert len(lines_of(axes)) == 3 + 7
        low, high = axes.get_ylim()
        assert high - low < 10  # the first epoch is far from the others
    legend: Any = rows.get_legend()
    labels = [label.get_text() for label in legend.get_texts()]
    assert labels == ["seed 0", "seed 1", "seed 7", "mean", "mean of the first"]


def texts_of(figure: Figure) -> list[Any]:
    figure.draw_without_rendering()
    texts = [*figure.texts]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        legend: Any = axes.get_legend()
        titles: Any = [axes.xaxis.label, axes._left_title]  # type: ignore[attr-defined]
        texts += [*axes.texts, *titles, *(legend.get_texts() if legend else ())]
    return [text for text in texts if text.get_text() and text.get_window_extent().width]


def many(count: int) -> list[Variant]:
    return [variant(f"variant_with_a_name_{number}", {0: 0.5 + number / 200, 1: 0.9}) for number in range(count)]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("variants", [VARIANTS, VARIANTS[:1], many(12), many(MOST + 5)])
def test_no_text_is_cut_off_or_covered(variants: list[Variant], *, narrow: bool) -> None:
    figure = curves_figure(variants, narrow=narrow)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    for name, box in boxes:
        assert box.x0 >= -1 <= box.y0, name
        assert box.x1 <= figure.bbox.x1 + 1, name
        assert box.y1 <= figure.bbox.y1 + 1, name
    for number, (name, box) in enumerate(boxes):
        for other, second in boxes[number + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert wide < 1 or high < 3, (name, other)


def test_the_first_and_the_best_of_many_variants_are_drawn() -> None:
    figure = curves_figure(many(MOST + 5))
    names = [text.get_text() for text in figure.axes[2].texts]
    assert len(names) == MOST
    assert (names[0], names[1], names[-1]) == tuple(f"variant_with_a_name_{number}" for number in (0, 6, MOST + 4))
    assert figure.texts[0].get_text().startswith(f"{MOST} of {MOST + 5} variants: the first")
    assert figure.get_size_inches()[1] < 20


def test_many_seeds_are_a_band() -> None:
    several = [variant("a", {seed: 0.9 + seed / 1000 for seed in range(len(MARKERS) + 1)})]
    loss, _, rows = curves_figure(several).axes
    assert len(loss.collections) == 1
    assert {line.get_marker() for line in lines_of(rows) if len(line.get_xdata()) == 1} == {"o"}


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_are_legible_and_differ(theme: Theme) -> None:
    for colour in (theme.ink, theme.pale, *theme.lines):
        assert contrast(colour, theme.paper) >= 4.5, colour
    assert len(set(theme.lines)) == 10
    assert all(before != after for before, after in pairwise(theme.line_colours(30)))


def test_a_picture_for_every_screen() -> None:
    curves = all_curves(VARIANTS)
    assert len(set(curves)) == 4
    for svg in curves:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert DARK.paper in curves.dark
    assert DARK.paper not in curves.wide
    assert set(all_curves([Variant("a", (), 3, 1, 1)])) == {""}
