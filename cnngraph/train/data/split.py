"""Subsets of a set of images, and the splits of a run."""

from __future__ import annotations

from dataclasses import field, replace

import torch
from torch import Tensor

from cnngraph.frozen import frozen
from cnngraph.train.data.images import Images


@frozen(slots=False, eq=False)
class Split:
    """A subset of a set of images, by their indices."""

    images: Images
    indices: Tensor

    @classmethod
    def all_of(cls, images: Images) -> Split:
        """All images of a set."""
        return cls(images, torch.arange(len(images.labels)))

    def __len__(self) -> int:
        return len(self.indices)

    def hold_out(self, fraction: float, seed: int) -> tuple[Split, Split]:
        """Split off a random fraction of each class; returns the remaining images and those held out."""
        labels = self.images.labels[self.indices]
        generator = torch.Generator().manual_seed(seed)
        held_out = torch.zeros(len(labels), dtype=torch.bool)
        for label in torch.unique(labels):
            members = torch.nonzero(labels == label).flatten()
            count = min(max(1, round(len(members) * fraction)), len(members) - 1)
            held_out[members[torch.randperm(len(members), generator=generator)[:count]]] = True
        return replace(self, indices=self.indices[~held_out]), replace(self, indices=self.indices[held_out])


@frozen(slots=False, eq=False)
class Splits:
    """The images of a run: the best epoch is chosen on `validation`; `test` is only evaluated."""

    classes: tuple[str, ...]
    train: Split
    validation: Split | None
    test: Split | None
    broken: list[str] = field(default_factory=list)  # files that were skipped so far

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image before it is cropped."""
        return self.train.images.shape

    def to(self, device: torch.device) -> Splits:
        """The splits on the device; splits of one set still share it."""
        moved: dict[int, Images] = {}

        def move(split: Split) -> Split:
            images = moved.setdefault(id(split.images), split.images.to(device))
            return replace(split, images=images)

        validation = move(self.validation) if self.validation else None
        test = move(self.test) if self.test else None
        return replace(self, train=move(self.train), validation=validation, test=test)
