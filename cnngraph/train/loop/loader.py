"""Batches of a part: shuffled, augmented and normalised whole, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cnngraph.train.augment.mixing import mix_batch
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.seeds import Draws, mix_seeds
from cnngraph.train.data.images import BatchIndices, Split
from cnngraph.train.world import SINGLE_PROCESS, Share, World

EVALUATION_BATCH = 250


def steps_of(images: int, batch_size: int) -> int:
    """Batches in an epoch. A last batch of one image is left out: batch norm cannot learn from one."""
    full, rest = divmod(images, batch_size)
    return full + (rest > 1) or 1


@dataclass(frozen=True, eq=False)
class TrainingLoader:
    """Endless batches of a part, epoch after epoch, each epoch in an order of its own; of each this process's share.

    Order and augmentation follow from seed, epoch and step alone, so a run can go on from any step, and with another
    number of processes.
    """

    split: Split
    preparation: Preparation
    batch_size: int
    seed: int
    device: torch.device
    classes: int = 0  # for labels that are mixed
    world: World = SINGLE_PROCESS

    @cached_property
    def steps(self) -> int:
        """Batches in an epoch."""
        return steps_of(len(self.split), self.batch_size)

    def batches(self, done: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels from the step after the first `done` ones, without end."""
        images, preparation = self.split.images, self.preparation
        batches = images.batches(self._groups(done), self.device)
        if not preparation.is_random:
            yield from ((preparation.normalized(pixels), labels) for pixels, labels in batches)
            return
        for number, (pixels, labels) in enumerate(batches, done):
            epoch, step = divmod(number, self.steps)
            seed = mix_seeds(self.seed, epoch, step)
            draws = Draws(seed, self.size(step), self.share(step).positions)
            made = preparation.for_training(pixels, draws, images.cropped)
            yield mix_batch(made, labels, preparation.augment, self.classes, seed)

    def size(self, step: int) -> int:
        """How many images a step of an epoch learns from, in all processes."""
        return min(self.batch_size, len(self.split) - step * self.batch_size)

    def share(self, step: int) -> Share:
        """This process's part of them."""
        return self.world.share(self.size(step))

    def _groups(self, done: int) -> Iterator[BatchIndices]:
        """The indices of each batch, and the chance of its epoch."""
        epoch, step = divmod(done, self.steps)
        while True:
            seed = mix_seeds(self.seed, epoch)
            generator = torch.Generator().manual_seed(seed)
            order = self.split.indices[torch.randperm(len(self.split), generator=generator)]
            for number, each in enumerate(torch.split(order, self.batch_size)[step : self.steps], step):
                yield (each if self.world.size == 1 else each[self.share(number).positions]), seed
            epoch, step = epoch + 1, 0


@dataclass(frozen=True, eq=False)
class EvaluationLoader:
    """The batches of a part in order, as they are; of each this process's share.

    Where several processes would have too few images of the last batch, each has all of them, and all but one have
    no labels: a sharded network is there only where every process runs it.
    """

    split: Split
    preparation: Preparation
    device: torch.device
    world: World = SINGLE_PROCESS

    def __len__(self) -> int:
        return -(-len(self.split) // (EVALUATION_BATCH * self.world.size))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images = self.split.images
        batches = torch.split(self.split.indices, EVALUATION_BATCH * self.world.size)
        shares = [self.world.share(len(each)) for each in batches]
        groups = ((each[share.positions], None) for each, share in zip(batches, shares, strict=True))
        for (pixels, labels), share in zip(images.batches(groups, self.device), shares, strict=True):
            yield self.preparation.for_evaluation(pixels, images.cropped), labels if share.counted else labels[:0]
