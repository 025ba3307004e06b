"""`evaluate`, `predict`, `localize` and `features`: what trained networks compute for images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cnngraph.api.arguments import Plugins, plugin_names
from cnngraph.api.evaluation_result import ClassMetrics, EvaluationResult
from cnngraph.api.progress import Note, ProgressCallback, ignore_progress
from cnngraph.api.results import Guess, Prediction, TrainResult
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.packages import explained

if TYPE_CHECKING:
    from cnngraph.runs.classifier import Classifier
    from cnngraph.runs.feature_maps import FeatureMaps
    from cnngraph.runs.image_inputs import ImageLike
    from cnngraph.runs.localization import Localization
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
    from cnngraph.runs.image_inputs import iter_images
    from cnngraph.runs.prediction import predict

    classifier = _classifier(run_or_network, weights, device, plugins, max_nodes)
    predictions = []
    for answer in predict(classifier, iter_images(images), top):
        if answer.problem and strict:
            raise SpecError.of("E621", answer.problem)
        guesses = tuple(Guess(guess.name, guess.probability) for guess in answer.guesses)
        predictions.append(Prediction(answer.file, guesses, answer.problem))
    return predictions


@explained()
def localize(
    run_or_network: Run,
    images: ImageLike | Iterable[ImageLike],
    /,
    *,
    class_: str | None = None,
    threshold: float = 0.2,
    layer: str | None = None,
    weights: str | None = None,
    device: str = "auto",
    strict: bool = True,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> list[Localization]:
    """Find where each image shows a class: `class_`, or the most probable one.

    The arguments for the network and its images are those of `predict`. The map is a CAM if the network ends with
    global average pooling and linear layers, else a Grad-CAM; with `layer`, the path of a node or block, it is a
    Grad-CAM at its output. The box contains the positions that score at least `threshold` times the maximum. Notebooks
    show the picture of a result, and `draw` writes it.

    Raises SpecError if there is no such run, class (E651) or layer (E652), if the network has no feature map (E654), or
    if an image cannot be read (E621); without `strict`, the result for such an image has an `error` instead. Raises
    TypeError or ValueError for a value that is not an image, or a threshold that is not between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be from 0 to 1, got {threshold}")
    from cnngraph.runs.image_inputs import iter_images
    from cnngraph.runs.localizer import Localizer

    localizer = Localizer(_classifier(run_or_network, weights, device, plugins, max_nodes), class_, threshold, layer)
    found = []
    for place in localizer.localize(iter_images(images)):
        if place.error and strict:
            raise SpecError.of("E621", place.error)
        found.append(place)
    return found


@explained()
def features(
    run_or_network: Run,
    image: ImageLike,
    /,
    node: str,
    *,
    weights: str | None = None,
    device: str = "auto",
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> FeatureMaps:
    """Compute the output of a `node` or block, by its path, for one image.

    The arguments for the network and its image are those of `predict`. The result has the maps as a tensor; it is shown
    in notebooks, and `draw` writes its picture.

    Raises SpecError if there is no such run, if there is no such node or its output is neither maps nor a vector
    (E652), or if the image cannot be read (E621). Raises TypeError or ValueError for a value that is not one image.
    """
    from cnngraph.runs.features import features
    from cnngraph.runs.image_inputs import one_image

    source = one_image(image)
    return features(_classifier(run_or_network, weights, device, plugins, max_nodes), node, source)


def _classifier(run: Run, weights: str | None, device: str, plugins: Plugins, max_nodes: int) -> Classifier:
    from cnngraph.runs.classifier import open_classifier

    location = str(_location(run))
    return open_classifier(location, weights, device, plugins=plugin_names(plugins), max_nodes=max_nodes)


def _open(run: Run, plugins: Plugins, max_nodes: int) -> TrainedRun:
    from cnngraph.runs.trained_run import TrainedRun

    return TrainedRun.open(Path(_location(run)), plugins=plugin_names(plugins), max_nodes=max_nodes)


def _location(run: Run) -> str | Path:
    return run.folder if isinstance(run, TrainResult) else run
