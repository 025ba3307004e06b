"""What a progress callback is called with: one frozen event for everything that happens in a run or an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cnngraph.api.results import EpochMetrics, Metrics, TrainResult


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `text` is what the command line prints for it, empty where it prints no line."""

    text: str


@dataclass(frozen=True, slots=True)
class Note(Event):
    """A remark, such as a download, the sizes of the splits, or a warning."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """Training starts. `images` are the numbers of images by split, `resumed_at` the steps of an earlier session."""

    network: str
    parameters: int
    data: str
    images: Mapping[str, int]
    device: str
    epochs: int
    folder: Path
    resumed_at: int


@dataclass(frozen=True, slots=True)
class StepsDone(Event):
    """Some steps of an epoch are done; sent a few times a second. `metrics` are those of the epoch so far."""

    epoch: int
    step: int
    steps: int
    metrics: Metrics
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Evaluating(Event):
    """The steps of an epoch are done, and the images of a split are evaluated."""

    split: str


@dataclass(frozen=True, slots=True)
class EpochDone(Event):
    """An epoch is done. `is_best`: its weights are the best so far, where a best epoch is chosen."""

    metrics: EpochMetrics
    is_best: bool


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """Training ended, at its last epoch or by Ctrl-C."""

    result: TrainResult


ProgressCallback: TypeAlias = Callable[[Event], object]


def print_progress(event: Event) -> None:
    """Print a line for every event that has one: `cnngraph.train(..., progress=cnngraph.print_progress)`."""
    if event.text:
        print(event.text, flush=True)


def ignore_progress(event: Event) -> None:
    """Do nothing, which is the default."""
