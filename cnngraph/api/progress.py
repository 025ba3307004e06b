"""The events of a run or an experiment, with which progress callbacks are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from cnngraph.api.results import EpochMetrics, Metrics, TrainResult
from cnngraph.frozen import frozen


@frozen
class Event:
    """Base class of all events. `text` is what the command line prints for it, or an empty string."""

    text: str


@frozen
class Note(Event):
    """A message, for example about a download, the sizes of the splits, or a warning."""


@frozen
class RunStarted(Event):
    """Training starts. `images` are the numbers of images by split; `resumed_at` is the number of steps done before.

    `frozen` is the number of parameters that are frozen at this time.
    """

    network: str
    parameters: int
    data: str
    images: Mapping[str, int]
    device: str
    epochs: int
    folder: Path
    resumed_at: int
    frozen: int


@frozen
class StepsDone(Event):
    """Some steps of an epoch are done. Sent a few times per second; `metrics` cover the epoch so far."""

    epoch: int
    step: int
    steps: int
    metrics: Metrics
    images_per_second: float
    seconds_left: float


@frozen
class Evaluating(Event):
    """The evaluation of a split starts."""

    split: str


@frozen
class InitialWeightsEvaluated(Event):
    """The metrics of initial `weights` on a split, before the first step."""

    split: str
    metrics: Metrics


@frozen
class EpochDone(Event):
    """An epoch is done. `is_best` says whether it has the best validation accuracy so far."""

    metrics: EpochMetrics
    is_best: bool


@frozen
class RunEnded(Event):
    """Training has ended, after the last epoch or by Ctrl-C."""

    result: TrainResult


ProgressCallback: TypeAlias = Callable[[Event], object]


def print_progress(event: Event) -> None:
    """Print the text of an event: `cnngraph.train(..., progress=cnngraph.print_progress)`."""
    if event.text:
        print(event.text, flush=True)


def ignore_progress(event: Event) -> None:
    """Do nothing: the default callback."""
