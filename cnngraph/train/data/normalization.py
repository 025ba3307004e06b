"""Measures the mean and standard deviation of the training images, and checks that the images look plausible."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import Normalize
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.images import InMemory, OnDisk
from cnngraph.train.data.loading import Note
from cnngraph.train.data.split import Split

SAMPLE_SIZE = 2000  # images on disk that are decoded for the measurement
BATCH = 500
CHECKED_IMAGES = 32  # training images that are checked before a run
MIN_LEVELS = 24  # between the darkest and the brightest pixel of a plausible image
MIN_STD = 0.02  # of normalised values, for which about 1 is expected
DECIMALS = 4  # as in published values


def with_normalization(recipe: Recipe, train: Split, note: Note) -> Recipe:
    """The recipe with measured values in place of `normalize: data`. Also warns about suspicious training images."""
    if recipe.measures:
        recipe = replace(recipe, normalize=_measured(recipe, train, note))
    check_images(recipe, train, note)
    return recipe


def _measured(recipe: Recipe, train: Split, note: Note) -> Normalize:
    found = measure(train, recipe.seed)
    values = f"mean {', '.join(map(str, found.mean))}, standard deviation {', '.join(map(str, found.std))}"
    note(f"`normalize: data`, measured on the training images: {values}")
    return found


def check_images(recipe: Recipe, train: Split, note: Note) -> None:
    """Warn (W620) about suspicious training images: uniform or equal images, or values that are not finite."""
    images = train.images
    if isinstance(images, OnDisk):
        images = replace(images, workers=0)
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = train.indices[torch.randperm(len(train), generator=generator)[:CHECKED_IMAGES]]
    pixels, labels = next(iter(images.batches([(chosen, None)], torch.device("cpu"))))
    pixels = pixels[: len(labels)]
    if not len(pixels):
        return
    preparation = Preparation.of(recipe, images.shape[0], torch.device("cpu"))
    for problem in _problems(pixels, preparation.for_evaluation(pixels, images.cropped)):
        help = "check that the files are the right ones and have at most 8 bits per channel"
        note(str(Diagnostic("W620", problem, severity=Severity.WARNING, help=help)))


def _problems(pixels: Tensor, prepared: Tensor) -> list[str]:
    """What is suspicious about images: their bytes, and the network's inputs made from them."""
    count = len(pixels)
    values = pixels.reshape(count, -1)
    spread = values.amax(1).int() - values.amin(1).int()
    flat, dim = int((spread == 0).sum()), int(((spread > 0) & (spread < MIN_LEVELS)).sum())
    found = []
    if flat * 4 > count:
        found.append(f"{flat} of {count} checked training images have the same value at every pixel")
    if dim * 4 > count:
        found.append(f"{dim} of {count} checked training images span fewer than {MIN_LEVELS} grey levels")
    if count > 1 and flat < count and bool((values == values[0]).all()):
        found.append(f"all {count} checked training images are identical")
    if not bool(torch.isfinite(prepared).all()):
        found.append("after normalisation some values are not finite")
    elif not found and float(prepared.std()) < MIN_STD:
        mean, std = float(prepared.mean()), float(prepared.std())
        found.append(f"after normalisation the values hardly differ: mean {mean:.3g}, standard deviation {std:.3g}")
    return found


def measure(split: Split, seed: int = 0) -> Normalize:
    """Mean and standard deviation per channel, in one pass; of images on disk over a random sample."""
    indices = split.indices
    if not isinstance(split.images, InMemory) and len(indices) > SAMPLE_SIZE:
        chosen = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))[:SAMPLE_SIZE]
        indices = indices[chosen.sort().values]
    sums = torch.zeros(2, split.images.shape[0], dtype=torch.float64)
    pixels = 0
    groups = ((group, None) for group in torch.split(indices, BATCH))
    for batch, labels in split.images.batches(groups, torch.device("cpu")):
        values = batch[: len(labels)].flatten(0, 2).float().div_(255)
        sums += torch.stack([values.sum(0, dtype=torch.float64), values.square_().sum(0, dtype=torch.float64)])
        pixels += len(values)
    if not pixels:
        message = f"cannot measure mean and std: none of the {len(indices):,} training images can be read"
        raise SpecError.of("E621", message, help="replace the files, or set `normalize` to a mean and std")
    mean, square = sums / pixels
    std = (square - mean.square()).clamp_(min=0).sqrt()
    std[std < 10**-DECIMALS] = 1.0  # a constant channel
    return Normalize(mean=_rounded(mean), std=_rounded(std))


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(value, DECIMALS) for value in values.tolist())
