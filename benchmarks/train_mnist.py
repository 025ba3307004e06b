"""Training speed compared with a typical script: googlenet_mnist on MNIST with the published recipe.

The usual script is a DataLoader over torchvision's MNIST with ToTensor and Normalize, a handwritten network and a plain
loop. It runs twice: with and without worker processes. cnngraph also runs twice: with the recipe unchanged, and with
`precision: bf16`. Each side trains from new weights in its own process and evaluates the 10,000 test images. An epoch
is timed with its evaluation. The sides alternate, and a ratio is the median over the rounds. Run it on an otherwise
idle machine.

    python benchmarks/train_mnist.py --data-dir DATA                    # 60,000 images, about five minutes on 2 cores
    python benchmarks/train_mnist.py --data-dir DATA --images 6000
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

import cnngraph
from benchmarks.turns import Run, compare_with_usual, on_engine, options, plain_loop
from cnngraph.library import library_root
from cnngraph.recipe import load_recipe
from cnngraph.train.data.load_splits import load_splits


class Inception(nn.Module):
    """Four branches with different receptive fields, concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch1x1 = nn.Conv2d(channels, 16, 1)
        self.branch5x5_1 = nn.Conv2d(channels, 16, 1)
        self.branch5x5_2 = nn.Conv2d(16, 24, 5, padding=2)
        self.branch3x3_1 = nn.Conv2d(channels, 16, 1)
        self.branch3x3_2 = nn.Conv2d(16, 24, 3, padding=1)
        self.branch3x3_3 = nn.Conv2d(24, 24, 3, padding=1)
        self.branch_pool = nn.Conv2d(channels, 24, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3 = self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x)))
        branch_pool = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))
        return torch.cat([self.branch1x1(x), branch5x5, branch3x3, branch_pool], 1)


class GoogLeNet(nn.Module):
    """The network as a script would define it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.inception1 = Inception(10)
        self.conv2 = nn.Conv2d(88, 20, 5)
        self.inception2 = Inception(20)
        self.fc = nn.Linear(1408, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inception1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.inception2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def usual_script(arguments: argparse.Namespace, workers: int, seed: int) -> Run:
    """Train and evaluate as most scripts do."""
    torch.manual_seed(seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    root = str(arguments.data_dir)
    training_set = Subset(datasets.MNIST(root, train=True, transform=transform), range(arguments.images))
    test_set = datasets.MNIST(root, train=False, transform=transform)
    train_loader = DataLoader(training_set, batch_size=64, shuffle=True, num_workers=workers)
    test_loader = DataLoader(test_set, batch_size=64, shuffle=False, num_workers=workers)
    model = GoogLeNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    return plain_loop(model, optimizer, train_loader, test_loader, arguments.epochs)


def engine(arguments: argparse.Namespace, precision: str, seed: int) -> Run:
    """Train and evaluate with the published recipe."""
    graph = cnngraph.load(library_root() / "googlenet_mnist.yaml")
    recipe = replace(load_recipe("mnist"), epochs=arguments.epochs, seed=seed, precision=precision)
    splits = load_splits(recipe, graph.inputs["in"], arguments.data_dir)
    splits = replace(splits, train=replace(splits.train, indices=splits.train.indices[: arguments.images]))
    return on_engine(graph, recipe, splits)


def main() -> None:
    """Alternate between the sides, and print the ratios."""
    arguments = options(__doc__, "the folder that has MNIST/raw", 60_000).parse_args()
    print(f"googlenet_mnist, {arguments.images:,} images, {torch.get_num_threads()} threads")
    compare_with_usual(arguments, usual_script, engine)


if __name__ == "__main__":
    main()
