"""Epoch time of the recipe cifar_fast compared with the published recipe cifar, for resnet_cifar_222.

Each side trains from new weights in its own process and evaluates the test images. An epoch is timed with its
evaluation, without reading files. The sides alternate, and a ratio is the median over the rounds.

    python benchmarks/cifar_in_time.py --data-dir DATA
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import torch

from benchmarks.train_cifar import TEST_IMAGES, read
from benchmarks.turns import Run, Side, on_engine, options, take_turns
from cnngraph.recipe import load_recipe

PUBLISHED, FAST = "cifar", "cifar_fast"
EPOCHS = 12  # of the published recipe, as the time budget of the other one


def by_recipe(arguments: argparse.Namespace, name: str, seed: int) -> Run:
    """Train with a bundled recipe."""
    return on_engine(*read(arguments, name, seed=seed))


def main() -> None:
    """Alternate between the recipes, and print the ratio of their training times."""
    parser = options(__doc__, "as for train_cifar.py", 50_000, script=False)
    parser.add_argument("--test-images", type=int, default=TEST_IMAGES, help="number of test images")
    arguments = parser.parse_args()
    print(f"resnet_cifar_222, {arguments.images:,} images, {torch.get_num_threads()} threads", flush=True)
    sides: dict[str, Side] = {name: partial(by_recipe, arguments, name) for name in (PUBLISHED, FAST)}
    runs = take_turns(sides, arguments.rounds)
    ratios = [fast.seconds / slow.seconds for slow, fast in zip(runs[PUBLISHED], runs[FAST], strict=True)]
    epochs = load_recipe(FAST).epochs
    low, middle, high = (epochs * ratio / EPOCHS for ratio in (min(ratios), statistics.median(ratios), max(ratios)))
    times = f"{middle:.2f} of the time of {EPOCHS} of {PUBLISHED} ({low:.2f} to {high:.2f})"
    print(f"{epochs} epochs of {FAST}: {times}")


if __name__ == "__main__":
    main()
