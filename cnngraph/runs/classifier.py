"""A trained network that can be applied to image files: its weights, classes and image preparation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from cnngraph.backend import load_weights, lower, open_weights, published_weights
from cnngraph.compilation import compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, Source, Span, SpecError
from cnngraph.document import value_of
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.initial_weights import is_published
from cnngraph.language.load import Override
from cnngraph.library import ENDINGS, is_name, network_files
from cnngraph.runs.trained_run import TrainedRun
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.resampling import size_with_shorter_side
from cnngraph.train.data.decoding import load_upright
from cnngraph.train.data.images import Crops, decode
from cnngraph.train.loop.device import choose_device
from cnngraph.train.loop.precision import autocast


class Box(NamedTuple):
    """A rectangle in an image, in pixels from its upper left corner; `right` and `bottom` are exclusive."""

    left: float
    top: float
    right: float
    bottom: float


class ImageReader(ABC):
    """Reads images and prepares them as the network expects them."""

    @abstractmethod
    def read(self, file: Path | Image.Image) -> Tensor:
        """An image file, or a Pillow image, as the network's input C×H×W. Raises ImageError."""

    @abstractmethod
    def visible_box(self, width: int, height: int) -> Box:
        """The rectangle of an image of this size, after EXIF rotation, that the network sees."""


@frozen(slots=False, eq=False)
class RunImageReader(ImageReader):
    """Prepares images as the run does for evaluation: resized to `image` (C×H×W), centre-cropped and normalised."""

    image: tuple[int, int, int]
    preparation: Preparation
    crops: Crops | None = None

    def read(self, file: Path | Image.Image) -> Tensor:
        """The image as the network's input C×H×W. Raises ImageError."""
        return self.preparation.for_evaluation(decode(file, self.image, self.crops)[None], bool(self.crops))[0]

    def visible_box(self, width: int, height: int) -> Box:
        """The centre crop of the recipe, or the whole image if it has none."""
        resized = (height, width) if self.crops else self.image[1:]
        evaluation = self.preparation.evaluation
        if evaluation and evaluation.resize:
            resized = size_with_shorter_side(resized, evaluation.resize)
        return _centre_box(evaluation.crop if evaluation else resized, resized, width, height)


@frozen(slots=False, eq=False)
class PublishedImageReader(ImageReader):
    """Prepares images with `transforms`, the ones that torchvision publishes with its weights."""

    transforms: Any

    def read(self, file: Path | Image.Image) -> Tensor:
        """The image as the network's input C×H×W. Raises ImageError."""
        prepared: Tensor = self.transforms(load_upright(file, "RGB"))
        return prepared

    def visible_box(self, width: int, height: int) -> Box:
        """The centre crop, after the shorter side was resized."""
        (resized,), (crop,) = self.transforms.resize_size, self.transforms.crop_size
        factor = resized / min(width, height)
        return _centre_box((crop, crop), (height * factor, width * factor), width, height)


def _centre_box(crop: Sequence[float], resized: Sequence[float], width: int, height: int) -> Box:
    """The centre `crop` of an image that was resized to `resized`, in pixels of the original; sizes are H×W."""
    high, wide = (min(1.0, side / full) for side, full in zip(crop, resized, strict=True))
    return Box(width * (1 - wide) / 2, height * (1 - high) / 2, width * (1 + wide) / 2, height * (1 + high) / 2)


@frozen(slots=False, eq=False)
class Classifier:
    """A trained network in eval mode and its classes. `weights` is the name of its weights in messages."""

    graph: Graph
    model: nn.Module
    weights: str
    classes: tuple[str, ...]
    reader: ImageReader
    device: torch.device
    precision: str = "fp32"
    warnings: tuple[Diagnostic, ...] = ()  # about the run it comes from

    @torch.inference_mode()
    def run(self, model: nn.Module, images: Sequence[Tensor]) -> Any:
        """The outputs of `model` for prepared images; `model` is this network or another one with its weights."""
        return self.run_with_gradient(model, images)

    def run_with_gradient(self, model: nn.Module, images: Sequence[Tensor]) -> Any:
        """As `run`, but autograd records the outputs."""
        batch = torch.stack(list(images)).to(self.device, memory_format=torch.channels_last)
        with autocast(self.precision, self.device):
            return model(batch)


def open_classifier(
    run_or_network: str, weights: str | None, device: str, *, plugins: Sequence[str] = (), max_nodes: int = MAX_NODES
) -> Classifier:
    """The classifier of a run's folder, or of a network by name with torchvision's weights.

    Raises SpecError: E650 if it is neither, E645 for a damaged run, E705 and E706 for published weights.
    """
    is_folder = Path(run_or_network).is_dir()
    if weights and is_published(weights):
        if is_folder:
            message = f"{run_or_network} is a folder, but {weights} weights need the name of a network"
            raise SpecError.of("E650", message, help="omit `weights`: a run has its own")
        return classifier_from_torchvision(run_or_network, weights, device)
    is_network = run_or_network.endswith(ENDINGS) or (is_name(run_or_network) and run_or_network in network_files())
    if not is_folder and is_network:
        help = "use torchvision's weights with `--weights torchvision`, or train the network with `cnngraph train`"
        raise SpecError.of("E650", f"{run_or_network} is a network, not the folder of a run", help=help)
    run = TrainedRun.open(Path(run_or_network), plugins=plugins, max_nodes=max_nodes)
    return classifier_from_run(run, weights, device)


def classifier_from_run(run: TrainedRun, weights: str | None, device: str) -> Classifier:
    """The classifier that a run trained. Raises SpecError (E650) if its folder lacks a file."""
    data, chosen, torch_device = run.require_data(), run.choose_weights(weights), choose_device(device)
    preparation = Preparation.of(run.recipe, data.image[0], torch.device("cpu"))
    reader = RunImageReader(data.image, preparation, Crops.of(run.recipe))
    model = run.model(chosen, torch_device)
    return Classifier(
        run.graph, model, f"{chosen} weights", data.classes, reader, torch_device, run.recipe.precision, run.warnings
    )


def classifier_from_torchvision(spec: str, weights: str, device: str) -> Classifier:
    """A network with the weights and classes that torchvision publishes; `weights` is `torchvision[:VERSION]`.

    The network's params are set to the values that the weights need. Raises SpecError: E705, E706, errors in the spec.
    """
    graph, torch_device = _load(spec, {}), choose_device(device)
    names = base_names(graph)
    _, published = published_weights(names, weights)
    opened = open_weights(weights, names)
    expected = {name: value for name, value in opened.expects.items() if name in graph.params}
    if expected:
        graph = _load(spec, expected)
    classes = tuple(published.meta["categories"])
    (output, *_) = graph.outputs.values()
    if graph.type_of(output).sizes != (len(classes),):
        raise SpecError.of("E650", f"`{graph.name}` has no output for the {len(classes):,} classes of {opened.name}")
    model = lower(graph)
    load_weights(model, opened)
    model = model.to(torch_device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return Classifier(graph, model, opened.name, classes, PublishedImageReader(published.transforms()), torch_device)


def _load(spec: str, params: dict[str, Any]) -> Graph:
    """Compile a network with other values of its params."""
    span = Span(Source("published weights", " "), 1, 1, 1, 2)
    changes = [Override(name, value_of(value, span)) for name, value in params.items()]
    return network_of(compile_spec(spec, changes), spec)
