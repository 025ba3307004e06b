"""Runs an experiment's plan: finished runs are kept, interrupted ones are resumed. Importing this loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cnngraph import terminal
from cnngraph.diagnostics import SpecError
from cnngraph.experiment.initial_weights import unusable_weights, weights_of
from cnngraph.experiment.mismatched_runs import mismatched_runs
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.frozen import frozen
from cnngraph.launch import Cores
from cnngraph.runs.overview import read_run
from cnngraph.text import one_line
from cnngraph.train import Request, Result, run_training
from cnngraph.train.record.progress import Bar, Reporter, Silent, duration
from cnngraph.train.record.records import Progress, RunSummary
from cnngraph.train.record.run_folder import RunFolder

CONTINUE_AFTER = {"E630", "E633"}  # errors of one run that others may not have: a NaN loss, out of memory


@frozen(slots=False)
class ExperimentOutcome:
    """How the runs ended. `failed` has the errors of failed runs, by folder."""

    interrupted: bool
    failed: dict[str, SpecError]


class ExperimentReporter(Protocol):
    """What an experiment reports while it runs."""

    def say(self, text: str) -> None:
        """Report a line about the experiment or one of its runs."""

    def reporter(self, label: str) -> Reporter:
        """The reporter of the run with this label."""


class PrintingReporter:
    """Prints a line for each run, and on a terminal a progress bar; nothing if `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = terminal.console()
        self.notes: set[str] = set()

    def say(self, text: str) -> None:
        """Print the line."""
        if not self.quiet:
            self.console.print(one_line(text))

    def reporter(self, label: str) -> Reporter:
        """A reporter that prints the run's line, and on a terminal a progress bar."""
        bar = Bar(self.console) if self.console.is_terminal and not self.quiet else None
        return RunLineReporter(self.say, bar, label, self.notes)


@dataclass
class RunLineReporter(Silent):
    """Prints the line of one run, and a progress bar if there is one."""

    say: Callable[[str], None]
    bar: Bar | None
    label: str = ""
    notes: set[str] = field(default_factory=set)  # that a run of the experiment has printed

    def note(self, text: str) -> None:
        """Print a note, once: many runs have the same data."""
        if text not in self.notes:
            self.notes.add(text)
            self.say(text)

    def begin(self, facts: RunSummary) -> None:
        """Tell the bar the number of epochs."""
        if self.bar:
            self.bar.epochs = facts.epochs

    def step(self, progress: Progress) -> None:
        """Update the bar."""
        if self.bar:
            self.bar.step(progress)

    def evaluating(self, split: str) -> None:
        """Show in the bar that a split is evaluated."""
        if self.bar:
            self.bar.evaluating(split)

    def end(self, result: Result) -> None:
        """Print the run's line."""
        self.close()
        if not result.interrupted:
            self.say(run_line(self.label, result.accuracy, duration(result.seconds)))

    def close(self) -> None:
        """Remove the bar."""
        if self.bar:
            self.bar.close()


def run_experiment(
    plan: Plan,
    root: Path,
    *,
    data_dir: Path | None = None,
    device: str | None = None,
    reporter: ExperimentReporter | None = None,
    cores: Callable[[], Cores | None] | None = None,
) -> ExperimentOutcome:
    """Train all runs that are not finished, each in a folder below `root`.

    `reporter` gets progress reports; by default they are printed. `cores` is called before each run and returns the
    cores for PyTorch's threads. Ctrl-C ends the current run with a checkpoint, and the experiment. If a loss becomes
    NaN, or a run does not fit into memory, the experiment continues with the next run.
    Raises SpecError if a folder holds another run (E662), and for any other error of a run.
    """
    if errors := [*mismatched_runs(plan, root), *unusable_weights(plan, root)]:
        raise SpecError(errors)
    reporter = reporter or PrintingReporter()
    failed: dict[str, SpecError] = {}
    for number, trial in enumerate(plan.trials, 1):
        label = f"{number:>{len(str(len(plan.trials)))}}/{len(plan.trials)}   {_label(trial, plan)}"
        folder = RunFolder(root / trial.folder)
        if folder.finished:
            row = read_run(folder.path)
            reporter.say(run_line(label, row.accuracy, "kept"))
            continue
        try:
            interrupted = _train(trial, folder, data_dir, device, reporter.reporter(label), cores)
        except KeyboardInterrupt:
            interrupted = True
        except SpecError as error:
            if error.diagnostics[0].code not in CONTINUE_AFTER:
                raise
            failed[trial.folder] = error
            reporter.say(f"{label}   {error.diagnostics[0].message}")
            continue
        if interrupted:
            return ExperimentOutcome(True, failed)
    return ExperimentOutcome(False, failed)


def _train(
    trial: Trial,
    folder: RunFolder,
    data_dir: Path | None,
    device: str | None,
    reporter: Reporter,
    cores: Callable[[], Cores | None] | None,
) -> bool:
    """Train or resume one run. Returns whether Ctrl-C ended it."""
    request = Request(
        trial.graph,
        trial.recipe,
        trial.spec_text,
        out=folder.path,
        data_dir=data_dir,
        resume=folder.started,
        device=device,
        cores=cores() if cores else None,
        weights=None if folder.started else weights_of(trial),
    )
    return run_training(request, reporter).interrupted


def _label(trial: Trial, plan: Plan) -> str:
    width = max(map(len, plan.variants))
    return f"{trial.variant:<{width}}   seed {trial.seed}"


def run_line(label: str, accuracy: float | None, end: str) -> str:
    """The line of a run: label, accuracy and duration, or that it was kept."""
    return f"{label}   {'' if accuracy is None else f'{100 * accuracy:.2f} %'}   {end}"
