"""Mean and standard deviation of a set without published ones, measured on its training images; a check of those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import Normalize
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.images import InMemory, OnDisk, Part

SAMPLE = 2000  # images that are decoded to measure a set on disk
BATCH = 500
CHECKED = 32  # training images that are looked at before a run
FEWEST_LEVELS = 24  # between the darkest and the brightest pixel of an image that shows something
LEAST_STD = 0.02  # of normalised values, which is about 1
DIGITS = 4  # decimals, as published figures have them


def with_figures(recipe: Recipe, train: Part, note: Callable[[str], None]) -> Recipe:
    """The recipe with figures in place of `normalize: data` where they are to be measured."""
    found = recipe
    if recipe.measures:
        found = replace(recipe, normalize=_measured(recipe, train, note))
    check_images(found, train, note)
    return found


def _measured(recipe: Recipe, train: Part, note: Callable[[str], None]) -> Normalize:
    found = measure(train, recipe.seed)
    figures = f"mean {', '.join(map(str, found.mean))}, deviation {', '.join(map(str, found.std))}"
    note(f"normalize: data, measured on the training images: {figures}")
    return found


def check_images(recipe: Recipe, train: Part, note: Callable[[str], None]) -> None:
    """Warn (W620) where a batch of training images shows nothing: flat or equal images, or numbers that are none."""
    images = train.images
    if isinstance(images, OnDisk):
        images = replace(images, workers=0)
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = train.indices[torch.randperm(len(train), generator=generator)[:CHECKED]]
    pixels, labels = next(iter(images.batches([(chosen, None)], torch.device("cpu"))))
    pixels = pixels[: len(labels)]
    if not len(pixels):
        return
    preparation = Preparation.of(recipe, images.shape[0], torch.device("cpu"))
    for problem in _problems(pixels, preparation.evaluated(pixels, images.cut)):
        help = "look at the files: are they the right ones, and do they have more than 8 bits per pixel?"
        note(str(Diagnostic("W620", problem, severity=Severity.WARNING, help=help)))


def _problems(pixels: Tensor, prepared: Tensor) -> list[str]:
    """What is suspicious about some images: their bytes, and the numbers that the network gets."""
    count = len(pixels)
    values = pixels.reshape(count, -1)
    spread = values.amax(1).int() - values.amin(1).int()
    flat, dim = int((spread == 0).sum()), int(((spread > 0) & (spread < FEWEST_LEVELS)).sum())
    found = []
    if flat * 4 > count:
        found.append(f"{flat} of {count} training images that were checked are a single value at every pixel")
    if dim * 4 > count:
        found.append(f"{dim} of {count} training images that were checked have fewer than {FEWEST_LEVELS} grey levels")
    if count > 1 and flat < count and bool((values == values[0]).all()):
        found.append(f"all {count} training images that were checked are equal")
    if not bool(torch.isfinite(prepared).all()):
        found.append("after normalisation some values are not finite numbers")
    elif not found and float(prepared.std()) < LEAST_STD:
        mean, std = float(prepared.mean()), float(prepared.std())
        found.append(f"after normalisation the values hardly differ: mean {mean:.3g}, standard deviation {std:.3g}")
    return found


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
    if not pixels:
        message = f"none of the {len(indices):,} training images that were to be measured can be read"
        raise SpecError.of("E621", message, help="replace the files, or say the mean and std: normalize")
    mean, square = sums / pixels
    deviation = (square - mean.square()).clamp_(min=0).sqrt()
    deviation[deviation < 10**-DIGITS] = 1.0  # a channel that never changes
    rounded = [tuple(round(each, DIGITS) for each in figures.tolist()) for figures in (mean, deviation)]
    return Normalize(mean=rounded[0], std=rounded[1])
