"""`localize`, `features` and `evaluate` as Python: their values, what notebooks show, and files that are no images."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnngraph
from tests.cli.conftest import Cli, cli  # noqa: F401

SPEC = """
cnngraph: 1
name: dots
input: [1, 28, 28]
train: {data: digits, epochs: 1, batch_size: 20, optimizer: {name: adam, lr: 0.01}, device: cpu}
nodes:
  conv: {op: conv, out: 6, kernel: 5, stride: 4}
  relu: relu
  pool: global_avg_pool
  fc: {op: linear, out: 10}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: None) -> cnngraph.TrainResult:
    """A run of a convolutional network, and images, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("dots.yaml").write_text(SPEC)
    image = Image.new("L", (56, 28))
    image.paste(255, (8, 4, 20, 24))
    image.save("bar.png")
    Path("broken.png").write_bytes(Path("bar.png").read_bytes()[:50])
    return cnngraph.train("dots.yaml", out="run")


def size_of(png: Any) -> tuple[int, int]:
    """The size of a PNG that a notebook shows."""
    assert isinstance(png, bytes)
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.size


def test_a_class_is_located(run: cnngraph.TrainResult, cli: Cli) -> None:  # noqa: F811
    (found,) = cnngraph.localize(run, "bar.png", class_="3")
    (printed,) = json.loads(cli("localize", "run", "bar.png", "--class", "3", "--format", "json").out)
    assert found.to_dict() == {name: value for name, value in printed.items() if name != "picture"}
    assert (found.image, found.label, found.size, found.method) == (Path("bar.png"), "3", (56, 28), "CAM")
    assert isinstance(found.map, torch.Tensor)
    assert found.map.shape == (6, 6)
    assert float(found.map.mean()) == pytest.approx(found.score, abs=1e-4)
    assert "tensor" not in repr(found)
    (other,) = cnngraph.localize(run, "bar.png", layer="conv", threshold=1.0)
    assert (other.method, other.layer) == ("Grad-CAM", "conv")


def test_notebooks_show_the_pictures_that_the_command_line_draws(run: cnngraph.TrainResult, cli: Cli) -> None:  # noqa: F811
    (found,) = cnngraph.localize(run, "bar.png")
    maps = cnngraph.features(run, "bar.png", "conv")
    assert cli("localize", "run", "bar.png", "-o", "maps").code == 0
    assert cli("features", "run", "bar.png", "--node", "conv", "-o", "maps.png", "--scale", "all").code == 0
    assert found._repr_png_() == Path("maps/bar.png").read_bytes()
    assert maps.draw("all.png", scale="all").read_bytes() == Path("maps.png").read_bytes()
    assert min(size_of(maps._repr_png_())) > 200
    assert found.draw("found.svg").read_text().count("<svg") == 1
    for value, options in ((found, {}), (maps, {}), (maps, {"most": 0}), (maps, {"scale": "both"})):
        with pytest.raises(ValueError, match=r"must (end in \.png, \.svg or \.pdf|be at least 1|be 'each' or 'all')"):
            value.draw("picture.gif", **options)
    assert not Path("picture.gif").exists()


def test_features_are_the_output_of_the_node(run: cnngraph.TrainResult) -> None:
    found = cnngraph.features(run, "bar.png", node="conv")
    assert (found.network, found.node, found.image, found.shape) == ("dots", "conv", Path("bar.png"), (6, 6, 6))
    model: Any = run.load_model()
    captured: list[torch.Tensor] = []
    convolution = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    convolution.register_forward_hook(lambda *call: captured.append(call[2].detach().clone()))
    pixels = torch.from_numpy(np.asarray(found.seen.convert("L").resize((28, 28))).copy())
    again = cnngraph.features(run, pixels[None], "conv")
    assert again.image is None
    assert again.maps.shape == found.maps.shape == (6, 6, 6)
    assert cnngraph.features(run, "bar.png", "pool").maps.shape == (6, 1, 1)
    torch.testing.assert_close(cnngraph.features(run, "bar.png", "relu").maps, found.maps.relu())


def test_images_in_memory(run: cnngraph.TrainResult) -> None:
    with Image.open("bar.png") as image:
        image.load()
    (from_file,), (in_memory,) = (cnngraph.localize(run, source) for source in ("bar.png", image))
    assert in_memory.image is None
    assert torch.equal(from_file.map, in_memory.map)
    assert size_of(in_memory._repr_png_()) == size_of(from_file._repr_png_())
    several = cnngraph.localize(run, torch.zeros(3, 1, 28, 28))
    assert [found.image for found in several] == [None] * 3
    with pytest.raises(ValueError, match="one image is needed, got 3"):
        cnngraph.features(run, torch.zeros(3, 1, 28, 28), "conv")
    with pytest.raises(TypeError, match="an image must be a file"):
        cnngraph.features(run, [3], "conv")  # type: ignore[arg-type]


def test_evaluations_show_the_confusion_matrix_and_wrong_predictions(run: cnngraph.TrainResult) -> None:
    assert cnngraph.evaluate(run)._repr_html_().count("<img") == 1
    measured = cnngraph.evaluate(run, wrong=30)
    html = measured._repr_html_()
    assert [part.partition('"')[0] for part in html.split('<img alt="')[1:]] == [
        "confusion matrix",
        "wrong predictions",
    ]
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg, \.pdf, \.csv or \.json"):
        measured.save_wrong("wrong.txt")


def huge() -> None:
    Image.new("L", (9000, 9000)).save("huge.png")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.png", "cannot read the image broken.png"),
        ("huge.png", "it has too many pixels: 81,000,000"),
        ("removed.png", "removed.png"),
        ("dots.yaml", "it is empty or not in a known image format"),
    ],
)
def test_files_that_are_no_images(run: cnngraph.TrainResult, cli: Cli, name: str, message: str) -> None:  # noqa: F811
    if name == "huge.png":
        huge()
    with pytest.raises(cnngraph.SpecError, match=f"E621.*{message}"):
        cnngraph.localize(run, name)
    with pytest.raises(cnngraph.SpecError, match=f"E621.*{message}"):
        cnngraph.features(run, name, "conv")
    (found, fine) = cnngraph.localize(run, [name, "bar.png"], strict=False)
    assert message in found.error
    assert fine.error == ""
    assert found._repr_png_() is None
    with pytest.raises(ValueError, match=message):
        found.draw("found.png")
    for arguments in (("localize", "run", name), ("features", "run", name, "--node", "conv")):
        ran = cli(*arguments)
        assert ran.code == 1
        assert message in ran.err
        assert "Traceback" not in ran.err
    assert not Path("features.png").exists()


def test_an_image_that_is_removed_before_it_is_drawn(run: cnngraph.TrainResult) -> None:
    (found,) = cnngraph.localize(run, "bar.png")
    maps = cnngraph.features(run, "bar.png", "conv")
    Path("bar.png").unlink()
    assert found._repr_png_() is None
    assert maps._repr_png_()
    with pytest.raises(cnngraph.SpecError, match="E621"):
        found.draw("found.png")
    assert not Path("found.png").exists()


@pytest.mark.parametrize("name", ["spec.yaml", "recipe.yaml", "data.json", "best.safetensors", "metrics.json"])
def test_a_run_without_one_of_its_files(run: cnngraph.TrainResult, cli: Cli, name: str) -> None:  # noqa: F811
    (run.folder / name).unlink()
    for arguments in (("localize", "run", "bar.png"), ("features", "run", "bar.png", "--node", "conv")):
        ran = cli(*arguments)
        assert "Traceback" not in ran.err
        assert (ran.code == 0) or ("run" in ran.err and ran.err.startswith("error"))
    functions = (lambda: cnngraph.localize(run, "bar.png"), lambda: cnngraph.features(run, "bar.png", "conv"))
    for function in functions:
        try:
            function()
        except cnngraph.SpecError as error:
            assert "run" in str(error)  # noqa: PT017


def test_errors(run: cnngraph.TrainResult) -> None:
    for call, code in (
        (lambda: cnngraph.localize(run, "bar.png", class_="eight"), "E651"),
        (lambda: cnngraph.localize(run, "bar.png", layer="fc"), "E652"),
        (lambda: cnngraph.features(run, "bar.png", "convv"), "E652"),
        (lambda: cnngraph.localize("nowhere", "bar.png"), "E6"),
        (lambda: cnngraph.features("resnet18", "bar.png", "conv1"), "E650"),
    ):
        with pytest.raises(cnngraph.SpecError, match=code):
            call()
    with pytest.raises(ValueError, match="threshold must be from 0 to 1, got 2"):
        cnngraph.localize(run, "bar.png", threshold=2)
