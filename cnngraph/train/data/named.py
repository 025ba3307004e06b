"""The well-known image sets: the digits that ship with the package, the others through torchvision."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from cnngraph.diagnostics import SpecError
from cnngraph.packages import require
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.sets import EMNIST, SETS
from cnngraph.train.data.images import InMemory, Part, Parts
from cnngraph.train.data.set_files import RAW, cifar, damage, files_of_set, legacy_files

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
    "cifar10": cifar(datasets.CIFAR10),
    "cifar100": cifar(datasets.CIFAR100),
    "stl10": _by_split(_Labelled),
}
NEEDED = {"svhn": "scipy"}  # modules by which torchvision reads a set's files, here MATLAB's
PARTS = ("train", "test")
ANEW = "the next run downloads the set again"
ARCHIVES = (".gz", ".xz", ".zip")  # what a download leaves beside the unpacked files


def read_named(data: NamedSet, data_dir: Path, note: Note) -> Parts:
    """A named set, downloaded into `data_dir` where it is missing.

    Raises SpecError (E620); PackageError, before a download, where a package that reads the set is missing.
    """
    known = SETS[data.name]
    if data.name in NEEDED:
        require(NEEDED[data.name])
    train, test = _embedded() if data.name == EMBEDDED else _downloaded(data.name, data_dir, note)
    classes = data.classes or known.classes
    if data.classes:
        indices = [known.classes.index(each) for each in data.classes]
        train, test = train.chosen(indices), test.chosen(indices)
    if data.resize:
        train, test = train.resized(*data.resize), test.resized(*data.resize)
    return Parts(classes, Part.whole(train), None, Part.whole(test))


def is_here(name: str, root: Path) -> bool:
    """Whether nothing of a set must be downloaded: it is bundled, or its files are in `root`."""
    return (
        name == EMBEDDED
        or bool(legacy_files(name, root))
        or all((root / file).is_file() for file in files_of_set(name))
    )


def _embedded() -> tuple[InMemory, InMemory]:
    with np.load(FILE, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    train, test = (InMemory(arrays[f"{part}_images"][..., None], arrays[f"{part}_labels"].long()) for part in PARTS)
    return train, test


def _downloaded(name: str, root: Path, note: Note) -> tuple[InMemory, InMemory]:
    title = SETS[name].title
    try:
        return _read(name, root)
    except Exception as error:  # damaged files raise anything
        if is_here(name, root):
            raise _damaged(name, root, error) from None
    note(f"downloading {title} to {root}")
    download(name, root)
    try:
        return _read(name, root)
    except Exception as error:
        raise _damaged(name, root, error) from None


def _damaged(name: str, root: Path, error: Exception) -> SpecError:
    """What is wrong with the files of a set, and what to do about it."""
    what = f"the files of {SETS[name].title} in {root} cannot be read"
    if legacy := legacy_files(name, root):
        folder = legacy[0].parent
        help = f"delete {folder}, where old versions of torchvision kept the set"
        return SpecError.of("E620", f"{what}: {folder.relative_to(root)}: {_line(error)}", help=help)
    if found := damage(root, name):
        file, reason = found
        help = f"delete {root / file}; {ANEW}"
        return SpecError.of("E620", f"{what}: {file}: {reason}", help=help)
    return SpecError.of("E620", f"{what}: {_line(error)}", help=f"delete {_places(name, root)}; {ANEW}")


def _places(name: str, root: Path) -> str:
    return " and ".join(
        sorted({str((root / file).parent if "/" in file else root / file) for file in files_of_set(name)})
    )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")


def _read(name: str, root: Path) -> tuple[InMemory, InMemory]:
    """Both parts of a set whose files are there. One is made ours before the other is read: each is there twice."""
    train, test = (
        _in_memory(name, part, READERS[name](str(root), train=part == "train", download=False)) for part in PARTS
    )
    return train, test


def _in_memory(name: str, part: str, dataset: Any) -> InMemory:
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
    _check(name, part, pixels, labels)
    return InMemory(pixels.contiguous(), labels.contiguous())


def _check(name: str, part: str, pixels: Tensor, labels: Tensor) -> None:
    """Raises ValueError for what cannot be images of a set."""
    known = SETS[name]
    channels, height, width = known.shape
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != (height, width, channels):
        kind = str(pixels.dtype).removeprefix("torch.")
        raise ValueError(f"the {part} images are {kind} numbers of shape {list(pixels.shape)}")
    if len(pixels) != len(labels) or not len(labels):
        raise ValueError(f"there are {len(pixels):,} {part} images, and {len(labels):,} labels")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(known.classes):
        first = 1 if name in {"emnist_letters", "stl10"} else 0  # as the file has them
        span = f"{low + first} to {high + first}"
        raise ValueError(f"the labels of the {part} images go from {span}, for {len(known.classes)} classes")


def download(name: str, root: Path) -> None:
    """Fetch a set into `root`, by way of a folder beside it: what breaks off leaves nothing behind.

    Raises SpecError (E620) without a network, or where `root` cannot be written.
    """
    title = SETS[name].title
    help = "are you online? --data-dir names a folder that has the files; --recipe digits needs no download"
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
    except Exception as error:  # no connection, no room, an archive that is damaged in any way
        message = f"cannot download {title} to {root}: {_line(error)}"
        raise SpecError.of("E620", message, notes=_archives(name, root), help=help) from None
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)


def _copy_what_is_there(name: str, root: Path, beside: Path) -> None:
    """Lay archives that a person has put there where torchvision finds them: it checks and unpacks them."""
    folder = f"{RAW[name]}/raw" if name in RAW else "."  # where torchvision keeps the archives of a set
    for file in (root / folder).glob("*"):
        if file.suffix in ARCHIVES:
            (beside / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, beside / folder / file.name)


def _archives(name: str, root: Path) -> tuple[str, ...]:
    """The archives in the data folder of which a download was to be made, and could not."""
    folder = root / RAW[name] / "raw" if name in RAW else root
    own = "*" if name in RAW else f"{name[:5]}*"  # other sets may have theirs in the same folder
    there = sorted(file for file in folder.glob(own) if file.suffix in ARCHIVES)
    return tuple(f"{file} is there, but damaged or not all that is needed" for file in there)
