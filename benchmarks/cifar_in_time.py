"""How long epochs of the recipe cifar_fast take beside those of the published one, cifar: resnet_cifar_222, in one run.

Each side trains from new weights in a process of its own and looks at the test images; what is timed is the epoch with
its evaluation, not the reading of files. The sides take turns, and a ratio is the median over the rounds.

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
EPOCHS = 12  # of the published recipe, whose time the other one has


def by_recipe(arguments: argparse.Namespace, name: str, seed: int) -> Run:
    """Train by a recipe of the library."""
    return on_engine(*read(arguments, name, seed=seed))


def main() -> None:
    """Let the recipes take turns, and print what all epochs of the one take of so many of the other."""
    parser = options(__doc__, "as for train_cifar.py", 50_000, script=False)
    parser.add_argument("--test-images", type=int, default=TEST_IMAGES, help="how many images to evaluate on")
    arguments = parser.parse_args()
    print(f"resnet_cifar_222, {arguments.images:,} images, {torch.get_num_threads()} threads", flush=True)
    sides: dict[str, Side] = {name: partial(by_recipe, arguments, name) for name in (PUBLISHED, FAST)}
    runs = take_turns(sides, arguments.rounds)
    ratios = [fast.seconds / slow.seconds for slow, fast in zip(runs[PUBLISHED], runs[FAST], strict=True)]
    epochs = load_recipe(FAST).epochs
    low, middle, high = (epochs * ratio / EPOCHS for ratio in (min(ratios), statistics.median(ratios), max(ratios)))
    print(f"{epochs} epochs by {FAST}: {middle:.2f} of the time of {EPOCHS} by {PUBLISHED} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
