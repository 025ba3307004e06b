"""Image files to a set of images: decoded into memory where they fit, or by worker processes batch by batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe.data import ImageFolder, ImageNet
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.decoding import HELP, ImageError, bits_of
from cnngraph.train.data.images import Cuts, Images, InMemory, OnDisk, decode

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

Note: TypeAlias = Callable[[str], None]
Shape: TypeAlias = tuple[int, int, int]

MOST_IN_MEMORY = 2**31  # bytes of decoded images; larger sets are decoded batch by batch
MOST_WORKERS = 16


@dataclass(frozen=True)
class Loading:
    """How the files of a run are read. `root` is the data folder; `broken` collects the files that were skipped."""

    shape: Shape
    cuts: Cuts | None
    workers: int
    skips: bool
    note: Note
    root: Path
    broken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, data: ImageFolder | ImageNet, recipe: Recipe, wanted: TensorType, root: Path, note: Note) -> Loading:
        """As the recipe says, or as the network reads."""
        channels, *size = wanted.sizes if wanted.rank == 3 else (3, 224, 224)
        cuts = Cuts.asked(recipe)
        height, width = cuts.crop.size if cuts else data.resize or size
        workers = min(MOST_WORKERS, os.cpu_count() or 1) if recipe.workers is None else recipe.workers
        return cls((1 if channels == 1 else 3, height, width), cuts, workers, data.broken == "skip", note, root)

    def images(self, folder: Path, files: Sequence[str], labels: Tensor) -> Images:
        """The images of some files. Those that are cut each time anew stay on disk."""
        channels, height, width = self.shape
        self._tell_mixed_bits(files)
        names = tuple(_relative(file, os.path.join(self.root, "")) for file in files)
        if self.cuts or len(files) * channels * height * width > _memory():
            workers = f"{self.workers} worker{'s' if self.workers != 1 else ''}"
            self.note(f"{folder}: {len(files):,} images, decoded batch by batch by {workers}")
            return OnDisk(tuple(files), labels, self.shape, self.workers, self.cuts, self.skips, self.broken, names)
        if len(files) > 1000:
            self.note(f"{folder}: reading {len(files):,} images")
        return self._read(files, labels, names)

    def _tell_mixed_bits(self, files: Sequence[str]) -> None:
        """Warn (W620) where images of 16 bits are not all scaled alike, in a sample of them."""
        if not any(bits_of(file) for file in _spread(files, 4)):
            return
        counts = Counter(filter(None, map(bits_of, _spread(files, 64))))
        if len(counts) > 1:
            found = ", ".join(f"{count} as {bits} bits" for bits, count in sorted(counts.items()))
            message = f"grey images of whole numbers are read by the range of each one: {found}"
            help = "store them with 8 bits if they should all be scaled alike"
            self.note(str(Diagnostic("W620", message, severity=Severity.WARNING, help=help)))

    def _read(self, files: Sequence[str], labels: Tensor, names: tuple[str, ...]) -> InMemory:
        channels, height, width = self.shape
        pixels = torch.empty((len(files), height, width, channels), dtype=torch.uint8)
        good = torch.ones(len(files), dtype=torch.bool)

        def read(index: int) -> None:
            try:
                pixels[index] = decode(files[index], self.shape)
            except ImageError:
                if not self.skips:
                    raise
                good[index] = False

        with ThreadPoolExecutor(min(MOST_WORKERS, os.cpu_count() or 1)) as pool:
            try:
                list(pool.map(read, range(len(files))))
            except ImageError as error:
                pool.shutdown(cancel_futures=True)
                raise SpecError.of("E621", str(error), help=HELP) from None
        self.broken.extend(files[index] for index in torch.nonzero(~good).flatten().tolist())
        return InMemory(pixels, labels, names).kept(good, labels)


def _spread(files: Sequence[str], count: int) -> Sequence[str]:
    """Some of many files, from the first to the last."""
    return files if len(files) <= count else [files[len(files) * each // count] for each in range(count)]


def _relative(file: str, root: str) -> str:
    """A file's name in the data folder, the same on every system."""
    name = file[len(root) :] if file.startswith(root) else os.path.relpath(file, root)
    return name.replace(os.sep, "/")


def _memory() -> int:
    """Bytes that decoded images may take: at most two gigabytes, and at most a quarter of the machine's."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return MOST_IN_MEMORY
    return min(MOST_IN_MEMORY, whole // 4)
