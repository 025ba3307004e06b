"""The named image sets: the bundled digits, and others through torchvision."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from cnngraph.diagnostics import SpecError
from cnngraph.packages import require
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.sets import EMNIST, SETS
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.loading import Note
from cnngraph.train.data.set_files import MNIST_FOLDERS, cifar, files_of_set, find_damage, legacy_files
from cnngraph.train.data.split import Split, Splits

BUNDLED = "digits"  # the set that is part of the package
FILE = Path(__file__).parent / "digits" / "digits.npz"


class _Labelled(datasets.STL10):  # type: ignore[misc]  # torchvision has no types
    """STL-10 without its 100,000 unlabelled images, which are not used."""

    train_list = datasets.STL10.train_list[:2]


def _by_split(reader: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a reader with a `split` parameter as one with a `train` parameter, like most of torchvision's."""
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
REQUIRED = {"svhn": "scipy"}  # modules that torchvision needs to read a set's files, here MATLAB files
SPLITS = ("train", "test")
REDOWNLOAD = "the next run downloads the set again"
ARCHIVES = (".gz", ".xz", ".zip")  # archives that a download leaves beside the unpacked files


def read_named_set(data: NamedSet, data_dir: Path, note: Note) -> Splits:
    """Read a named set; if it is missing, download it to `data_dir`.

    Raises SpecError (E620), and PackageError before a download if a package needed to read the set is missing.
    """
    known = SETS[data.name]
    if data.name in REQUIRED:
        require(REQUIRED[data.name])
    train, test = _bundled() if data.name == BUNDLED else _downloaded(data.name, data_dir, note)
    classes = data.classes or known.classes
    if data.classes:
        indices = [known.classes.index(name) for name in data.classes]
        train, test = train.with_classes(indices), test.with_classes(indices)
    if data.resize:
        train, test = train.resized(*data.resize), test.resized(*data.resize)
    return Splits(classes, Split.all_of(train), None, Split.all_of(test))


def is_available(name: str, root: Path) -> bool:
    """Whether a set is bundled or all its files are in `root`."""
    return (
        name == BUNDLED or bool(legacy_files(name, root)) or all((root / file).is_file() for file in files_of_set(name))
    )


def _bundled() -> tuple[InMemory, InMemory]:
    with np.load(FILE, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    train, test = (InMemory(arrays[f"{split}_images"][..., None], arrays[f"{split}_labels"].long()) for split in SPLITS)
    return train, test


def _downloaded(name: str, root: Path, note: Note) -> tuple[InMemory, InMemory]:
    title = SETS[name].title
    try:
        return _read(name, root)
    except Exception as error:  # damaged files raise anything
        if is_available(name, root):
            raise _damaged(name, root, error) from None
    note(f"downloading {title} to {root}")
    download(name, root)
    try:
        return _read(name, root)
    except Exception as error:
        raise _damaged(name, root, error) from None


def _damaged(name: str, root: Path, error: Exception) -> SpecError:
    """The error for files of a set that cannot be read."""
    message = f"the files of {SETS[name].title} in {root} cannot be read"
    if legacy := legacy_files(name, root):
        folder = legacy[0].parent
        help = f"delete {folder}, where old versions of torchvision kept the set"
        return SpecError.of("E620", f"{message}: {folder.relative_to(root)}: {_last_line(error)}", help=help)
    if found := find_damage(root, name):
        file, reason = found
        help = f"delete {root / file}; {REDOWNLOAD}"
        return SpecError.of("E620", f"{message}: {file}: {reason}", help=help)
    help = f"delete {_locations(name, root)}; {REDOWNLOAD}"
    return SpecError.of("E620", f"{message}: {_last_line(error)}", help=help)


def _locations(name: str, root: Path) -> str:
    """The files and folders of a set below `root`."""
    return " and ".join(
        sorted({str((root / file).parent if "/" in file else root / file) for file in files_of_set(name)})
    )


def _last_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")


def _read(name: str, root: Path) -> tuple[InMemory, InMemory]:
    """Both splits of a set whose files are there. They are converted one by one, since conversion copies the images."""
    train, test = (
        _in_memory(name, split, READERS[name](str(root), train=split == "train", download=False)) for split in SPLITS
    )
    return train, test


def _in_memory(name: str, split: str, dataset: Any) -> InMemory:
    """Convert a torchvision dataset, with images of N×H×W, N×H×W×C or N×C×H×W, to N×H×W×C."""
    pixels = torch.as_tensor(dataset.data)
    labels = torch.as_tensor(dataset.targets if hasattr(dataset, "targets") else dataset.labels).long()
    if name.startswith("emnist"):
        pixels = pixels.transpose(1, 2)  # its files are column-major
    if name == "emnist_letters":
        labels = labels - 1  # in its files, a is 1
    if name == "qmnist":
        labels = labels[:, 0]  # the other columns describe the source of the digit
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    elif pixels.shape[1:] == SETS[name].shape:
        pixels = pixels.permute(0, 2, 3, 1)
    _check(name, split, pixels, labels)
    return InMemory(pixels.contiguous(), labels.contiguous())


def _check(name: str, split: str, pixels: Tensor, labels: Tensor) -> None:
    """Raise ValueError if these cannot be the images and labels of the set."""
    known = SETS[name]
    channels, height, width = known.shape
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != (height, width, channels):
        kind = str(pixels.dtype).removeprefix("torch.")
        raise ValueError(f"the {split} images have dtype {kind} and shape {list(pixels.shape)}")
    if not len(pixels) and not len(labels):
        raise ValueError(f"there are no {split} images")
    if len(pixels) != len(labels):
        raise ValueError(f"there are {len(pixels):,} {split} images but {len(labels):,} labels")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(known.classes):
        first = 1 if name in {"emnist_letters", "stl10"} else 0  # of the labels in the file
        span = f"{low + first} to {high + first}"
        raise ValueError(
            f"the labels of the {split} images range from {span}, but there are {len(known.classes)} classes"
        )


def download(name: str, root: Path) -> None:
    """Download a set to `root` through a temporary folder, so that an interrupted download leaves nothing behind.

    Raises SpecError (E620) if the download fails or `root` is not writable.
    """
    title = SETS[name].title
    help = "check the connection, or use `--data-dir FOLDER` if you have the files; `--recipe digits` needs no download"
    temporary = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        _copy_archives(name, root, temporary)
        for split in SPLITS:
            READERS[name](str(temporary), train=split == "train", download=True)
        for file in sorted(path for path in temporary.rglob("*") if path.is_file() and path.suffix not in ARCHIVES):
            target = root / file.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    except Exception as error:  # no connection, a full disk, a damaged archive
        message = f"cannot download {title} to {root}: {_last_line(error)}"
        raise SpecError.of("E620", message, notes=_archives(name, root), help=help) from None
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _copy_archives(name: str, root: Path, target: Path) -> None:
    """Copy archives that are already in `root` to where torchvision looks for them; it verifies and unpacks them."""
    folder = f"{MNIST_FOLDERS[name]}/raw" if name in MNIST_FOLDERS else "."
    for file in (root / folder).glob("*"):
        if file.suffix in ARCHIVES:
            (target / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / folder / file.name)


def _archives(name: str, root: Path) -> tuple[str, ...]:
    """Notes about archives in the data folder that were not sufficient."""
    folder = root / MNIST_FOLDERS[name] / "raw" if name in MNIST_FOLDERS else root
    pattern = "*" if name in MNIST_FOLDERS else f"{name[:5]}*"  # the folder may have archives of other sets
    archives = sorted(file for file in folder.glob(pattern) if file.suffix in ARCHIVES)
    return tuple(f"{file} is damaged, or other files are missing" for file in archives)
