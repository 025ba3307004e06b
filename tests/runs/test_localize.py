"""`cnngraph localize`: the mean of the map is the class score, and the box is where the object is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cnngraph.runs.classifier import Box, classifier_from_run
from cnngraph.runs.localizer import Localizer, bounding_box
from cnngraph.runs.trained_run import TrainedRun
from tests.cli.conftest import Cli


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A white bar in the upper left quarter of a larger image."""
    image = Image.new("L", (112, 56))
    image.paste(255, (16, 4, 24, 24))
    image.save(tmp_path / "bar.png")
    return tmp_path / "bar.png"


def test_a_box() -> None:
    scores = torch.zeros(4, 4)
    scores[1:3, 2] = torch.tensor([1.0, 0.6])
    image_box = Box(0, 0, 4, 4)
    assert bounding_box(scores, 0.5, image_box) == (2, 1, 3, 3)
    assert bounding_box(scores, 0.7, image_box) == (2, 1, 3, 2)
    assert bounding_box(scores, 0.0, Box(10, 20, 14, 24)) == (10, 20, 14, 24)
    left, top, right, bottom = bounding_box(scores, 0.5, Box(0, 0, 400, 400)) or image_box
    assert (200 <= left < 260, right - left < 160, 100 <= top < 150, bottom <= 320) == (True,) * 4
    assert bounding_box(-scores, 0.5, image_box) is None


def test_localize_with_a_run(finished: Path, digit: Path) -> None:
    localizer = Localizer(classifier_from_run(TrainedRun.open(finished), None, "cpu"), name="3")
    (place,) = localizer.localize([digit])
    assert place.map.shape == (7, 7)
    assert float(place.map.mean()) == pytest.approx(place.score, abs=1e-5)
    assert (place.label, place.size, place.visible) == ("3", (112, 56), (0, 0, 112, 56))


def test_pictures_and_boxes(cli: Cli, finished: Path, digit: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.open(digit).save(tmp_path / "more" / "bar.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    arguments = ("localize", finished, digit, tmp_path / "more", broken, "-o", tmp_path / "maps")
    ran = cli(*arguments, "--format", "json")
    assert ran.code == 1
    assert ran.err.startswith(f"error: cannot read the image {broken}")
    first, second, third = json.loads(ran.out)
    assert [Path(prediction["picture"]).name for prediction in (first, second)] == ["bar.png", "bar_2.png"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["bar.png", "bar_2.png"]
    assert (first["width"], first["height"]) == (112, 56)
    assert first["box"] == second["box"]
    assert "error" in third
    mean: Any = torch.tensor(first["map"]).mean()
    assert float(mean) == pytest.approx(first["score"], abs=1e-3)
    assert {place["method"] for place in (first, second)} == {"CAM"}
    text = cli(*arguments).out.splitlines()
    assert text[0].split() == ["image", "class", "probability", "score", "box", "picture"]
    assert ", ".join(map(str, first["box"])) in text[1]
    assert text[-1] == "map: CAM at relu2, 24×7×7"


def test_a_layer_is_chosen(cli: Cli, finished: Path, digit: Path, tmp_path: Path) -> None:
    arguments = ("localize", finished, digit, "-o", tmp_path / "maps", "--layer", "conv1")
    assert cli(*arguments).out.splitlines()[-1] == "map: Grad-CAM at conv1, 12×14×14"
    (place,) = json.loads(cli(*arguments, "--format", "json").out)
    assert (place["method"], place["layer"]) == ("Grad-CAM", "conv1")
    assert (len(place["map"]), len(place["map"][0]), min(map(min, place["map"])) >= 0) == (14, 14, True)
    ran = cli(*arguments[:-1], "fc")
    assert ran.err.splitlines() == [
        "error[E652]: the output of `fc` is 10, not a feature map with more than one position",
        "  help: use `--layer relu2`, or a map before it",
    ]


def test_an_unknown_class(cli: Cli, finished: Path, digit: Path) -> None:
    ran = cli("localize", finished, digit, "--class", "eight")
    assert (ran.code, ran.err.splitlines()[0]) == (1, "error[E651]: there is no class `eight`")
