"""Scores per class: counts by hand, and the files of a run."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnngraph import plot_fonts
from cnngraph.train.record.plots import confusion_figure, curves_figure
from cnngraph.train.record.records import Epoch, SplitMetrics
from cnngraph.train.record.run_file_formats import write_figure
from cnngraph.train.record.scores import Report, Scores
from tests.train.support import CPU, RECIPE, run, stripe_splits


def scores(answers: list[int], labels: list[int], classes: str = "abc") -> Report:
    counted = Scores(tuple(classes), CPU)
    for answer, label in zip(answers, labels, strict=True):
        logits = torch.nn.functional.one_hot(torch.tensor([answer]), len(classes)).float()
        counted.add(torch.tensor(float(answer)), logits, torch.tensor([label]))
    return counted.read()


def test_counts_by_hand() -> None:
    report = scores(answers=[0, 0, 1, 1, 1], labels=[0, 1, 1, 1, 0])
    assert report.confusion == ((1, 1, 0), (1, 2, 0), (0, 0, 0))
    assert (report.images, report.accuracy, report.loss) == (5, 0.6, 0.6)
    first, second, third = report.by_class()
    assert (first.images, first.recall, first.precision) == (2, 0.5, 0.5)
    assert (second.images, second.recall, second.precision) == (3, 2 / 3, 2 / 3)
    assert (third.images, third.recall, third.precision) == (0, None, None)
    assert report.top5 is None


def test_top_5() -> None:
    counted = Scores(tuple("abcdefg"), CPU)
    logits = torch.arange(7.0).repeat(7, 1)
    counted.add(torch.tensor(1.0), logits, torch.arange(7))
    report = counted.read()
    assert (report.accuracy, report.top5) == (1 / 7, 5 / 7)


@pytest.mark.parametrize("validation", [True, False])
def test_a_run_writes_the_scores_of_the_saved_weights(tmp_path: Path, validation: bool) -> None:
    part = RECIPE.validation if validation else None
    result = run(tmp_path, splits=stripe_splits(validation=validation), validation=part)
    with (tmp_path / "classes_test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list("abcd")
    assert result.test
    right = sum(float(row["recall"]) * int(row["images"]) for row in rows)
    assert right == pytest.approx(result.test.accuracy * 12)
    assert (tmp_path / "confusion_test.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_the_confusion_matrix_of_any_number_of_classes(tmp_path: Path, ending: str) -> None:
    for count in (2, 30, 100):
        names = tuple(f"${index}_{'x' * index}" for index in range(count))  # dollar signs must not start math mode
        report = Report(names, tuple(tuple(range(count)) for _ in range(count)), 0.0, None)
        file = tmp_path / f"confusion{ending}"
        write_figure(file, confusion_figure("of $ a test", report))
        assert file.stat().st_size > 1000


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_names_in_any_script_are_drawn_without_warnings(tmp_path: Path, ending: str) -> None:
    report = Report(("猫", "a \N{DOG FACE}"), ((1, 0), (0, 1)), 0.0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_figure(tmp_path / f"confusion{ending}", confusion_figure("犬と猫", report))


def test_an_installed_font_is_used_for_missing_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(
        ("\N{SCRIPT SMALL G}", "b"), ((1, 0), (0, 1)), 0.0, None
    )  # matplotlib's default font lacks this character
    fonts = []
    for names in ((), ("No Font Of This Name", "STIXGeneral")):
        monkeypatch.setattr(plot_fonts, "FALLBACK_FONTS", names)
        write_figure(tmp_path / "confusion.svg", confusion_figure("title", report))
        fonts.append("STIXGeneral-" in (tmp_path / "confusion.svg").read_text())
    assert fonts == [False, True]


def test_a_fallback_font_without_a_bold_face_is_used_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plot_fonts, "FALLBACK_FONTS", ("DejaVu Sans Display",))  # a part of matplotlib
    figure = confusion_figure("title", Report(("a", "b"), ((1, 0), (0, 1)), 0.0, None))
    for text in figure.findobj(Text):
        text.set_fontweight("bold")
    write_figure(tmp_path / "confusion.png", figure)
    assert caplog.messages == []


def axes_of(figure: Figure) -> list[Any]:
    return list(figure.axes)


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_confusion_matrix_has_counts_and_recall() -> None:
    report = Report(("a", "b", "c"), ((6, 2, 0), (1, 1, 0), (0, 0, 0)), 0.0, None)
    figure = confusion_figure("net", report)
    matrix, recall, _ = axes_of(figure)
    assert matrix.get_title(loc="left") == "net: 70.00 % of 10 correct"
    assert texts(matrix) == ["6", "2", "1", "1"]
    assert texts(recall) == ["75.0 %", "50.0 %", "–"]
    assert [bar.get_width() for bar in recall.patches] == [0.75, 0.5, 0.0]
    figure.draw_without_rendering()
    rows = [text.get_window_extent().y0 + text.get_window_extent().y1 for text in recall.texts]
    names = [label.get_window_extent().y0 + label.get_window_extent().y1 for label in matrix.get_yticklabels()]
    assert rows == pytest.approx(names, abs=6)  # the recall of a class is in its row


def test_a_few_errors_have_a_colour() -> None:
    """One of 200 images can be told from none, and every count can be read."""
    rows = tuple((200 - errors, errors, 0) for errors in range(1, 200))
    names = tuple(f"class {row}" for row in range(3))
    figures = [
        confusion_figure("net", Report(names, (rows[errors], rows[-errors], (0, 0, 7)), 0.0, None))
        for errors in (1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 98)
    ]
    for figure in figures:
        check_colours(figure)


def check_colours(figure: Figure) -> None:
    matrix, _, bar = axes_of(figure)
    (image,) = matrix.images
    none, one, all = (image.cmap(image.norm(fraction)) for fraction in (0.0, 1 / 200, 1.0))
    assert sum(abs(before - after) for before, after in zip(none, one, strict=True)) > 0.1
    assert sum(abs(before - after) for before, after in zip(one, all, strict=True)) > 1
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0 %", "1 %", "5 %", "20 %", "50 %", "100 %"]
    for text in matrix.texts:
        column, row = map(round, text.get_position())
        cell = image.cmap(image.norm(image.get_array()[row, column]))
        assert contrast(to_rgb(text.get_color()), cell) >= 4, text.get_text()


def contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """The contrast ratio of WCAG."""

    def luminance(colour: Sequence[float]) -> float:
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_a_hundred_classes_have_names_and_their_large_counts() -> None:
    """Names do not overlap, and a count is written where it is a tenth of the row."""
    count = 100
    confusion = [[0] * count for _ in range(count)]
    for row in range(count):
        confusion[row][row], confusion[row][(row + 1) % count], confusion[row][(row + 2) % count] = 80, 15, 5
    names = tuple(f"class {number}" for number in range(count))
    figure = confusion_figure("net", Report(names, tuple(map(tuple, confusion)), 0.0, None))
    figure.draw_without_rendering()
    matrix, recall, _ = figure.axes
    assert sorted(set(texts(matrix))) == ["15", "80"]
    assert texts(recall) == ["80.0 %"] * count
    assert [label.get_text() for label in matrix.get_yticklabels()] == list(names)
    for labels, side in ((matrix.get_yticklabels(), "y"), (matrix.get_xticklabels(), "x"), (recall.texts, "y")):
        extents = sorted(
            (getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in (t.get_window_extent() for t in labels)
        )
        assert all(after[0] > before[1] - 1 for before, after in pairwise(extents))


def epoch(number: int, rate: float) -> Epoch:
    metrics = SplitMetrics(1.0 / number, 0.5)
    return Epoch(number, rate, metrics, metrics, "validation", 1.0, 100.0)


@pytest.mark.parametrize(("rates", "scale"), [((0.1, 0.08, 0.05, 1e-9), "linear"), ((0.1, 0.1, 0.001, 1e-4), "log")])
def test_curves_have_the_learning_rate_and_mark_the_best_epoch(rates: tuple[float, ...], scale: str) -> None:
    epochs = tuple(epoch(number, rate) for number, rate in enumerate(rates, 1))
    figure = curves_figure("a $ title", epochs, epochs[2], SplitMetrics(0.4, 0.6))
    loss, accuracy, learning_rate = axes_of(figure)
    assert tuple(learning_rate.lines[0].get_ydata()) == rates
    assert learning_rate.get_yscale() == scale
    assert [label.get_text() for label in figure.legends[0].get_texts()] == [
        "train, during the epoch",
        "validation",
        "best epoch: 3",
        "test, once at the end",
    ]
    for axes in (loss, accuracy, learning_rate):
        assert list(axes.lines[-1].get_xdata()) == [3, 3]
