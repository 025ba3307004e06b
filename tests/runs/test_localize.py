"""`cnngraph localize`: the mean of the map is the class score, and the box is where the object is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

import cnngraph
from cnngraph import SpecError
from cnngraph.analysis.head import find_head
from cnngraph.runs.classifier import Box, classifier_from_run
from cnngraph.runs.localization import Localizer, bounding_box, class_score_maps
from cnngraph.runs.trained_run import TrainedRun
from tests.cli.conftest import Cli
from tests.library import network


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A white bar in the upper left quarter of a larger image."""
    image = Image.new("L", (112, 56))
    image.paste(255, (16, 4, 24, 24))
    image.save(tmp_path / "bar.png")
    return tmp_path / "bar.png"


HEADS = [
    "nodes: [{op: conv, out: 6, kernel: 3}, relu, global_avg_pool, {op: dropout, p: 0.5}, {op: linear, out: 5}]",
    "nodes: [{op: conv, out: 6, kernel: 3}, {op: avg_pool, kernel: [10, 8]}, {op: conv, out: 5, kernel: 1}, flatten]",
    "nodes: [{op: conv, out: 6, kernel: 3}, {op: adaptive_avg_pool, output: 1}, flatten, {op: linear, out: 7}, "
    "{op: linear, out: 5, bias: false}, softmax]",
    "nodes: [{op: conv, out: 5, kernel: 3}, relu, {op: mean, dim: [height, width]}]",
]


@pytest.mark.parametrize("nodes", HEADS)
def test_the_mean_of_the_map_is_the_score(tmp_path: Path, nodes: str) -> None:
    (tmp_path / "net.yaml").write_text(f"cnngraph: 1\ninput: [3, 12, 10]\n{nodes}\n")
    graph = cnngraph.load(tmp_path / "net.yaml")
    head = find_head(graph)
    from cnngraph.passes.tap import tapped

    model: nn.Module = cnngraph.build(tapped(graph, {"map": head.map, "scores": head.scores})).eval()
    with torch.inference_mode():
        features, scores = model(torch.randn(4, 3, 12, 10))
        places = class_score_maps(head, model, features)
    assert places.shape == (4, 5, 10, 8)
    torch.testing.assert_close(places.mean((2, 3)), scores)


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "densenet121", "squeezenet1_1", "drn_c_26", "resnet_cifar_222"]
)
def test_networks_that_can_localize(name: str) -> None:
    assert find_head(cnngraph.load(network(name)))


@pytest.mark.parametrize(
    ("name", "note"), [("alexnet", "relu"), ("googlenet_mnist", "concat"), ("mobilenet_v3_small", "hardswish")]
)
def test_networks_that_cannot_localize(name: str, note: str) -> None:
    message = f"`{name}` does not end with global average pooling and linear layers"
    with pytest.raises(SpecError, match=message) as caught:
        find_head(cnngraph.load(network(name)))
    (error,) = caught.value.diagnostics
    assert error.code == "E654"
    assert f"` (`{note}`) is neither" in error.notes[0]


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
    assert place.scores is not None
    assert place.scores.shape == (7, 7)
    assert float(place.scores.mean()) == pytest.approx(place.score, abs=1e-5)
    assert (place.name, place.size, place.visible_box) == ("3", (112, 56), (0, 0, 112, 56))


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
    text = cli(*arguments).out.splitlines()
    assert text[0].split() == ["image", "class", "probability", "score", "box", "picture"]
    assert ", ".join(map(str, first["box"])) in text[1]


def test_an_unknown_class(cli: Cli, finished: Path, digit: Path) -> None:
    ran = cli("localize", finished, digit, "--class", "eight")
    assert (ran.code, ran.err.splitlines()[0]) == (1, "error[E651]: there is no class `eight`")
