"""Loads image files: into memory if they fit, or batch by batch in worker processes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.frozen import frozen
from cnngraph.recipe.data import ImageFolder, ImageNet
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.decoding import BROKEN_FILE_HELP, ImageError, bit_depth
from cnngraph.train.data.images import Crops, Images, InMemory, OnDisk, decode

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]
Shape: TypeAlias = tuple[int, int, int]

MAX_IN_MEMORY = 2**31  # bytes of decoded images; larger sets are decoded batch by batch
MAX_WORKERS = 16


@frozen(slots=False)
class ImageLoader:
    """Loads the image files of a run. `root` is the data folder; `broken` collects the files that were skipped."""

    shape: Shape
    crops: Crops | None
    workers: int
    skip_broken: bool
    note: Note
    root: Path
    broken: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, data: ImageFolder | ImageNet, recipe: Recipe, input_type: TensorType, root: Path, note: Note
    ) -> ImageLoader:
        """The loader for a recipe and a network; by default, images get the size of the network's input."""
        channels, *size = input_type.sizes if input_type.rank == 3 else (3, 224, 224)
        crops = Crops.of(recipe)
        height, width = crops.crop.size if crops else data.resize or size
        workers = min(MAX_WORKERS, os.cpu_count() or 1) if recipe.workers is None else recipe.workers
        return cls((1 if channels == 1 else 3, height, width), crops, workers, data.broken == "skip", note, root)

    def images(self, folder: Path, files: Sequence[str], labels: Tensor) -> Images:
        """The images of some files; they stay on disk if they are cropped anew every time."""
        channels, height, width = self.shape
        self._warn_about_mixed_depths(files)
        names = tuple(_relative(file, os.path.join(self.root, "")) for file in files)
        if self.crops or len(files) * channels * height * width > _memory_limit():
            workers = f"{self.workers} worker{'s' if self.workers != 1 else ''}"
            self.note(f"{folder}: {len(files):,} images, decoded batch by batch by {workers}")
            return OnDisk(
                tuple(files), labels, self.shape, self.workers, self.crops, self.skip_broken, self.broken, names
            )
        if len(files) > 1000:
            self.note(f"{folder}: reading {len(files):,} images")
        return self._read(files, labels, names)

    def _warn_about_mixed_depths(self, files: Sequence[str]) -> None:
        """Warn (W620) if integer images of a sample are not all scaled alike."""
        if not any(bit_depth(file) for file in _sample(files, 4)):
            return
        counts = Counter(filter(None, map(bit_depth, _sample(files, 64))))
        if len(counts) > 1:
            found = ", ".join(f"{count} with {bits} bits" for bits, count in sorted(counts.items()))
            message = f"the bit depths of grey integer images differ: {found}"
            help = "store them with 8 bits to scale all of them alike"
            self.note(str(Diagnostic("W620", message, severity=Severity.WARNING, help=help)))

    def _read(self, files: Sequence[str], labels: Tensor, names: tuple[str, ...]) -> InMemory:
        channels, height, width = self.shape
        pixels = torch.empty((len(files), height, width, channels), dtype=torch.uint8)
        good = torch.ones(len(files), dtype=torch.bool)

        def read(index: int) -> None:
            try:
                pixels[index] = decode(files[index], self.shape)
            except ImageError:
                if not self.skip_broken:
                    raise
                good[index] = False

        with ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1)) as pool:
            try:
                list(pool.map(read, range(len(files))))
            except ImageError as error:
                pool.shutdown(cancel_futures=True)
                raise SpecError.of("E621", str(error), help=BROKEN_FILE_HELP) from None
        self.broken.extend(files[index] for index in torch.nonzero(~good).flatten().tolist())
        return InMemory(pixels, labels, names).select(good, labels)


def _sample(files: Sequence[str], count: int) -> Sequence[str]:
    """An evenly spaced sample of files."""
    return files if len(files) <= count else [files[len(files) * index // count] for index in range(count)]


def _relative(file: str, root: str) -> str:
    """A file's path relative to the data folder, with `/` on every system."""
    name = file[len(root) :] if file.startswith(root) else os.path.relpath(file, root)
    return name.replace(os.sep, "/")


def _memory_limit() -> int:
    """The memory limit for decoded images, in bytes: 2 GiB, and at most a quarter of the machine's memory."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return MAX_IN_MEMORY
    return min(MAX_IN_MEMORY, total // 4)
