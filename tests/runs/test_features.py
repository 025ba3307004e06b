"""`cnngraph features`: the maps equal the node's output and are drawn in a picture of limited size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from cnngraph.runs.classifier import classifier_from_run
from cnngraph.runs.features import Features, features, features_figure
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.record.run_file_formats import write_figure
from tests.cli.conftest import Cli


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
    found = Features("net", "fc", Path("image.png"), torch.arange(count + 1.0)[1:, None, None], (count,))
    (axes,) = features_figure(found, 64).axes
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
    found = Features("net", "a.node", Path("image.png"), maps, shape)
    write_figure(tmp_path / "grid.png", features_figure(found, maximum))
    with Image.open(tmp_path / "grid.png") as drawn:
        assert max(drawn.size) < 2200
