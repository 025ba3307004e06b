"""Scores per class: counts by hand, and the files of a run."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest
import torch

from cnngraph.train.record import plots
from cnngraph.train.record.plots import confusion_figure
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
        monkeypatch.setattr(plots, "FALLBACK_FONTS", names)
        write_figure(tmp_path / "confusion.svg", confusion_figure("title", report))
        fonts.append("STIXGeneral-" in (tmp_path / "confusion.svg").read_text())
    assert fonts == [False, True]
