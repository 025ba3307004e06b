"""Damaged or wrong files of named data sets: they are reported by name, and no code in them is executed."""

from __future__ import annotations

import gzip
import os
import pickle
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch

from cnngraph import SpecError
from cnngraph.diagnostics import Diagnostic
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.set_files import files_of_set
from tests.train.support import RECIPE
from tests.train.test_sets import COUNT, LAYERS, idx, images_of, lay_idx


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def any_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip checksums, because the small files differ from the real ones."""
    monkeypatch.setattr("torchvision.datasets.utils.check_md5", lambda *args, **kwargs: True)


def load(name: str, root: Path) -> Any:
    recipe = replace(RECIPE, data=NamedSet(name=name), validation=None)
    return load_splits(recipe, TensorType.map(*SETS[name].shape), root, lambda note: None)


def refused(name: str, root: Path) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        load(name, root)
    (found,) = caught.value.diagnostics
    assert found.code == "E620"
    assert found.help
    return found


@pytest.mark.usefixtures("any_content")
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_the_files_of_every_set_are_listed(tmp_path: Path, name: str) -> None:
    LAYERS[name](tmp_path)
    assert all((tmp_path / file).is_file() for file in files_of_set(name))
    assert len(load(name, tmp_path).train) in {COUNT, 5 * COUNT}


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "stl10"])
def test_a_file_with_another_checksum_is_reported_and_kept(tmp_path: Path, name: str) -> None:
    LAYERS[name](tmp_path)
    file = next(iter(files_of_set(name)))
    before = (tmp_path / file).read_bytes()
    found = refused(name, tmp_path)
    message = f"the files of {SETS[name].title} in {tmp_path} cannot be read: {file}: its checksum differs"
    assert found.message.startswith(message)
    assert found.help == f"delete {tmp_path / file}; the next run downloads the set again"
    assert (tmp_path / file).read_bytes() == before


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "short": lambda content: content[: len(content) // 2],
    "begun": lambda content: content[:3],
    "long": lambda content: content + b"more",
    "other": lambda content: b"<html>404: Not Found</html>" * 20,
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.usefixtures("any_content")
@pytest.mark.parametrize("damage", sorted(DAMAGE))
@pytest.mark.parametrize("name", ["mnist", "qmnist", "emnist_letters", "svhn", "cifar10", "cifar100", "stl10"])
def test_damaged_files_are_reported(tmp_path: Path, name: str, damage: str) -> None:
    """Damage that the checksum would not show."""
    LAYERS[name](tmp_path)
    for file in files_of_set(name):
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(DAMAGE[damage](whole))
        if (damage == "long" and name.startswith("cifar")) or (damage == "zeros" and file.endswith("X.bin")):
            load(name, tmp_path)  # data after a pickle is never read; black images are valid
        else:
            found = refused(name, tmp_path)
            assert found.message.startswith(f"the files of {SETS[name].title} in {tmp_path} cannot be read: ")
            assert Path(file).name in found.message or name not in {"mnist", "qmnist", "emnist_letters"}
        (tmp_path / file).write_bytes(whole)


def lay_mnist(root: Path, pixels: np.ndarray[Any, Any] | None, labels: np.ndarray[Any, Any]) -> None:
    change = (lambda images: images) if pixels is None else (lambda _: pixels)
    lay_idx(root / "MNIST" / "raw", {"train": "idx1-ubyte", "t10k": "idx1-ubyte"}, labels.astype(np.uint8), change)


@pytest.mark.parametrize(
    ("pixels", "labels", "reason"),
    [
        (None, np.arange(COUNT) % 11, "the labels of the train images range from 0 to 10, but there are 10 classes"),
        (None, np.full(COUNT, 255), "the labels of the train images range from 255 to 255, but there are 10 classes"),
        (None, np.arange(COUNT - 1) % 10, "there are 20 train images but 19 labels"),
        (None, np.arange(COUNT + 1) % 10, "there are 20 train images but 21 labels"),
        (images_of((27, 28), 0), np.arange(COUNT) % 10, "the train images have dtype uint8 and shape [20, 27, 28, 1]"),
    ],
)
def test_inconsistent_files_are_reported(
    tmp_path: Path, pixels: np.ndarray[Any, Any] | None, labels: np.ndarray[Any, Any], reason: str
) -> None:
    lay_mnist(tmp_path, pixels, labels)
    found = refused("mnist", tmp_path)
    assert found.message == f"the files of MNIST in {tmp_path} cannot be read: {reason}"
    assert found.help == f"delete {tmp_path / 'MNIST' / 'raw'}; the next run downloads the set again"


class Stranger:
    """A class whose pickle would execute code."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


@pytest.mark.usefixtures("any_content")
def test_a_malicious_pickle_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LAYERS["cifar10"](tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(pickle.dumps({"data": Stranger(), "labels": []}))
    found = refused("cifar10", tmp_path)
    assert found.message.endswith("it refers to posix.mkdir, which an array does not need and which was not run")
    assert not (tmp_path / "ran").exists()


def test_a_malicious_tensor_file_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_mnist(tmp_path, None, np.arange(COUNT) % 10)
    folder = tmp_path / "MNIST" / "processed"
    folder.mkdir()
    for content in (Stranger(), torch.zeros(3), (torch.zeros(2, 28, 28), torch.zeros(2)), None):
        for name in ("training", "test"):
            torch.save(content, folder / f"{name}.pt")
        found = refused("mnist", tmp_path)
        assert found.message.startswith(f"the files of MNIST in {tmp_path} cannot be read: MNIST/processed: ")
        assert (found.help or "").startswith(f"delete {folder}, ")
    assert not (tmp_path / "ran").exists()


def test_a_truncated_archive_is_reported(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images_of((28, 28), 0)))[:-10])
    found = refused("mnist", tmp_path)
    assert found.message.startswith(f"cannot download MNIST to {tmp_path}: ")
    assert found.notes == (f"{raw / 'train-images-idx3-ubyte.gz'} is damaged, or other files are missing",)
