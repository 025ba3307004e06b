"""`cnngraph predict` classifies files exactly as the images of the run were classified."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.runs import prediction
from cnngraph.runs.classifier import Box, RunImageReader, classifier_from_torchvision
from cnngraph.runs.evaluation import evaluate_run
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.folder import find_class_files
from cnngraph.train.data.formats import EXTENSIONS
from cnngraph.train.data.named_sets import _bundled
from tests.cli.conftest import Cli
from tests.runs.conftest import without_facts

SQUEEZENET = models.SqueezeNet1_1_Weights.IMAGENET1K_V1


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """The test images of the run as files, in one folder per class."""
    _, test = _bundled()
    for number in range(0, len(test.labels), 10):
        place = tmp_path / "digits" / str(int(test.labels[number]))
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(test.pixels[number, :, :, 0].numpy()).save(place / f"{number}.png")
    return tmp_path / "digits"


def test_files_are_classified_like_the_images_of_the_run(
    cli: Cli, finished: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "BATCH_SIZE", 7)
    ran = cli("predict", finished, digits, "--top", 1, "--format", "json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    assert [answer["image"] for answer in printed] == sorted(answer["image"] for answer in printed)
    confusion = evaluate_run(TrainedRun.open(finished), device="cpu").report.confusion
    counted = [[0] * 10 for _ in range(10)]
    for answer in printed:
        counted[int(Path(answer["image"]).parent.name)][int(answer["predictions"][0]["class"])] += 1
    assert tuple(map(tuple, counted)) == confusion


def test_the_table_of_predictions(cli: Cli, finished: Path, digits: Path) -> None:
    images = sorted(digits.rglob("*.png"))[:2]
    ran = cli("predict", finished, *images, "--top", 3)
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["image", "class", "probability"]
    assert [len(line) for line in lines[1:]] == [4, 3, 3, 4, 3, 3]
    assert lines[1][0] == str(images[0])
    printed = json.loads(cli("predict", finished, images[0], "--format", "json").out)[0]["predictions"]
    assert [prediction["class"] for prediction in printed[:3]] == [lines[1][1], lines[2][0], lines[3][0]]
    assert len(printed) == 5
    assert 0 < sum(prediction["probability"] for prediction in printed) <= 1.000001


def test_images_are_converted_to_the_input_of_the_network(
    cli: Cli, finished: Path, digits: Path, tmp_path: Path
) -> None:
    file = next(digits.rglob("*.png"))
    large = Image.open(file).resize((84, 84), Image.Resampling.NEAREST).convert("RGB")
    large.save(tmp_path / "large.png")
    small, colour = (json.loads(cli("predict", finished, image, "--format", "json").out)[0]["predictions"][0]
                     for image in (file, tmp_path / "large.png"))  # fmt: skip
    assert small["class"] == colour["class"]


def test_a_broken_image_is_reported_and_the_others_are_classified(
    cli: Cli, finished: Path, digits: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    good = next(digits.rglob("*.png"))
    ran = cli("predict", finished, broken, good, tmp_path / "gone.png", "--top", 1)
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    first, second = ran.err.splitlines()
    assert first.startswith(f"error: cannot read the image {broken}: ")
    assert second == f"error: there is no file {tmp_path / 'gone.png'}"
    printed = json.loads(cli("predict", finished, broken, good, "--format", "json").out)
    assert [sorted(answer) for answer in printed] == [["error", "image"], ["image", "predictions"]]
    (tmp_path / "empty").mkdir()
    ran = cli("predict", finished, tmp_path / "empty")
    assert (ran.code, ran.err) == (1, f"error: there are no images in {tmp_path / 'empty'}\n")


def test_other_images_are_classified_despite_broken_files_and_pipes(
    cli: Cli, finished: Path, digits: Path, tmp_path: Path
) -> None:
    good, place = next(digits.rglob("*.png")), tmp_path / "pictures"
    (place / "more").mkdir(parents=True)
    (place / "a.png").write_bytes(good.read_bytes())
    (place / "torn.png").write_bytes(good.read_bytes()[:-40])
    (place / ".hidden.png").write_bytes(b"")
    (place / "more" / "up").symlink_to("..")
    (place / "more" / "z.jfif").write_bytes(good.read_bytes())
    os.mkfifo(place / "pipe.png")
    ran = cli("predict", finished, place, place / "pipe.png", "/dev/zero", "--format", "json")
    printed = {Path(answer["image"]).name: "predictions" in answer for answer in json.loads(ran.out)}
    assert printed == {"a.png": True, "torn.png": False, "z.jfif": True, "pipe.png": False, "zero": False}
    passed = "hidden or system entries: 1 (.hidden.png); pipes, sockets or devices: 1 (pipe.png)"
    linked = "links to files or folders already read, or to a folder above: 1 (up)"
    assert ran.err.splitlines()[0] == f"note: ignored {passed}; {linked}"
    assert (ran.code, len(ran.err.splitlines())) == (1, 4)
    assert "pipe.png: it is a pipe or device, not a regular file" in ran.err
    ran = cli("predict", finished, "/proc")
    assert (ran.code, ran.err.splitlines()[0]) == (
        1, "error[E625]: /proc is a system folder, not a folder of images"
    )  # fmt: skip


def test_a_folder_is_searched_for_all_image_formats(cli: Cli, finished: Path, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "kinds").mkdir()
    modes = {".xbm": "1", ".ico": "RGBA", ".icns": "RGBA", ".mpo": "RGB", ".qoi": "RGB", ".msp": "1"}
    written = [ending for ending in EXTENSIONS if Image.registered_extensions()[ending] in Image.SAVE]
    for ending in written:
        image = Image.open(next(digits.rglob("*.png"))).convert(modes.get(ending, "L"))
        image.save(tmp_path / "kinds" / f"a{ending.upper()}")
    (tmp_path / "kinds" / "read.me").write_text("no image")
    printed = json.loads(cli("predict", finished, tmp_path / "kinds", "--format", "json").out)
    assert (
        {Path(answer["image"]).suffix.lower() for answer in printed}
        == set(written)
        >= {".gif", ".tif", ".jfif", ".avif"}
    )
    assert all("predictions" in answer for answer in printed)
    (tmp_path / "kinds").rename(tmp_path / "of_a_class")
    assert len(find_class_files(tmp_path, ["of_a_class"])["of_a_class"]) == len(printed)


def test_a_run_without_class_names(cli: Cli, trained: Path, digits: Path) -> None:
    (trained / "data.json").unlink()
    without_facts(trained / "best.safetensors")
    assert cli("predict", trained, next(digits.rglob("*.png"))).code == 0  # the classes of a named set are known
    (trained / "recipe.yaml").write_text("{data: folder, epochs: 1, optimizer: adam}")
    ran = cli("predict", trained, next(digits.rglob("*.png")))
    assert ran.code == 1
    assert ran.err.startswith(f"error[E650]: {trained} has no data.json, so the names of its classes are unknown")


def test_a_network_is_not_a_run(cli: Cli, tmp_path: Path) -> None:
    ran = cli("predict", "resnet18", tmp_path)
    assert ran.code == 1
    assert ran.err.startswith("error[E650]: resnet18 is a network, not the folder of a run\n  help: ")
    assert "E650" in cli("predict", "resnet81", tmp_path).err


def test_the_visible_part_of_an_image() -> None:
    def reader(look: Evaluation | None) -> RunImageReader:
        preparation = Preparation(torch.zeros(1), torch.ones(1), Augment(crop=(8, 8)), look)
        return RunImageReader((3, 32, 32), preparation)

    assert reader(None).visible_box(640, 480) == Box(0, 0, 640, 480)
    assert reader(Evaluation(crop=(24, 16))).visible_box(640, 480) == Box(160, 60, 480, 420)
    resized = reader(Evaluation(crop=(24, 16), resize=48))
    assert resized.visible_box(640, 480) == pytest.approx((640 / 3, 120, 1280 / 3, 360))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> models.SqueezeNet:
    """SqueezeNet with random weights that stand in for torchvision's published ones."""
    torch.manual_seed(0)
    network: models.SqueezeNet = models.squeezenet1_1().eval()
    place = tmp_path / "torch" / "hub" / "checkpoints"
    place.mkdir(parents=True)
    torch.save(network.state_dict(), place / Path(SQUEEZENET.url).name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return network


def test_predictions_of_published_weights_equal_torchvision(cli: Cli, published: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture.save(tmp_path / "noise.png")
    ran = cli("predict", "squeezenet1_1", tmp_path / "noise.png", "--weights", "torchvision", "--format", "json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)[0]["predictions"]
    with torch.inference_mode():
        expected = published(SQUEEZENET.transforms()(picture)[None]).softmax(1)[0].topk(5)
    assert [prediction["class"] for prediction in printed] == [
        SQUEEZENET.meta["categories"][index] for index in expected.indices
    ]
    assert [prediction["probability"] for prediction in printed] == pytest.approx(expected.values.tolist(), abs=1e-5)
    reader = classifier_from_torchvision("squeezenet1_1", "torchvision:IMAGENET1K_V1", "cpu").reader
    assert reader.visible_box(400, 300) == pytest.approx((200 - 131.25, 150 - 131.25, 200 + 131.25, 150 + 131.25))
