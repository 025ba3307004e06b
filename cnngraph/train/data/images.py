"""Images and their labels, in memory or on disk."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
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
from cnngraph.frozen import frozen
from cnngraph.recipe.augment import Evaluation, RandomResizedCrop
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.model import Recipe
from cnngraph.train.augment.resampling import center_crop_box, random_box, size_with_shorter_side
from cnngraph.train.augment.seeds import mix_seeds
from cnngraph.train.data.decoding import BROKEN_FILE_HELP, ImageError, image_error, load_upright

Batch: TypeAlias = tuple[Tensor, Tensor]  # N×H×W×C bytes and N labels
BatchIndices: TypeAlias = tuple[
    Tensor, int | None
]  # image indices, and the seed of random crops (None: no random crops)
WORKER_KILLED = "E623"
FEWER_WORKERS = "memory may have run out: use `--set train.workers=1`, or 0 for the least memory"


def worker_death(error: RuntimeError) -> str | None:
    """The message for an image-loading worker killed by the system (E623), or None if `error` is another error.

    torch raises the error in the main process, wherever its code is at that moment.
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
    def cropped(self) -> bool:
        """Whether batches are already cropped: randomly for training, to the centre for evaluation."""

    def to(self, device: torch.device) -> Images:
        """The set with its images on the device, if they fit."""

    def batches(self, groups: Iterable[BatchIndices], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""


@frozen(slots=False, eq=False)
class InMemory:
    """Decoded images as one N×H×W×C byte tensor, so that batches are channels-last without a copy."""

    pixels: Tensor
    labels: Tensor
    names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, height, width, channels = self.pixels.shape
        return channels, height, width

    @property
    def cropped(self) -> bool:
        """Always false: images in memory are not cropped."""
        return False

    def to(self, device: torch.device) -> InMemory:
        """The set on the device, or unchanged if it needs more than a quarter of the GPU's free memory."""
        if device.type == "cuda" and self.pixels.numel() > torch.cuda.mem_get_info(device)[0] // 4:
            return self
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def batches(self, groups: Iterable[BatchIndices], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""
        source = self.pixels.device
        for group, _ in groups:
            indices = group.to(source)
            pixels, labels = self.pixels.index_select(0, indices), self.labels.index_select(0, indices)
            if source != device:
                pixels, labels = pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            yield pixels, labels

    def with_classes(self, classes: Sequence[int]) -> InMemory:
        """The images of some classes, labelled by the position of their class in `classes`."""
        new = torch.full((max(int(self.labels.max()), *classes) + 1,), -1)
        new[torch.tensor(classes)] = torch.arange(len(classes))
        labels = new[self.labels]
        return self.select(labels >= 0, labels)

    def select(self, mask: Tensor, labels: Tensor) -> InMemory:
        """The images where `mask` is true, with new labels."""
        if mask.all():
            return replace(self, labels=labels)
        return InMemory(self.pixels[mask], labels[mask], tuple(compress(self.names, mask.tolist())))

    def resized(self, height: int, width: int) -> InMemory:
        """The images resized (bilinear, antialiased)."""
        if self.shape[1:] == (height, width):
            return self
        chunks = [
            F.interpolate(chunk.permute(0, 3, 1, 2).float(), (height, width), mode="bilinear", antialias=True)
            .round_()
            .clamp_(0, 255)
            .byte()
            .permute(0, 2, 3, 1)
            for chunk in torch.split(self.pixels, 1024)
        ]
        return replace(self, pixels=torch.cat(chunks).contiguous())


@frozen
class Crops:
    """Crops of images of any size: a random resized crop for training, a centre crop for evaluation."""

    crop: RandomResizedCrop
    evaluation: Evaluation

    @classmethod
    def of(cls, recipe: Recipe) -> Crops | None:
        """The crops of a recipe; None if all its images have one size or are resized to one."""
        crop, evaluation = recipe.augment.random_resized_crop, recipe.effective_evaluation
        one_size = isinstance(recipe.data, NamedSet) or recipe.data.resize
        return cls(crop, evaluation) if crop and evaluation and not one_size else None

    def apply(self, image: Image.Image, seed: int | None) -> Image.Image:
        """A random crop that depends on the seed alone, or the centre crop if the seed is None."""
        full = image.height, image.width
        if seed is None:
            size = size_with_shorter_side(full, self.evaluation.resize) if self.evaluation.resize else full
            top, left, height, width = center_crop_box(size, self.evaluation.crop)
            return _resized(image, size).crop((left, top, left + width, top + height))
        top, left, height, width = random_box(full, self.crop.scale, self.crop.ratio, seed)
        return _resized(image.crop((left, top, left + width, top + height)), self.crop.size)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size[::-1] else image.resize(size[::-1], Image.Resampling.BILINEAR)


@frozen(slots=False, eq=False)
class OnDisk:
    """Image files that worker processes decode batch by batch, for sets that do not fit into memory.

    With `crops`, each image is cropped anew every time it is read. With `skip_broken`, a file that cannot be read is
    added to `broken` and left out; in training, another image of the batch replaces it, so batches keep their size.
    """

    files: tuple[str, ...]
    labels: Tensor
    shape: tuple[int, int, int]
    workers: int
    crops: Crops | None = None
    skip_broken: bool = False
    broken: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()

    @property
    def cropped(self) -> bool:
        """Whether images are cropped when they are read."""
        return self.crops is not None

    def to(self, device: torch.device) -> OnDisk:
        """The set itself: its images are moved batch by batch."""
        return self

    def batches(self, groups: Iterable[BatchIndices], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device. Workers prefetch batches."""
        with warnings.catch_warnings():  # the recipe may ask for more workers than cores
            warnings.filterwarnings("ignore", "This DataLoader will create")
            loader: DataLoader[Any] = DataLoader(
                _Files(self),
                batch_sampler=_Sampler(groups),
                num_workers=self.workers,
                collate_fn=_collate,
                pin_memory=device.type == "cuda",
                worker_init_fn=_ignore_interrupts,
                generator=torch.Generator(),  # seeds the workers; without it, torch would advance the default generator
            )
            batches = iter(loader)
        try:
            for pixels, labels, broken in batches:
                self.broken.extend(file for file in broken if file not in self.broken)
                yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        except ImageError as error:  # a worker's message follows its traceback
            message = str(error).rpartition(f"{ImageError.__name__}: ")[2].strip()
            raise SpecError.of("E621", message, help=BROKEN_FILE_HELP) from None
        except RuntimeError as error:
            death = worker_death(error)
            if death is None:
                raise
            help = f"{FEWER_WORKERS}; resume a run with `--resume`"
            raise SpecError.of(WORKER_KILLED, death, help=help) from None


_Item: TypeAlias = tuple[Tensor, Tensor, str | None, bool]  # pixels, label, the file if broken, whether for training
_Collated: TypeAlias = tuple[Tensor, Tensor, list[str]]


@frozen(slots=False)
class _Sampler:
    """The images of each batch and the seed of each image, derived from the epoch's seed and its index."""

    groups: Iterable[BatchIndices]

    def __iter__(self) -> Iterator[list[tuple[int, int | None]]]:
        for indices, seed in self.groups:
            yield [(index, None if seed is None else mix_seeds(seed, index)) for index in indices.tolist()]


class _Files(Dataset[_Item]):
    """The files of a set as a map-style dataset for torch's DataLoader."""

    def __init__(self, images: OnDisk) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.files)

    def __getitem__(self, key: tuple[int, int | None]) -> _Item:
        index, seed = key
        file, label = self.images.files[index], self.images.labels[index]
        try:
            return decode(file, self.images.shape, self.images.crops, seed), label, None, seed is not None
        except ImageError:
            if not self.images.skip_broken:
                raise
            return self.black, label, file, seed is not None

    @cached_property
    def black(self) -> Tensor:
        """The placeholder for a file that cannot be read."""
        channels, height, width = self.images.shape
        crops = self.images.crops
        return torch.zeros(*(crops.evaluation.crop if crops else (height, width)), channels, dtype=torch.uint8)


def _collate(items: list[_Item]) -> _Collated:
    """Collate a batch. In training the first good image replaces broken ones; in evaluation these are left out.

    If none is left in evaluation, the batch is a black image without a label: every group of indices yields a batch.
    """
    broken = [file for _, _, file, _ in items if file is not None]
    good = [(pixels, label) for pixels, label, file, _ in items if file is None]
    if items[0][3]:
        if not good:
            raise ImageError(f"cannot read any image of the batch that starts with {broken[0]}")
        good = [(pixels, label) if file is None else good[0] for pixels, label, file, _ in items]
    images = [pixels for pixels, _ in good] or [items[0][0]]
    return torch.stack(images), torch.tensor([int(label) for _, label in good], dtype=torch.long), broken


def _ignore_interrupts(worker: int) -> None:
    """Let only the main process handle Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def decode(
    file: str | Path | Image.Image, shape: tuple[int, int, int], crops: Crops | None = None, seed: int | None = None
) -> Tensor:
    """An image file or a Pillow image as H×W×C bytes: upright, cropped (with `crops`) or resized to `shape`.

    It is converted to grey or RGB, by the number of channels of `shape`. Raises ImageError.
    """
    channels, height, width = shape
    image = load_upright(file, "L" if channels == 1 else "RGB")
    try:
        image = crops.apply(image, seed) if crops else _resized(image, (height, width))
        return torch.from_numpy(np.array(image).reshape(height, width, channels))
    except Exception as error:  # an extreme aspect ratio may make the resized image too large
        raise image_error(file, error) from None
