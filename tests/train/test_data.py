"""Sources of images: embedded digits, torchvision's downloads, folders."""

from __future__ import annotations

import gzip
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

from cnngraph import SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import ImageFolder, NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data import loading, named_sets
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.data.images import InMemory, OnDisk, decode
from cnngraph.train.data.load_splits import default_data_dir, load_splits
from cnngraph.train.data.split import Splits
from cnngraph.train.loop.loader import TrainingLoader
from tests.train.support import CPU, RECIPE

DIGIT, COLOUR = TensorType.map(1, 28, 28), TensorType.map(3, 8, 8)


def load(recipe: Recipe, data_dir: Path | None, input_type: TensorType = DIGIT) -> Splits:
    return load_splits(recipe, input_type, data_dir, lambda note: None)


def lengths(splits: Splits) -> tuple[int, int, int]:
    return len(splits.train), len(splits.validation or ()), len(splits.test or ())


# The embedded digits.


def test_the_embedded_digits() -> None:
    splits = load(RECIPE, None)
    assert lengths(splits) == (5400, 600, 2000)
    assert splits.shape == (1, 28, 28)
    assert splits.test
    assert torch.bincount(splits.test.images.labels).tolist() == [200] * 10
    images = splits.train.images
    assert isinstance(images, InMemory)
    assert images.pixels.dtype == torch.uint8
    assert images.pixels.float().div(255).mean() == pytest.approx(0.1307, abs=0.005)


def test_a_data_folder_for_the_embedded_digits_is_an_error(tmp_path: Path) -> None:
    """A data folder without a recipe for it is an error before the first epoch."""
    notes: list[str] = []
    load_splits(RECIPE, DIGIT, tmp_path, notes.append)
    load_splits(RECIPE, DIGIT, None, notes.append)
    assert notes == [f"the digits are bundled; {tmp_path} is not used"]


def test_some_classes_of_the_digits() -> None:
    recipe = replace(RECIPE, data=NamedSet(name="digits", classes=("7", "1"), resize=(32, 32)), validation=None)
    splits = load(recipe, None)
    assert splits.classes == ("7", "1")
    assert lengths(splits) == (1200, 0, 400)
    assert splits.shape == (1, 32, 32)
    every = load(replace(RECIPE, validation=None), None)
    ones = every.train.images.labels.tolist().index(1)
    sevens = every.train.images.labels.tolist().index(7)
    assert splits.train.images.labels[0] == (0 if sevens < ones else 1)


# Data sets that torchvision downloads.


def idx(array: np.ndarray[Any, Any]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def lay_mnist(root: Path, count: int = 20) -> None:
    """A small MNIST in its original format."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(random.integers(0, 256, (count, 28, 28))))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))


MNIST = replace(RECIPE, data=NamedSet(name="mnist"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.usefixtures("no_network")
def test_existing_files_are_read(tmp_path: Path) -> None:
    lay_mnist(tmp_path)
    splits = load(MNIST, tmp_path)
    assert lengths(splits) == (10, 10, 20)
    assert splits.shape == (1, 28, 28)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", sorted(named_sets.READERS))
def test_a_download_without_internet_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(replace(RECIPE, data=NamedSet(name=name)), tmp_path / "data")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E620"
    assert f"cannot download {SETS[name].title} to {tmp_path / 'data'}" in diagnostic.message
    assert "Name or service not known" in diagnostic.message
    assert "`--recipe digits` needs no download" in (diagnostic.help or "")
    assert list((tmp_path / "data").iterdir()) == []


def test_an_interrupted_download_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking:
        def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
            if not download:
                raise RuntimeError("Dataset not found")
            lay_mnist(Path(root))
            raise KeyboardInterrupt

    monkeypatch.setitem(named_sets.READERS, "mnist", Breaking)
    with pytest.raises(KeyboardInterrupt):
        load(MNIST, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_archives_of_a_download_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader: Callable[..., Any] = named_sets.READERS["mnist"]

    def fetch(root: str, train: bool = True, download: bool = False) -> Any:
        if download and train:
            lay_mnist(Path(root))
            (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"x"))
        return reader(root, train=train, download=False)

    monkeypatch.setitem(named_sets.READERS, "mnist", fetch)
    notes: list[str] = []
    load_splits(MNIST, DIGIT, tmp_path, notes.append)
    assert notes == [f"downloading MNIST to {tmp_path}"]
    assert sorted(path.name for path in (tmp_path / "MNIST" / "raw").iterdir()) == [
        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


@pytest.mark.usefixtures("no_network")
def test_broken_files_are_reported(tmp_path: Path) -> None:
    lay_mnist(tmp_path)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(SpecError, match=r"the files of MNIST in .* cannot be read"):
        load(MNIST, tmp_path)


def test_an_invalid_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot download MNIST to"):
        load(MNIST, tmp_path / "file" / "data")


def test_the_default_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setattr("sys.platform", "linux")
    assert default_data_dir() == Path("/somewhere/cnngraph/data")


# Folders of images.

PHOTOS = replace(RECIPE, data=ImageFolder(), validation=0.25)


def lay_images(
    root: Path, classes: dict[str, int], mode: str = "RGB", size: tuple[int, int] = (12, 10), broken: str = ""
) -> None:
    random = np.random.default_rng(0)
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            pixels = random.integers(0, 256, shape).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
        if broken:
            (root / name / broken).write_text("no image")


def test_a_plain_folder_is_split_by_the_seed(tmp_path: Path) -> None:
    lay_images(tmp_path, {"cat": 8, "ant": 4})
    splits = load(PHOTOS, tmp_path, COLOUR)
    assert splits.classes == ("ant", "cat")
    assert splits.shape == (3, 8, 8)
    assert lengths(splits) == (9, 3, 0)
    assert splits.test is None


def test_titles_of_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_images(tmp_path / "train", {"cat": 2, "ant": 2}, broken="1.jpg")
    lay_images(tmp_path / "test", {"cat": 1, "ant": 0})
    skipping = replace(PHOTOS, data=ImageFolder(broken="skip"))
    read = load(skipping, tmp_path, COLOUR)
    assert read.train.images.names == ("train/ant/0.png", "train/ant/1.png", "train/cat/0.png", "train/cat/1.png")
    assert read.test
    assert read.test.images.names == ("test/cat/0.png",)
    monkeypatch.setattr(loading, "MAX_IN_MEMORY", 0)
    streamed = load(skipping, tmp_path, COLOUR).train.images
    assert set(streamed.names) == {*read.train.images.names, "train/ant/1.jpg", "train/cat/1.jpg"}
    assert load(RECIPE, None).train.images.names == ()


def test_train_val_and_test(tmp_path: Path) -> None:
    lay_images(tmp_path / "train", {"cat": 4, "ant": 4})
    lay_images(tmp_path / "test", {"cat": 2, "ant": 1})
    assert lengths(load(PHOTOS, tmp_path, COLOUR)) == (6, 2, 3)
    assert lengths(load(replace(PHOTOS, validation=None), tmp_path, COLOUR)) == (8, 0, 3)
    lay_images(tmp_path / "val", {"cat": 1, "ant": 1})
    assert lengths(load(PHOTOS, tmp_path, COLOUR)) == (8, 2, 3)


def test_val_is_used_as_test_if_there_is_no_test(tmp_path: Path) -> None:
    lay_images(tmp_path / "train", {"cat": 4, "ant": 4})
    lay_images(tmp_path / "val", {"cat": 1, "ant": 1})
    assert lengths(load(replace(PHOTOS, validation=None), tmp_path, COLOUR)) == (8, 0, 2)
    lay_images(tmp_path / "flat", {"cat": 4, "ant": 4})
    with pytest.raises(SpecError, match="needs test images"):
        load(replace(PHOTOS, validation=None), tmp_path / "flat", COLOUR)


def test_images_are_decoded_for_the_network(tmp_path: Path) -> None:
    lay_images(tmp_path, {"a": 2, "b": 2}, mode="L", size=(28, 28))
    grey = load(PHOTOS, tmp_path, DIGIT)
    assert isinstance(grey.train.images, InMemory)
    with Image.open(tmp_path / "a" / "0.png") as image:
        assert np.array_equal(grey.train.images.pixels[0, :, :, 0], np.array(image))
    sized = replace(PHOTOS, data=ImageFolder(resize=(6, 9)))
    assert load(sized, tmp_path, COLOUR).shape == (3, 6, 9)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    lay_images(tmp_path, {"a": 2, "b": 2})
    lying = Image.new("RGB", (8, 8))
    lying.paste((255, 0, 0), (0, 0, 8, 4))  # the upper half is red; EXIF says that the camera was upside down
    exif = Image.Exif()
    exif[0x0112] = 3
    lying.save(tmp_path / "a" / "0.png", exif=exif)
    images = load(PHOTOS, tmp_path, COLOUR).train.images
    assert isinstance(images, InMemory)
    assert images.pixels[0, 0, 0].tolist() == [0, 0, 0]
    assert images.pixels[0, 7, 7].tolist() == [255, 0, 0]


def test_chosen_classes_of_a_folder(tmp_path: Path) -> None:
    lay_images(tmp_path, {"ant": 4, "bee": 4, "cat": 4})
    splits = load(replace(PHOTOS, data=ImageFolder(classes=("cat", "ant"))), tmp_path, COLOUR)
    assert splits.classes == ("cat", "ant")
    assert splits.train.images.labels.tolist() == [1] * 4 + [0] * 4
    with pytest.raises(SpecError, match="no class cta") as caught:
        load(replace(PHOTOS, data=ImageFolder(classes=("cta", "ant"))), tmp_path, COLOUR)
    assert caught.value.diagnostics[0].help == "did you mean `cat`?"


def test_a_class_that_train_lacks_is_an_error(tmp_path: Path) -> None:
    lay_images(tmp_path / "train", {"circle": 2, "square": 2, "triangle": 2})
    lay_images(tmp_path / "val", {"circle": 1, "squares": 1})
    lay_images(tmp_path / "test", {"circle": 1, "star": 1})
    (tmp_path / "test" / ".cache").mkdir()
    with pytest.raises(SpecError) as caught:
        load(PHOTOS, tmp_path, COLOUR)
    no_class = f"is not one of the classes in {tmp_path / 'train'}: circle, square, triangle"
    assert [(diagnostic.code, diagnostic.message) for diagnostic in caught.value.diagnostics] == [
        ("E621", f"{tmp_path / 'val' / 'squares'} {no_class}"),
        ("E621", f"{tmp_path / 'test' / 'star'} {no_class}"),
    ]
    assert caught.value.diagnostics[0].help == "did you mean `square`?"
    chosen = replace(PHOTOS, data=ImageFolder(classes=("circle", "triangle")))
    assert lengths(load(chosen, tmp_path, COLOUR)) == (4, 1, 1)


def test_a_class_that_other_splits_lack_is_noted(tmp_path: Path) -> None:
    lay_images(tmp_path / "train", {"circle": 2, "square": 2, "triangle": 2})
    lay_images(tmp_path / "val", {"circle": 1, "square": 1, "triangle": 1})
    lay_images(tmp_path / "test", {"circle": 1, "square": 0})
    notes: list[str] = []
    load_splits(PHOTOS, COLOUR, tmp_path, notes.append)
    assert notes == [f"{tmp_path / 'test'} has no images of the classes square, triangle"]


@pytest.mark.parametrize(
    ("lay", "message"),
    [
        (lambda root: None, "there is no folder"),
        (lambda root: root.mkdir(), "needs at least two class folders of images, but has 0"),
        (lambda root: lay_images(root, {"a": 1, "b": 0}), "no images of the class b"),
        (lambda root: lay_images(root, {"a": 0, "b": 0}), "has no images in the class folders a, b"),
        (
            lambda root: lay_images(root, {"a": 1, "b": 1}),
            "no image can be held out for validation: 2 images in 2 classes",
        ),
        (lambda root: lay_images(root, {"a": 3, "b": 3}, broken="x.jpg"), "cannot read the image .*x.jpg"),
    ],
)
def test_invalid_folders(tmp_path: Path, lay: Callable[[Path], object], message: str) -> None:
    lay(tmp_path / "root")
    with pytest.raises(SpecError, match=message) as caught:
        load(PHOTOS, tmp_path / "root", COLOUR)
    assert caught.value.diagnostics[0].code in {"E621", "E622"}


def refused(data_dir: Path) -> tuple[str, str | None]:
    with pytest.raises(SpecError) as caught:
        load(PHOTOS, data_dir, COLOUR)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.message, diagnostic.help


def test_images_without_class_folders(tmp_path: Path) -> None:
    lay_images(tmp_path, {"flat": 3, "photos/ant": 2, "photos/bee": 1})
    message, help = refused(tmp_path / "flat")
    assert message.endswith("but has 0; 3 images are directly in it")
    assert help == "put the images into one folder per class"
    message, help = refused(tmp_path / "photos" / "bee")
    assert message.endswith("but has 0; 1 image is directly in it")
    assert help == f"did you mean {tmp_path / 'photos'}, which has 2 folders of images?"
    lay_images(tmp_path / "set", {"train": 2, "test": 2})
    assert refused(tmp_path / "set")[1] == refused(tmp_path / "flat")[1]


def test_one_image_of_each_class(tmp_path: Path) -> None:
    lay_images(tmp_path / "train", {"a": 1, "b": 1})
    assert refused(tmp_path)[1] == "add a second image of a class"
    lay_images(tmp_path / "test", {"a": 1, "b": 1})
    assert (refused(tmp_path)[1] or "").startswith("`--set train.validation=none` ")


def test_files_that_are_not_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_images(tmp_path, {"a": 1})
    with pytest.raises(ImageError, match=r"a: it is a folder$"):
        decode(tmp_path / "a", (3, 8, 8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ImageError, match=r"0\.png: it has too many pixels$"):
        decode(tmp_path / "a" / "0.png", (3, 8, 8))


def test_a_folder_must_be_given() -> None:
    with pytest.raises(SpecError, match="does not say which one"):
        load(PHOTOS, None, COLOUR)


def test_large_folders_are_decoded_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_images(tmp_path, {"a": 6, "b": 6})
    there = load(PHOTOS, tmp_path, COLOUR)
    monkeypatch.setattr(loading, "MAX_IN_MEMORY", 100)
    notes: list[str] = []
    splits = load_splits(PHOTOS, COLOUR, tmp_path, notes.append)
    assert "decoded batch by batch" in notes[0]
    assert isinstance(splits.train.images, OnDisk)
    preparation = Preparation.of(replace(PHOTOS, normalize="imagenet"), 3, CPU)
    state = torch.get_rng_state()
    streamed, kept = (TrainingLoader(data.train, preparation, 4, 0, CPU) for data in (splits, there))
    for _, one, other in zip(range(streamed.steps), streamed.batches(1), kept.batches(1), strict=False):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert torch.equal(state, torch.get_rng_state())
    (tmp_path / "a" / "0.png").write_text("broken")
    with pytest.raises(SpecError, match=r"cannot read the image .*0\.png") as caught:
        list(splits.train.images.batches([(torch.arange(12), None)], CPU))
    assert caught.value.diagnostics[0].code == "E621"
