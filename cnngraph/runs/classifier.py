"""A trained network with all it takes to ask it about an image file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from cnngraph.backend import load_weights, lower, open_weights, published_weights
from cnngraph.backend.weights.published import TORCHVISION
from cnngraph.compilation import compile_spec, network_of
from cnngraph.diagnostics import Diagnostic, Source, Span, SpecError
from cnngraph.document import value_of
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override
from cnngraph.library import ENDINGS, is_name, network_files
from cnngraph.runs.finished import FinishedRun
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.resampling import size_with_shorter_side
from cnngraph.train.data.decoding import load_upright
from cnngraph.train.data.images import Crops, decode
from cnngraph.train.loop.device import choose_device
from cnngraph.train.loop.precision import precision_of


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float


class Reader(ABC):
    """Image files as the network was taught to see them."""

    @abstractmethod
    def tensor(self, file: Path | Image.Image) -> Tensor:
        """The file, or an image of Pillow's, as C×H×W numbers. Raises ImageError."""

    @abstractmethod
    def seen(self, width: int, height: int) -> Box:
        """Which part of an upright picture of that size the network sees."""


@dataclass(frozen=True, eq=False)
class RunReader(Reader):
    """As the images of a run are evaluated: resized to `image`, the middle cut out, normalised."""

    image: tuple[int, int, int]
    preparation: Preparation
    crops: Crops | None = None

    def tensor(self, file: Path | Image.Image) -> Tensor:
        """The file as C×H×W numbers."""
        return self.preparation.for_evaluation(decode(file, self.image, self.crops)[None], bool(self.crops))[0]

    def seen(self, width: int, height: int) -> Box:
        """The middle, where the recipe cuts it out; else all of it."""
        full = (height, width) if self.crops else self.image[1:]
        evaluation = self.preparation.evaluation
        if evaluation and evaluation.resize:
            full = size_with_shorter_side(full, evaluation.resize)
        return _middle(evaluation.crop if evaluation else full, full, width, height)


@dataclass(frozen=True, eq=False)
class PublishedReader(Reader):
    """As torchvision evaluates its published weights: `transforms` is what it says of them."""

    transforms: Any

    def tensor(self, file: Path | Image.Image) -> Tensor:
        """The file as C×H×W numbers."""
        prepared: Tensor = self.transforms(load_upright(file, "RGB"))
        return prepared

    def seen(self, width: int, height: int) -> Box:
        """The middle of the picture, its shorter side resized."""
        (resized,), (crop,) = self.transforms.resize_size, self.transforms.crop_size
        factor = resized / min(width, height)
        return _middle((crop, crop), (height * factor, width * factor), width, height)


def _middle(crop: Sequence[float], full: Sequence[float], width: int, height: int) -> Box:
    """The middle `crop` of a picture that was resized to `full` (heights, then widths), in pixels of the picture."""
    high, wide = (min(1.0, part / whole) for part, whole in zip(crop, full, strict=True))
    return Box(width * (1 - wide) / 2, height * (1 - high) / 2, width * (1 + wide) / 2, height * (1 + high) / 2)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network, its weights and its classes. `weights` is what a person calls the weights."""

    graph: Graph
    model: nn.Module
    weights: str
    classes: tuple[str, ...]
    reader: Reader
    device: torch.device
    precision: str = "fp32"
    warnings: tuple[Diagnostic, ...] = ()  # about the run that it is from

    @torch.inference_mode()
    def run(self, model: nn.Module, images: Sequence[Tensor]) -> Any:
        """What a network gives for prepared images: this one's, or another one with its weights."""
        batch = torch.stack(list(images)).to(self.device, memory_format=torch.channels_last)
        with precision_of(self.precision, self.device):
            return model(batch)


def open_classifier(
    trained: str, weights: str | None, device: str, *, plugins: Sequence[str] = (), max_nodes: int = MAX_NODES
) -> Classifier:
    """The classifier of a run's folder, or with weights of torchvision's that of a network by its name.

    Raises SpecError (E650 for what is neither, E645 for a damaged run, E705, E706 for weights).
    """
    is_folder = Path(trained).is_dir()
    if weights and is_published(weights):
        if is_folder:
            message = f"{trained} is a folder: {weights} weights belong to a network that is given by its name"
            raise SpecError.of("E650", message, help="a run has weights of its own: leave the weights out")
        return of_torchvision(trained, weights, device)
    if not is_folder and (trained.endswith(ENDINGS) or (is_name(trained) and trained in network_files())):
        help = "torchvision's published weights are used by --weights torchvision; cnngraph train makes a run of it"
        raise SpecError.of("E650", f"{trained} is a network, not the folder of a run", help=help)
    return of_run(FinishedRun.open(Path(trained), plugins=plugins, max_nodes=max_nodes), weights, device)


def of_run(run: FinishedRun, weights: str | None, device: str) -> Classifier:
    """The classifier that a run trained. Raises SpecError (E650) where its folder lacks something."""
    data, chosen, where = run.need_data(), run.chosen(weights), choose_device(device)
    preparation = Preparation.of(run.recipe, data.image[0], torch.device("cpu"))
    reader = RunReader(data.image, preparation, Crops.of(run.recipe))
    model = run.model(chosen, where)
    return Classifier(
        run.graph, model, f"{chosen} weights", data.classes, reader, where, run.recipe.precision, run.warnings
    )


def of_torchvision(spec: str, weights: str, device: str) -> Classifier:
    """A network with the weights and the classes that torchvision publishes; `weights` is torchvision[:VERSION].

    What the weights expect of the network's params is so. Raises SpecError (E705, E706, the spec's own mistakes).
    """
    graph, where = _load(spec, {}), choose_device(device)
    names = base_names(graph)
    _, published = published_weights(names, weights.partition(":")[2])
    opened = open_weights(weights, names)
    expected = {name: value for name, value in opened.expects.items() if name in graph.params}
    if expected:
        graph = _load(spec, expected)
    classes = tuple(published.meta["categories"])
    (output, *_) = graph.outputs.values()
    if graph.type_of(output).sizes != (len(classes),):
        raise SpecError.of(
            "E650", f"{graph.name} has no output of the {len(classes):,} classes that {opened.name} tells apart"
        )
    model = lower(graph)
    load_weights(model, opened)
    model = model.to(where, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return Classifier(graph, model, opened.name, classes, PublishedReader(published.transforms()), where)


def _load(spec: str, params: dict[str, Any]) -> Graph:
    """The network with what its weights expect of its params."""
    span = Span(Source("published weights", " "), 1, 1, 1, 2)
    changes = [Override(name, value_of(value, span)) for name, value in params.items()]
    return network_of(compile_spec(spec, changes), spec)


def is_published(weights: str | None) -> bool:
    """Whether the words mean weights of torchvision's."""
    return (weights or "").partition(":")[0] == TORCHVISION
