"""Mean and deviation of a set for which nobody has published them: measured on what a run trains on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from cnngraph.recipe import Recipe
from cnngraph.recipe.data import Normalize
from cnngraph.train.images import InMemory, Part

SAMPLE = 2000  # images that are decoded to measure a set on disk
BATCH = 500
DIGITS = 4  # decimals, as published figures have them


def with_figures(recipe: Recipe, train: Part, note: Callable[[str], None]) -> Recipe:
    """The recipe with figures in place of `normalize: data` where they are to be measured."""
    if not recipe.measures:
        return recipe
    found = measure(train, recipe.seed)
    figures = f"mean {', '.join(map(str, found.mean))}, deviation {', '.join(map(str, found.std))}"
    note(f"normalize: data, measured on the training images: {figures}")
    return replace(recipe, normalize=found)


def measure(part: Part, seed: int = 0) -> Normalize:
    """Mean and deviation by channel, in one pass; of images on disk over so many as the seed chooses."""
    indices = part.indices
    if not isinstance(part.images, InMemory) and len(indices) > SAMPLE:
        chosen = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))[:SAMPLE]
        indices = indices[chosen.sort().values]
    sums = torch.zeros(2, part.images.shape[0], dtype=torch.float64)
    pixels = 0
    groups = ((each, None) for each in torch.split(indices, BATCH))
    for batch, labels in part.images.batches(groups, torch.device("cpu")):
        values = batch[: len(labels)].flatten(0, 2).float().div_(255)
        sums += torch.stack([values.sum(0, dtype=torch.float64), values.square_().sum(0, dtype=torch.float64)])
        pixels += len(values)
    mean, square = sums / pixels
    deviation = (square - mean.square()).clamp_(min=0).sqrt()
    deviation[deviation < 10**-DIGITS] = 1.0  # a channel that never changes
    rounded = [tuple(round(each, DIGITS) for each in figures.tolist()) for figures in (mean, deviation)]
    return Normalize(mean=rounded[0], std=rounded[1])
