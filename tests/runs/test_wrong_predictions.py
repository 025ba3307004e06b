"""`cnngraph evaluate --wrong`: the most confident wrong predictions, compared with those that PyTorch computes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import cnngraph
from cnngraph.recipe import load_recipe
from cnngraph.runs.classifier import classifier_from_run
from cnngraph.runs.contact_sheet import contact_sheet, write_wrong_predictions
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.runs.wrong_predictions import WrongPrediction
from cnngraph.schemas import document_schema
from cnngraph.train.record.plots import save_figure
from tests.cli.conftest import Cli
from tests.runs.conftest import load_tenth


def expected_rows(run: Path) -> list[dict[str, Any]]:
    """All wrong predictions for the test images."""
    classifier = classifier_from_run(TrainedRun.open(run), None, "cpu")
    test = load_tenth(load_recipe("digits"), (1, 28, 28), None, print, True).test
    assert test
    rows = []
    for index in test.indices.tolist():
        ((pixels, labels),) = test.images.batches([(torch.tensor([index]), None)], torch.device("cpu"))
        image = Image.fromarray(pixels[0, :, :, 0].numpy())
        scores = classifier.run(classifier.model, [classifier.reader.read(image)])[0].softmax(0)
        label, predicted = int(labels), int(scores.argmax())
        if label != predicted:
            values = ("test", index, None, str(label), str(predicted), float(scores[predicted]), float(scores[label]))
            names = ("split", "index", "file", "class", "predicted", "probability", "class_probability")
            rows.append(dict(zip(names, values, strict=True)))
    return sorted(rows, key=lambda row: -float(str(row["probability"])))


def assert_rows(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [row["index"] for row in found] == [row["index"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row == {
            name: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value for name, value in other.items()
        }


def test_all_formats_have_the_same_rows(cli: Cli, trained: Path, tmp_path: Path) -> None:
    expected = expected_rows(trained)
    assert len(expected) > 12
    ran = cli("evaluate", trained, "--wrong", 12, "-o", tmp_path / "wrong.json", "--format", "json")
    printed = json.loads(ran.out)
    assert_rows(printed["wrong"], expected[:12])
    assert printed["wrong_file"] == str(tmp_path / "wrong.json")
    assert printed["picture"] == str(trained / "confusion_test.png")
    written = json.loads((tmp_path / "wrong.json").read_text())
    Draft202012Validator(document_schema("wrong")).validate(written)
    assert written == printed["wrong"]
    ran = cli("evaluate", trained, "--wrong", 10_000, "-o", tmp_path / "wrong.csv")
    assert ran.out.splitlines()[-1] == (
        f"wrong predictions: {tmp_path / 'wrong.csv'}, {len(expected)} of {len(expected)}, most confident first"
    )
    with (tmp_path / "wrong.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["index"]), row["file"], row["predicted"]) for row in rows] == [
        (row["index"], "", row["predicted"]) for row in expected
    ]
    assert [json.loads(row["probability"]) for row in rows[:12]] == [row["probability"] for row in written]


def test_the_default_file_is_a_picture_in_the_run(cli: Cli, trained: Path) -> None:
    ran = cli("evaluate", trained, "--split", "validation", "--wrong", 3)
    assert ran.code == 0, ran.err
    assert f"wrong predictions: {trained / 'wrong_validation.png'}, 3 of " in ran.out
    with Image.open(trained / "wrong_validation.png") as drawn:
        assert drawn.size[0] > 600
    assert (trained / "confusion_validation.png").is_file()


def test_rows_of_all_splits(cli: Cli, trained: Path) -> None:
    printed = json.loads(cli("evaluate", trained, "--split", "all", "--wrong", 10_000, "--format", "json").out)
    assert {row["split"] for row in printed["wrong"]} == {"train", "validation", "test"}
    assert_rows([row for row in printed["wrong"] if row["split"] == "test"], expected_rows(trained))
    assert len(printed["wrong"]) == round(printed["images"] * (1 - printed["top1"]))


def test_without_wrong_a_table_is_refused(cli: Cli, trained: Path, tmp_path: Path) -> None:
    assert cli("evaluate", trained, "-o", tmp_path / "wrong.csv").err.startswith("error: ")
    assert (
        "must end in .png, .svg, .pdf, .csv or .json" in cli("evaluate", trained, "--wrong", 2, "-o", "wrong.txt").err
    )
    assert "wrong" not in json.loads(cli("evaluate", trained, "--format", "json").out)


def test_files_have_names_and_broken_ones_no_rows(cli: Cli, trained: Path, tmp_path: Path) -> None:
    place = tmp_path / "photos"
    for label in range(2):
        (place / str(label)).mkdir(parents=True)
        for number in range(4):
            Image.new("L", (28, 28), 255 if number == 2 else 60 * number).save(place / str(label) / f"{number}.png")
    (place / "0" / "1.png").write_bytes(b"broken")
    recipe = (trained / "recipe.yaml").read_text()
    start = recipe.index("data:")
    rest = recipe[recipe.index("\n", start) :]
    while rest.startswith("\n "):
        rest = rest[1:].partition("\n")[2].join(["\n", ""])
    recipe = f"{recipe[:start]}data: {{name: folder, broken: skip}}{rest}"
    (trained / "recipe.yaml").write_text(recipe)
    ran = cli("evaluate", trained, "--data-dir", place, "--split", "all", "--wrong", 100, "--format", "json")
    if "E645" in ran.err:  # the recipe is protected by the checksums of the weights
        from tests.runs.conftest import without_facts

        without_facts(trained / "best.safetensors")
        ran = cli("evaluate", trained, "--data-dir", place, "--split", "all", "--wrong", 100, "--format", "json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    assert printed["images"] == 7
    classifier = classifier_from_run(TrainedRun.open(trained), None, "cpu")
    for row in printed["wrong"]:
        scores = classifier.run(classifier.model, [classifier.reader.read(place / row["file"])])[0].softmax(0)
        assert row["file"].partition("/")[0] == row["class"]
        assert row["predicted"] == str(int(scores.argmax()))
        assert row["probability"] == pytest.approx(float(scores.max()), abs=1e-5)


def wrong_prediction(number: int, colour: tuple[int, int, int], name: str = "cat") -> WrongPrediction:
    image = Image.new("RGB", (32, 24), colour)
    return WrongPrediction("test", number, f"test/cat/{number}.png", name, "dog", 0.9 - number / 100, 0.05, image)


COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]


@pytest.mark.parametrize("name", ["5 wrong", "a_very_long_name_of_a_network_" * 5])
def test_the_sheet_shows_the_images_in_order_with_captions(name: str) -> None:
    wrong = [wrong_prediction(number, colour) for number, colour in enumerate(COLOURS)]
    figure, stream = contact_sheet(wrong, f"net, {name}", 90), io.BytesIO()
    save_figure(figure, stream, format="png")
    pixels = np.asarray(Image.open(stream).convert("RGB"))
    for axes, colour in zip(figure.axes, COLOURS, strict=True):
        left, bottom, right, top = axes.get_window_extent().extents
        assert right - left > 150
        assert (right - left) / (top - bottom) == pytest.approx(32 / 24, rel=0.02)
        assert tuple(pixels[len(pixels) - round((top + bottom) / 2), round((left + right) / 2)]) == colour
    texts = [text.get_text() for text in figure.texts]
    assert texts[0].startswith("net, ")
    assert texts[0].endswith(name[-7:])
    assert texts[1].startswith("5 of 90 wrong predictions, most confident first")
    assert max(text.get_window_extent().x1 for text in figure.texts) < figure.bbox.x1  # nothing is cut off
    assert texts[2:8] == ["test/cat/0.png", "cat", "dog 90.0 %", "test/cat/1.png", "cat", "dog 89.0 %"]
    boxes = [text.get_window_extent() for text in figure.texts]
    overlaps = [
        (first, second)
        for number, first in enumerate(boxes)
        for second in boxes[number + 1 :]
        if first.overlaps(second) and min(first.y1, second.y1) - max(first.y0, second.y0) > 3
    ]
    assert not overlaps


@pytest.mark.parametrize("ending", ["png", "csv", "json"])
def test_no_wrong_predictions(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"wrong.{ending}"
    write_wrong_predictions(file, [], "net", 0)
    if ending == "json":
        assert json.loads(file.read_text()) == []
    elif ending == "csv":
        assert file.read_text() == "split,index,file,class,predicted,probability,class_probability\n"
    else:
        assert [text.get_text() for text in contact_sheet([], "net", 0).texts][1] == "no wrong predictions"


def test_a_probability_that_is_not_a_number_is_null(tmp_path: Path) -> None:
    odd = replace(wrong_prediction(0, COLOURS[0]), probability=float("nan"))
    write_wrong_predictions(tmp_path / "wrong.json", [odd], "net", 1)
    assert json.loads((tmp_path / "wrong.json").read_text())[0]["probability"] is None


def test_python(trained: Path, tmp_path: Path) -> None:
    measured = cnngraph.evaluate(trained, device="cpu", wrong=4)
    assert [prediction.index for prediction in measured.wrong] == [row["index"] for row in expected_rows(trained)[:4]]
    assert all(prediction.true != prediction.predicted for prediction in measured.wrong)
    assert measured.wrong[0].image.size == (28, 28)
    assert len(json.loads(measured.save_wrong(tmp_path / "wrong.json").read_text())) == 4
    assert measured.save_wrong(tmp_path / "wrong.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg, \.pdf, \.csv or \.json"):
        measured.save_wrong(tmp_path / "wrong.txt")
    assert cnngraph.evaluate(trained, device="cpu").wrong == ()
