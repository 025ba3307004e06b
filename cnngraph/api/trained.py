"""`evaluate` and `predict`: metrics and predictions of trained networks."""

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
    from cnngraph.runs.image_inputs import ImageLike
    from cnngraph.runs.trained_run import TrainedRun

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
    wrong: int = 0,
    progress: ProgressCallback = ignore_progress,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> EvaluationResult:
    """Evaluate a trained network on a split, with metrics by class.

    `run` is a run's folder, or the result of `train`; `split` is `test`, `validation`, `train` or `all`. `weights` are
    the run's `best` (the default, if there are validation images), `last` or `epoch-0010`. `data_dir` is another folder
    with images of the same classes; by default the run's own images are used, split as it recorded them. The
    result has the `wrong` most confident wrong predictions, with their images. `progress` is called with messages, for
    example about a download.

    Raises SpecError if the folder holds no run, the run is damaged, or weights or images are missing; PackageError, an
    ImportError, if a package is missing.
    """
    if wrong < 0:
        raise ValueError(f"wrong must be at least 0, got {wrong}")
    from cnngraph.runs.evaluation import evaluate_run

    def note(text: str) -> None:
        progress(Note(text))

    evaluation = evaluate_run(
        _open(run, plugins, max_nodes),
        split=split,
        weights=weights,
        data_dir=None if data_dir is None else Path(data_dir),
        device=device,
        note=note,
        wrong=wrong,
    )
    report = evaluation.report
    return EvaluationResult(
        run=evaluation.run.folder.path,
        network=evaluation.run.graph.name,
        weights=evaluation.weights,
        data=evaluation.data,
        split=evaluation.split,
        images=report.images,
        loss=report.loss,
        accuracy=report.accuracy,
        top5=report.top5,
        classes=tuple(ClassMetrics(row.name, row.images, row.precision, row.recall) for row in report.by_class()),
        confusion=report.confusion,
        seconds=evaluation.seconds,
        warnings=(*evaluation.run.warnings, *evaluation.warnings),
        wrong=evaluation.wrong or (),
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
    """Predict the `top` most probable classes of each image, in the order of the images.

    `run_or_network` is a run's folder, the result of `train`, or with `weights="torchvision"` the name of a bundled
    network. An image is a file, a folder (all images in it and its subfolders), a Pillow image, or a tensor: C×H×W, or
    N×C×H×W for several, with bytes from 0 to 255 or floats from 0 to 1. Images of any size are resized, cropped and
    normalised like the run's own images for evaluation.

    Raises SpecError if there is no such run, or if an image cannot be read (E621); without `strict`, the prediction of
    such an image has an `error` instead. Raises TypeError or ValueError for a value that is not an image.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    from cnngraph.runs.classifier import open_classifier
    from cnngraph.runs.image_inputs import iter_images
    from cnngraph.runs.prediction import predict

    classifier = open_classifier(
        str(_location(run_or_network)), weights, device, plugins=plugin_names(plugins), max_nodes=max_nodes
    )
    predictions = []
    for answer in predict(classifier, iter_images(images), top):
        if answer.problem and strict:
            raise SpecError.of("E621", answer.problem)
        guesses = tuple(Guess(guess.name, guess.probability) for guess in answer.guesses)
        predictions.append(Prediction(answer.file, guesses, answer.problem))
    return predictions


def _open(run: Run, plugins: Plugins, max_nodes: int) -> TrainedRun:
    from cnngraph.runs.trained_run import TrainedRun

    return TrainedRun.open(Path(_location(run)), plugins=plugin_names(plugins), max_nodes=max_nodes)


def _location(run: Run) -> str | Path:
    return run.folder if isinstance(run, TrainResult) else run
