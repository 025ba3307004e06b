"""The named data sets, each read from small files in its original format."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io  # type: ignore[import-untyped]
import torch
from torchvision import datasets

from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.sets import EMNIST, SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data import named_sets
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Splits
from tests.train.support import RECIPE

Array = np.ndarray[Any, Any]
COUNT = 20


def load(name: str, root: Path, **words: Any) -> Splits:
    data = NamedSet(name=name, **words)
    recipe = replace(RECIPE, data=data, validation=None)
    return load_splits(recipe, TensorType.map(*SETS[name].shape), root, lambda note: None)


def images_of(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (COUNT, *shape)).astype(np.uint8)


def idx(array: Array, kind: int = 8) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def lay_idx(
    raw: Path, parts: dict[str, str], labels: Array, change: Callable[[Array], Array] = lambda images: images
) -> None:
    """Files of MNIST-like data sets, with `images` and `labels` in their names."""
    raw.mkdir(parents=True)
    for seed, (part, ending) in enumerate(parts.items()):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(change(images_of((28, 28), seed))))
        (raw / f"{part}-labels-{ending}").write_bytes(idx(labels, 12 if ending == "idx2-int" else 8))


def lay_mnist(root: Path, folder: str) -> None:
    parts = {"train": "idx1-ubyte", "t10k": "idx1-ubyte"}
    lay_idx(root / folder / "raw", parts, (np.arange(COUNT) % 10).astype(np.uint8))


def lay_emnist(root: Path, split: str) -> None:
    parts = {f"emnist-{split}-train": "idx1-ubyte", f"emnist-{split}-test": "idx1-ubyte"}
    first = split == "letters"
    labels = (np.arange(COUNT) % len(EMNIST[split]) + first).astype(np.uint8)
    lay_idx(root / "EMNIST" / "raw", parts, labels, lambda pixels: pixels.transpose(0, 2, 1).copy())


def lay_qmnist(root: Path) -> None:
    labels = np.stack([np.arange(COUNT) % 10, *[np.full(COUNT, value) for value in range(90, 97)]], 1)
    lay_idx(root / "QMNIST" / "raw", {"qmnist-train": "idx2-int", "qmnist-test": "idx2-int"}, labels.astype(">i4"))


def lay_svhn(root: Path) -> None:
    labels = np.arange(COUNT) % 10
    for seed, part in enumerate(("train", "test")):
        pixels = images_of((32, 32, 3), seed).transpose(1, 2, 3, 0)
        scipy.io.savemat(root / f"{part}_32x32.mat", {"X": pixels, "y": np.where(labels == 0, 10, labels)[:, None]})


def lay_stl10(root: Path) -> None:
    folder = root / "stl10_binary"
    folder.mkdir()
    for seed, part in enumerate(("train", "test")):
        images_of((96, 96, 3), seed).transpose(0, 3, 2, 1).tofile(folder / f"{part}_X.bin")
        (np.arange(COUNT) % 10 + 1).astype(np.uint8).tofile(folder / f"{part}_y.bin")


def lay_cifar(root: Path, folder: str, parts: dict[str, int], key: str, classes: int) -> None:
    (root / folder).mkdir()
    for part, seed in parts.items():
        pixels = images_of((32, 32, 3), seed).transpose(0, 3, 1, 2).reshape(COUNT, -1)
        labels = (np.arange(COUNT) % classes).tolist()
        (root / folder / part).write_bytes(pickle.dumps({"data": pixels, key: labels}))


def lay_cifar10(root: Path) -> None:
    batches = {"data_batch_1": 0, "test_batch": 1} | {f"data_batch_{number}": number for number in range(2, 6)}
    lay_cifar(root, "cifar-10-batches-py", batches, "labels", 10)
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({"label_names": ["a"]}))


def lay_cifar100(root: Path) -> None:
    lay_cifar(root, "cifar-100-python", {"train": 0, "test": 1}, "fine_labels", 100)
    (root / "cifar-100-python" / "meta").write_bytes(pickle.dumps({"fine_label_names": ["a"]}))


LAYERS: dict[str, Callable[[Path], None]] = {
    "mnist": lambda root: lay_mnist(root, "MNIST"),
    "fashion_mnist": lambda root: lay_mnist(root, "FashionMNIST"),
    "kmnist": lambda root: lay_mnist(root, "KMNIST"),
    "qmnist": lay_qmnist,
    **{f"emnist_{split}": lambda root, split=split: lay_emnist(root, split) for split in EMNIST},  # type: ignore[misc]
    "svhn": lay_svhn,
    "cifar10": lay_cifar10,
    "cifar100": lay_cifar100,
    "stl10": lay_stl10,
}


@pytest.fixture(autouse=True)
def any_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip checksums, because the small files differ from the real ones."""
    monkeypatch.setattr("torchvision.datasets.utils.check_md5", lambda *args, **kwargs: True)


def test_every_set_is_tested() -> None:
    assert set(LAYERS) == set(named_sets.READERS) == set(SETS) - {"digits"}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_images_and_labels_are_read(tmp_path: Path, name: str) -> None:
    LAYERS[name](tmp_path)
    splits = load(name, tmp_path)
    channels, height, width = SETS[name].shape
    assert splits.shape == SETS[name].shape
    assert splits.classes == SETS[name].classes
    assert splits.test
    for seed, split in enumerate((splits.train, splits.test)):
        images = split.images
        assert isinstance(images, InMemory)
        shape = (height, width) if channels == 1 else (height, width, channels)
        expected = torch.from_numpy(images_of(shape, seed)).reshape(COUNT, height, width, channels)
        assert torch.equal(images.pixels[:COUNT], expected)
        assert images.pixels.is_contiguous()
        assert images.labels[:COUNT].tolist() == [index % len(splits.classes) for index in range(COUNT)]


def test_some_classes_of_a_set(tmp_path: Path) -> None:
    lay_stl10(tmp_path)
    splits = load("stl10", tmp_path, classes=("monkey", "bird"), resize=(8, 8))
    assert splits.classes == ("monkey", "bird")
    assert splits.shape == (3, 8, 8)
    assert splits.train.images.labels.tolist() == [1, 0] * 2  # bird is the second of the ten classes, monkey the eighth


def test_the_classes_of_emnist_splits() -> None:
    """Labels are in torchvision's order, without the unused class."""
    for split, classes in EMNIST.items():
        usual = datasets.EMNIST.classes_split_dict[split]
        assert list(classes) == [name for name in usual if name != "N/A"]
    assert len(SETS["emnist_balanced"].classes) == 47


@pytest.mark.parametrize("name", ["svhn", "stl10", "qmnist"])
def test_a_download_has_both_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Some of torchvision's data sets download only the requested split."""
    reader = named_sets.READERS[name]
    asked: list[bool] = []

    def fetch(root: str, train: bool, download: bool) -> Any:
        if download:
            asked.append(train)
            if len(asked) == 1:
                LAYERS[name](Path(root))
        return reader(root, train=train, download=False)

    monkeypatch.setitem(named_sets.READERS, name, fetch)
    notes: list[str] = []
    recipe = replace(RECIPE, data=NamedSet(name=name))
    load_splits(recipe, TensorType.map(*SETS[name].shape), tmp_path, notes.append)
    assert asked == [True, False]
    assert notes == [f"downloading {SETS[name].title} to {tmp_path}"]
