"""A run's network on the images of its data, or of another folder of the same classes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe.sets import SETS
from cnngraph.runs.evaluated import ALL, TEST, TRAIN, VALIDATION, find_images
from cnngraph.runs.finished import FinishedRun
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.images import Split
from cnngraph.train.data.loading import Note
from cnngraph.train.data.named_sets import BUNDLED
from cnngraph.train.loop.device import choose_device
from cnngraph.train.loop.evaluation import evaluate
from cnngraph.train.loop.loader import EvaluationLoader
from cnngraph.train.loop.precision import precision_of
from cnngraph.train.record import files
from cnngraph.train.record.plots import confusion_figure
from cnngraph.train.record.scores import Report, Scores
from cnngraph.train.run import title_of

PARTS = (TEST, VALIDATION, TRAIN, ALL)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: the figures, whose they are, and how long it took."""

    run: FinishedRun
    weights: str
    data: str
    part: str
    report: Report
    seconds: float
    warnings: tuple[Diagnostic, ...] = ()  # how the images differ from those of the run

    def to_dict(self) -> dict[str, Any]:
        """Everything by its name, for JSON."""
        return {
            "run": str(self.run.folder.path),
            "network": self.run.graph.name,
            "weights": self.weights,
            "data": self.data,
            "part": self.part,
            "images": self.report.images,
            "loss": self.report.loss,
            "top1": self.report.accuracy,
            "top5": self.report.top5,
            "classes": [each.row() for each in self.report.by_class()],
            "confusion": self.report.confusion,
            "seconds": round(self.seconds, 3),
            "warnings": [each.to_dict() for each in self.warnings],
        }

    def draw(self, path: Path) -> None:
        """Draw the confusion matrix, as PNG, SVG or PDF by the path's ending."""
        title = f"{self.run.graph.name}, {self.weights} weights, {self.part} images"
        files.write_figure(path, confusion_figure(title, self.report))


def evaluate_run(
    run: FinishedRun,
    *,
    part: str = TEST,
    weights: str | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    note: Note = print,
) -> Evaluation:
    """Look at every image of a part with the run's weights, as the run itself did.

    `data_dir` is another place of the run's data, or another folder of images of its classes; without it, the run's
    own. The splits of the run's own images are those that the run recorded, and what has changed since is among the
    warnings. The part `all` is every image that there is. Raises SpecError where images or weights are missing, and
    (E653) where the run's images are bundled, so that they have no other place.
    """
    if data_dir and run.recipe.data.name == BUNDLED:
        message = "the data of this run come along with cnngraph: --data-dir does not apply"
        help = "cnngraph predict RUN FOLDER says what other images show"
        raise SpecError.of("E653", message, help=help)
    chosen, where = run.chosen(weights), choose_device(device)
    found = find_images(run, part, data_dir, note)
    recipe, parts = run.recipe, found.parts
    scores = Scores(parts.classes, where)
    began = time.perf_counter()
    model = run.model(chosen, where)
    preparation = Preparation.of(recipe, parts.shape[0], where)
    with precision_of(recipe.precision, where):
        batches = _batches(found.wanted, preparation, where)
        evaluate(model, batches, where, scores)
    for file in parts.broken:
        note(f"skipped: {file} is no image that can be read")
    data = str(data_dir) if data_dir and recipe.data.name not in SETS else title_of(recipe)
    seconds = time.perf_counter() - began
    return Evaluation(run, chosen, data, part, scores.read(), seconds, found.warnings)


def _batches(parts: list[Split], preparation: Preparation, device: torch.device) -> Iterable[Any]:
    for each in parts:
        yield from EvaluationLoader(each, preparation, device)
