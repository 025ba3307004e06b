"""The well-known image sets: the digits that ship with the package, the others through torchvision."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError
from typing import Any, TypeAlias

import numpy as np
import torch
from torchvision import datasets

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe.model import NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.train.images import InMemory, Part, Parts

Note: TypeAlias = Callable[[str], None]

EMBEDDED = Path(__file__).parent / "digits" / "digits.npz"
READERS: dict[str, Callable[..., Any]] = {
    "mnist": datasets.MNIST,
    "fashion_mnist": datasets.FashionMNIST,
    "cifar10": datasets.CIFAR10,
    "cifar100": datasets.CIFAR100,
}
PARTS = ("train", "test")
ARCHIVES = (".gz", ".zip")  # what a download leaves beside the unpacked files


def read_named(data: NamedSet, data_dir: Path, note: Note) -> Parts:
    """A named set, downloaded into `data_dir` where it is missing. Raises SpecError (E620)."""
    known = SETS[data.name]
    train, test = _embedded() if data.name == "digits" else _downloaded(data.name, data_dir, note)
    classes = data.classes or known.classes
    if data.classes:
        indices = [known.classes.index(each) for each in data.classes]
        train, test = train.chosen(indices), test.chosen(indices)
    if data.resize:
        train, test = train.resized(*data.resize), test.resized(*data.resize)
    return Parts(classes, Part.whole(train), None, Part.whole(test))


def _embedded() -> tuple[InMemory, InMemory]:
    with np.load(EMBEDDED, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    train, test = (InMemory(arrays[f"{part}_images"][..., None], arrays[f"{part}_labels"].long()) for part in PARTS)
    return train, test


def _downloaded(name: str, root: Path, note: Note) -> tuple[InMemory, InMemory]:
    reader = READERS[name]
    try:
        sets = [reader(str(root), train=part == "train", download=False) for part in PARTS]
    except RuntimeError:  # torchvision's word for files that are missing or broken
        note(f"downloading {SETS[name].title} to {root}")
        download(name, root)
        sets = [reader(str(root), train=part == "train", download=False) for part in PARTS]
    except (OSError, ValueError, EOFError) as error:
        message = f"the files of {SETS[name].title} in {root} cannot be read: {error}"
        raise SpecError([Diagnostic("E620", message, help="delete them; the next run downloads them anew")]) from None
    train, test = map(_in_memory, sets)
    return train, test


def _in_memory(dataset: Any) -> InMemory:
    """The images of a set of torchvision's: a tensor N×H×W, or an array N×H×W×3."""
    pixels = torch.as_tensor(dataset.data)
    return InMemory(pixels if pixels.ndim == 4 else pixels[..., None], torch.as_tensor(dataset.targets).long())


def download(name: str, root: Path) -> None:
    """Fetch a set into `root`, by way of a folder beside it: what breaks off leaves nothing behind.

    Raises SpecError (E620) without a network, or where `root` cannot be written.
    """
    title = SETS[name].title
    help = "is there a network? --data-dir names a folder that has the files; --recipe digits needs no download"
    partial = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        _copy_what_is_there(name, root, partial)
        READERS[name](str(partial), download=True)
        for file in sorted(each for each in partial.rglob("*") if each.is_file() and each.suffix not in ARCHIVES):
            target = root / file.relative_to(partial)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    except (OSError, RuntimeError, HTTPException, TarError, EOFError) as error:  # URLError is an OSError
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip("<>")
        raise SpecError([Diagnostic("E620", f"cannot download {title} to {root}: {reason}", help=help)]) from None
    finally:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)


def _copy_what_is_there(name: str, root: Path, partial: Path) -> None:
    """Lay archives that a person has put there where torchvision finds them: it checks and unpacks them."""
    folder = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}.get(name, ".")
    for file in (root / folder).glob("*.gz"):
        (partial / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, partial / folder / file.name)
