"""Shared by the training benchmarks: a script's plain loop, a run on the engine, and alternating sides."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.utils.data import DataLoader

import cnngraph
from cnngraph.graph.graph import Graph
from cnngraph.recipe import Recipe
from cnngraph.train import Job, train
from cnngraph.train.data.load_splits import default_data_dir
from cnngraph.train.data.split import Splits
from cnngraph.train.record.run_folder import RunFolder


@dataclass(frozen=True)
class Run:
    """The seconds of one side and its accuracy on the test images."""

    seconds: float
    accuracy: float


Side: TypeAlias = Callable[[int], Run]  # takes the seed


def plain_loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_loader: DataLoader[Any],
    test_loader: DataLoader[Any],
    epochs: int,
) -> Run:
    """Train and evaluate as most scripts do; the seconds are those of the last epoch."""
    criterion = nn.CrossEntropyLoss()
    accuracy = began = 0.0
    for _ in range(epochs):
        began = time.perf_counter()
        model.train()
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            torch.autograd.backward(loss)
            optimizer.step()
        model.eval()
        correct = images = 0
        with torch.no_grad():
            for inputs, targets in test_loader:
                correct += int((model(inputs).argmax(1) == targets).sum())
                images += len(targets)
        accuracy = correct / images
    return Run(time.perf_counter() - began, accuracy)


def on_engine(graph: Graph, recipe: Recipe, splits: Splits) -> Run:
    """Train and evaluate a spec on cnngraph's engine, including checkpoints, which the usual script does not write."""
    torch.manual_seed(recipe.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = RunFolder.new(Path(folder), graph.name)
        result = train(Job(cnngraph.build(graph), recipe, splits, place, graph.name, torch.device("cpu")))
    return Run(result.epochs[-1].seconds, result.accuracy or 0.0)


def options(about: str | None, data: str, images: int, *, script: bool = True) -> argparse.ArgumentParser:
    """The options of a training benchmark, with or without the usual script. `data` describes the data folder."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=default_data_dir(), help=data)
    parser.add_argument("--images", type=int, default=images, help="number of training images")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    if script:
        parser.add_argument("--workers", type=int, default=2, help="worker processes of the usual script's DataLoader")
    return parser


def compare_with_usual(
    arguments: argparse.Namespace,
    usual_script: Callable[[argparse.Namespace, int, int], Run],
    engine: Callable[[argparse.Namespace, str, int], Run],
) -> None:
    """Alternate between the usual script (by number of workers) and the engine (by precision).

    Prints their accuracies and the ratios of their seconds. The last argument of each side is the seed.
    """
    usual: dict[str, Side] = {
        f"usual script, {arguments.workers} workers": partial(usual_script, arguments, arguments.workers),
        "usual script, no workers": partial(usual_script, arguments, 0),
    }
    ours: dict[str, Side] = {
        "cnngraph": partial(engine, arguments, "fp32"),
        "cnngraph, bf16": partial(engine, arguments, "bf16"),
    }
    runs = take_turns({**usual, **ours}, arguments.rounds)
    for name in runs:
        print(f"{name}: accuracy {100 * statistics.mean(run.accuracy for run in runs[name]):.2f} %")
    for name, other in itertools.product(usual, ours):
        ratios = [theirs.seconds / its.seconds for theirs, its in zip(runs[name], runs[other], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{name}: {statistics.median(ratios):.2f} times the seconds of {other} ({spread})")


def take_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, list[Run]]:
    """Run every side once per round, starting with a different one each time."""
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for seed in range(rounds):
        first = seed % len(sides)
        for name in [*sides][first:] + [*sides][:first]:
            runs[name].append(in_a_process(partial(sides[name], seed)))
        seconds = " · ".join(f"{name} {runs[name][-1].seconds:.1f} s" for name in sides)
        print(f"round {seed + 1}: {seconds}", flush=True)
    return runs


def in_a_process(side: Callable[[], Run]) -> Run:
    """Run one side in a new process, which shares no allocator, threads or caches with others."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(side).result()
