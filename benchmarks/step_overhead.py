"""Overhead of the training engine over a bare loop, on a network whose step takes about a millisecond.

The bare loop does the same arithmetic with the same network and optimizer: it takes a batch from a tensor of bytes,
normalises it, trains on it, and counts loss and correct predictions on the device. Both train on the embedded digits in
one process and alternate step by step, so that other load slows down both. The result is (seconds of the engine's
steps) / (seconds of the bare loop's), for the medians and the quartiles.

    python -m benchmarks.step_overhead                    # 6,000 steps of each, half a minute
    python -m benchmarks.step_overhead --steps 20000
    python -m benchmarks.step_overhead --listening        # with handlers that are called at every step
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.nn import functional as F

import cnngraph
from cnngraph.graph.graph import Graph
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.optimizers import Sgd
from cnngraph.train import Handler, Job, train
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Splits
from cnngraph.train.loop.engine import Run
from cnngraph.train.record.run_folder import RunFolder

BOUND = 1.03
CPU = torch.device("cpu")
WARM_UP = 200  # steps that are not timed
OPTIMIZER = Sgd(lr=0.01, momentum=0.5)


class BareLoop:
    """A minimal training loop."""

    def __init__(self, model: nn.Module, images: InMemory, recipe: Recipe) -> None:
        self.model = model.to(memory_format=torch.channels_last)
        self.pixels, self.labels = images.pixels, images.labels
        self.batch_size = recipe.batch_size
        mean, deviation = recipe.mean_and_std(1) or ((0.0,), (1.0,))
        self.mean, self.deviation = torch.tensor(mean) * 255, torch.tensor(deviation) * 255
        lr, momentum = OPTIMIZER.lr, OPTIMIZER.momentum
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr, momentum, fused=True)

        self.order: Iterator[Tensor] = iter(())
        self.loss, self.hits = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)

    def step(self) -> None:
        """Train on the next batch."""
        at = next(self.order, None)
        if at is None:
            self.order = iter(torch.split(torch.randperm(len(self.labels)), self.batch_size))
            at = next(self.order)
        labels = self.labels[at]
        images = self.pixels[at].float().sub_(self.mean).div_(self.deviation).permute(0, 3, 1, 2)
        logits: Tensor = self.model(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.loss += loss.detach() * len(labels)
        self.hits += (logits.argmax(1) == labels).sum()


@dataclass
class Turns:
    """Runs a step of the bare loop after each step of the engine; records the seconds of both."""

    bare: BareLoop
    engine_seconds: list[float] = field(default_factory=list)
    bare_seconds: list[float] = field(default_factory=list)
    last: float = 0.0  # when the last step of the bare loop ended

    def after(self, end_step: Callable[[Run], bool]) -> Callable[[Run], bool]:
        """A function that ends a step of the engine and then runs one of the bare loop."""

        def ended(run: Run) -> bool:
            continues = end_step(run)
            now = time.perf_counter()
            self.bare.step()
            then = time.perf_counter()
            self.engine_seconds.append(now - self.last)
            self.bare_seconds.append(then - now)
            self.last = time.perf_counter()
            return continues

        return ended


def subjects(steps: int, batch_size: int) -> tuple[Graph, Recipe, Splits]:
    """The network, the recipe, and as many digits as the steps need."""
    graph = cnngraph.load(Path(__file__).with_name("one_convolution.yaml"))
    recipe = Recipe(data=NamedSet(name="digits"), epochs=1, batch_size=batch_size, optimizer=OPTIMIZER, validation=None)
    splits = load_splits(recipe, graph.inputs["in"], None)
    images = splits.train.images
    assert isinstance(images, InMemory)
    assert splits.test
    at = torch.arange(steps * batch_size) % len(images.labels)
    train_part = replace(
        splits.train, images=InMemory(images.pixels[at], images.labels[at]), indices=torch.arange(len(at))
    )
    return graph, recipe, replace(splits, train=train_part, test=replace(splits.test, indices=torch.arange(100)))


def main() -> None:
    """Alternate between the engine and the bare loop, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6000, help="steps per side")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument(
        "--threads", type=int, default=1, help="PyTorch threads; 1 is least affected by other processes"
    )
    parser.add_argument("--listening", action="store_true", help="with two handlers that are called at every step")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    graph, recipe, splits = subjects(options.steps, options.batch_size)
    assert isinstance(splits.train.images, InMemory)
    turns = Turns(BareLoop(cnngraph.build(graph).train(), splits.train.images, recipe))
    Run.end_step = turns.after(Run.end_step)  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as folder:
        place = RunFolder.new(Path(folder), graph.name)
        handlers = listening() if options.listening else ()
        result = train(Job(cnngraph.build(graph), recipe, splits, place, graph.name, CPU, handlers=handlers))
    report(turns, result.epochs[0].train.loss, turns.bare.loss.item() / len(splits.train))


def listening() -> tuple[Handler, ...]:
    """Two handlers that are called at every step: one before it, and one that reads its loss."""
    losses: list[Tensor] = []
    iterations: list[int] = []

    def take_iteration(engine: Engine) -> None:
        iterations.append(engine.state.iteration)

    def take_loss(engine: Engine) -> None:
        output: Any = engine.state.output
        losses[:] = [output["loss"]]

    return (Events.ITERATION_STARTED, take_iteration), (Events.ITERATION_COMPLETED, take_loss)


def report(turns: Turns, engine_loss: float, bare_loss: float) -> None:
    """Print the time of a step, the losses and the ratio."""
    ours, theirs = (
        statistics.quantiles(seconds[WARM_UP:], n=4) for seconds in (turns.engine_seconds, turns.bare_seconds)
    )
    low, middle, high = (one / other for one, other in zip(ours, theirs, strict=True))
    print(f"torch {torch.__version__}, threads: {torch.get_num_threads()}, {len(turns.bare_seconds):,} steps per side")
    print(
        f"a step of the bare loop: {1000 * theirs[1]:.2f} ms; loss: engine {engine_loss:.4f}, bare loop {bare_loss:.4f}"
    )
    verdict = "" if middle <= BOUND else f"   above {BOUND}"
    print(f"engine / bare loop: {middle:.3f}   (quartiles {low:.3f}, {high:.3f}){verdict}")


if __name__ == "__main__":
    main()
