"""The runs of an experiment, one after the other; what is finished is kept, what was interrupted goes on.

Importing this loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cnngraph import terminal
from cnngraph.diagnostics import SpecError
from cnngraph.experiment.other_runs import other_runs
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.launch import Cores
from cnngraph.runs.overview import read_run
from cnngraph.text import one_line
from cnngraph.train import Request, Result, run_training
from cnngraph.train.record.progress import Bar, Reporter, Silent, duration
from cnngraph.train.record.records import Progress, RunSummary
from cnngraph.train.record.run_folder import RunFolder

GO_ON_AFTER = {"E630", "E633"}  # the loss of one run is no number any more, or it does not fit: others may fare better


@dataclass(frozen=True)
class Outcome:
    """How the runs ended: `failed` has the messages of those that did not come to their end, by folder."""

    interrupted: bool
    failed: dict[str, SpecError]


class Shown(Protocol):
    """What a person sees of an experiment while it runs."""

    def say(self, text: str) -> None:
        """Show a line about the experiment or one of its runs."""

    def reporter(self, label: str) -> Reporter:
        """What is told of the run that the label names."""


class Printed:
    """A line on stdout for each run, below them a bar on a terminal; with `quiet` nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = terminal.console()
        self.told: set[str] = set()

    def say(self, text: str) -> None:
        """Print the line."""
        if not self.quiet:
            self.console.print(one_line(text))

    def reporter(self, label: str) -> Reporter:
        """The run's line, and a bar on a terminal."""
        bar = Bar(self.console) if self.console.is_terminal and not self.quiet else None
        return Lines(self.say, bar, label, self.told)


@dataclass
class Lines(Silent):
    """A line for each run, below them a bar on a terminal."""

    say: Callable[[str], None]
    bar: Bar | None
    label: str = ""
    told: set[str] = field(default_factory=set)  # by all runs of the experiment

    def note(self, text: str) -> None:
        """Show it, once: many runs have the same data."""
        if text not in self.told:
            self.told.add(text)
            self.say(text)

    def begin(self, facts: RunSummary) -> None:
        """Remember for the bar how many epochs there are."""
        if self.bar:
            self.bar.epochs = facts.epochs

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        if self.bar:
            self.bar.step(progress)

    def evaluating(self, split: str) -> None:
        """Say so at the end of the bar."""
        if self.bar:
            self.bar.evaluating(split)

    def end(self, result: Result) -> None:
        """Show what came out."""
        self.close()
        if not result.interrupted:
            self.say(run_line(self.label, result.accuracy, duration(result.seconds)))

    def close(self) -> None:
        """Take the bar away."""
        if self.bar:
            self.bar.close()


def run_experiment(
    plan: Plan,
    root: Path,
    *,
    data_dir: Path | None = None,
    device: str | None = None,
    shown: Shown | None = None,
    cores: Callable[[], Cores | None] | None = None,
) -> Outcome:
    """Train what is not trained yet, each run in a folder below `root`.

    `shown` is told what happens; by default it is printed. `cores` gives those that PyTorch's threads may
    use in the next run. Ctrl-C ends the run at work with a checkpoint, and the experiment with it. A run whose loss is
    no number any more is noted, and the next one begins.
    Raises SpecError where a folder holds another run, and for all else that ends a run.
    """
    if mistakes := other_runs(plan, root):
        raise SpecError(mistakes)
    shown = shown or Printed()
    failed: dict[str, SpecError] = {}
    for number, trial in enumerate(plan.trials, 1):
        label = f"{number:>{len(str(len(plan.trials)))}}/{len(plan.trials)}   {_label(trial, plan)}"
        folder = RunFolder(root / trial.folder)
        if folder.finished:
            row = read_run(folder.path)
            shown.say(run_line(label, row.accuracy, "kept"))
            continue
        try:
            interrupted = _train(trial, folder, data_dir, device, shown.reporter(label), cores)
        except KeyboardInterrupt:
            interrupted = True
        except SpecError as error:
            if error.diagnostics[0].code not in GO_ON_AFTER:
                raise
            failed[trial.folder] = error
            shown.say(f"{label}   {error.diagnostics[0].message}")
            continue
        if interrupted:
            return Outcome(True, failed)
    return Outcome(False, failed)


def _train(
    trial: Trial,
    folder: RunFolder,
    data_dir: Path | None,
    device: str | None,
    reporter: Reporter,
    cores: Callable[[], Cores | None] | None,
) -> bool:
    """Train one run, or go on with it; whether Ctrl-C ended it."""
    request = Request(
        trial.graph,
        trial.recipe,
        trial.spec_text,
        out=folder.path,
        data_dir=data_dir,
        resume=folder.started,
        device=device,
        cores=cores() if cores else None,
    )
    return run_training(request, reporter).interrupted


def _label(trial: Trial, plan: Plan) -> str:
    width = max(map(len, plan.variants))
    return f"{trial.variant:<{width}}   seed {trial.seed}"


def run_line(label: str, accuracy: float | None, end: str) -> str:
    """The line of a run: its accuracy, and how it ended."""
    return f"{label}   {'' if accuracy is None else f'{100 * accuracy:.2f} %'}   {end}"
