"""`cnngraph features`: the maps equal the node's output and are drawn in a picture of limited size."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image

from cnngraph.recipe.augment import Evaluation
from cnngraph.runs.classifier import RunImageReader, classifier_from_run
from cnngraph.runs.feature_maps import FeatureMaps, features_figure
from cnngraph.runs.features import features
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.record.plots import save_figure
from cnngraph.train.record.run_file_formats import write_figure
from tests.cli.conftest import Cli

SEEN = Image.new("RGB", (28, 28), (200, 30, 30))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    picture = Image.new("L", (28, 28))
    picture.paste(255, (4, 4, 20, 10))
    picture.save(tmp_path / "bar.png")
    return tmp_path / "bar.png"


def test_features_equal_the_output_of_the_node(finished: Path, image: Path) -> None:
    classifier = classifier_from_run(TrainedRun.open(finished), None, "cpu")
    captured: list[torch.Tensor] = []
    classifier.model.get_submodule("conv2").register_forward_hook(lambda *call: captured.append(call[2].clone()))
    classifier.run(classifier.model, [classifier.reader.read(image)])
    torch.testing.assert_close(features(classifier, "conv2", image).maps, captured[0][0])
    torch.testing.assert_close(features(classifier, "twice", image).maps, 2 * captured[0][0])  # `twice` has no module
    pool = features(classifier, "pool", image)
    assert (pool.shape, pool.maps.shape) == ((24,), (24, 1, 1))
    torch.testing.assert_close(pool.maps.flatten(), (2 * captured[0][0]).relu().mean((1, 2)))


def test_features_are_drawn(cli: Cli, finished: Path, image: Path, tmp_path: Path) -> None:
    for node, shape in (("twice", "24×7×7"), ("fc", "10"), ("in", "1×28×28")):
        ran = cli("features", finished, image, "--node", node, "-o", tmp_path / "grid.png")
        assert ran.code == 0, ran.err
        assert ran.out.splitlines()[0].startswith(f"{node} · {shape}")
        with Image.open(tmp_path / "grid.png") as drawn:
            assert drawn.size[0] > 300
    printed = json.loads(
        cli("features", finished, image, "--node", "relu2", "-o", tmp_path / "g.svg", "--format", "json").out
    )
    assert (printed["shape"], len(printed["channels"]), printed["picture"]) == ([24, 7, 7], 24, str(tmp_path / "g.svg"))
    assert all(channel["min"] >= 0 for channel in printed["channels"])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ticks_of_outputs_are_integers(count: int) -> None:
    found = FeatureMaps("net", "fc", Path("image.png"), SEEN, torch.arange(count + 1.0)[1:, None, None], (count,))
    _, axes = features_figure(found, 64).axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == list(range(count))


def test_an_unknown_node_is_an_error(cli: Cli, finished: Path, image: Path, tmp_path: Path) -> None:
    ran = cli("features", finished, image, "--node", "conv3", "-o", tmp_path / "grid.png")
    message = "error[E652]: `spots` has no node `conv3` that runs in eval mode\n  help: did you mean `conv1`?\n"
    assert (ran.code, ran.err) == (1, message)
    ran = cli("features", finished, tmp_path / "gone.png", "--node", "conv2", "-o", tmp_path / "grid.png")
    assert ran.code == 1
    assert ran.err.startswith("error[E621]: cannot read the image")
    assert not (tmp_path / "grid.png").exists()


@pytest.mark.parametrize(
    ("shape", "maximum"),
    [((1, 1, 9), 64), ((2048, 7, 7), 256), ((64, 500, 300), 9), ((3, 1, 700), 5), ((300, 16, 16), 64)],
)
def test_the_size_of_the_picture_is_limited(tmp_path: Path, shape: tuple[int, int, int], maximum: int) -> None:
    maps = torch.arange(float(torch.tensor(shape).prod())).reshape(shape)
    found = FeatureMaps("net", "a.node", Path("image.png"), SEEN, maps, shape)
    write_figure(tmp_path / "grid.png", features_figure(found, maximum))
    with Image.open(tmp_path / "grid.png") as drawn:
        assert max(drawn.size) < 2500


def drawn(found: FeatureMaps, scale: Literal["each", "all"]) -> tuple[list[Any], list[str]]:
    """The pixels of all axes of the picture, and its texts."""
    figure, stream = features_figure(found, 64, scale), io.BytesIO()
    save_figure(figure, stream, format="png")
    pixels = np.asarray(Image.open(stream).convert("RGB"))
    places = [[round(side) for side in axes.get_window_extent().extents] for axes in figure.axes]
    parts = [pixels[len(pixels) - top : len(pixels) - bottom, left:right] for left, bottom, right, top in places]
    labels = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    return parts, [*(text.get_text() for text in figure.texts), *labels]


@pytest.mark.parametrize("scale", ["each", "all"])
def test_maps_are_coloured_by_the_scale_beside_the_image(scale: Literal["each", "all"]) -> None:
    maps = torch.tensor([[[0.0, 1.0], [2.0, 4.0]], [[-4.0, 0.0], [0.0, 0.0]], [[3.0, 3.0], [3.0, 3.0]]])
    seen = SEEN.copy()
    seen.paste((0, 0, 200), (0, 0, 14, 28))
    (image, *parts, bar), texts = drawn(FeatureMaps("net", "a.node", Path("cat.png"), seen, maps, (3, 2, 2)), scale)
    high, wide = image.shape[:2]
    assert min(high, wide) > 200
    assert [tuple(image[high // 2, x]) for x in (wide // 4, 3 * wide // 4)] == [(0, 0, 200), (200, 30, 30)]
    assert texts[:6] == ["cat.png", "a.node · 3×2×2", "net", "0: 0 … 4", "1: -4 … 0", "2: 3 … 3"]
    assert texts[6:] == (["min", "max of each map"] if scale == "each" else ["-4", "4"])
    ranges = [(0.0, 4.0), (-4.0, 0.0), (3.0, 4.0)] if scale == "each" else [(-4.0, 4.0)] * 3
    for values, part, (low, high) in zip(maps, parts, ranges, strict=True):
        height, width = part.shape[:2]
        assert min(height, width) > 100
        for row, column in product(range(2), range(2)):
            expected = bar[5, round((float(values[row, column]) - low) / (high - low) * (bar.shape[1] - 8)) + 3]
            found = part[height // 4 + row * height // 2, width // 4 + column * width // 2]
            assert np.abs(found.astype(int) - expected).max() <= 12


def test_the_number_of_maps_is_in_the_title() -> None:
    found = FeatureMaps("net", "a.node", Path("cat.png"), SEEN, torch.rand(100, 4, 4), (100, 4, 4))
    _, texts = drawn(found, "each")
    assert "net · channels 0 to 63 of 100" in texts


def test_the_cropped_image_is_drawn(finished: Path, image: Path) -> None:
    """The maps show what the network sees, and so does the image beside them."""
    classifier = classifier_from_run(TrainedRun.open(finished), None, "cpu")
    assert features(classifier, "conv1", image).seen.size == (28, 28)
    reader = classifier.reader
    assert isinstance(reader, RunImageReader)
    half = Evaluation(resize=None, crop=(14, 14))
    cropping = replace(reader, preparation=replace(reader.preparation, evaluation=half))
    Image.new("L", (100, 60)).save(image)
    seen = features(replace(classifier, reader=cropping), "conv1", image).seen
    assert seen.size == (50, 30)


@pytest.mark.parametrize(("count", "rows"), [(64, 8), (12, 4), (1, 1), (2, 1), (88, 11)])
def test_the_last_row_of_the_grid_is_full(count: int, rows: int) -> None:
    figure = features_figure(FeatureMaps("net", "node", Path("cat.png"), SEEN, torch.rand(count, 4, 4), (1,)), count)
    heights = [round(axes.get_position().y0, 3) for axes in figure.axes[1:-1]]
    found = [heights.count(height) for height in sorted(set(heights), reverse=True)]
    assert len(found) == rows
    assert len(set(found)) == 1
