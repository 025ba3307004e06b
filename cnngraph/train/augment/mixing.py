"""Batches mixed with themselves, and their labels in the same proportion."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2

from cnngraph.recipe.augment import Augment


def mix(images: Tensor, labels: Tensor, augment: Augment, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images mixed as the recipe asks, and N×classes parts of labels; both as they are where it does not ask."""
    ways = [
        way(alpha=alpha, num_classes=classes)
        for way, alpha in ((v2.MixUp, augment.mixup), (v2.CutMix, augment.cutmix))
        if alpha
    ]
    if not ways:
        return images, labels
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torchvision draws from it; a GPU's generator stays as it is
        way = ways[int(torch.randint(len(ways), ()))]
        mixed_images, mixed_labels = way(images, labels)
    return mixed_images.contiguous(memory_format=torch.channels_last), mixed_labels


def hard(labels: Tensor) -> Tensor:
    """Each image's class; of mixed labels the one that has the greatest part."""
    return labels.argmax(1) if labels.ndim == 2 else labels
