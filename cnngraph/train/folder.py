"""Folders of images: one folder a class, perhaps inside `train`, `val` and `test`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from cnngraph.diagnostics import Diagnostic, SpecError, did_you_mean
from cnngraph.recipe.data import ImageFolder
from cnngraph.recipe.model import Recipe
from cnngraph.train.images import ImageError, Images, InMemory, OnDisk, Part, Parts, decode

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]
Shape: TypeAlias = tuple[int, int, int]

MOST_IN_MEMORY = 2**31  # bytes of decoded images; larger sets are decoded batch by batch
ENDINGS = f"images end in {', '.join(IMG_EXTENSIONS)}"
PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


def read_folder(data: ImageFolder, recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note) -> Parts:
    """The images of a folder, resized for the network. Raises SpecError (E621)."""
    root = (data_dir or Path()) / (data.path or "")
    if not data.path and not data_dir:
        message = "the recipe trains on a folder of images and names none"
        raise _wrong(message, "--data-dir FOLDER, or path: FOLDER in the recipe's data")
    if not root.is_dir():
        raise _wrong(f"there is no folder {root}")
    folders = _parts(root)
    classes = _classes(folders["train"], data)
    shape = _shape(recipe, wanted)
    parts = {name: Part.whole(_images(folder, classes, shape, note)) for name, folder in folders.items()}
    present = set(parts["train"].images.labels.tolist())
    for label, name in enumerate(classes):
        if label not in present:
            raise _wrong(f"{folders['train']} has no images of the class {name}", ENDINGS)
    return Parts(tuple(classes), parts["train"], parts.get("validation"), parts.get("test"))


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part; a root without `train` is all of it."""
    found = {part: root / name for part, names in PARTS.items() for name in names if (root / name).is_dir()}
    return found if "train" in found else {"train": root}


def _classes(folder: Path, data: ImageFolder) -> Sequence[str]:
    """The classes to train on: those that the recipe names, or every folder in order of its name."""
    found = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if len(found) < 2:
        message = f"{folder} needs one folder of images for each of at least two classes, it has {len(found)}"
        raise _wrong(message)
    for each in data.classes or ():
        if each not in found:
            raise _wrong(f"{folder} has no class {each}", did_you_mean(each, found))
    return data.classes or found


def _shape(recipe: Recipe, wanted: TensorType) -> Shape:
    """Channels, height and width to decode to: as the recipe says, or as the network reads."""
    channels, height, width = wanted.sizes if wanted.rank == 3 else (3, 224, 224)
    height, width = recipe.data.resize or (height, width)
    return (1 if channels == 1 else 3), height, width


def _images(folder: Path, classes: Sequence[str], shape: Shape, note: Note) -> Images:
    files, labels = _files(folder, classes)
    bytes_needed = len(files) * shape[0] * shape[1] * shape[2]
    threads = min(16, os.cpu_count() or 1)
    if bytes_needed > _memory():
        note(f"{folder}: {len(files):,} images, decoded batch by batch by {threads} workers")
        return OnDisk(tuple(files), labels, shape, threads)
    if len(files) > 1000:
        note(f"{folder}: reading {len(files):,} images")
    pixels = torch.empty((len(files), shape[1], shape[2], shape[0]), dtype=torch.uint8)

    def read(index: int) -> None:
        pixels[index] = decode(files[index], shape)

    with ThreadPoolExecutor(threads) as pool:
        try:
            list(pool.map(read, range(len(files))))
        except ImageError as error:
            pool.shutdown(cancel_futures=True)
            raise _wrong(str(error)) from None
    return InMemory(pixels, labels)


def _files(folder: Path, classes: Sequence[str]) -> tuple[list[str], torch.Tensor]:
    """The image files of some classes and their labels."""
    index = {name: label for label, name in enumerate(classes) if (folder / name).is_dir()}
    samples = make_dataset(str(folder), index, IMG_EXTENSIONS, allow_empty=True) if index else []
    if not samples:
        raise _wrong(f"{folder} has no images in folders of the classes {', '.join(classes[:12])}", ENDINGS)
    return [file for file, _ in samples], torch.tensor([label for _, label in samples])


def _memory() -> int:
    """Bytes that decoded images may take: at most two gigabytes, and at most a quarter of the machine's."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return MOST_IN_MEMORY
    return min(MOST_IN_MEMORY, whole // 4)


def _wrong(message: str, help: str | None = None) -> SpecError:
    return SpecError([Diagnostic("E621", message, help=help)])
