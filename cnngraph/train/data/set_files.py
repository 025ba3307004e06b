"""The files of the named image sets: which ones are needed, how damage is detected, and safe unpickling."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
from torchvision import datasets
from torchvision.datasets import utils

from cnngraph.recipe.sets import EMNIST

MNIST_FOLDERS = {  # the folder of each set in MNIST's format
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    **{f"emnist_{split}": "EMNIST" for split in EMNIST},
}
WIDTHS = {8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8}  # bytes per value, by the type code of an idx file
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


def files_of_set(name: str) -> dict[str, str | None]:
    """The files of a set, relative to the data folder, with their checksums if published."""
    if name in MNIST_FOLDERS:
        splits, labels = ("train", "t10k"), "idx1-ubyte"
        if name == "qmnist":
            splits, labels = ("qmnist-train", "qmnist-test"), "idx2-int"
        elif name.startswith("emnist"):
            splits = (f"{name.replace('_', '-')}-train", f"{name.replace('_', '-')}-test")
        kinds = ("images-idx3-ubyte", f"labels-{labels}")
        return {f"{MNIST_FOLDERS[name]}/raw/{split}-{kind}": None for split in splits for kind in kinds}
    if name == "svhn":
        return {file: md5 for _, file, md5 in (datasets.SVHN.split_list[split] for split in ("train", "test"))}
    dataset = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}[name]
    lists = [*dataset.train_list[: 2 if name == "stl10" else None], *dataset.test_list]
    return {f"{dataset.base_folder}/{file}": md5 for file, md5 in lists}


def legacy_files(name: str, root: Path) -> list[Path]:
    """Tensor files of old torchvision versions, which new versions still prefer to the original files."""
    if name not in MNIST_FOLDERS:
        return []
    suffix = f"_{name.partition('_')[2]}" if name.startswith("emnist") else ""
    found = [root / MNIST_FOLDERS[name] / "processed" / f"{split}{suffix}.pt" for split in ("training", "test")]
    return found if all(file.is_file() for file in found) else []


def find_damage(root: Path, name: str) -> tuple[str, str] | None:
    """The first damaged file of a set, and what is wrong with it."""
    for file, md5 in files_of_set(name).items():
        path = root / file
        reason = "its checksum differs from the published file's"
        if not path.is_file():
            continue
        if md5 is None:
            reason = _idx_damage(path)
        elif utils.check_md5(str(path), md5):
            continue
        if reason:
            return file, reason
    return None


def _idx_damage(path: Path) -> str:
    """What is wrong with an idx file (a header with type and sizes, then the values), or an empty string."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        ranks, width = head[3:4], WIDTHS.get(head[2]) if len(head) == 4 else None
        if len(head) < 4 or head[:2] != b"\0\0" or width is None or not 1 <= ranks[0] <= 3:
            return "it has no idx header"
        sizes = [int.from_bytes(file.read(4), "big") for _ in range(ranks[0])]
    expected = 4 + 4 * len(sizes) + width * int(np.prod(sizes, dtype=object))
    return "" if size == expected else f"it has {size:,} bytes, but its header says {expected:,}"


def cifar(dataset: Any) -> Callable[..., Any]:
    """A reader of CIFAR's batches, which are pickles, without running any code in them."""

    def read(root: str, train: bool, download: bool) -> Any:
        if download:  # torchvision verifies the checksum of the archive and of each file
            return dataset(root, train=train, download=True)
        folder, lists = Path(root, dataset.base_folder), dataset.train_list if train else dataset.test_list
        if not all(utils.check_integrity(str(folder / file), md5) for file, md5 in lists):
            raise RuntimeError("files are missing or damaged")
        pixels, labels = [], []
        for file, _ in lists:
            with (folder / file).open("rb") as stream:
                entry = _Unpickler(stream, encoding="latin1").load()
            pixels.append(entry["data"])
            labels.extend(entry["labels"] if "labels" in entry else entry["fine_labels"])
        data = np.vstack(pixels).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return SimpleNamespace(data=data, targets=labels)

    return read


class _Unpickler(pickle.Unpickler):
    """Loads arrays, numbers and strings; refuses all other globals."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        """Return a global that arrays need, or raise UnpicklingError."""
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            f"it refers to {module}.{name}, which an array does not need and which was not run"
        )
