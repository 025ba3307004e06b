"""Reporters of a run's progress: a progress bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from cnngraph import run_files, terminal
from cnngraph.numbers import loss
from cnngraph.text import one_line
from cnngraph.train.record.records import Epoch, InitialMetrics, Progress, Result, RunSummary, SplitMetrics


class Reporter(Protocol):
    """Receives the events of a run, in the order of these methods."""

    def note(self, text: str) -> None:
        """Report a message, such as a warning, or a slow operation that starts."""

    def begin(self, facts: RunSummary) -> None:
        """The run is about to start."""

    def initial(self, initial: InitialMetrics) -> None:
        """Initial weights were evaluated, before the first step."""

    def step(self, progress: Progress) -> None:
        """Some steps were made; called a few times per second."""

    def evaluating(self, split: str) -> None:
        """The steps of an epoch are done, and a split is being evaluated."""

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """An epoch is done. `best`: it is the best one so far, if a best one is chosen."""

    def end(self, result: Result) -> None:
        """The run is over."""

    def close(self) -> None:
        """The run is over, finished or not; no method is called after this one."""


class Silent:
    """Ignores all events."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def begin(self, facts: RunSummary) -> None:
        """Do nothing."""

    def initial(self, initial: InitialMetrics) -> None:
        """Do nothing."""

    def step(self, progress: Progress) -> None:
        """Do nothing."""

    def evaluating(self, split: str) -> None:
        """Do nothing."""

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Do nothing."""

    def end(self, result: Result) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines(Silent):
    """Prints one line per epoch, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.epochs = 0
        self.has_header = False

    def print(self, text: str) -> None:
        """Write a line and flush the stream."""
        print(one_line(text), file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """Write a message, line by line."""
        for line in text.splitlines():
            self.print(line)

    def begin(self, facts: RunSummary) -> None:
        """Write the lines that describe the run."""
        self.epochs = facts.epochs
        for line in opening_lines(facts):
            self.print(line)

    def initial(self, initial: InitialMetrics) -> None:
        """Write the metrics of the initial weights."""
        self.header(initial.split)
        self.print(initial_line(initial, self.epochs))

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Write the metrics of an epoch."""
        self.header(epoch.evaluation_split)
        self.print(epoch_line(epoch, self.epochs, best))

    def header(self, split: str) -> None:
        """Write the header of the metrics, once."""
        if not self.has_header:
            self.print(epoch_header(split, self.epochs))
            self.has_header = True

    def end(self, result: Result) -> None:
        """Write the result."""
        for line in closing_lines(result):
            self.print(line)


class Bar(Silent):
    """A progress bar for the current epoch, below one line per finished epoch."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or terminal.console()
        self.epochs = 0
        self.has_header = False
        self.task: TaskID | None = None
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[status]}", markup=False),
            console=self.console,
            transient=True,
            expand=True,
        )

    def print(self, text: str, style: str = "") -> None:
        """Write a line above the bar."""
        self.console.print(Text(one_line(text), style=style))

    def note(self, text: str) -> None:
        """Write a message above the bar, line by line."""
        for line in text.splitlines():
            self.print(line, "dim")

    def begin(self, facts: RunSummary) -> None:
        """Write the lines that describe the run."""
        self.epochs = facts.epochs
        first, *rest = opening_lines(facts)
        self.print(first, "bold")
        for line in rest:
            self.print(line, "dim")

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        description = f"epoch {progress.epoch:>{len(str(self.epochs))}}/{self.epochs}"
        status = (
            f"loss {loss(progress.train.loss)}  {100 * progress.train.accuracy:.2f} %  "
            f"{progress.rate:,.0f} images/s  {duration(progress.seconds_left)} left"
        )
        if self.task is None:
            self.task = self.bars.add_task(description, total=progress.steps, status=status)
            self.bars.start()
        self.bars.update(
            self.task, description=description, completed=progress.step, total=progress.steps, status=status
        )

    def evaluating(self, split: str) -> None:
        """Show the split at the end of the bar."""
        if self.task is not None:
            total = self.bars.tasks[0].total
            self.bars.update(self.task, completed=total, status=f"evaluating the {split} images")

    def initial(self, initial: InitialMetrics) -> None:
        """Write the metrics of the initial weights."""
        self.header(initial.split)
        self.print(initial_line(initial, self.epochs))

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Write the metrics of an epoch above the bar."""
        self.header(epoch.evaluation_split)
        self.print(epoch_line(epoch, self.epochs, best))

    def header(self, split: str) -> None:
        """Write the header of the metrics, once."""
        if not self.has_header:
            self.print(epoch_header(split, self.epochs), "dim")
            self.has_header = True

    def end(self, result: Result) -> None:
        """Write the result."""
        self.close()
        for line in closing_lines(result):
            self.print(line, "yellow" if result.interrupted else "bold")

    def close(self) -> None:
        """Remove the bar."""
        self.bars.stop()


def reporter_for(quiet: bool) -> Reporter:
    """A progress bar on a terminal, lines elsewhere, nothing if `quiet`."""
    if quiet:
        return Silent()
    console = terminal.console()
    return Bar(console) if console.is_terminal else Lines()


def opening_lines(facts: RunSummary) -> list[str]:
    """The lines printed before a run: network, data, device and folder."""
    frozen = f" ({facts.parameters - facts.frozen:,} trainable, {facts.frozen:,} frozen)" if facts.frozen else ""
    lines = [
        f"{facts.network} · {facts.parameters:,} parameters{frozen} · {facts.data} · {facts.device}",
        str(facts.folder),
    ]
    if facts.resumed_at:
        lines.append(f"resuming after {facts.resumed_at:,} steps")
    return lines


def epoch_header(split: str, epochs: int) -> str:
    """The titles of the columns of `epoch_line`; `split` is evaluated after every epoch."""
    return _epoch_columns(split, epochs)


def initial_line(initial: InitialMetrics, epochs: int) -> str:
    """The metrics of initial weights, in the columns of `epoch_line`."""
    return _epoch_columns(initial.split, epochs, "start", "", "", *_cells(initial.metrics), "", "").rstrip()


def epoch_line(epoch: Epoch, epochs: int, best: bool) -> str:
    """The metrics of an epoch in columns, within 80 characters; `*` marks the best epoch so far."""
    cells = [f"{epoch.number}/{epochs}", *_cells(epoch.train), *_cells(epoch.evaluation)]
    line = _epoch_columns(epoch.evaluation_split, epochs, *cells, duration(epoch.seconds), f"{epoch.rate:,.0f}")
    return f"{line} *" if best else line


def _cells(metrics: SplitMetrics) -> tuple[str, str]:
    return loss(metrics.loss), f"{100 * metrics.accuracy:.2f} %"


def _epoch_columns(split: str, epochs: int, *cells: str) -> str:
    """Cells under the titles of the columns, aligned to the right."""
    losses = (" train loss", f" {split} loss")
    titles = ("epoch", losses[0], "accuracy", losses[1], "accuracy", "   time", "images/s")
    widths = [max(5, len(f"{epochs}/{epochs}")), *map(len, titles[1:])]
    return "  ".join(cell.rjust(width) for cell, width in zip(cells or titles, widths, strict=True))


def closing_lines(result: Result) -> list[str]:
    """The lines printed after a run: its metrics, or how to resume it."""
    if result.interrupted:
        saved = (result.folder / run_files.STATE).exists()
        return [f"stopped · {'resume' if saved else 'restart'} with `cnngraph train --resume {result.folder}`"]
    facts = []
    if result.best:
        facts.append(f"best epoch {result.best.number}: validation {100 * result.best.evaluation.accuracy:.2f} %")
    if result.test:
        facts.append(f"test {100 * result.test.accuracy:.2f} %, loss {loss(result.test.loss)}")
    return [" · ".join([*facts, duration(result.seconds), str(result.folder)])]


def duration(seconds: float) -> str:
    """`8.2 s`, `3:07` or `1:02:09`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
