"""Images and their labels, in memory or on disk, and the parts that a run makes of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from cnngraph.diagnostics import Diagnostic, SpecError

Batch: TypeAlias = tuple[Tensor, Tensor]  # N×H×W×C bytes and N labels


class Images(Protocol):
    """A set of images of one size."""

    @property
    def labels(self) -> Tensor:
        """The class of each image."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""

    def to(self, device: torch.device) -> Images:
        """The set with its images on a device, where they fit."""

    def batches(self, groups: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Decoded images as one tensor of bytes, N×H×W×C: a batch of them is channels-last as it is."""

    pixels: Tensor
    labels: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, height, width, channels = self.pixels.shape
        return channels, height, width

    def to(self, device: torch.device) -> InMemory:
        """The set on a device; it stays where it is when it would take more than a quarter of a GPU's free memory."""
        if device.type == "cuda" and self.pixels.numel() > torch.cuda.mem_get_info(device)[0] // 4:
            return self
        return InMemory(self.pixels.to(device), self.labels.to(device))

    def batches(self, groups: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""
        for each in groups:
            at = each.to(self.pixels.device)
            yield self.pixels[at].to(device, non_blocking=True), self.labels[at].to(device, non_blocking=True)

    def chosen(self, classes: Sequence[int]) -> InMemory:
        """Only the images of some classes, labelled by their place in `classes`."""
        new = torch.full((max(int(self.labels.max()), *classes) + 1,), -1)
        new[torch.tensor(classes)] = torch.arange(len(classes))
        labels = new[self.labels]
        return InMemory(self.pixels[labels >= 0], labels[labels >= 0])

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
        return InMemory(torch.cat(pieces).contiguous(), self.labels)


@dataclass(frozen=True, eq=False)
class OnDisk:
    """Image files that are decoded batch by batch, by worker processes: sets that would not fit into memory."""

    files: tuple[str, ...]
    labels: Tensor
    shape: tuple[int, int, int]
    workers: int

    def to(self, device: torch.device) -> OnDisk:
        """The set itself: its images travel batch by batch."""
        return self

    def batches(self, groups: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
        """For each group of indices its images and labels, on the device."""
        loader: DataLoader[Batch] = DataLoader(
            _Files(self),
            batch_sampler=[each.tolist() for each in groups],
            num_workers=self.workers,
            pin_memory=device.type == "cuda",
            worker_init_fn=_leave_interrupts_to_the_parent,
            generator=torch.Generator(),  # its own: workers take a seed from it, and the run's generator stays as it is
        )
        try:
            for pixels, labels in loader:
                yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        except ImageError as error:  # a worker's message comes with its traceback before it
            raise SpecError(
                [Diagnostic("E621", str(error).rpartition(f"{ImageError.__name__}: ")[2].strip())]
            ) from None


class ImageError(Exception):
    """A file is no image that can be decoded."""


class _Files(Dataset[Batch]):
    """The files of a set as torch's loader reads them."""

    def __init__(self, images: OnDisk) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.files)

    def __getitem__(self, index: int) -> Batch:
        return decode(self.images.files[index], self.images.shape), self.images.labels[index]


def _leave_interrupts_to_the_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def decode(file: str | Path, shape: tuple[int, int, int]) -> Tensor:
    """An image file as H×W×C bytes, upright, resized, in grey or in colour as `shape` has channels.

    Raises ImageError.
    """
    channels, height, width = shape
    image = upright(file, "L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image).reshape(height, width, channels))


def upright(file: str | Path, mode: str) -> Image.Image:
    """An image file as it is to be looked at, in Pillow's mode L or RGB. Raises ImageError."""
    try:
        with Image.open(file) as image:
            return _eight_bit(ImageOps.exif_transpose(image)).convert(mode)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise ImageError(f"cannot read the image {file}: {error}".replace("\n", " ")) from None


def _eight_bit(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits with its upper 8: Pillow's own conversion would make all that is over 255 white."""
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray((values.clip(0, 65535) // 256).astype(np.uint8))


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
        return Parts(self.classes, move(self.train), validation, move(self.test) if self.test else None)
