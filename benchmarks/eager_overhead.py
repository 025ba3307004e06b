"""Overhead of a built network over a handwritten one in eager mode: a training step, and inference.

Both have the same weights and compute the same outputs. They alternate on the same batch in one process. A ratio is
the median over pairs of (time of the built network) / (time of the handwritten one), with quartiles.

    python -m benchmarks.eager_overhead
    python -m benchmarks.eager_overhead --seconds 60 --threads 2
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

import cnngraph
from benchmarks.train_mnist import GoogLeNet
from cnngraph.library import library_root

BOUND = 1.02
MIN_PAIRS = 30


@dataclass(frozen=True)
class Subject:
    """A network in both forms, and a batch for them."""

    name: str
    built: nn.Module
    by_hand: nn.Module
    batch: Tensor


def subjects() -> list[Subject]:
    """googlenet_mnist and torchvision's resnet18 (on 64×64 images, where the overhead weighs more)."""
    googlenet = cnngraph.build(library_root() / "googlenet_mnist.yaml")
    resnet = cnngraph.build(Path(__file__).with_name("resnet18.yaml"))
    pairs = [
        Subject("googlenet_mnist, 64×1×28×28", googlenet, GoogLeNet(), torch.randn(64, 1, 28, 28)),
        Subject("resnet18, 4×3×64×64", resnet, torchvision.models.resnet18(), torch.randn(4, 3, 64, 64)),
    ]
    for subject in pairs:
        values = subject.built.state_dict().values()
        subject.by_hand.load_state_dict(dict(zip(subject.by_hand.state_dict(), values, strict=True)))
        torch.testing.assert_close(subject.built.eval()(subject.batch), subject.by_hand.eval()(subject.batch))
    return pairs


def training_step(model: nn.Module, batch: Tensor) -> Callable[[], None]:
    """Forward, backward and a step of SGD."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.5)
    labels = torch.arange(len(batch)) % 10
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(batch), labels).backward()
        optimizer.step()

    return step


def inference(model: nn.Module, batch: Tensor) -> Callable[[], None]:
    """Forward in eval mode."""
    model.eval()

    def step() -> None:
        with torch.inference_mode():
            model(batch)

    return step


def compare(built: Callable[[], None], by_hand: Callable[[], None], duration: float) -> list[float]:
    """The ratio of each pair, for about `duration` seconds; the order alternates."""
    for _ in range(5):
        built()
        by_hand()
    ratios: list[float] = []
    end = time.perf_counter() + duration
    gc.disable()
    while time.perf_counter() < end or len(ratios) < MIN_PAIRS:
        if len(ratios) % 2:
            second, first = seconds(by_hand), seconds(built)
        else:
            first, second = seconds(built), seconds(by_hand)
        ratios.append(first / second)
    gc.enable()
    return ratios


def seconds(step: Callable[[], None]) -> float:
    """The seconds of one call."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="seconds per comparison")
    parser.add_argument(
        "--threads", type=int, default=1, help="PyTorch threads; 1 is least affected by other processes"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, threads: {options.threads}, bound {BOUND}")
    for subject in subjects():
        for what, make in (("training step", training_step), ("inference", inference)):
            built, by_hand = make(subject.built, subject.batch), make(subject.by_hand, subject.batch)
            ratios = compare(built, by_hand, options.seconds)
            low, middle, high = statistics.quantiles(ratios, n=4)
            verdict = "" if middle <= BOUND else "   above the bound"
            spread = f"quartiles {low:.3f} to {high:.3f}, {len(ratios)} pairs"
            print(f"{subject.name:28} {what:14} {middle:.3f}   ({spread}){verdict}", flush=True)


if __name__ == "__main__":
    main()
