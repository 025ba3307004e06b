"""What the engine costs beside a bare loop, on a network so small that a step takes about a millisecond.

The bare loop does the same arithmetic with the same network and optimizer: it takes a batch out of a tensor of bytes,
normalises it, learns from it, and counts loss and hits on the device. Both learn the embedded digits, in one process:
after each epoch of the engine the bare loop has one. A figure is the median over these pairs of (seconds of the
engine) / (seconds of the bare loop), with the quartiles as its spread, once by the clock and once by the processor's
time, which other work disturbs less. Evaluation and checkpoints are not timed.

    python -m benchmarks.step_overhead                    # 60 pairs of 200 steps, half a minute
    python -m benchmarks.step_overhead --pairs 200
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cnngraph
from cnngraph.ir.graph import Graph
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.optimizers import Sgd
from cnngraph.train import train
from cnngraph.train.data import load_parts
from cnngraph.train.images import InMemory, Parts
from cnngraph.train.progress import Silent
from cnngraph.train.records import Epoch, Figures
from cnngraph.train.run_folder import RunFolder

BOUND = 1.03
CPU = torch.device("cpu")
WARM_UP = 3  # pairs that do not count
OPTIMIZER = Sgd(lr=0.01, momentum=0.5)


class BareLoop:
    """A training loop as short as one can write it."""

    def __init__(self, model: nn.Module, images: InMemory, recipe: Recipe) -> None:
        self.model = model.to(memory_format=torch.channels_last)
        self.pixels, self.labels = images.pixels, images.labels
        self.batch_size = recipe.batch_size
        mean, deviation = recipe.figures(1) or ((0.0,), (1.0,))
        self.mean, self.deviation = torch.tensor(mean) * 255, torch.tensor(deviation) * 255
        lr, momentum = OPTIMIZER.lr, OPTIMIZER.momentum
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr, momentum, fused=True)

    def epoch(self) -> Figures:
        """Learn from every image once."""
        self.model.train()
        loss_sum, hits = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        for at in torch.split(torch.randperm(len(self.labels)), self.batch_size):
            labels = self.labels[at]
            images = self.pixels[at].float().sub_(self.mean).div_(self.deviation).permute(0, 3, 1, 2)
            logits: Tensor = self.model(images)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            loss_sum += loss.detach() * len(labels)
            hits += (logits.argmax(1) == labels).sum()
        count = len(self.labels)
        return Figures(loss_sum.item() / count, hits.item() / count)


class Moment(NamedTuple):
    """What the clocks say: that on the wall, and that of the process, which work of others hardly moves."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Moment:
        """This one."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, other: Moment) -> Moment:
        """The seconds between the two."""
        return Moment(self.wall - other.wall, self.processor - other.processor)


@dataclass
class TakingTurns(Silent):
    """A reporter that lets the bare loop have an epoch after each of the engine's, and keeps both sides' seconds."""

    bare: BareLoop
    began: Moment = field(default_factory=Moment.now)
    pairs: list[tuple[Moment, Moment]] = field(default_factory=list)  # the engine's seconds, the bare loop's
    figures: tuple[Figures, Figures] | None = None  # of the last epoch, likewise
    latest: Moment | None = None  # the engine's, of the epoch at work

    def evaluating(self, part: str) -> None:
        """The steps of an epoch are done."""
        self.latest = Moment.now().since(self.began)

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """The epoch is evaluated and saved; the next one begins when this returns."""
        assert self.latest
        began = Moment.now()
        self.figures = epoch.train, self.bare.epoch()
        self.began = Moment.now()
        self.pairs.append((self.latest, self.began.since(began)))


def subjects(steps: int, pairs: int, batch_size: int) -> tuple[Graph, Recipe, Parts]:
    """The network, how it is trained, and so many of the digits as the steps take."""
    graph = cnngraph.load(Path(__file__).with_name("one_convolution.yaml"))
    recipe = Recipe(
        data=NamedSet(name="digits"), epochs=pairs, batch_size=batch_size, optimizer=OPTIMIZER, validation=None
    )
    parts = load_parts(recipe, graph.inputs["in"], None)
    images = parts.train.images
    assert isinstance(images, InMemory)
    assert parts.test
    at = torch.arange(steps * batch_size) % len(images.labels)
    train_part = replace(
        parts.train, images=InMemory(images.pixels[at], images.labels[at]), indices=torch.arange(len(at))
    )
    return graph, recipe, replace(parts, train=train_part, test=replace(parts.test, indices=torch.arange(100)))


def main() -> None:
    """Let the engine and the bare loop take turns, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--steps", type=int, default=200, help="of each side in a pair")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; one is the least disturbed by others")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    graph, recipe, parts = subjects(options.steps, options.pairs + WARM_UP, options.batch_size)
    assert isinstance(parts.train.images, InMemory)
    turns = TakingTurns(BareLoop(cnngraph.build(graph), parts.train.images, recipe))
    with tempfile.TemporaryDirectory() as folder:
        place = RunFolder.new(Path(folder), graph.name)
        train(cnngraph.build(graph), recipe, parts, place, network=graph.name, device=CPU, reporter=turns)
    report(turns, options.steps)


def report(turns: TakingTurns, steps: int) -> None:
    """Print what a step took and what was learned, and the ratio of the pairs by each clock."""
    pairs = turns.pairs[WARM_UP:]
    milliseconds = 1000 * statistics.median(bare.wall for _, bare in pairs) / steps
    assert turns.figures
    engine, bare = (f"{each.loss:.4f}" for each in turns.figures)
    print(f"torch {torch.__version__}, threads: {torch.get_num_threads()}, bound {BOUND}")
    print(f"a step of the bare loop: {milliseconds:.2f} ms; loss at the end: engine {engine}, bare loop {bare}")
    for number, clock in enumerate(("seconds", "of the processor")):
        ratios = [ours[number] / theirs[number] for ours, theirs in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        verdict = "" if middle <= BOUND else "   above the bound"
        print(f"{clock:18} {middle:.3f}   (quartiles {low:.3f} to {high:.3f}, {len(ratios)} pairs){verdict}")


if __name__ == "__main__":
    main()
