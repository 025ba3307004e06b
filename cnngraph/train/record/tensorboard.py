"""A run's figures as events that TensorBoard shows, beside what a person is told of it."""

from __future__ import annotations

from typing import Any

from cnngraph import run_files
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.train.record.progress import Reporter
from cnngraph.train.record.records import Epoch, Facts, Figures, Progress, Result


def with_events(reporter: Reporter, wanted: bool) -> Reporter:
    """The reporter, or one that writes events too. Raises SpecError (E643) where the package is not there."""
    return EventWriter(reporter, _writer_class()) if wanted else reporter


class EventWriter:
    """Tells another reporter everything, and writes each epoch's figures into the run's folder `tensorboard`.

    A run that goes on begins a new file, which TensorBoard lays over those before it from its first epoch on.
    """

    def __init__(self, reporter: Reporter, writer: Any) -> None:
        self.reporter, self.make_writer = reporter, writer
        self.facts: Facts | None = None
        self.writer: Any = None

    def note(self, text: str) -> None:
        """Hand it on."""
        self.reporter.note(text)

    def begin(self, facts: Facts) -> None:
        """Remember where the run's folder is."""
        self.facts = facts
        self.reporter.begin(facts)

    def step(self, progress: Progress) -> None:
        """Hand it on."""
        self.reporter.step(progress)

    def evaluating(self, part: str) -> None:
        """Hand it on."""
        self.reporter.evaluating(part)

    def epoch(self, epoch: Epoch, best: bool) -> None:
        """Write its figures."""
        self.write("train", epoch.train, epoch.number)
        self.write(epoch.held_part, epoch.held, epoch.number)
        for name, value in (("learning_rate", epoch.learning_rate), ("images_per_second", epoch.rate)):
            self.opened(epoch.number).add_scalar(name, value, epoch.number)
        self.opened(epoch.number).flush()
        self.reporter.epoch(epoch, best)

    def end(self, result: Result) -> None:
        """Write the figures of the kept weights on the test images, where they were looked at once."""
        if result.test and result.best:
            self.write("test", result.test, result.best.number)
        self.reporter.end(result)

    def close(self) -> None:
        """Close the file."""
        if self.writer:
            self.writer.close()
        self.reporter.close()

    def write(self, part: str, figures: Figures, epoch: int) -> None:
        """Write loss and accuracy of a part, beside those of the others."""
        for name, value in figures._asdict().items():
            self.opened(epoch).add_scalar(f"{name}/{part}", value, epoch)

    def opened(self, epoch: int) -> Any:
        """The file, made when there is something to write; what was written of this epoch and later ones is void."""
        if self.writer is None:
            assert self.facts
            self.writer = self.make_writer(str(self.facts.folder / run_files.TENSORBOARD), purge_step=epoch)
        return self.writer


def _writer_class() -> Any:
    """PyTorch's writer, which needs a package that not everybody has."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        message = "the package tensorboard, which writes what TensorBoard shows, is not installed"
        raise SpecError([Diagnostic("E643", message, help="pip install 'cnngraph[tensorboard]'")]) from None
    return SummaryWriter
