"""Training speed compared with a typical script: resnet_cifar_222 on CIFAR-10 with its recipe.

Both sides pad by 4 pixels, crop at random, mirror half of the images, normalise, and train with Adam in batches of 100.
The usual script does so per image, with torchvision's transforms on decoded images in memory (like torchvision's
CIFAR10), a handwritten network and a plain loop. It runs twice: with and without worker processes. cnngraph also runs
twice: with the recipe unchanged, and with `precision: bf16`. Each side trains from new weights in its own process and
evaluates the test images. An epoch is timed with its evaluation, without reading files. The sides alternate, and a
ratio is the median over the rounds. Run it on an otherwise idle machine.

    python benchmarks/train_cifar.py --data-dir DATA                    # 50,000 images
    python benchmarks/train_cifar.py --data-dir DATA --images 5000 --test-images 1000
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import cnngraph
from benchmarks.turns import Run, compare_with_usual, on_engine, options, plain_loop
from cnngraph.graph.graph import Graph
from cnngraph.recipe import Recipe, load_recipe
from cnngraph.recipe.data import ImageFolder
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Split, Splits

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
BATCH_SIZE = 100
TEST_IMAGES = 10_000


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, in_planes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes, 1, stride=stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    """The network as a script would define it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(BasicBlock(16, 16), BasicBlock(16, 16))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, stride=2), BasicBlock(32, 32))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, stride=2), BasicBlock(64, 64))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.adaptive_avg_pool2d(out, 1).flatten(1)
        logits: Tensor = self.linear(out)
        return logits


class InArrays(Dataset[tuple[Tensor, int]]):
    """A split like torchvision's CIFAR10: an array of bytes, whose items are converted to PIL images."""

    def __init__(self, split: Split, transform: transforms.Compose) -> None:
        assert isinstance(split.images, InMemory)
        self.data = split.images.pixels[split.indices].numpy()
        self.targets: list[int] = split.images.labels[split.indices].tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.data[index])
        return self.transform(image), self.targets[index]


def read(arguments: argparse.Namespace, name: str = "cifar", **changes: Any) -> tuple[Graph, Recipe, Splits]:
    """The network, a recipe, and the images of every side; a subset is stratified by class."""
    graph = cnngraph.load("resnet_cifar_222")
    recipe = replace(load_recipe(name), epochs=arguments.epochs, **changes)
    if (arguments.data_dir / "train").is_dir():
        recipe = replace(recipe, data=ImageFolder(), normalize="cifar10")
    splits = load_splits(recipe, graph.inputs["in"], arguments.data_dir, lambda note: None)
    assert splits.test
    training, test = subset(splits.train, arguments.images), subset(splits.test, arguments.test_images)
    return graph, recipe, replace(splits, train=training, test=test)


def subset(split: Split, count: int) -> Split:
    """A fixed random subset of a split."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    return replace(split, indices=split.indices[order[:count]])


def usual_script(arguments: argparse.Namespace, workers: int, seed: int) -> Run:
    """Train and evaluate as most scripts do."""
    torch.manual_seed(seed)
    to_tensor = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmentation = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    _, _, splits = read(arguments)
    assert splits.test
    training_set = InArrays(splits.train, transforms.Compose([*augmentation, *to_tensor]))
    test_set = InArrays(splits.test, transforms.Compose(to_tensor))
    train_loader = DataLoader(training_set, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers)
    test_loader = DataLoader(test_set, batch_size=BATCH_SIZE, shuffle=False, num_workers=workers)
    model = ResNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return plain_loop(model, optimizer, train_loader, test_loader, arguments.epochs)


def engine(arguments: argparse.Namespace, precision: str, seed: int) -> Run:
    """Train and evaluate with the bundled recipe."""
    return on_engine(*read(arguments, precision=precision, seed=seed))


def check_same_network() -> None:
    """Raise AssertionError if the two networks do not compute the same."""
    built, by_hand = cnngraph.build("resnet_cifar_222").eval(), ResNet().eval()
    by_hand.load_state_dict(dict(zip(by_hand.state_dict(), built.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(built(images), by_hand(images))


def main() -> None:
    """Alternate between the sides, and print the ratios."""
    data = "torchvision's CIFAR10 folder, or a folder with train and test, each with a folder of images for each class"
    parser = options(__doc__, data, 50_000)
    parser.add_argument("--test-images", type=int, default=TEST_IMAGES, help="number of test images")
    arguments = parser.parse_args()
    check_same_network()
    count, tested, threads = arguments.images, arguments.test_images, torch.get_num_threads()
    print(f"resnet_cifar_222, {count:,} images, {tested:,} test images, {threads} threads", flush=True)
    compare_with_usual(arguments, usual_script, engine)


if __name__ == "__main__":
    main()
