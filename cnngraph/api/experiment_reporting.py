"""An experiment's reports as the events of a progress callback. Loads PyTorch."""

from __future__ import annotations

from dataclasses import replace

from cnngraph.api.progress import Note, ProgressCallback
from cnngraph.api.reporting import Callback
from cnngraph.experiment.running import run_line
from cnngraph.text import one_line
from cnngraph.train.record.progress import Reporter, duration
from cnngraph.train.record.records import Result, RunSummary


class Reported:
    """Calls `progress` with the events of an experiment: the lines are one for each run, not one for each epoch."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress = progress
        self.told: set[str] = set()

    def say(self, text: str) -> None:
        """Report a line about a run."""
        self.progress(Note(one_line(text)))

    def reporter(self, label: str) -> Reporter:
        """What is reported of the run that the label names."""
        return _RunOf(self, label)


class _RunOf(Callback):
    """One run of an experiment."""

    def __init__(self, experiment: Reported, label: str) -> None:
        super().__init__("", lambda event: experiment.progress(replace(event, text="")))
        self.experiment = experiment
        self.label = label

    def note(self, text: str) -> None:
        """Report it, once: many runs have the same data."""
        if text not in self.experiment.told:
            self.experiment.told.add(text)
            self.experiment.say(text)

    def begin(self, facts: RunSummary) -> None:
        """Report what is trained on what."""
        self.network = facts.network
        super().begin(facts)

    def end(self, result: Result) -> None:
        """Report the result, and the line of the run."""
        super().end(result)
        if not result.interrupted:
            self.experiment.say(run_line(self.label, result.accuracy, duration(result.seconds)))
