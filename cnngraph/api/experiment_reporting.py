"""Converts an experiment's reports to the events of a progress callback. Imports PyTorch."""

from __future__ import annotations

from dataclasses import replace

from cnngraph.api.progress import Note, ProgressCallback
from cnngraph.api.reporting import CallbackReporter
from cnngraph.experiment.running import run_line
from cnngraph.text import one_line
from cnngraph.train.record.progress import Reporter, duration
from cnngraph.train.record.records import Result, RunSummary


class ExperimentCallbackReporter:
    """Calls `progress` with the events of an experiment. Only notes have text: one line per run, not per epoch."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress = progress
        self.notes: set[str] = set()

    def say(self, text: str) -> None:
        """Report a line about a run."""
        self.progress(Note(one_line(text)))

    def reporter(self, label: str) -> Reporter:
        """The reporter of the run with this label."""
        return _RunReporter(self, label)


class _RunReporter(CallbackReporter):
    """Calls the experiment's `progress` with the events of one run."""

    def __init__(self, experiment: ExperimentCallbackReporter, label: str) -> None:
        super().__init__("", lambda event: experiment.progress(replace(event, text="")))
        self.experiment = experiment
        self.label = label

    def note(self, text: str) -> None:
        """Report a note, once: many runs have the same data."""
        if text not in self.experiment.notes:
            self.experiment.notes.add(text)
            self.experiment.say(text)

    def begin(self, facts: RunSummary) -> None:
        """Report the facts of the run."""
        self.network = facts.network
        super().begin(facts)

    def end(self, result: Result) -> None:
        """Report the result, and a line about the run."""
        super().end(result)
        if not result.interrupted:
            self.experiment.say(run_line(self.label, result.accuracy, duration(result.seconds)))
