"""Batches of one split: shuffled, augmented and normalised for training; in order for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from cnngraph.frozen import frozen
from cnngraph.train.augment.mixing import mix_batch
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.seeds import Draws, mix_seeds
from cnngraph.train.data.images import BatchIndices
from cnngraph.train.data.split import Split
from cnngraph.train.world import SINGLE_PROCESS, Share, World

EVALUATION_BATCH = 250


def steps_per_epoch(images: int, batch_size: int) -> int:
    """The number of batches in an epoch. A last batch of one image is dropped: batch norm needs at least two."""
    full, rest = divmod(images, batch_size)
    return full + (rest > 1) or 1


@frozen(slots=False, eq=False)
class TrainingLoader:
    """Endless training batches of a split, each epoch in another order; with several processes, this one's shares.

    Order and augmentation depend on seed, epoch and step alone, so a run can resume at any step, and with another
    number of processes.
    """

    split: Split
    preparation: Preparation
    batch_size: int
    seed: int
    device: torch.device
    classes: int = 0  # needed to mix labels
    world: World = SINGLE_PROCESS

    @cached_property
    def steps(self) -> int:
        """The number of batches in an epoch."""
        return steps_per_epoch(len(self.split), self.batch_size)

    def batches(self, done: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches of images (N×C×H×W) and labels, starting after the first `done` steps."""
        images, preparation = self.split.images, self.preparation
        batches = images.batches(self._groups(done), self.device)
        if not preparation.is_random:
            yield from ((preparation.normalized(pixels), labels) for pixels, labels in batches)
            return
        for number, (pixels, labels) in enumerate(batches, done):
            epoch, step = divmod(number, self.steps)
            seed = mix_seeds(self.seed, epoch, step)
            draws = Draws(seed, self.size(step), self.share(step).positions)
            prepared = preparation.for_training(pixels, draws, images.cropped)
            yield mix_batch(prepared, labels, preparation.augment, self.classes, seed)

    def size(self, step: int) -> int:
        """The number of images of a step, over all processes."""
        return min(self.batch_size, len(self.split) - step * self.batch_size)

    def share(self, step: int) -> Share:
        """This process's share of a step's images."""
        return self.world.share(self.size(step))

    def _groups(self, done: int) -> Iterator[BatchIndices]:
        """The indices of each batch, and the seed of its epoch."""
        epoch, step = divmod(done, self.steps)
        while True:
            seed = mix_seeds(self.seed, epoch)
            generator = torch.Generator().manual_seed(seed)
            order = self.split.indices[torch.randperm(len(self.split), generator=generator)]
            for number, batch in enumerate(torch.split(order, self.batch_size)[step : self.steps], step):
                yield (batch if self.world.size == 1 else batch[self.share(number).positions]), seed
            epoch, step = epoch + 1, 0


@frozen(slots=False, eq=False)
class EvaluationLoader:
    """The batches of a split in order, without augmentation; with several processes, this one's shares.

    If the last batch is too small to share, every process runs all its images, since a sharded network needs all
    processes to run; only one of them gets the labels, and counts.
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
        shares = [self.world.share(len(batch)) for batch in batches]
        groups = ((batch[share.positions], None) for batch, share in zip(batches, shares, strict=True))
        for (pixels, labels), share in zip(images.batches(groups, self.device), shares, strict=True):
            yield self.preparation.for_evaluation(pixels, images.cropped), labels if share.counted else labels[:0]
