"""The well-known image sets: the digits that ship with the package, the others through torchvision."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import Any, TypeAlias

import numpy as np
import torch
from torchvision import datasets

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.sets import EMNIST, SETS
from cnngraph.train.images import InMemory, Part, Parts

Note: TypeAlias = Callable[[str], None]

EMBEDDED = "digits"  # the set that comes along
FILE = Path(__file__).parent / "digits" / "digits.npz"


class _Labelled(datasets.STL10):  # type: ignore[misc]  # torchvision has no types
    """STL-10 without its 100,000 images that have no labels: they are not read, so nobody needs them."""

    train_list = datasets.STL10.train_list[:2]


def _by_split(reader: Callable[..., Any]) -> Callable[..., Any]:
    """A reader that takes its part by `train`, as most do, of one that takes it by name."""
    return lambda root, train, download: reader(root, split="train" if train else "test", download=download)


READERS: dict[str, Callable[..., Any]] = {
    "mnist": datasets.MNIST,
    "fashion_mnist": datasets.FashionMNIST,
    "kmnist": datasets.KMNIST,
    "qmnist": datasets.QMNIST,
    **{f"emnist_{split}": partial(datasets.EMNIST, split=split) for split in EMNIST},
    "svhn": _by_split(datasets.SVHN),
    "cifar10": datasets.CIFAR10,
    "cifar100": datasets.CIFAR100,
    "stl10": _by_split(_Labelled),
}
FOLDERS = {  # where a reader keeps its archives, if not in the data folder itself
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "qmnist": "QMNIST/raw",
    **{f"emnist_{split}": "EMNIST/raw" for split in EMNIST},
}
PARTS = ("train", "test")
ARCHIVES = (".gz", ".xz", ".zip")  # what a download leaves beside the unpacked files


def read_named(data: NamedSet, data_dir: Path, note: Note) -> Parts:
    """A named set, downloaded into `data_dir` where it is missing. Raises SpecError (E620)."""
    known = SETS[data.name]
    train, test = _embedded() if data.name == EMBEDDED else _downloaded(data.name, data_dir, note)
    classes = data.classes or known.classes
    if data.classes:
        indices = [known.classes.index(each) for each in data.classes]
        train, test = train.chosen(indices), test.chosen(indices)
    if data.resize:
        train, test = train.resized(*data.resize), test.resized(*data.resize)
    return Parts(classes, Part.whole(train), None, Part.whole(test))


def _embedded() -> tuple[InMemory, InMemory]:
    with np.load(FILE, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    train, test = (InMemory(arrays[f"{part}_images"][..., None], arrays[f"{part}_labels"].long()) for part in PARTS)
    return train, test


def _downloaded(name: str, root: Path, note: Note) -> tuple[InMemory, InMemory]:
    title = SETS[name].title
    try:
        return _read(name, root)
    except RuntimeError:  # torchvision's word for files that are missing or broken
        note(f"downloading {title} to {root}")
        download(name, root)
        return _read(name, root)
    except (OSError, ValueError, EOFError, TypeError, AssertionError) as error:
        reason = str(error) or "they are damaged"
        message = f"the files of {title} in {root} cannot be read: {reason}"
        raise SpecError([Diagnostic("E620", message, help="delete them; the next run downloads them anew")]) from None


def _read(name: str, root: Path) -> tuple[InMemory, InMemory]:
    """Both parts of a set whose files are there. One is made ours before the other is read: each is there twice."""
    train, test = (_in_memory(name, READERS[name](str(root), train=part == "train", download=False)) for part in PARTS)
    return train, test


def _in_memory(name: str, dataset: Any) -> InMemory:
    """The images of a set of torchvision's, N×H×W or N×H×W×C or N×C×H×W, as we hold them."""
    pixels = torch.as_tensor(dataset.data)
    labels = torch.as_tensor(dataset.targets if hasattr(dataset, "targets") else dataset.labels).long()
    if name.startswith("emnist"):
        pixels = pixels.transpose(1, 2)  # its files have them by columns
    if name == "emnist_letters":
        labels = labels - 1  # a is 1 in them
    if name == "qmnist":
        labels = labels[:, 0]  # behind it: where the digit comes from
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    elif pixels.shape[1:] == SETS[name].shape:
        pixels = pixels.permute(0, 2, 3, 1)
    return InMemory(pixels.contiguous(), labels.contiguous())


def download(name: str, root: Path) -> None:
    """Fetch a set into `root`, by way of a folder beside it: what breaks off leaves nothing behind.

    Raises SpecError (E620) without a network, or where `root` cannot be written.
    """
    title = SETS[name].title
    help = "is there a network? --data-dir names a folder that has the files; --recipe digits needs no download"
    beside = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        _copy_what_is_there(name, root, beside)
        for part in PARTS:
            READERS[name](str(beside), train=part == "train", download=True)
        for file in sorted(each for each in beside.rglob("*") if each.is_file() and each.suffix not in ARCHIVES):
            target = root / file.relative_to(beside)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    except (OSError, RuntimeError, HTTPException, TarError, EOFError) as error:  # URLError is an OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")
        raise SpecError([Diagnostic("E620", f"cannot download {title} to {root}: {reason}", help=help)]) from None
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)


def _copy_what_is_there(name: str, root: Path, beside: Path) -> None:
    """Lay archives that a person has put there where torchvision finds them: it checks and unpacks them."""
    folder = FOLDERS.get(name, ".")
    for file in (root / folder).glob("*"):
        if file.suffix in ARCHIVES:
            (beside / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, beside / folder / file.name)
