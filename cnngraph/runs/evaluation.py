"""Evaluating a run's network on its data, or on another folder with the same classes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.frozen import frozen
from cnngraph.recipe.sets import SETS
from cnngraph.runs.contact_sheet import write_wrong_predictions
from cnngraph.runs.evaluation_images import TEST, find_images
from cnngraph.runs.prediction_log import PredictionLog
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.runs.wrong_predictions import WrongPrediction
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.identity import named_splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.named_sets import BUNDLED
from cnngraph.train.data.split import Split
from cnngraph.train.loop.device import choose_device
from cnngraph.train.loop.evaluation import Evaluator
from cnngraph.train.loop.loader import EvaluationLoader
from cnngraph.train.loop.precision import autocast
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.plots import confusion_figure
from cnngraph.train.record.scores import Report, Scores
from cnngraph.train.run import data_title


@frozen
class Evaluation:
    """The metrics of a run on a split. `weights` and `data` are names for people, `seconds` is the time it took."""

    run: TrainedRun
    weights: str
    data: str
    split: str
    report: Report
    seconds: float
    warnings: tuple[Diagnostic, ...] = ()  # how the images differ from those of the run
    wrong: tuple[WrongPrediction, ...] | None = None  # the most confident wrong predictions, if they were asked for

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as plain values, for JSON."""
        return {
            "run": str(self.run.folder.path),
            "network": self.run.graph.name,
            "weights": self.weights,
            "data": self.data,
            "split": self.split,
            "images": self.report.images,
            "loss": self.report.loss,
            "top1": self.report.accuracy,
            "top5": self.report.top5,
            "classes": [score.row() for score in self.report.by_class()],
            "confusion": self.report.confusion,
            "seconds": round(self.seconds, 3),
            "warnings": [warning.to_dict() for warning in self.warnings],
            **({} if self.wrong is None else {"wrong": [prediction.row() for prediction in self.wrong]}),
        }

    def draw(self, path: Path) -> None:
        """Draw the confusion matrix as PNG, SVG or PDF, depending on the file's ending."""
        run_file_formats.write_figure(path, confusion_figure(self.title, self.report))

    @property
    def title(self) -> str:
        """The title of pictures."""
        return f"{self.run.graph.name}, {self.weights} weights, {self.split} images"

    def write_wrong(self, path: Path) -> None:
        """Write the wrong predictions as a contact sheet, CSV or JSON, depending on the file's ending."""
        write_wrong_predictions(path, self.wrong or (), self.title, self.report.images - self.report.correct)


def evaluate_run(
    run: TrainedRun,
    *,
    split: str = TEST,
    weights: str | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    note: Note = print,
    wrong: int = 0,
) -> Evaluation:
    """Evaluate the run's network on a split, with the image preparation of the run; the split `all` is every image.

    `data_dir` is where the run's data are now, or another folder of images of the same classes; by default, the data
    are where they were during training. The splits of the run's own images are the recorded ones, and changes since
    then are among the warnings. The result has the `wrong` most confident wrong predictions. Raises SpecError if images
    or weights are missing, and E653 if the run's images are bundled, so that `data_dir` does not apply.
    """
    if data_dir and run.recipe.data.name == BUNDLED:
        message = "the images of this run are bundled with cnngraph, so `--data-dir` does not apply"
        help = "classify other images with `cnngraph predict RUN FOLDER`"
        raise SpecError.of("E653", message, help=help)
    chosen, torch_device = run.choose_weights(weights), choose_device(device)
    found = find_images(run, split, data_dir, note)
    recipe, splits = run.recipe, found.splits
    scores = Scores(splits.classes, torch_device)
    start = time.perf_counter()
    model = run.model(chosen, torch_device)
    preparation = Preparation.of(recipe, splits.shape[0], torch_device)
    with autocast(recipe.precision, torch_device):
        evaluator, log = Evaluator(model, torch_device), PredictionLog()
        if wrong:
            evaluator.add_event_handler(Events.ITERATION_COMPLETED, log.add)
        evaluator.evaluate(_batches(found.selected, preparation, torch_device), scores)
    for file in splits.broken:
        note(f"skipped {file}: it cannot be read as an image")
    data = str(data_dir) if data_dir and recipe.data.name not in SETS else data_title(recipe)
    seconds = time.perf_counter() - start
    names = {id(part): name for name, part in named_splits(splits).items()}
    parts = [(names.get(id(part), split), part) for part in found.selected]
    predictions = tuple(log.wrong(parts, splits.classes, wrong)) if wrong else None
    return Evaluation(run, chosen, data, split, scores.read(), seconds, found.warnings, predictions)


def _batches(splits: list[Split], preparation: Preparation, device: torch.device) -> Iterable[Any]:
    for split in splits:
        yield from EvaluationLoader(split, preparation, device)
