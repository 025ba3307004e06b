"""The files of the well-known image sets: which there must be, how damage shows, and pickles without their code."""

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

RAW = {  # the folder of each relative of MNIST
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    **{f"emnist_{split}": "EMNIST" for split in EMNIST},
}
WIDTHS = {8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8}  # bytes of a number, by the type that an idx file states
_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


def files_of_set(name: str) -> dict[str, str | None]:
    """The files that a set is read from, relative to the data folder, with the checksum where one is published."""
    if name in RAW:
        splits, labels = ("train", "t10k"), "idx1-ubyte"
        if name == "qmnist":
            splits, labels = ("qmnist-train", "qmnist-test"), "idx2-int"
        elif name.startswith("emnist"):
            splits = (f"{name.replace('_', '-')}-train", f"{name.replace('_', '-')}-test")
        kinds = ("images-idx3-ubyte", f"labels-{labels}")
        return {f"{RAW[name]}/raw/{split}-{kind}": None for split in splits for kind in kinds}
    if name == "svhn":
        return {file: md5 for _, file, md5 in (datasets.SVHN.split_list[split] for split in ("train", "test"))}
    kept = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}[name]
    lists = [*kept.train_list[: 2 if name == "stl10" else None], *kept.test_list]
    return {f"{kept.base_folder}/{file}": md5 for file, md5 in lists}


def legacy_files(name: str, root: Path) -> list[Path]:
    """Tensors that old versions of torchvision kept, and new ones still prefer to the files themselves."""
    if name not in RAW:
        return []
    split = f"_{name.partition('_')[2]}" if name.startswith("emnist") else ""
    found = [root / RAW[name] / "processed" / f"{part}{split}.pt" for part in ("training", "test")]
    return found if all(each.is_file() for each in found) else []


def damage(root: Path, name: str) -> tuple[str, str] | None:
    """The first file of a set that is damaged, and how it shows."""
    for file, md5 in files_of_set(name).items():
        path = root / file
        reason = "its checksum is not that of the published file"
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
    """What is wrong with a file of MNIST's format: a header of type and sizes, then the numbers."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        ranks, width = head[3:4], WIDTHS.get(head[2]) if len(head) == 4 else None
        if len(head) < 4 or head[:2] != b"\0\0" or width is None or not 1 <= ranks[0] <= 3:
            return "it does not begin as an idx file does"
        sizes = [int.from_bytes(file.read(4), "big") for _ in range(ranks[0])]
    expected = 4 + 4 * len(sizes) + width * int(np.prod(sizes, dtype=object))
    return "" if size == expected else f"it has {size:,} bytes, and by its header {expected:,}"


def cifar(dataset: Any) -> Callable[..., Any]:
    """A reader of CIFAR's batches: they are pickles, and nothing that they name is run."""

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
    """Arrays, numbers and texts; whatever else a pickle names is refused."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        """What an array is made of."""
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of the set and was not run")
