"""Images per second that reach the network, compared with the DataLoader of a typical script on the same files.

The files are generated JPEGs of photograph size. Both sides crop at random, resize, mirror half of the images and
normalise, with the same number of worker processes. The script does everything per image in its workers; cnngraph crops
in its workers and does the rest per batch. Nothing is trained. The sides alternate, and a ratio is the median over the
rounds.

    python benchmarks/loading.py                       # 600 images, two workers, half a minute on 2 cores
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from cnngraph.recipe import load_recipe
from cnngraph.recipe.augment import Augment, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder
from cnngraph.tensor_type import TensorType
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.loop.loader import TrainingLoader

CROP = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_images(root: Path, count: int) -> None:
    """Photograph-like images of 500×375: noise at several scales."""
    random = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"class{number % 2}"
        folder.mkdir(exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3)).astype(np.uint8)).resize((500, 375))
        fine = Image.fromarray(random.integers(0, 256, (94, 125, 3)).astype(np.uint8)).resize((500, 375))
        Image.blend(coarse, fine, 0.3).save(folder / f"{number:05}.jpg", quality=90)


def usual_script(root: Path, batch_size: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as most scripts make them, epoch after epoch."""
    steps = [
        transforms.RandomResizedCrop(CROP),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    images = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(images, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    while True:
        yield from loader


def engine(root: Path, batch_size: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as cnngraph makes them."""
    crop = Augment(random_resized_crop=RandomResizedCrop(size=(CROP, CROP)), flip=True)
    recipe = replace(
        load_recipe("photos"), data=ImageFolder(), augment=crop, evaluation=None, workers=workers, validation=0.01
    )
    splits = load_splits(recipe, TensorType.map(3, CROP, CROP), root, lambda note: None)
    cpu = torch.device("cpu")
    whole = replace(splits.train, indices=torch.arange(len(splits.train.images.labels)))
    return TrainingLoader(whole, Preparation.of(recipe, 3, cpu), batch_size, 0, cpu).batches()


def rate(batches: Iterator[tuple[Tensor, Tensor]], images: int) -> float:
    """Images per second, measured after the first batch."""
    next(batches)
    began, seen = time.perf_counter(), 0
    while seen < images:
        seen += len(next(batches)[1])
    return seen / (time.perf_counter() - began)


def main() -> None:
    """Alternate between the sides, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sides: dict[str, Callable[[Path, int, int], Iterator[tuple[Tensor, Tensor]]]] = {
        "usual script": usual_script,
        "cnngraph": engine,
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), arguments.images)
        for number in range(arguments.rounds):
            for name in [*sides][:: 1 if number % 2 else -1]:
                batches = sides[name](Path(folder), arguments.batch_size, arguments.workers)
                rates[name].append(rate(batches, arguments.images))
            print(f"round {number + 1}: {' · '.join(f'{name} {rates[name][-1]:.0f} images/s' for name in sides)}")
    ratios = [ours / theirs for theirs, ours in zip(rates["usual script"], rates["cnngraph"], strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"cnngraph: {statistics.median(ratios):.2f} times the images per second of the usual script ({spread})")


if __name__ == "__main__":
    main()
