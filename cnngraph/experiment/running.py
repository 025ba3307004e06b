"""The runs of an experiment, one after the other; what is finished is kept, what was interrupted goes on.

Importing this loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cnngraph import terminal
from cnngraph.diagnostics import SpecError
from cnngraph.experiment.other_runs import other_runs
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.launch import free_cores
from cnngraph.runs.overview import read_run
from cnngraph.text import one_line
from cnngraph.train import Result, run_training
from cnngraph.train.record.progress import Bar, Silent, duration
from cnngraph.train.record.records import Facts, Progress
from cnngraph.train.record.run_folder import RunFolder

GO_ON_AFTER = {"E630", "E633"}  # the loss of one run is no number any more, or it does not fit: others may fare better


@dataclass(frozen=True)
class Outcome:
    """How the runs ended: `failed` has the messages of those that did not come to their end, by folder."""

    interrupted: bool
    failed: dict[str, SpecError]


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

    def begin(self, facts: Facts) -> None:
        """Remember for the bar how many epochs there are."""
        if self.bar:
            self.bar.epochs = facts.epochs

    def step(self, progress: Progress) -> None:
        """Move the bar."""
        if self.bar:
            self.bar.step(progress)

    def evaluating(self, part: str) -> None:
        """Say so at the end of the bar."""
        if self.bar:
            self.bar.evaluating(part)

    def end(self, result: Result) -> None:
        """Show what came out."""
        self.close()
        if not result.interrupted:
            self.say(_line(self.label, result.accuracy, duration(result.seconds)))

    def close(self) -> None:
        """Take the bar away."""
        if self.bar:
            self.bar.close()


def run_experiment(
    plan: Plan, root: Path, *, data_dir: Path | None = None, device: str | None = None, quiet: bool = False
) -> Outcome:
    """Train what is not trained yet, each run in a folder below `root`.

    Ctrl-C ends the run at work with a checkpoint, and the experiment with it. A run whose loss is no number any more
    is noted, and the next one begins.
    Raises SpecError where a folder holds another run, and for all else that ends a run.
    """
    if mistakes := other_runs(plan, root):
        raise SpecError(mistakes)
    console = terminal.console()

    def say(text: str) -> None:
        if not quiet:
            console.print(one_line(text))

    failed: dict[str, SpecError] = {}
    told: set[str] = set()
    for number, trial in enumerate(plan.trials, 1):
        label = f"{number:>{len(str(len(plan.trials)))}}/{len(plan.trials)}   {_label(trial, plan)}"
        folder = RunFolder(root / trial.folder)
        if folder.finished:
            row = read_run(folder.path)
            say(_line(label, row.accuracy, "kept"))
            continue
        bar = Bar(console) if console.is_terminal and not quiet else None
        try:
            interrupted = _train(trial, folder, data_dir, device, Lines(say, bar, label, told))
        except KeyboardInterrupt:
            interrupted = True
        except SpecError as error:
            if error.diagnostics[0].code not in GO_ON_AFTER:
                raise
            failed[trial.folder] = error
            say(f"{label}   {error.diagnostics[0].message}")
            continue
        if interrupted:
            return Outcome(True, failed)
    return Outcome(False, failed)


def _train(trial: Trial, folder: RunFolder, data_dir: Path | None, device: str | None, lines: Lines) -> bool:
    """Train one run, or go on with it; whether Ctrl-C ended it."""
    return run_training(
        trial.graph,
        trial.recipe,
        spec_text=trial.spec_text,
        out=folder.path,
        data_dir=data_dir,
        resume=folder.begun,
        device=device,
        reporter=lines,
        cores=free_cores(),
    ).interrupted


def _label(trial: Trial, plan: Plan) -> str:
    width = max(map(len, plan.variants))
    return f"{trial.variant:<{width}}   seed {trial.seed}"


def _line(label: str, accuracy: float | None, end: str) -> str:
    return f"{label}   {'' if accuracy is None else f'{100 * accuracy:.2f} %'}   {end}"
