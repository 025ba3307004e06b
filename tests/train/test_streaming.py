"""Random crops read from files batch by batch, broken files, and ImageNet's folders."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from cnngraph import SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.augment import Augment, Evaluation, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder, ImageNet
from cnngraph.tensor_type import TensorType
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data import loading
from cnngraph.train.data.images import InMemory, OnDisk
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Splits
from cnngraph.train.loop.evaluation import Evaluator
from cnngraph.train.loop.loader import EvaluationLoader, TrainingLoader
from tests.train.support import CPU, RECIPE

SIZE = (8, 8)
CROP = Augment(random_resized_crop=RandomResizedCrop(size=SIZE), flip=True)
LOOK = Evaluation(resize=10, crop=SIZE)
PHOTOS = replace(RECIPE, data=ImageFolder(), validation=None, normalize=None, workers=0)
SIZES = [(20, 12), (11, 30), (16, 16), (9, 40), (10, 10)]


def lay(root: Path, classes: dict[str, int], colour: bool = True) -> None:
    """Smooth images of several sizes."""
    random = np.random.default_rng(0)
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            lay_image(root / name / f"{number}.png", SIZES[number % len(SIZES)], random, colour)


def lay_image(path: Path, size: tuple[int, int], random: np.random.Generator, colour: bool = True) -> None:
    pixels = random.integers(0, 256, (4, 4, 3) if colour else (4, 4)).astype(np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR).save(path)


def load(recipe: Recipe, root: Path, notes: list[str] | None = None) -> Splits:
    return load_splits(recipe, TensorType.map(3, *SIZE), root, (notes if notes is not None else []).append)


def training(recipe: Recipe, root: Path, batch_size: int = 4) -> TrainingLoader:
    splits = load(recipe, root)
    return TrainingLoader(splits.train, Preparation.of(recipe, 3, CPU), batch_size, 0, CPU, len(splits.classes))


def batches(made: TrainingLoader, count: int, done: int = 0) -> list[tuple[Tensor, Tensor]]:
    stream = made.batches(done)
    return [next(stream) for _ in range(count - done)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    lay(tmp_path / "train", {"ant": 5, "bee": 5})
    lay(tmp_path / "val", {"ant": 5, "bee": 5})
    return tmp_path


CUT = replace(PHOTOS, augment=CROP, evaluation=LOOK)


@pytest.mark.parametrize("workers", [0, 2])
def test_crops_depend_only_on_seed_epoch_and_image(photos: Path, workers: int) -> None:
    """Not on the number of workers, nor on where a run was resumed."""
    whole = batches(training(CUT, photos), 6)
    rest = batches(training(replace(CUT, workers=workers), photos), 6, 1)
    for one, other in zip(whole[1:], rest, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert whole[0][0].shape == (4, 3, *SIZE)
    first, second = (torch.cat([images for images, _ in whole[start : start + 3]]) for start in (0, 3))
    assert not torch.equal(first.sort(0).values, second.sort(0).values)


def test_evaluation_equals_torchvision(photos: Path) -> None:
    splits = load(CUT, photos)
    assert splits.shape == (3, *SIZE)
    assert splits.test
    (images, labels), *rest = EvaluationLoader(splits.test, Preparation.of(CUT, 3, CPU), CPU)
    assert not rest
    assert labels.tolist() == [0] * 5 + [1] * 5
    usual = v2.Compose([v2.Resize(10), v2.CenterCrop(SIZE), v2.PILToTensor()])
    for image, file in zip(images, sorted((photos / "val").glob("*/*.png")), strict=True):
        with Image.open(file) as opened:
            assert ((image * 255).round() - usual(opened)).abs().max() <= 1


def test_training_images_are_crops(tmp_path: Path) -> None:
    """Pixels of a crop are within the range of its image, and few crops are the whole image."""
    for shade, name in ((0, "dark"), (200, "light")):
        (tmp_path / name).mkdir()
        for number, size in enumerate(SIZES):
            ramp = np.arange(size[0], dtype=np.uint8)[None, :].repeat(size[1], 0) + shade
            Image.fromarray(ramp).save(tmp_path / name / f"{number}.png")
    recipe = replace(CUT, validation=0.2)
    for images, labels in batches(training(recipe, tmp_path), 4):
        for image, label in zip((images * 255).round(), labels, strict=True):
            assert (image < 100).all() == (label == 0)
            assert image.max() - image.min() < 40


def test_images_with_a_given_size_are_kept_in_memory(photos: Path) -> None:
    recipe = replace(CUT, data=ImageFolder(resize=(12, 12)))
    splits = load(recipe, photos)
    assert isinstance(splits.train.images, InMemory)
    assert splits.shape == (3, 12, 12)
    assert batches(training(recipe, photos), 1)[0][0].shape == (4, 3, *SIZE)


# Broken files.


@pytest.mark.parametrize("recipe", [PHOTOS, CUT])
def test_a_broken_file_ends_a_run_or_is_skipped(photos: Path, recipe: Recipe) -> None:
    broken = photos / "train" / "bee" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(SpecError, match=r"cannot read the image .*bee/1\.png") as caught:
        batches(training(recipe, photos), 3)
    assert caught.value.diagnostics[0].code == "E621"
    assert "broken: skip" in (caught.value.diagnostics[0].help or "")

    splits = load(replace(recipe, data=ImageFolder(broken="skip")), photos)
    made = TrainingLoader(splits.train, Preparation.of(recipe, 3, CPU), 5, 0, CPU)
    labels = torch.cat([labels for _, labels in batches(made, 2)])
    assert splits.broken == [str(broken)]
    assert len(labels) == (10 if isinstance(splits.train.images, OnDisk) else 9)


def test_a_broken_file_is_skipped_in_an_evaluation(photos: Path) -> None:
    for number in range(3):
        (photos / "val" / "ant" / f"{number}.png").write_text("no image")
    recipe = replace(CUT, data=ImageFolder(broken="skip"))
    splits = load(recipe, photos)
    assert splits.test
    (images, labels), *_ = EvaluationLoader(splits.test, Preparation.of(recipe, 3, CPU), CPU)
    assert len(images) == len(labels) == 7
    assert labels.tolist() == [0] * 2 + [1] * 5
    assert len(splits.broken) == 3
    list(EvaluationLoader(splits.test, Preparation.of(recipe, 3, CPU), CPU))
    assert len(splits.broken) == 3


def test_an_evaluation_batch_of_broken_files_counts_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process runs the same number of batches, even with broken files."""
    monkeypatch.setattr(import_module("cnngraph.train.loop.loader"), "EVALUATION_BATCH", 4)
    for number in range(5):
        (photos / "val" / "ant" / f"{number}.png").write_text("no image")
    recipe = replace(CUT, data=ImageFolder(broken="skip"))
    splits = load(recipe, photos)
    assert splits.test
    batches = list(EvaluationLoader(splits.test, Preparation.of(recipe, 3, CPU), CPU))
    assert [(tuple(images.shape), labels.tolist()) for images, labels in batches] == [
        ((1, 3, *SIZE), []),
        ((3, 3, *SIZE), [1, 1, 1]),
        ((2, 3, *SIZE), [1, 1]),
    ]
    metrics = Evaluator(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2)), CPU).evaluate(batches)
    assert 0 < metrics.loss < 10
    assert len(splits.broken) == 5


def test_a_batch_of_broken_files_ends_the_run(photos: Path) -> None:
    for file in (photos / "train").glob("*/*.png"):
        file.write_text("no image")
    with pytest.raises(SpecError, match="cannot read any image of the batch"):
        batches(training(replace(CUT, data=ImageFolder(broken="skip")), photos), 1)


@pytest.mark.filterwarnings("error")
def test_more_workers_than_cores_cause_no_warning(photos: Path) -> None:
    batches(training(replace(CUT, workers=(os.cpu_count() or 1) + 1), photos), 1)


def test_a_crashed_worker_is_an_error(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()

    def dies(*args: Any) -> Tensor:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.empty(0)

    monkeypatch.setattr(import_module("cnngraph.train.data.images"), "decode", dies)
    with pytest.raises(SpecError, match="an image-loading worker was killed") as caught:
        batches(training(replace(CUT, workers=1), photos), 1)
    assert caught.value.diagnostics[0].code == "E623"


# ImageNet.

NUMBERS = {"n01440764": "tench, Tinca tinca", "n02012849": "crane", "n03126707": "crane", "n09999999": "volcano"}
IMAGENET = replace(PHOTOS, data=ImageNet(), normalize="data")


def lay_names(root: Path) -> None:
    (root / "LOC_synset_mapping.txt").write_text("".join(f"{number} {words}\n" for number, words in NUMBERS.items()))


def lay_meta(root: Path) -> None:
    in_order = ["n03126707", "n01440764", "n02012849", "n03126707"]
    torch.save(({number: tuple(words.split(", ")) for number, words in NUMBERS.items()}, in_order), root / "meta.bin")


def lay_solution(root: Path) -> None:
    lay_names(root)
    with (root / "LOC_val_solution.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ImageId", "PredictionString"])
        for number, wnid in enumerate(["n03126707", "n01440764", "n02012849", "n03126707"]):
            rows.writerow([f"ILSVRC2012_val_{number + 1:08}", f"{wnid} 1 2 3 4 "])


def lay_imagenet(root: Path, images: Path, flat: bool) -> None:
    lay(images / "train", dict.fromkeys(list(NUMBERS)[:3], 3))
    if flat:
        (images / "val").mkdir()
        for number in range(4):
            path = images / "val" / f"ILSVRC2012_val_{number + 1:08}.png"
            lay_image(path, (10, 10), np.random.default_rng(number))
    else:
        lay(images / "val", dict.fromkeys(list(NUMBERS)[:3], 2))


def lay_broken_names(root: Path) -> None:
    lay_imagenet(root, root, flat=True)
    (root / "meta.bin").write_text("x")


CLASSES = ("tench", "crane (n02012849)", "crane (n03126707)")


@pytest.mark.parametrize("beside", [lay_solution, lay_meta])
@pytest.mark.parametrize("below", [".", "ILSVRC/Data/CLS-LOC"])
def test_flat_validation_images_have_their_labels(tmp_path: Path, beside: Callable[[Path], None], below: str) -> None:
    lay_imagenet(tmp_path, tmp_path / below, flat=True)
    beside(tmp_path)
    splits = load(IMAGENET, tmp_path)
    assert splits.classes == CLASSES
    assert splits.train.images.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert splits.test
    assert splits.test.images.labels.tolist() == [2, 0, 1, 2]
    some = load(replace(IMAGENET, data=ImageNet(classes=("n03126707", "tench"))), tmp_path)
    assert some.classes == ("crane (n03126707)", "tench")
    assert some.test
    assert some.test.images.labels.tolist() == [0, 1, 0]
    with pytest.raises(SpecError, match="this copy of ImageNet has no class tenhc") as caught:
        load(replace(IMAGENET, data=ImageNet(classes=("tenhc", "n03126707"))), tmp_path)
    assert caught.value.diagnostics[0].help == "did you mean `tench`?"


def test_class_folders_without_names(tmp_path: Path) -> None:
    lay_imagenet(tmp_path / "imagenet", tmp_path / "imagenet", flat=False)
    splits = load(replace(IMAGENET, data=ImageNet(path="imagenet"), augment=CROP, validation=0.4), tmp_path)
    assert splits.classes == tuple(NUMBERS)[:3]
    assert isinstance(splits.train.images, OnDisk)
    assert [len(part) for part in (splits.train, splits.validation, splits.test) if part] == [6, 3, 6]
    assert not IMAGENET.measures


@pytest.mark.parametrize(
    ("lay_it", "message"),
    [
        (lambda root: None, "has no folder `train`, so it is not ImageNet"),
        (lambda root: (root / "train").mkdir(), "at least two class folders, but has 0"),
        (lambda root: lay_imagenet(root, root, flat=True), "the labels of the images in"),
        (lambda root: lay_broken_names(root), "cannot be read"),
    ],
)
def test_folders_that_are_not_imagenet(tmp_path: Path, lay_it: Callable[[Path], object], message: str) -> None:
    lay_it(tmp_path)
    with pytest.raises(SpecError, match=message) as caught:
        load(IMAGENET, tmp_path)
    assert caught.value.diagnostics[0].code == "E621"


class Stranger:
    """A class whose pickle would execute code."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("meta.bin", Stranger(), "meta.bin or LOC_synset_mapping.txt in {} cannot be read: "),
        ("meta.bin", [1, 2, 3], "meta.bin or LOC_synset_mapping.txt in {} cannot be read: "),
        ("meta.bin", ("ab", "cd"), "meta.bin or LOC_synset_mapping.txt in {} cannot be read: "),
        ("meta.bin", ({"n01440764": ("tench",)}, ["n01440764"]), "meta.bin in {} has labels for 1 images, but {}/val"),
        ("LOC_synset_mapping.txt", b"\xff\xfe", "meta.bin or LOC_synset_mapping.txt in {} cannot be read: "),
        ("LOC_val_solution.csv", b"\xff\xfe", "LOC_val_solution.csv in {} cannot be read: "),
        ("LOC_val_solution.csv", b"PredictionString\nn01440764\n", "LOC_val_solution.csv in {} cannot be read: "),
    ],
)
def test_damaged_labels_are_reported_and_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: Any, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_imagenet(tmp_path, tmp_path, flat=True)
    if isinstance(content, bytes):
        (tmp_path / file).write_bytes(content)
    else:
        torch.save(content, tmp_path / file)
    with pytest.raises(SpecError) as caught:
        load(IMAGENET, tmp_path)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message.startswith(reason.replace("{}", str(tmp_path)))) == ("E621", True)
    assert not (tmp_path / "ran").exists()


def test_system_entries_are_skipped_in_imagenet(tmp_path: Path) -> None:
    lay_imagenet(tmp_path, tmp_path, flat=True)
    lay_solution(tmp_path)
    before = load(IMAGENET, tmp_path)
    lay(tmp_path / "train", {"__MACOSX": 2, ".git": 1, "n01440764/@eaDir": 1})
    for name in ("._ILSVRC2012_val_00000001.png", "Thumbs.db"):
        (tmp_path / "val" / name).write_bytes(b"")
    after = load(IMAGENET, tmp_path)
    assert after.classes == before.classes
    assert after.train.images.names == before.train.images.names
    assert after.test
    assert before.test
    assert after.test.images.names == before.test.images.names
    assert after.test.images.names[0] == "val/ILSVRC2012_val_00000001.png"
    (tmp_path / "train" / "n05000000").mkdir()
    with pytest.raises(SpecError, match="has no images of the class n05000000"):
        load(IMAGENET, tmp_path)


def test_the_number_of_workers(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 64)  # type: ignore[attr-defined]
    for workers, said in ((None, "16 workers"), (1, "1 worker"), (0, "0 workers")):
        notes: list[str] = []
        load(replace(CUT, workers=workers), photos, notes)
        assert notes[0].endswith(f"decoded batch by batch by {said}")
