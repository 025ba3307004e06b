"""What a person sees of a run: a progress bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from cnngraph import run_files, terminal
from cnngraph.numbers import loss
from cnngraph.text import one_line
from cnngraph.train.record.records import Epoch, Facts, Progress, Result


class Reporter(Protocol):
    """Told what happens, in this order; may show it."""

    def note(self, text: str) -> None:
        """Something worth a line: a download, a long reading."""

    def begin(self, facts: Facts) -> None:
        """The run is about to begin."""

    def step(self, progress: Progress) -> None:
        """Some steps were made; told a few times a second."""

    def evaluating(self, part: str) -> None:
        """The steps of an epoch are done, and a part is looked at."""

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """An epoch is done; `best`: it is the best one so far, where one is chosen."""

    def end(self, result: Result) -> None:
        """The run is over."""

    def close(self) -> None:
        """Nothing more will be told, whether the run came to its end or not."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def begin(self, facts: Facts) -> None:
        """Show nothing."""

    def step(self, progress: Progress) -> None:
        """Show nothing."""

    def evaluating(self, part: str) -> None:
        """Show nothing."""

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Show nothing."""

    def end(self, result: Result) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing is open."""


class Lines(Silent):
    """A line an epoch, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.epochs = 0

    def print(self, text: str) -> None:
        """Write a line at once."""
        print(one_line(text), file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """Write it; a warning has several lines."""
        for line in text.splitlines():
            self.print(line)

    def begin(self, facts: Facts) -> None:
        """Write what is trained on what."""
        self.epochs = facts.epochs
        for line in opening(facts):
            self.print(line)

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Write its figures."""
        self.print(epoch_line(epoch, self.epochs, best))

    def end(self, result: Result) -> None:
        """Write what came out."""
        for line in closing(result):
            self.print(line)


class Bar(Silent):
    """A bar for the epoch at work above which the lines of finished epochs gather."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or terminal.console()
        self.epochs = 0
        self.task: TaskID | None = None
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self.console,
            transient=True,
            expand=True,
        )

    def print(self, text: str, style: str = "") -> None:
        """Write a line above the bar."""
        self.console.print(Text(one_line(text), style=style))

    def note(self, text: str) -> None:
        """Write it above the bar; a warning has several lines."""
        for line in text.splitlines():
            self.print(line, "dim")

    def begin(self, facts: Facts) -> None:
        """Write what is trained on what."""
        self.epochs = facts.epochs
        first, *rest = opening(facts)
        self.print(first, "bold")
        for line in rest:
            self.print(line, "dim")

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        description = f"epoch {progress.epoch:>{len(str(self.epochs))}}/{self.epochs}"
        figures = (
            f"loss {loss(progress.train.loss)}  {100 * progress.train.accuracy:.2f} %  "
            f"{progress.rate:,.0f} images/s  {duration(progress.seconds_left)} left"
        )
        if self.task is None:
            self.task = self.bars.add_task(description, total=progress.steps, figures=figures)
            self.bars.start()
        self.bars.update(
            self.task, description=description, completed=progress.step, total=progress.steps, figures=figures
        )

    def evaluating(self, part: str) -> None:
        """Say so at the end of the bar."""
        if self.task is not None:
            total = self.bars.tasks[0].total
            self.bars.update(self.task, completed=total, figures=f"looking at the {part} images")

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Write its figures above the bar."""
        self.print(epoch_line(epoch, self.epochs, best))

    def end(self, result: Result) -> None:
        """Write what came out."""
        self.close()
        for line in closing(result):
            self.print(line, "yellow" if result.interrupted else "bold")

    def close(self) -> None:
        """Take the bar away."""
        self.bars.stop()


class Showing:
    """Closes a reporter whatever happens."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def __enter__(self) -> Reporter:
        return self.reporter

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reporter.close()


def reporter_for(quiet: bool) -> Reporter:
    """A bar on a terminal, lines elsewhere, nothing where quiet is wanted."""
    if quiet:
        return Silent()
    console = terminal.console()
    return Bar(console) if console.is_terminal else Lines()


def opening(facts: Facts) -> list[str]:
    """What is trained on what."""
    parts = ", ".join(f"{count:,} {part}" for part, count in facts.parts.items())
    data = f"{facts.data} ({parts})" if parts else facts.data
    lines = [
        f"{facts.network} · {facts.parameters:,} parameters · {data} · {facts.device}",
        str(facts.folder),
    ]
    if facts.resumed_at:
        lines.append(f"goes on after {facts.resumed_at:,} steps")
    return lines


def epoch_line(epoch: Epoch, epochs: int, best: bool) -> str:
    """One epoch's figures."""
    number = f"{epoch.number:>{len(str(epochs))}}/{epochs}"
    train, held = (f"loss {loss(each.loss)} {100 * each.accuracy:6.2f} %" for each in (epoch.train, epoch.held))
    speed = f"{duration(epoch.seconds)}   {epoch.rate:,.0f} images/s"
    return f"epoch {number}   train {train}   {epoch.held_part} {held}   {speed}{' *' if best else ''}"


def closing(result: Result) -> list[str]:
    """What came out."""
    if result.interrupted:
        saved = (result.folder / run_files.STATE).exists()
        return [f"stopped · cnngraph train --resume {result.folder} {'goes on' if saved else 'begins again'}"]
    facts = []
    if result.best:
        facts.append(f"best epoch {result.best.number}: validation {100 * result.best.held.accuracy:.2f} %")
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
