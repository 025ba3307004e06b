"""`cnngraph predict`: what a network takes files for is what it took the run's own images for."""

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
from cnngraph.runs.classifier import Box, RunReader, of_torchvision
from cnngraph.runs.evaluation import evaluate_run
from cnngraph.runs.finished import FinishedRun
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.folder import files_of
from cnngraph.train.data.formats import ENDINGS
from cnngraph.train.data.named import _embedded
from tests.cli.conftest import Cli
from tests.runs.conftest import without_facts

SQUEEZENET = models.SqueezeNet1_1_Weights.IMAGENET1K_V1


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """The run's test images as files, in folders by their class."""
    _, test = _embedded()
    for number in range(0, len(test.labels), 10):
        place = tmp_path / "digits" / str(int(test.labels[number]))
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(test.pixels[number, :, :, 0].numpy()).save(place / f"{number}.png")
    return tmp_path / "digits"


def test_files_are_answered_as_the_runs_images_were(
    cli: Cli, finished: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "BATCH", 7)
    ran = cli("predict", finished, digits, "--top", 1, "--format", "json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert [answer["image"] for answer in told] == sorted(answer["image"] for answer in told)
    confusion = evaluate_run(FinishedRun.open(finished), device="cpu").report.confusion
    counted = [[0] * 10 for _ in range(10)]
    for answer in told:
        counted[int(Path(answer["image"]).parent.name)][int(answer["predictions"][0]["class"])] += 1
    assert tuple(map(tuple, counted)) == confusion


def test_a_table(cli: Cli, finished: Path, digits: Path) -> None:
    images = sorted(digits.rglob("*.png"))[:2]
    ran = cli("predict", finished, *images, "--top", 3)
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["image", "class", "probability"]
    assert [len(line) for line in lines[1:]] == [4, 3, 3, 4, 3, 3]
    assert lines[1][0] == str(images[0])
    told = json.loads(cli("predict", finished, images[0], "--format", "json").out)[0]["predictions"]
    assert [prediction["class"] for prediction in told[:3]] == [lines[1][1], lines[2][0], lines[3][0]]
    assert len(told) == 5
    assert 0 < sum(prediction["probability"] for prediction in told) <= 1.000001


def test_colour_and_size_become_what_the_network_reads(cli: Cli, finished: Path, digits: Path, tmp_path: Path) -> None:
    file = next(digits.rglob("*.png"))
    large = Image.open(file).resize((84, 84), Image.Resampling.NEAREST).convert("RGB")
    large.save(tmp_path / "large.png")
    small, colour = (json.loads(cli("predict", finished, image, "--format", "json").out)[0]["predictions"][0]
                     for image in (file, tmp_path / "large.png"))  # fmt: skip
    assert small["class"] == colour["class"]


def test_a_broken_image_is_named_and_the_rest_goes_on(cli: Cli, finished: Path, digits: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    good = next(digits.rglob("*.png"))
    ran = cli("predict", finished, broken, good, tmp_path / "gone.png", "--top", 1)
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    first, second = ran.err.splitlines()
    assert first.startswith(f"error: cannot read the image {broken}: ")
    assert second == f"error: there is no file {tmp_path / 'gone.png'}"
    told = json.loads(cli("predict", finished, broken, good, "--format", "json").out)
    assert [sorted(answer) for answer in told] == [["error", "image"], ["image", "predictions"]]
    (tmp_path / "empty").mkdir()
    ran = cli("predict", finished, tmp_path / "empty")
    assert (ran.code, ran.err) == (1, f"error: there are no images in {tmp_path / 'empty'}\n")


def test_images_beside_a_torn_one_and_a_pipe_are_answered(
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
    told = {Path(answer["image"]).name: "predictions" in answer for answer in json.loads(ran.out)}
    assert told == {"a.png": True, "torn.png": False, "z.jfif": True, "pipe.png": False, "zero": False}
    passed = "hidden or system entries: 1 (.hidden.png); pipes, sockets or devices: 1 (pipe.png)"
    linked = "links to what is read already or lies above: 1 (up)"
    assert ran.err.splitlines()[0] == f"note: passed over {passed}; {linked}"
    assert (ran.code, len(ran.err.splitlines())) == (1, 4)
    assert "pipe.png: it is not a regular file but a pipe or device" in ran.err
    ran = cli("predict", finished, "/proc")
    assert (ran.code, ran.err.splitlines()[0]) == (
        1, "error[E625]: /proc is a system folder, not a folder of images"
    )  # fmt: skip


def test_a_folder_is_looked_through_for_all_that_training_reads(
    cli: Cli, finished: Path, digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "kinds").mkdir()
    modes = {".xbm": "1", ".ico": "RGBA", ".icns": "RGBA", ".mpo": "RGB", ".qoi": "RGB", ".msp": "1"}
    written = [ending for ending in ENDINGS if Image.registered_extensions()[ending] in Image.SAVE]
    for ending in written:
        image = Image.open(next(digits.rglob("*.png"))).convert(modes.get(ending, "L"))
        image.save(tmp_path / "kinds" / f"a{ending.upper()}")
    (tmp_path / "kinds" / "read.me").write_text("no image")
    told = json.loads(cli("predict", finished, tmp_path / "kinds", "--format", "json").out)
    assert (
        {Path(answer["image"]).suffix.lower() for answer in told} == set(written) >= {".gif", ".tif", ".jfif", ".avif"}
    )
    assert all("predictions" in answer for answer in told)
    (tmp_path / "kinds").rename(tmp_path / "of_a_class")
    assert len(files_of(tmp_path, ["of_a_class"])["of_a_class"]) == len(told)


def test_a_run_that_does_not_know_its_classes_says_so(cli: Cli, trained: Path, digits: Path) -> None:
    (trained / "data.json").unlink()
    without_facts(trained / "best.safetensors")
    assert cli("predict", trained, next(digits.rglob("*.png"))).code == 0  # a named set's classes are known
    (trained / "recipe.yaml").write_text("{data: folder, epochs: 1, optimizer: adam}")
    ran = cli("predict", trained, next(digits.rglob("*.png")))
    assert ran.code == 1
    assert ran.err.startswith(f"error[E650]: {trained} has no data.json: the run does not know the names of its cl")


def test_a_network_is_no_run(cli: Cli, tmp_path: Path) -> None:
    ran = cli("predict", "resnet18", tmp_path)
    assert ran.code == 1
    assert ran.err.startswith("error[E650]: resnet18 is a network, not the folder of a run\n  help: ")
    assert "E650" in cli("predict", "resnet81", tmp_path).err


def test_the_part_that_is_seen() -> None:
    def reader(look: Evaluation | None) -> RunReader:
        preparation = Preparation(torch.zeros(1), torch.ones(1), Augment(crop=(8, 8)), look)
        return RunReader((3, 32, 32), preparation)

    assert reader(None).seen(640, 480) == Box(0, 0, 640, 480)
    assert reader(Evaluation(crop=(24, 16))).seen(640, 480) == Box(160, 60, 480, 420)
    assert reader(Evaluation(crop=(24, 16), resize=48)).seen(640, 480) == pytest.approx((640 / 3, 120, 1280 / 3, 360))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> models.SqueezeNet:
    """SqueezeNet with fresh weights, which torchvision is made to hold for its published ones."""
    torch.manual_seed(0)
    network: models.SqueezeNet = models.squeezenet1_1().eval()
    place = tmp_path / "torch" / "hub" / "checkpoints"
    place.mkdir(parents=True)
    torch.save(network.state_dict(), place / Path(SQUEEZENET.url).name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return network


def test_published_weights_answer_as_torchvision_does(cli: Cli, published: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture.save(tmp_path / "noise.png")
    ran = cli("predict", "squeezenet1_1", tmp_path / "noise.png", "--weights", "torchvision", "--format", "json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)[0]["predictions"]
    with torch.inference_mode():
        expected = published(SQUEEZENET.transforms()(picture)[None]).softmax(1)[0].topk(5)
    assert [prediction["class"] for prediction in told] == [
        SQUEEZENET.meta["categories"][index] for index in expected.indices
    ]
    assert [prediction["probability"] for prediction in told] == pytest.approx(expected.values.tolist(), abs=1e-5)
    reader = of_torchvision("squeezenet1_1", "torchvision:IMAGENET1K_V1", "cpu").reader
    assert reader.seen(400, 300) == pytest.approx((200 - 131.25, 150 - 131.25, 200 + 131.25, 150 + 131.25))
