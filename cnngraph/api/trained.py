"""`evaluate` and `predict`: what a trained network is worth, and what it sees in images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cnngraph.api.arguments import Plugins, plugin_names
from cnngraph.api.progress import Note, ProgressCallback, ignore_progress
from cnngraph.api.results import ClassMetrics, EvaluationResult, Guess, Prediction, TrainResult
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.packages import explained

if TYPE_CHECKING:
    from cnngraph.runs.finished import FinishedRun
    from cnngraph.runs.image_inputs import ImageLike

Run: TypeAlias = "str | Path | TrainResult"


@explained()
def evaluate(
    run: Run,
    split: str = "test",
    /,
    *,
    weights: str | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    progress: ProgressCallback = ignore_progress,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> EvaluationResult:
    """Measure a trained network on the images of a split, class by class.

    `run` is a run's folder, or what `train` returned; `split` is `test`, `validation`, `train` or `all`. `weights` are
    the run's `best` (the default, where an epoch was chosen), `last` or `epoch-0010`. `data_dir` is another folder of
    images of the same classes; by default the images are those of the run, split as it recorded them. `progress` is
    called with a note for everything worth one.

    Raises SpecError where the folder holds no run, the run is damaged, or weights or images are missing; PackageError,
    an ImportError, for a package that is missing.
    """
    from cnngraph.runs.evaluation import evaluate_run

    def note(text: str) -> None:
        progress(Note(text))

    done = evaluate_run(
        _open(run, plugins, max_nodes),
        part=split,
        weights=weights,
        data_dir=None if data_dir is None else Path(data_dir),
        device=device,
        note=note,
    )
    report = done.report
    return EvaluationResult(
        run=done.run.folder.path,
        network=done.run.graph.name,
        weights=done.weights,
        data=done.data,
        split=done.part,
        images=report.images,
        loss=report.loss,
        accuracy=report.accuracy,
        top5=report.top5,
        classes=tuple(ClassMetrics(row.name, row.images, row.precision, row.recall) for row in report.by_class()),
        confusion=report.confusion,
        seconds=done.seconds,
        warnings=(*done.run.warnings, *done.warnings),
    )


@explained()
def predict(
    run_or_network: Run,
    images: ImageLike | Iterable[ImageLike],
    /,
    *,
    top: int = 5,
    weights: str | None = None,
    device: str = "auto",
    strict: bool = True,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> list[Prediction]:
    """The `top` most probable classes of images, in their order.

    `run_or_network` is a run's folder, what `train` returned, or with `weights="torchvision"` a network of the library
    by its name. An image is a file, a folder (every image in it and below), an image of Pillow's, or a tensor: C×H×W,
    or N×C×H×W for several, as bytes from 0 to 255 or fractions from 0 to 1. Whatever its size and form, an image is
    prepared as the run's own images are for evaluation: resized, cropped and normalised.

    Raises SpecError where there is no such run, or (E621) an image cannot be read; without `strict` such an image has
    its `error` in the list instead. Raises TypeError or ValueError for a value that is no image.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    from cnngraph.runs.classifier import open_classifier
    from cnngraph.runs.image_inputs import given_images
    from cnngraph.runs.prediction import predict

    classifier = open_classifier(
        str(_location(run_or_network)), weights, device, plugins=plugin_names(plugins), max_nodes=max_nodes
    )
    found = []
    for answer in predict(classifier, given_images(images), top):
        if answer.problem and strict:
            raise SpecError.of("E621", answer.problem)
        guesses = tuple(Guess(guess.name, guess.probability) for guess in answer.guesses)
        found.append(Prediction(answer.file, guesses, answer.problem))
    return found


def _open(run: Run, plugins: Plugins, max_nodes: int) -> FinishedRun:
    from cnngraph.runs.finished import FinishedRun

    return FinishedRun.open(Path(_location(run)), plugins=plugin_names(plugins), max_nodes=max_nodes)


def _location(run: Run) -> str | Path:
    return run.folder if isinstance(run, TrainResult) else run
