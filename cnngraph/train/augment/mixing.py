"""MixUp and CutMix: images of a batch mixed with each other, and their labels in the same proportion."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import v2

from cnngraph.recipe.augment import Augment


def mix_batch(images: Tensor, labels: Tensor, augment: Augment, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Apply MixUp or CutMix to a batch, chosen at random if the recipe has both.

    Returns N×C×H×W images and N×classes label weights, or both arguments unchanged if the recipe has neither.
    """
    transforms = [
        transform(alpha=alpha, num_classes=classes)
        for transform, alpha in ((v2.MixUp, augment.mixup), (v2.CutMix, augment.cutmix))
        if alpha
    ]
    if not transforms:
        return images, labels
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torchvision draws from it; the GPU's generator is not used
        transform = transforms[int(torch.randint(len(transforms), ()))]
        mixed_images, mixed_labels = transform(images, labels)
    return mixed_images.contiguous(memory_format=torch.channels_last), mixed_labels


def hard_labels(labels: Tensor) -> Tensor:
    """The class of each image; of mixed labels, the class with the largest weight."""
    return labels.argmax(1) if labels.ndim == 2 else labels
