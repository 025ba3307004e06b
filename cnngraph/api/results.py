"""What the functions of the API return: frozen values, readable in a notebook. Importing this loads no PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.packages import explained

if TYPE_CHECKING:
    from torch import nn


PICTURES = (".png", ".svg", ".pdf")


class Printer(Protocol):
    """What IPython hands to `_repr_pretty_`."""

    def text(self, text: str) -> None:
        """Write a text."""


class Readable:
    """Shows its `str` in IPython and notebooks."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True, slots=True)
class CheckResult(Readable):
    """All that is wrong with a file or a folder, each error and warning once, and the `files` that were checked.

    It can be iterated; `str()` gives the messages as `cnngraph check` prints them.
    """

    name: str
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return not self.errors

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are errors."""
        return tuple(found for found in self.diagnostics if found.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are warnings."""
        return tuple(found for found in self.diagnostics if found.severity is not Severity.ERROR)

    def raise_for_errors(self) -> None:
        """Raise SpecError where there is an error."""
        if not self.ok:
            raise SpecError(self.diagnostics)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.diagnostics)) or f"{self.name}: ok"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing of a network in one format; a notebook shows SVG, PNG and Mermaid. `str()` gives a textual format."""

    format: str
    data: bytes = field(repr=False)
    path: Path | None = None

    def __str__(self) -> str:
        if self.format in ("png", "pdf"):
            raise TypeError(f"a drawing as {self.format} is no text; its bytes are in .data")
        return self.data.decode()

    def _repr_svg_(self) -> str | None:
        return str(self) if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return self.data if self.format == "png" else None

    def _repr_markdown_(self) -> str | None:
        return f"```mermaid\n{self}\n```" if self.format == "mermaid" else None


class Metrics(NamedTuple):
    """Mean loss over some images, and the fraction of them that is classified correctly."""

    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One epoch. `train` is measured while the network learns, `validation` or `test` afterwards in eval mode.

    Exactly one of these two is there: `validation` where a best epoch is chosen, else `test`.
    """

    epoch: int
    learning_rate: float
    train: Metrics
    validation: Metrics | None
    test: Metrics | None
    seconds: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class TrainResult(Readable):
    """A run that ended. Everything in it, and more, is in its `folder`.

    `best` is the epoch with the best validation accuracy, None where no epoch is chosen. `test` are the metrics of the
    chosen weights on the test images, None where there are none or the run was `interrupted`.
    """

    network: str
    folder: Path
    epochs: tuple[EpochMetrics, ...]
    best: EpochMetrics | None
    test: Metrics | None
    interrupted: bool
    seconds: float

    @property
    def accuracy(self) -> float | None:
        """The accuracy to report: on the test images, or the best one on the validation images."""
        if self.test:
            return self.test.accuracy
        return self.best.validation.accuracy if self.best and self.best.validation else None

    @explained()
    def load_model(self, weights: str | None = None, device: str = "cpu") -> nn.Module:
        """The trained network in eval mode, with its `best` (the default), `last` or `epoch-0010` weights.

        Raises SpecError (E645, E650) where the run's folder is damaged or lacks them.
        """
        from cnngraph.runs.trained_run import TrainedRun
        from cnngraph.train.loop.device import choose_device

        run = TrainedRun.open(self.folder)
        return run.model(run.choose_weights(weights), choose_device(device))

    def __str__(self) -> str:
        rows = [f"epoch {row.epoch:>3}   {_columns(row)}" for row in self.epochs]
        end = "interrupted" if self.interrupted else _percent("accuracy", self.accuracy)
        return "\n".join([f"{self.network} · {self.folder} · {end}", *rows])


def _columns(row: EpochMetrics) -> str:
    named = {"train": row.train, "validation": row.validation, "test": row.test}
    return "   ".join(
        f"{split} loss {metrics.loss:.4f} {100 * metrics.accuracy:6.2f} %"
        for split, metrics in named.items()
        if metrics
    )


def _percent(name: str, value: float | None) -> str:
    return f"{name} –" if value is None else f"{name} {100 * value:.2f} %"


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class: its images, and precision and recall; None where there is nothing to measure them on."""

    name: str
    images: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class EvaluationResult(Readable):
    """A trained network measured on the images of a split.

    `confusion` has a row for each true class and a column for each predicted one. `top5` is None for five classes or
    fewer. `warnings` say how the images differ from those that the run recorded.
    """

    run: Path
    network: str
    weights: str
    data: str
    split: str
    images: int
    loss: float
    accuracy: float
    top5: float | None
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)
    seconds: float
    warnings: tuple[Diagnostic, ...] = ()

    @explained()
    def draw(self, path: str | Path) -> Path:
        """Draw the confusion matrix into a file: .png, .svg or .pdf. Raises ValueError for another ending."""
        file = Path(path)
        if file.suffix.lower() not in PICTURES:
            raise ValueError(f"{file} must end in {', '.join(PICTURES)}")
        from cnngraph.train.record import files
        from cnngraph.train.record.plots import confusion_figure
        from cnngraph.train.record.scores import Report

        report = Report(tuple(row.name for row in self.classes), self.confusion, self.loss, self.top5)
        title = f"{self.network}, {self.weights} weights, {self.split} images"
        files.write_figure(file, confusion_figure(title, report))
        return file

    def __str__(self) -> str:
        top5 = [] if self.top5 is None else [_percent("top-5", self.top5)]
        facts = [f"loss {self.loss:.4f}", _percent("top-1", self.accuracy), *top5]
        head = [f"{self.network} · {self.weights} weights · {self.data} · {self.images:,} {self.split} images"]
        width = max((len(row.name) for row in self.classes), default=0)
        rows = [
            f"{row.name:<{width}}   {row.images:>7,}   {_percent('precision', row.precision)}   "
            f"{_percent('recall', row.recall)}"
            for row in self.classes
        ]
        return "\n".join([*head, " · ".join(facts), "", *rows])


class Guess(NamedTuple):
    """A class, and the probability that the network gives it."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction(Readable):
    """The most probable classes of one image, the first one first.

    `image` is the file, None for an image in memory. `error` says why a file could not be read; it is empty otherwise.
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

    def __str__(self) -> str:
        guesses = self.error or ", ".join(f"{guess.label} {100 * guess.probability:.2f} %" for guess in self.guesses)
        return f"{self.image}: {guesses}" if self.image else guesses


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What an experiment compares: one network, recipe and setting over its seeds.

    `accuracies` and `runs` are those of its finished runs in the order of their seeds; `planned` is how many there
    should be, `seconds` the mean time of one.
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


@dataclass(frozen=True, slots=True)
class ExperimentResult(Readable):
    """An experiment's runs and their comparison.

    `report` is its page report.html, None where no run is finished; `failed` has the errors of the runs that did not
    reach their end, by folder; `warnings` are about its networks, and about runs that
    were trained on different images.
    """

    name: str
    folder: Path
    variants: tuple[VariantResult, ...]
    report: Path | None
    failed: Mapping[str, SpecError]
    interrupted: bool
    warnings: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        width = max((len(row.name) for row in self.variants), default=0)
        rows = [
            f"{row.name:<{width}}   {_spread(row)}   {len(row.runs)} of {row.planned} runs" for row in self.variants
        ]
        return "\n".join([f"{self.name} · {self.folder}", *rows])


def _spread(row: VariantResult) -> str:
    deviation = f" ± {100 * row.std:.2f}" if row.std is not None else ""
    return f"{_percent('accuracy', row.mean)}{deviation}"
