"""The result of `evaluate`: metrics by class, the confusion matrix and wrong predictions, as values and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph import markup
from cnngraph.api.readable import Readable, embedded, named_percent, percent
from cnngraph.diagnostics import Diagnostic
from cnngraph.frozen import frozen
from cnngraph.packages import explained
from cnngraph.runs.pictures import PICTURES, checked_path, png_of, write_picture
from cnngraph.runs.wrong_predictions import TABLES, WrongPrediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 25  # wrong predictions that a notebook shows


@frozen
class ClassMetrics:
    """The number of images of one class, and its precision and recall; None if undefined."""

    name: str
    images: int
    precision: float | None
    recall: float | None


@frozen
class EvaluationResult(Readable):
    """The metrics of a trained network on a split.

    `confusion` has a row for each true class and a column for each predicted one. `top5` is None for five classes or
    fewer. `warnings` report how the images differ from those that the run recorded. `wrong` are the most confident
    wrong predictions, as many as were asked for.
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
    wrong: tuple[WrongPrediction, ...] = field(default=(), repr=False)

    def save_wrong(self, path: str | Path) -> Path:
        """Write `wrong` as a contact sheet (.png, .svg, .pdf), .csv or .json. Raises ValueError for another ending."""
        file = checked_path(path, (*PICTURES, *TABLES))
        with explained():
            from cnngraph.runs.contact_sheet import write_wrong_predictions

            write_wrong_predictions(file, self.wrong, self._title, self._errors)
        return file

    def draw(self, path: str | Path) -> Path:
        """Draw the confusion matrix to a .png, .svg or .pdf file. Raises ValueError for another ending."""
        return write_picture(path, self._confusion_figure)

    def _confusion_figure(self) -> Figure:
        from cnngraph.train.record.plots import confusion_figure
        from cnngraph.train.record.scores import Report

        report = Report(tuple(row.name for row in self.classes), self.confusion, self.loss, self.top5)
        return confusion_figure(self._title, report)

    @property
    def _title(self) -> str:
        return f"{self.network}, {self.weights} weights, {self.split} images"

    @property
    def _errors(self) -> int:
        """The number of wrong predictions."""
        return self.images - sum(row[label] for label, row in enumerate(self.confusion))

    def _pictures(self) -> Iterator[str]:
        """The confusion matrix, and the wrong predictions if they were asked for, as HTML."""
        yield from embedded("confusion matrix", png_of(self._confusion_figure()))
        if self.wrong:
            from cnngraph.runs.contact_sheet import contact_sheet

            sheet = contact_sheet(self.wrong[:SHOWN], self._title, self._errors)
            yield from embedded("wrong predictions", png_of(sheet))

    def _repr_html_(self) -> str:
        head, facts, *_ = str(self).splitlines()
        rows = ([row.name, row.images, percent(row.precision), percent(row.recall)] for row in self.classes)
        table = markup.table(head, ["class", "images", "precision", "recall"], rows, len(self.classes))
        return markup.page(table, markup.paragraph(facts), *self._pictures())

    def __str__(self) -> str:
        top5 = [] if self.top5 is None else [named_percent("top-5", self.top5)]
        facts = [f"loss {self.loss:.4f}", named_percent("top-1", self.accuracy), *top5]
        head = [f"{self.network} · {self.weights} weights · {self.data} · {self.images:,} {self.split} images"]
        width = max((len(row.name) for row in self.classes), default=0)
        rows = [
            f"{row.name:<{width}}   {row.images:>7,}   {named_percent('precision', row.precision)}   "
            f"{named_percent('recall', row.recall)}"
            for row in self.classes
        ]
        return "\n".join([*head, " · ".join(facts), "", *rows])
