"""The results of the API's functions: frozen values, shown well in notebooks. Importing this does not load PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from html import escape
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, NamedTuple

from cnngraph import markup
from cnngraph.api.readable import Readable, named_percent, percent, plots
from cnngraph.diagnostics import Diagnostic, Severity, SpecError, diagnostics_html
from cnngraph.frozen import frozen
from cnngraph.packages import explained
from cnngraph.run_files import CURVES, EXPERIMENT_CURVES

if TYPE_CHECKING:
    from torch import nn


@frozen
class CheckResult(Readable):
    """The errors and warnings of a file or folder, without duplicates, and the `files` that were checked.

    Iterating gives the diagnostics; `str()` gives the messages as `cnngraph check` prints them.
    """

    name: str
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are no errors; there may be warnings."""
        return not self.errors

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are errors."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are warnings."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity is not Severity.ERROR)

    def raise_for_errors(self) -> None:
        """Raise SpecError if there are errors."""
        if not self.ok:
            raise SpecError(self.diagnostics)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)

    def _repr_html_(self) -> str:
        ok = markup.paragraph(f"{self.name}: ok", "fix")
        return diagnostics_html(self.diagnostics, *(() if self.diagnostics else [ok]))

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.diagnostics)) or f"{self.name}: ok"


@frozen
class Drawing:
    """A drawing of a network. Notebooks show SVG, PNG, HTML and Mermaid; `str()` is the text, if there is any."""

    format: str
    data: bytes = field(repr=False)
    path: Path | None = None

    def __str__(self) -> str:
        if self.format in ("png", "pdf"):
            return f"{self.format.upper()} drawing, {len(self.data):,} bytes"
        return self.data.decode()

    def _repr_svg_(self) -> str | None:
        return str(self) if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return self.data if self.format == "png" else None

    def _repr_html_(self) -> str | None:
        if self.format != "html":
            return None
        return f'<iframe sandbox="allow-scripts" width="100%" height="600" srcdoc="{escape(str(self))}"></iframe>'

    def _repr_markdown_(self) -> str | None:
        return f"```mermaid\n{self}\n```" if self.format == "mermaid" else None


class Metrics(NamedTuple):
    """Mean loss over a set of images, and the fraction that is classified correctly."""

    loss: float
    accuracy: float


@frozen
class EpochMetrics:
    """The metrics of one epoch. `train` is measured during training, `validation` or `test` afterwards in eval mode.

    Of these two, `validation` is set if the recipe holds out validation images, else `test`; the other is None.
    """

    epoch: int
    learning_rate: float
    train: Metrics
    validation: Metrics | None
    test: Metrics | None
    seconds: float
    images_per_second: float


@frozen
class TrainResult(Readable):
    """The result of a run. All of it, and more, is also in its `folder`.

    `best` is the epoch with the best validation accuracy, None without validation images. `test` has the metrics of
    the final weights on the test images, None without test images or if the run was `interrupted`. `initial` are those
    of initial `weights` before the first step, on the images evaluated after every epoch; None for random ones.
    """

    network: str
    folder: Path
    epochs: tuple[EpochMetrics, ...]
    best: EpochMetrics | None
    test: Metrics | None
    interrupted: bool
    seconds: float
    initial: Metrics | None = None

    @property
    def accuracy(self) -> float | None:
        """The accuracy on the test images; without these, the best one on the validation images."""
        if self.test:
            return self.test.accuracy
        return self.best.validation.accuracy if self.best and self.best.validation else None

    @explained()
    def load_model(self, weights: str | None = None, device: str = "cpu") -> nn.Module:
        """Load the trained network in eval mode, with its `best` (the default), `last` or `epoch-0010` weights.

        Raises SpecError if the run's folder is damaged (E645) or has no such weights (E650).
        """
        from cnngraph.runs.trained_run import TrainedRun
        from cnngraph.train.loop.device import choose_device

        run = TrainedRun.open(self.folder)
        return run.model(run.choose_weights(weights), choose_device(device))

    def _repr_html_(self) -> str:
        title, *_ = str(self).splitlines()
        split = "validation" if any(row.validation for row in self.epochs) else "test"
        headings = ["epoch", "learning rate", "loss", "accuracy", f"{split} loss", f"{split} accuracy", ""]
        rows = (
            [
                row.epoch,
                row.learning_rate,
                *_cells(row.train),
                *_cells(row.validation or row.test),
                "best" * (row == self.best),
            ]
            for row in self.epochs
        )
        table = markup.table(title, headings, rows, len(self.epochs))
        return markup.page(table, *plots([self.folder / CURVES]))

    def __str__(self) -> str:
        rows = [f"epoch {row.epoch:>3}   {_columns(row)}" for row in self.epochs]
        end = "interrupted" if self.interrupted else named_percent("accuracy", self.accuracy)
        return "\n".join([f"{self.network} · {self.folder} · {end}", *rows])


def _columns(row: EpochMetrics) -> str:
    named = {"train": row.train, "validation": row.validation, "test": row.test}
    return "   ".join(
        f"{split} loss {metrics.loss:.4f} {100 * metrics.accuracy:6.2f} %"
        for split, metrics in named.items()
        if metrics
    )


def _cells(metrics: Metrics | None) -> list[str | None]:
    return [None, None] if metrics is None else [f"{metrics.loss:.4f}", percent(metrics.accuracy)]


class Guess(NamedTuple):
    """A class, and its predicted probability."""

    label: str
    probability: float


@frozen
class Prediction(Readable):
    """The most probable classes of one image, in order of probability.

    `image` is the file, None for an image in memory. `error` says why the file could not be read, else it is empty.
    """

    image: Path | None
    guesses: tuple[Guess, ...]
    error: str = ""

    @property
    def label(self) -> str:
        """The most probable class. Raises ValueError where the image could not be read."""
        return self._first.label

    @property
    def probability(self) -> float:
        """The probability of that class. Raises ValueError where the image could not be read."""
        return self._first.probability

    @property
    def _first(self) -> Guess:
        if self.error:
            raise ValueError(self.error)
        return self.guesses[0]

    def _repr_html_(self) -> str:
        rows = ([guess.label, percent(guess.probability)] for guess in self.guesses)
        table = markup.table(str(self.image or ""), ["class", "probability"], rows, len(self.guesses))
        return markup.page(markup.paragraph(str(self), "error") if self.error else table)

    def __str__(self) -> str:
        guesses = self.error or ", ".join(f"{guess.label} {100 * guess.probability:.2f} %" for guess in self.guesses)
        return f"{self.image}: {guesses}" if self.image else guesses


@frozen
class VariantResult:
    """One combination of network, recipe and settings in an experiment, over its seeds.

    `accuracies` and `runs` are those of the finished runs in order of their seeds; `planned` is the number of runs that
    the experiment asks for, `seconds` the mean duration of a run.
    """

    name: str
    accuracies: tuple[float, ...]
    runs: tuple[Path, ...]
    planned: int
    parameters: int
    macs: int
    seconds: float

    @property
    def mean(self) -> float | None:
        """The mean accuracy; None without a finished run."""
        return mean(self.accuracies) if self.accuracies else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation of the accuracies; None for fewer than two."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None


@frozen
class ExperimentResult(Readable):
    """The results of an experiment.

    `report` is the path of report.html, None without a finished run; `failed` has the errors of failed runs, by folder.
    `warnings` are about the networks, and about runs that were trained on different images.
    """

    name: str
    folder: Path
    variants: tuple[VariantResult, ...]
    report: Path | None
    failed: Mapping[str, SpecError]
    interrupted: bool
    warnings: tuple[Diagnostic, ...] = ()

    def _repr_html_(self) -> str:
        title, *_ = str(self).splitlines()
        headings = ["", "accuracy", "standard deviation", "runs", "parameters", "MACs", "seconds"]
        rows = (
            [
                row.name,
                percent(row.mean),
                percent(row.std),
                len(row.runs),
                row.parameters,
                row.macs,
                f"{row.seconds:.1f}",
            ]
            for row in self.variants
        )
        table = markup.table(title, headings, rows, len(self.variants))
        return markup.page(table, *plots([self.folder / EXPERIMENT_CURVES]))

    def __str__(self) -> str:
        width = max((len(row.name) for row in self.variants), default=0)
        rows = [
            f"{row.name:<{width}}   {_spread(row)}   {len(row.runs)} of {row.planned} runs" for row in self.variants
        ]
        return "\n".join([f"{self.name} · {self.folder}", *rows])


def _spread(row: VariantResult) -> str:
    deviation = f" ± {100 * row.std:.2f}" if row.std is not None else ""
    return f"{named_percent('accuracy', row.mean)}{deviation}"
