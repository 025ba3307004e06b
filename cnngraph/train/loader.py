"""Batches of a part: shuffled, augmented and normalised whole, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.recipe.augment import Augment
from cnngraph.recipe.model import Recipe
from cnngraph.train.images import Part

EVALUATION_BATCH = 250


@dataclass(frozen=True, eq=False)
class Preparation:
    """Bytes N×H×W×C to what the network reads: N×C×H×W numbers, channels-last in memory."""

    mean: Tensor
    deviation: Tensor
    augment: Augment

    @classmethod
    def of(cls, recipe: Recipe, channels: int, device: torch.device) -> Preparation:
        """The preparation that a recipe asks for."""
        figures = recipe.figures(channels) or ((0.0,), (1.0,))
        mean, deviation = (torch.tensor(each, device=device) * 255 for each in figures)
        return cls(mean, deviation, recipe.augment)

    def evaluated(self, pixels: Tensor) -> Tensor:
        """The middle of each image, normalised."""
        if self.augment.crop:
            height, width = self.augment.crop
            top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
            pixels = pixels[:, top : top + height, left : left + width]
        return self.normalized(pixels)

    def trained(self, pixels: Tensor, seed: int) -> Tensor:
        """Each image padded, cropped and flipped by chance, normalised."""
        if self.augment == Augment():
            return self.normalized(pixels)
        pad = self.augment.pad
        if pad:
            pixels = F.pad(pixels, (0, 0, pad, pad, pad, pad))
        return self.normalized(self._cropped(pixels, torch.Generator().manual_seed(seed)))

    def normalized(self, pixels: Tensor) -> Tensor:
        """N×C×H×W numbers from N×H×W×C bytes."""
        return pixels.float().sub_(self.mean).div_(self.deviation).permute(0, 3, 1, 2)

    def _cropped(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """A random place of each image, mirrored for a random half of them: one gather for the whole batch."""
        count, full_height, full_width, _ = pixels.shape
        height, width = self.augment.crop or (full_height, full_width)
        device = pixels.device

        def draw(options: int) -> Tensor:
            return torch.randint(options, (count, 1), generator=generator).to(device)

        rows = draw(full_height - height + 1) + torch.arange(height, device=device)
        columns = draw(full_width - width + 1) + torch.arange(width, device=device)
        if self.augment.flip:
            columns = torch.where(draw(2).bool(), columns, columns.flip(1))
        images = torch.arange(count, device=device)[:, None, None]
        return pixels[images, rows[:, :, None], columns[:, None, :]]


@dataclass(frozen=True, eq=False)
class TrainingLoader:
    """Endless batches of a part, epoch after epoch, each epoch in an order of its own.

    Order and augmentation follow from seed, epoch and step alone, so a run can go on from any step.
    """

    part: Part
    preparation: Preparation
    batch_size: int
    seed: int
    device: torch.device

    @property
    def steps(self) -> int:
        """Batches in an epoch. A last batch of one image is left out: batch norm cannot learn from one."""
        full, rest = divmod(len(self.part), self.batch_size)
        return full + (rest > 1) or 1

    def batches(self, done: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels from the step after the first `done` ones, without end."""
        epoch, step = divmod(done, self.steps)
        while True:
            generator = torch.Generator().manual_seed(mixed(self.seed, epoch))
            order = self.part.indices[torch.randperm(len(self.part), generator=generator)]
            groups = torch.split(order, self.batch_size)[step : self.steps]
            for pixels, labels in self.part.images.batches(groups, self.device):
                yield self.preparation.trained(pixels, mixed(self.seed, epoch, step)), labels
                step += 1
            epoch, step = epoch + 1, 0


@dataclass(frozen=True, eq=False)
class EvaluationLoader:
    """The batches of a part in order, as they are."""

    part: Part
    preparation: Preparation
    device: torch.device

    def __len__(self) -> int:
        return -(-len(self.part) // EVALUATION_BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        groups = torch.split(self.part.indices, EVALUATION_BATCH)
        for pixels, labels in self.part.images.batches(groups, self.device):
            yield self.preparation.evaluated(pixels), labels


def mixed(*numbers: int) -> int:
    """One seed from several numbers."""
    seed = 0
    for each in numbers:
        seed = (seed * 6364136223846793005 + each + 1442695040888963407) % 2**63
    return seed
