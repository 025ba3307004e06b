"""Batches of a part: shuffled, augmented and normalised whole, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cnngraph.train.chances import mixed
from cnngraph.train.images import Group, Part
from cnngraph.train.mixing import mix
from cnngraph.train.preparation import Preparation

EVALUATION_BATCH = 250


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
    classes: int = 0  # for labels that are mixed

    @property
    def steps(self) -> int:
        """Batches in an epoch. A last batch of one image is left out: batch norm cannot learn from one."""
        full, rest = divmod(len(self.part), self.batch_size)
        return full + (rest > 1) or 1

    def batches(self, done: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels from the step after the first `done` ones, without end."""
        images = self.part.images
        for number, (pixels, labels) in enumerate(images.batches(self._groups(done), self.device), done):
            chance = mixed(self.seed, *divmod(number, self.steps))
            made = self.preparation.trained(pixels, chance, images.cut)
            yield mix(made, labels, self.preparation.augment, self.classes, chance)

    def _groups(self, done: int) -> Iterator[Group]:
        """The indices of each batch, and the chance of its epoch."""
        epoch, step = divmod(done, self.steps)
        while True:
            chance = mixed(self.seed, epoch)
            generator = torch.Generator().manual_seed(chance)
            order = self.part.indices[torch.randperm(len(self.part), generator=generator)]
            yield from ((each, chance) for each in torch.split(order, self.batch_size)[step : self.steps])
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
        images = self.part.images
        groups = ((each, None) for each in torch.split(self.part.indices, EVALUATION_BATCH))
        for pixels, labels in images.batches(groups, self.device):
            yield self.preparation.evaluated(pixels, images.cut), labels
