"""Images that change before a run is resumed or evaluated: every change is reported."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import cnngraph
from cnngraph import SpecError
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.split import Splits
from cnngraph.train.record.run_file_formats import read_weights
from cnngraph.train.run import Tools
from tests.cli.conftest import Cli
from tests.train.support import RECIPE, stripe_splits, train_graph

SPEC = """\
cnngraph: 1
name: net
input: [1, 8, 8]
nodes:
  conv: {op: conv, out: 4, kernel: 3}
  act: relu
  head: [flatten, {op: linear, out: 3}]
train: {data: folder, epochs: 1, optimizer: adam, batch_size: 8, validation: 0.3, device: cpu}
"""
CLASSES = ("ant", "bee", "cat")
COUNT = 6  # images per class


def draw(path: Path, seed: int) -> None:
    """A small image that depends on the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = torch.randint(0, 255, (8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).save(path)


def lay(root: Path, seed: int = 0) -> Path:
    """A folder of images."""
    for label, name in enumerate(CLASSES):
        for number in range(COUNT):
            draw(root / name / f"{number}.png", 1000 * seed + 100 * label + number)
    return root


def trained(cli: Cli, place: Path) -> None:
    """A run of one epoch in `place/run` on the images in `place/data`."""
    (place / "net.yaml").write_text(SPEC)
    ran = cli("train", place / "net.yaml", "--data-dir", place / "data", "--out", place / "run", "-q")
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs to copy, on a plain folder of images and on one with train and val."""
    from cnngraph.cli.process import run

    found = {}
    for name in ("plain", "splits"):
        place = found[name] = tmp_path_factory.mktemp(name)
        lay(place / "data" if name == "plain" else place / "data" / "train")
        if name == "splits":
            lay(place / "data" / "val", seed=1)
        (place / "net.yaml").write_text(SPEC)
        arguments = [place / "net.yaml", "--data-dir", place / "data", "--out", place / "run", "-q"]
        assert run(["train", *map(str, arguments)]) == 0
    return found


def copied(base: Path, place: Path) -> Path:
    """A copy of a run and its images, with the data folder updated."""
    shutil.copytree(base, place)
    for name in ("environment.json", "data.json"):
        file = place / "run" / name
        file.write_text(file.read_text().replace(str(base), str(place)))
    return place


def resume(cli: Cli, place: Path, *arguments: object) -> tuple[int, str]:
    ran = cli("train", "--resume", place / "run", "--set", "train.epochs=2", *arguments)
    return ran.code, ran.out + ran.err


# Changes of the images, and texts that the error or the warning must contain.


def swap(one: Path, other: Path) -> None:
    one.rename(one.parent / "between")
    other.rename(one)
    (one.parent / "between").rename(other)


CHANGES: dict[str, tuple[Callable[[Path], object], str, list[str]]] = {
    "a class is renamed": (
        lambda data: (data / "ant").rename(data / "zebu"),
        "plain",
        ["1 class of the run not found: ant", "1 new class: zebu", "ant/0.png is now zebu/0.png"],
    ),
    "two classes change names": (
        lambda data: swap(data / "ant", data / "bee"),
        "plain",
        ["12 images have changed content", "ant/0.png (now has the content of bee/0.png)"],
    ),
    "a class is added": (
        lambda data: draw(data / "dog" / "0.png", 99),
        "plain",
        ["1 new class: dog"],
    ),
    "a class is removed": (
        lambda data: shutil.rmtree(data / "cat"),
        "plain",
        ["1 class of the run not found: cat", "6 images are missing"],
    ),
    "an image is removed": (lambda data: (data / "bee/3.png").unlink(), "plain", ["1 image is missing", "bee/3.png"]),
    "an image is renamed": (
        lambda data: (data / "bee/3.png").rename(data / "bee/x.png"),
        "plain",
        ["1 image was renamed or moved", "bee/3.png is now bee/x.png"],
    ),
    "an image is moved to another class": (
        lambda data: (data / "bee/3.png").rename(data / "ant/x.png"),
        "plain",
        ["1 image was renamed or moved", "bee/3.png is now ant/x.png"],
    ),
    "an image has other content": (
        lambda data: draw(data / "cat/2.png", 77),
        "plain",
        ["1 image has changed content", "cat/2.png"],
    ),
    "all images are others of the same names": (
        lambda data: lay(data, seed=5),
        "plain",
        ["18 images have changed content", "ant/0.png, ant/1.png"],
    ),
    "training and validation are exchanged": (
        lambda data: swap(data / "train", data / "val"),
        "splits",
        ["36 images have changed content", "train/ant/0.png (now has the content of val/ant/0.png)"],
    ),
    "an image moves from validation to training": (
        lambda data: (data / "val/ant/0.png").rename(data / "train/ant/v.png"),
        "splits",
        ["1 image was renamed or moved (1 validation): val/ant/0.png is now train/ant/v.png"],
    ),
    "the validation folder is gone": (
        lambda data: shutil.rmtree(data / "val"),
        "splits",
        ["18 images are missing (18 validation): val/ant/0.png"],
    ),
}


EVALUATED = {  # texts of `evaluate`, where they differ
    "a class is renamed": ["not a class: 1 (zebu)", "no images of the class ant", "6 images are missing", "ant/0.png"],
    "a class is added": ["not a class: 1 (dog)"],
    "a class is removed": ["no images of the class cat", "6 images are missing"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_resume_and_evaluate_report_changed_images(
    cli: Cli, base: dict[str, Path], tmp_path: Path, change: str
) -> None:
    act, kind, said = CHANGES[change]
    place = copied(base[kind], tmp_path / "here")
    before = {path: path.read_bytes() for path in (place / "run").iterdir()}
    act(place / "data")
    code, text = resume(cli, place)
    assert code == 1
    assert text.startswith("error[E644]: ")
    for text_part in said:
        assert text_part in text
    assert before == {path: path.read_bytes() for path in (place / "run").iterdir()}
    ran = cli("evaluate", place / "run", "--split", "train", "-o", place / "x.png")
    assert ran.code == 0, ran.err
    for text_part in EVALUATED.get(change, ["warning[W644]: ", *said]):
        assert text_part in ran.err


@pytest.mark.parametrize("kind", ["plain", "splits"])
def test_added_images_do_not_change_the_split(cli: Cli, base: dict[str, Path], tmp_path: Path, kind: str) -> None:
    one, other = copied(base[kind], tmp_path / "one"), copied(base[kind], tmp_path / "other")
    assert resume(cli, one)[0] == 0
    train = other / "data" if kind == "plain" else other / "data" / "train"
    for number in range(10):
        draw(train / "ant" / f"-{number}.png", 500 + number)
    code, text = resume(cli, other)
    assert code == 0
    assert "started, 10 images were added: " in text
    assert "the run continues without them" in text
    for name in ("last", "best"):
        first, second = (read_weights(folder / "run" / f"{name}.safetensors") for folder in (one, other))
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert (one / "run/images.csv").read_text() == (other / "run/images.csv").read_text()
    ran = cli("evaluate", other / "run", "--split", "validation", "--format", "json", "-o", tmp_path / "x.png")
    metrics = json.loads((other / "run/metrics.json").read_text())
    assert json.loads(ran.out)["top1"] == metrics["epochs"][metrics["best_epoch"] - 1]["validation_accuracy"]
    assert "10 images were added" in ran.err


def test_changed_timestamps_are_not_reported(cli: Cli, base: dict[str, Path], tmp_path: Path) -> None:
    place = copied(base["plain"], tmp_path / "here")
    for path in (place / "data").rglob("*.png"):
        os.utime(path, (1, 1))
    code, text = resume(cli, place)
    assert (code, "warning" in text) == (0, False)
    ran = cli("evaluate", place / "run", "--split", "validation", "-o", place / "x.png")
    assert (ran.code, ran.err) == (0, "")


def test_the_same_images_in_another_folder(cli: Cli, base: dict[str, Path], tmp_path: Path) -> None:
    place = copied(base["plain"], tmp_path / "here")
    (place / "data").rename(place / "moved")
    code, text = resume(cli, place, "--data-dir", place / "moved")
    assert code == 0
    assert f"warning: the images are read from {place / 'moved'} instead of {place / 'data'}" in text


def test_a_folder_with_other_images(cli: Cli, base: dict[str, Path], tmp_path: Path) -> None:
    place = copied(base["plain"], tmp_path / "here")
    lay(place / "others", seed=3)
    code, text = resume(cli, place, "--data-dir", place / "others")
    assert code == 1
    assert "18 images have changed content" in text
    shutil.copy(place / "data/ant/0.png", place / "others/bee/copy.png")
    ran = cli("evaluate", place / "run", "--data-dir", place / "others", "--split", "all", "-o", place / "x.png")
    record = (place / "run/images.csv").read_text()
    assert ran.code == 0
    assert ("W648" in ran.err) == ("train,ant,ant/0.png" in record)


def test_images_that_change_during_an_experiment(cli: Cli, tmp_path: Path) -> None:
    lay(tmp_path / "data")
    (tmp_path / "net.yaml").write_text(SPEC)
    arguments = [tmp_path / "all.yaml", "--data-dir", tmp_path / "data", "--out", tmp_path / "all", "-q"]
    (tmp_path / "all.yaml").write_text("{specs: [net.yaml], seeds: 2}")
    ran = cli("experiment", *arguments)
    assert (ran.code, ran.err) == (0, "")  # different splits of the same images
    draw(tmp_path / "data/ant/new.png", 4321)
    (tmp_path / "all.yaml").write_text("{specs: [net.yaml], seeds: 3}")
    ran = cli("experiment", *arguments)
    assert ran.code == 0
    assert ran.err.startswith("warning[W644]: ")
    assert "seed2 was trained on different images than" in ran.err
    assert "1 image was added: ant/new.png" in ran.err
    assert ran.err.count("W644") == 1


@pytest.mark.parametrize("split", ["all", "train", "validation"])
@pytest.mark.parametrize("present", [["ant"], ["bee", "cat"], ["cat", "emu", "gnu"], ["ant", "bee", "cat", "emu"]])
def test_evaluate_uses_the_classes_that_exist(
    cli: Cli, base: dict[str, Path], tmp_path: Path, present: list[str], split: str
) -> None:
    for number, name in enumerate(present):
        for image in range(4):
            draw(tmp_path / "new" / name / f"{image}.png", 9000 + 10 * number + image)
    run = base["plain"] / "run"
    ran = cli(
        "evaluate", run, "--data-dir", tmp_path / "new", "--split", split, "--format", "json", "-o", tmp_path / "x.png"
    )
    assert ran.code == 0, ran.err
    counts = {row["class"]: row["images"] for row in json.loads(ran.out)["classes"]}
    images = {"all": 4, "train": 3, "validation": 1}[split]
    assert counts == {name: images if name in present else 0 for name in CLASSES}
    strangers, absent = (
        [name for name in present if name not in CLASSES],
        [name for name in CLASSES if name not in present],
    )
    assert all(name in ran.err for name in strangers)
    assert (f"has no images of the class{'es' if len(absent) > 1 else ''} {', '.join(absent)}" in ran.err) == bool(
        absent
    )


def test_evaluate_needs_one_class_of_the_run(cli: Cli, base: dict[str, Path], tmp_path: Path) -> None:
    draw(tmp_path / "new" / "emu" / "0.png", 1)
    ran = cli(
        "evaluate", base["plain"] / "run", "--data-dir", tmp_path / "new", "--split", "all", "-o", tmp_path / "x.png"
    )
    assert ran.code == 1
    assert f"{tmp_path / 'new'} has no images in the class folders ant, bee, cat" in ran.err


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("train.validation=0.5", "validation"),
        ("train.data.resize=[8,8]", "data"),
        ("train.data.classes=[bee,ant,cat]", "data"),
        ("train.seed=3", "seed"),
        ("train.augment.flip=true", "augment"),
    ],
)
def test_resuming_with_another_recipe(cli: Cli, base: dict[str, Path], tmp_path: Path, setting: str, word: str) -> None:
    code, text = resume(cli, copied(base["plain"], tmp_path / "here"), "--set", setting)
    assert code == 1
    assert text.startswith(f"error[E631]: the run cannot be resumed: its recipe differs in {word}\n")


def relabelled(splits: Splits) -> Splits:
    images = splits.train.images
    assert isinstance(images, InMemory)
    return replace(splits, train=replace(splits.train, images=replace(images, labels=images.labels.flip(0))))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (relabelled, "the labels of the train images have changed"),
        (lambda splits: stripe_splits(train=40), "there are 40 train images instead of 36"),
        (lambda splits: replace(splits, validation=splits.test), "the pixels of the validation images have changed"),
        (lambda splits: replace(splits, test=None), "there are no longer any test images"),
        (
            lambda splits: replace(splits, classes=tuple("abdc")),
            "the order of the classes has changed from a, b, c, d to",
        ),
    ],
)
def test_another_version_of_a_named_set(tmp_path: Path, change: Callable[[Splits], Splits], said: str) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.replace("out: 3", "out: 4").partition("train:")[0])
    graph = cnngraph.load(tmp_path / "net.yaml")
    before, after = (
        Tools(load_images=load, misfits=lambda *arguments, **images: [])
        for load in (lambda *arguments: stripe_splits(), lambda *arguments: change(stripe_splits()))
    )
    train_graph(graph, replace(RECIPE, epochs=1), spec_text=SPEC, out=tmp_path / "run", tools=before)
    with pytest.raises(SpecError) as caught:
        train_graph(graph, RECIPE, spec_text=SPEC, out=tmp_path / "run", resume=True, tools=after)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E644"
    assert any(note.startswith(said) for note in diagnostic.notes)
