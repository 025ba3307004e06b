"""Small networks and data to train, and a reporter that records its calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnngraph.graph.graph import Graph
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.optimizers import Sgd
from cnngraph.train import Handler, Job, Request, Result, run_training, train
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.record.progress import Reporter, Silent
from cnngraph.train.record.records import Epoch, InitialMetrics, Progress, RunSummary
from cnngraph.train.record.run_file_formats import read_state
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import TOOLS, Tools

CPU = torch.device("cpu")
RECIPE = Recipe(
    data=NamedSet(name="digits"),
    epochs=2,
    batch_size=8,
    optimizer=Sgd(lr=0.1, momentum=0.5),
)


def stripes(count: int, seed: int = 0, classes: int = 4, size: int = 8) -> InMemory:
    """Grey noise with one bright row, whose index is the class."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 100, (count, size, size, 1), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) % classes
    pixels[torch.arange(count), labels] = 255
    return InMemory(pixels, labels)


def stripe_splits(train: int = 36, held: int = 12, validation: bool = True) -> Splits:
    """Splits of striped images, optionally without validation."""
    split = Split.all_of(stripes(held, 1)) if validation else None
    return Splits(tuple("abcd"), Split.all_of(stripes(train)), split, Split.all_of(stripes(held, 2)))


def small_network(seed: int = 0) -> nn.Sequential:
    """Convolution, batch norm, dropout, linear: layers with state and random numbers."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(4 * 64, 4),
    )


@dataclass
class RecordingReporter(Silent):
    """A reporter that records its calls."""

    notes: list[str] = field(default_factory=list)
    initials: list[InitialMetrics] = field(default_factory=list)
    started: list[RunSummary] = field(default_factory=list)
    steps: list[Progress] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)
    epochs: list[tuple[Epoch, bool]] = field(default_factory=list)
    ended: list[Result] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, facts: RunSummary) -> None:
        self.started.append(facts)

    def initial(self, initial: InitialMetrics) -> None:
        self.initials.append(initial)

    def step(self, progress: Progress) -> None:
        self.steps.append(progress)

    def evaluating(self, split: str) -> None:
        self.evaluated.append(split)

    def epoch(self, epoch: Epoch, best: bool) -> None:
        self.epochs.append((epoch, best))

    def end(self, result: Result) -> None:
        self.ended.append(result)


def at_batch(number: int, act: Callable[[], object], network: nn.Module | None = None) -> nn.Module:
    """A network that calls `act` at the n-th training batch."""
    network = network or small_network()
    count = 0

    def before(module: nn.Module, images: tuple[Tensor, ...]) -> None:
        nonlocal count
        count += module.training
        if module.training and count == number:
            act()

    network.register_forward_pre_hook(before)
    return network


def exploding(number: int) -> nn.Module:
    """A network whose output is infinite from the n-th training batch on."""
    network = small_network()
    broken = False

    def breaks() -> None:
        nonlocal broken
        broken = True

    def after(module: nn.Module, images: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output * math.inf if broken else output

    network.register_forward_hook(after)
    return at_batch(number, breaks, network)


def run(
    folder: Path,
    recipe: Recipe = RECIPE,
    splits: Splits | None = None,
    network: nn.Module | None = None,
    reporter: Reporter | None = None,
    resume: bool = False,
    handlers: tuple[Handler, ...] = (),
    **changes: object,
) -> Result:
    """Train a small network into a folder."""
    folder.mkdir(exist_ok=True)
    place = RunFolder(folder)
    job = Job(
        network or small_network(),
        replace(recipe, **changes),  # type: ignore[arg-type]
        splits or stripe_splits(),
        place,
        network="small",
        device=CPU,
        reporter=reporter or Silent(),
        handlers=handlers,
    )
    return train(job, read_state(place.state) if resume else None)


def train_graph(
    graph: Graph,
    recipe: Recipe,
    *,
    spec_text: str = "",
    reporter: Reporter | None = None,
    tools: Tools = TOOLS,
    **options: Any,
) -> Result:
    """Train a network with a recipe, as `cnngraph train` does."""
    return run_training(Request(graph, recipe, spec_text, **options), reporter, tools)
