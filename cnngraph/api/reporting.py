"""Converts the reports of a run to events of a progress callback, and its result to the API's. Imports PyTorch."""

from __future__ import annotations

from cnngraph.api.progress import (
    EpochDone,
    Evaluating,
    InitialWeightsEvaluated,
    Note,
    ProgressCallback,
    RunEnded,
    RunStarted,
    StepsDone,
)
from cnngraph.api.results import EpochMetrics, Metrics, TrainResult
from cnngraph.text import one_line
from cnngraph.train.record.progress import (
    Silent,
    closing_lines,
    epoch_header,
    epoch_line,
    initial_line,
    opening_lines,
)
from cnngraph.train.record.records import Epoch, InitialMetrics, Progress, Result, RunSummary, SplitMetrics


class CallbackReporter(Silent):
    """Calls `progress` with an event for each report."""

    def __init__(self, network: str, progress: ProgressCallback) -> None:
        self.network = network
        self.progress = progress
        self.epochs = 0
        self.has_header = False

    def note(self, text: str) -> None:
        """Report a message."""
        self.progress(Note(one_line(text)))

    def begin(self, facts: RunSummary) -> None:
        """Report the facts of the run."""
        self.epochs = facts.epochs
        self.progress(
            RunStarted(
                text="\n".join(map(one_line, opening_lines(facts))),
                network=facts.network,
                parameters=facts.parameters,
                data=facts.data,
                images=dict(facts.splits),
                device=facts.device,
                epochs=facts.epochs,
                folder=facts.folder,
                resumed_at=facts.resumed_at,
                frozen=facts.frozen,
            )
        )

    def initial(self, initial: InitialMetrics) -> None:
        """Report the metrics of the initial weights."""
        text = self.with_header(initial.split, initial_line(initial, self.epochs))
        self.progress(InitialWeightsEvaluated(text, initial.split, _metrics(initial.metrics)))

    def step(self, progress: Progress) -> None:
        """Report the progress of the epoch."""
        self.progress(
            StepsDone(
                text="",
                epoch=progress.epoch,
                step=progress.step,
                steps=progress.steps,
                metrics=_metrics(progress.train),
                images_per_second=progress.rate,
                seconds_left=progress.seconds_left,
            )
        )

    def evaluating(self, split: str) -> None:
        """Report that the evaluation of a split starts."""
        self.progress(Evaluating("", split))

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Report the metrics of an epoch."""
        text = self.with_header(epoch.evaluation_split, epoch_line(epoch, self.epochs, best))
        self.progress(EpochDone(text, _epoch(epoch), best))

    def with_header(self, split: str, line: str) -> str:
        """A line of metrics; the first one has the titles of the columns above it."""
        lines = [line] if self.has_header else [epoch_header(split, self.epochs), line]
        self.has_header = True
        return "\n".join(lines)

    def end(self, result: Result) -> None:
        """Report the result."""
        text = "\n".join(map(one_line, closing_lines(result)))
        self.progress(RunEnded(text, train_result(self.network, result)))


def train_result(network: str, result: Result) -> TrainResult:
    """The API's result of a run."""
    return TrainResult(
        network=network,
        folder=result.folder,
        epochs=tuple(map(_epoch, result.epochs)),
        best=_epoch(result.best) if result.best else None,
        test=_metrics(result.test) if result.test else None,
        interrupted=result.interrupted,
        seconds=result.seconds,
        initial=_metrics(result.initial.metrics) if result.initial else None,
    )


def _epoch(epoch: Epoch) -> EpochMetrics:
    other = {"validation": None, "test": None} | {epoch.evaluation_split: _metrics(epoch.evaluation)}
    return EpochMetrics(
        epoch=epoch.number,
        learning_rate=epoch.learning_rate,
        train=_metrics(epoch.train),
        validation=other["validation"],
        test=other["test"],
        seconds=epoch.seconds,
        images_per_second=epoch.rate,
    )


def _metrics(figures: SplitMetrics) -> Metrics:
    return Metrics(*figures)
