"""Images and their labels, in memory or on disk, and the parts that a run makes of them."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from cnngraph.diagnostics import SpecError
from cnngraph.recipe.augment import Evaluation, RandomResizedCrop
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.model import Recipe
from cnngraph.train.augment.resampling import middle_of, random_box, shorter_side
from cnngraph.train.augment.seeds import mixed
from cnngraph.train.data.decoding import HELP, ImageError, failure, upright

Batch: TypeAlias = tuple[Tensor, Tensor]  # N×H×W×C bytes and N labels
Group: TypeAlias = tuple[Tensor, int | None]  # indices, and what chances follow from; None: there are none
WORKER_DIED = "E623"
FEWER_WORKERS = "memory may have run out: --set train.workers=1 uses less, workers=0 the least"


def worker_death(error: RuntimeError) -> str | None:
    """What is reported of an image-loading worker that the system ended (E623); None for any other error.

    torch raises the error wherever the process is when it learns of it.
    """
    if "DataLoader worker" not in str(error):
        return None
    how = str(error).partition("killed by signal: ")[2].partition(".")[0]
    return f"an image-loading worker was killed{f' (signal: {how})' if how else ''}"


class Images(Protocol):
    """A set of images of one size."""

    @property
    def labels(self) -> Tensor:
        """The class of each image."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""

    @property
    def names(self) -> tuple[str, ...]:
        """The file of each image, relative to the data folder, with `/`; empty for sets that are not files."""

    @property
    def cut(self) -> bool:
        """Whether batches come as the network sees them: cropped by chance in training, the middle in evaluation."""

    def to(self, device: torch.device) -> Images:
        """The set with its images on a device, where they fit."""

    def batches(self, groups: Iterable[Group], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Decoded images as one tensor of bytes, N×H×W×C: a batch of them is channels-last as it is."""

    pixels: Tensor
    labels: Tensor
    names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, height, width, channels = self.pixels.shape
        return channels, height, width

    @property
    def cut(self) -> bool:
        """They are whole."""
        return False

    def to(self, device: torch.device) -> InMemory:
        """The set on a device; it stays where it is when it would take more than a quarter of a GPU's free memory."""
        if device.type == "cuda" and self.pixels.numel() > torch.cuda.mem_get_info(device)[0] // 4:
            return self
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def batches(self, groups: Iterable[Group], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""
        held = self.pixels.device
        for each, _ in groups:
            at = each.to(held)
            pixels, labels = self.pixels.index_select(0, at), self.labels.index_select(0, at)
            if held != device:
                pixels, labels = pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            yield pixels, labels

    def chosen(self, classes: Sequence[int]) -> InMemory:
        """Only the images of some classes, labelled by their place in `classes`."""
        new = torch.full((max(int(self.labels.max()), *classes) + 1,), -1)
        new[torch.tensor(classes)] = torch.arange(len(classes))
        labels = new[self.labels]
        return self.kept(labels >= 0, labels)

    def kept(self, mask: Tensor, labels: Tensor) -> InMemory:
        """Only the images where `mask` is true, with their new labels."""
        if mask.all():
            return replace(self, labels=labels)
        return InMemory(self.pixels[mask], labels[mask], tuple(compress(self.names, mask.tolist())))

    def resized(self, height: int, width: int) -> InMemory:
        """The images at another size."""
        if self.shape[1:] == (height, width):
            return self
        pieces = [
            F.interpolate(each.permute(0, 3, 1, 2).float(), (height, width), mode="bilinear", antialias=True)
            .round_()
            .clamp_(0, 255)
            .byte()
            .permute(0, 2, 3, 1)
            for each in torch.split(self.pixels, 1024)
        ]
        return replace(self, pixels=torch.cat(pieces).contiguous())


@dataclass(frozen=True, slots=True)
class Cuts:
    """What is cut out of an image of any size: a random part to learn from, the middle to look at."""

    crop: RandomResizedCrop
    look: Evaluation

    @classmethod
    def asked(cls, recipe: Recipe) -> Cuts | None:
        """What a recipe cuts out of files; None where it gives all images one size, or has them so."""
        crop, look = recipe.augment.random_resized_crop, recipe.effective_evaluation
        whole = isinstance(recipe.data, NamedSet) or recipe.data.resize
        return cls(crop, look) if crop and look and not whole else None

    def of(self, image: Image.Image, chance: int | None) -> Image.Image:
        """The part of an image; which one is random follows from the chance."""
        full = image.height, image.width
        if chance is None:
            size = shorter_side(full, self.look.resize) if self.look.resize else full
            top, left, height, width = middle_of(size, self.look.crop)
            return _resized(image, size).crop((left, top, left + width, top + height))
        top, left, height, width = random_box(full, self.crop.scale, self.crop.ratio, chance)
        return _resized(image.crop((left, top, left + width, top + height)), self.crop.size)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size[::-1] else image.resize(size[::-1], Image.Resampling.BILINEAR)


@dataclass(frozen=True, eq=False)
class OnDisk:
    """Image files that are decoded batch by batch, by worker processes: sets that would not fit into memory.

    With `cuts` each image is cut out of its file anew every time. With `skips` a file that cannot be read is noted in
    `broken` and left out; in training an image of the same batch takes its place, so that batches keep their size.
    """

    files: tuple[str, ...]
    labels: Tensor
    shape: tuple[int, int, int]
    workers: int
    cuts: Cuts | None = None
    skips: bool = False
    broken: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether batches come as the network sees them."""
        return self.cuts is not None

    def to(self, device: torch.device) -> OnDisk:
        """The set itself: its images travel batch by batch."""
        return self

    def batches(self, groups: Iterable[Group], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device. The workers read ahead and live on."""
        with warnings.catch_warnings():  # that there are more workers than cores is for the recipe to decide
            warnings.filterwarnings("ignore", "This DataLoader will create")
            loader: DataLoader[Any] = DataLoader(
                _Files(self),
                batch_sampler=_Asked(groups),
                num_workers=self.workers,
                collate_fn=_together,
                pin_memory=device.type == "cuda",
                worker_init_fn=_leave_interrupts_to_the_parent,
                generator=torch.Generator(),  # its own: workers take a seed from it, the run's stays as it is
            )
            read = iter(loader)
        try:
            for pixels, labels, broken in read:
                self.broken.extend(each for each in broken if each not in self.broken)
                yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        except ImageError as error:  # a worker's message comes with its traceback before it
            message = str(error).rpartition(f"{ImageError.__name__}: ")[2].strip()
            raise SpecError.of("E621", message, help=HELP) from None
        except RuntimeError as error:
            death = worker_death(error)
            if death is None:
                raise
            help = f"{FEWER_WORKERS}; --resume continues a run"
            raise SpecError.of(WORKER_DIED, death, help=help) from None


_Item: TypeAlias = tuple[Tensor, Tensor, str | None, bool]  # pixels, label, the file if broken, whether to learn
_Read: TypeAlias = tuple[Tensor, Tensor, list[str]]


@dataclass(frozen=True)
class _Asked:
    """Which image each batch asks for, and the chance of each: it follows from the epoch's, and its index."""

    groups: Iterable[Group]

    def __iter__(self) -> Iterator[list[tuple[int, int | None]]]:
        for indices, chance in self.groups:
            yield [(each, None if chance is None else mixed(chance, each)) for each in indices.tolist()]


class _Files(Dataset[_Item]):
    """The files of a set as torch's loader reads them."""

    def __init__(self, images: OnDisk) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.files)

    def __getitem__(self, asked: tuple[int, int | None]) -> _Item:
        index, chance = asked
        file, label = self.images.files[index], self.images.labels[index]
        try:
            return decode(file, self.images.shape, self.images.cuts, chance), label, None, chance is not None
        except ImageError:
            if not self.images.skips:
                raise
            return self.black, label, file, chance is not None

    @cached_property
    def black(self) -> Tensor:
        """What there is of a file that cannot be read."""
        channels, height, width = self.images.shape
        cuts = self.images.cuts
        return torch.zeros(*(cuts.look.crop if cuts else (height, width)), channels, dtype=torch.uint8)


def _together(items: list[_Item]) -> _Read:
    """A batch. In training the first good image stands in for those that are broken, to look at they are left out.

    Where none is left to look at, a black one without a label is: every group of indices has its batch.
    """
    broken = [file for _, _, file, _ in items if file is not None]
    good = [(pixels, label) for pixels, label, file, _ in items if file is None]
    if items[0][3]:
        if not good:
            raise ImageError(f"cannot read any of the images of a batch, of which the first is {broken[0]}")
        good = [(pixels, label) if file is None else good[0] for pixels, label, file, _ in items]
    shown = [pixels for pixels, _ in good] or [items[0][0]]
    return torch.stack(shown), torch.tensor([int(label) for _, label in good], dtype=torch.long), broken


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def decode(
    file: str | Path | Image.Image, shape: tuple[int, int, int], cuts: Cuts | None = None, chance: int | None = None
) -> Tensor:
    """An image, a file or one of Pillow's, as H×W×C bytes, upright, resized or cut.

    It is grey or in colour as `shape` has channels. Raises ImageError.
    """
    channels, height, width = shape
    image = upright(file, "L" if channels == 1 else "RGB")
    try:
        image = cuts.of(image, chance) if cuts else _resized(image, (height, width))
        return torch.from_numpy(np.array(image).reshape(height, width, channels))
    except Exception as error:  # an image of odd proportions may be too large once resized
        raise failure(file, error) from None


@dataclass(frozen=True, eq=False)
class Part:
    """Some images of a set, by their indices."""

    images: Images
    indices: Tensor

    @classmethod
    def whole(cls, images: Images) -> Part:
        """Every image of a set."""
        return cls(images, torch.arange(len(images.labels)))

    def __len__(self) -> int:
        return len(self.indices)

    def split(self, fraction: float, seed: int) -> tuple[Part, Part]:
        """The part without a fraction of each class, chosen by the seed, and that fraction."""
        labels = self.images.labels[self.indices]
        generator = torch.Generator().manual_seed(seed)
        aside = torch.zeros(len(labels), dtype=torch.bool)
        for label in torch.unique(labels):
            own = torch.nonzero(labels == label).flatten()
            count = min(max(1, round(len(own) * fraction)), len(own) - 1)
            aside[own[torch.randperm(len(own), generator=generator)[:count]]] = True
        return replace(self, indices=self.indices[~aside]), replace(self, indices=self.indices[aside])


@dataclass(frozen=True, eq=False)
class Parts:
    """The images of a run: `validation` chooses the best epoch, `test` is only looked at."""

    classes: tuple[str, ...]
    train: Part
    validation: Part | None
    test: Part | None
    broken: list[str] = field(default_factory=list)  # files that were skipped; it grows while a run reads

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of an image before it is cropped."""
        return self.train.images.shape

    def to(self, device: torch.device) -> Parts:
        """The parts on a device; parts of one set go on sharing it."""
        moved: dict[int, Images] = {}

        def move(part: Part) -> Part:
            images = moved.setdefault(id(part.images), part.images.to(device))
            return replace(part, images=images)

        validation = move(self.validation) if self.validation else None
        test = move(self.test) if self.test else None
        return replace(self, train=move(self.train), validation=validation, test=test)
