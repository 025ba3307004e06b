"""Maps of where an image shows a class: class activation maps (CAM) and Grad-CAM.

CAM (Zhou et al. 2016): if all layers after the global average pooling are linear, they can be applied to each position
of the last feature map instead, and the score of a class is the mean of the resulting map of scores.

Grad-CAM (Selvaraju et al. 2017), for any other network: the channels of a feature map are weighted by the mean gradient
of the class's score with respect to them, summed, and negative sums are set to 0. Where CAM applies, both are the same
but for a constant factor, the bias of the linear layers, and the negative sums.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.analysis.head import Head, class_scores, find_head, is_spatial, last_map
from cnngraph.backend import lower
from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.language.names import tensor_path
from cnngraph.numbers import show_sizes
from cnngraph.passes.tap import live_nodes, tapped, tensor_at
from cnngraph.runs.classifier import Classifier


class ClassMaps(ABC):
    """Computes where an image shows a class. `layer` is the path of the feature map, `shape` its shape C×H×W."""

    method: ClassVar[str]

    def __init__(self, classifier: Classifier, map: Ref, scores: Ref, layer: str | None = None) -> None:
        self.classifier = classifier
        self.layer = layer or path_of(classifier.graph, map)
        self.shape = classifier.graph.type_of(map).sizes
        inner = lower(tapped(classifier.graph, {"map": map, "scores": scores}))
        inner.load_state_dict(classifier.model.state_dict())
        self.model: nn.Module = inner.to(classifier.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @abstractmethod
    def compute(self, image: Tensor, label: int | None) -> tuple[Tensor, int, Tensor]:
        """The scores of all classes, the label (the most probable class for None), and its H×W map.

        `image` is the network's input C×H×W.
        """


class ActivationMaps(ClassMaps):
    """CAM: the linear layers of the head, applied to each position of the last feature map."""

    method: ClassVar[str] = "CAM"

    def __init__(self, classifier: Classifier, head: Head) -> None:
        super().__init__(classifier, head.map, head.scores)
        self.head = head

    @torch.inference_mode()
    def compute(self, image: Tensor, label: int | None) -> tuple[Tensor, int, Tensor]:
        """The map, whose mean is the score of the class."""
        features, scores = self.classifier.run(self.model, [image])
        scores = scores.flatten().float()
        label = int(scores.argmax()) if label is None else label
        return scores, label, class_score_maps(self.head, self.model, features.float())[0, label].cpu()


class GradCam(ClassMaps):
    """Grad-CAM: the channels of a feature map, weighted by the gradient of the class's score."""

    method: ClassVar[str] = "Grad-CAM"

    def __init__(self, classifier: Classifier, map: Ref, scores: Ref, layer: str | None = None) -> None:
        super().__init__(classifier, map, scores, layer)
        self.model.requires_grad_(True)

    def compute(self, image: Tensor, label: int | None) -> tuple[Tensor, int, Tensor]:
        """The map, which has no negative values."""
        with torch.enable_grad():
            features, scores = self.classifier.run_with_gradient(self.model, [image])
            scores = scores.flatten().float()
            label = int(scores.argmax()) if label is None else label
            (gradient,) = torch.autograd.grad(scores[label], features)
        weights = gradient[0].float().mean((1, 2))
        found = (weights[:, None, None] * features.detach()[0].float()).sum(0).relu()
        return scores.detach(), label, found.cpu()


def choose_class_maps(classifier: Classifier, layer: str | None = None) -> ClassMaps:
    """CAM if the network ends with global average pooling and linear layers, else Grad-CAM for its last feature map.

    `layer` is the path of a node or block, for Grad-CAM at its output.
    Raises SpecError: E654 if the network has no feature map, E652 if there is no such layer, or it is none.
    """
    graph = classifier.graph
    scores = class_scores(graph)
    if layer is not None:
        return GradCam(classifier, _map_at(graph, layer, scores), scores, layer)
    if head := find_head(graph):
        return ActivationMaps(classifier, head)
    map = last_map(graph)
    if map is None:
        message = f"`{graph.name}` has no feature map with more than one position"
        help = "use a network with convolutions, for example resnet18"
        raise SpecError.of("E654", message, help=help)
    return GradCam(classifier, map, scores)


def class_score_maps(head: Head, model: nn.Module, features: Tensor) -> Tensor:
    """The class scores at each position of a feature map, N×classes×H×W: linear layers act as 1×1 convolutions."""
    for path in head.layers:
        layer = model.get_submodule(path)
        if isinstance(layer, nn.Linear):
            features = F.conv2d(features, layer.weight[:, :, None, None], layer.bias)
        else:
            features = layer(features)
    return features


def path_of(graph: Graph, ref: Ref) -> str:
    """The path of a tensor; the name of an input."""
    if ref.node < 0:
        return list(graph.inputs)[-1 - ref.node]
    node = graph.nodes[ref.node]
    return tensor_path(node.path, ref.output) if node.is_list else node.path


def _map_at(graph: Graph, layer: str, scores: Ref) -> Ref:
    """The feature map at a path. Raises SpecError (E652)."""
    ref = tensor_at(graph, layer)
    default = last_map(graph)
    help = f"use `--layer {path_of(graph, default)}`, or a map before it" if default else None
    if not is_spatial(graph, ref):
        kind = show_sizes(graph.type_of(ref).sizes)
        message = f"the output of `{layer}` is {kind}, not a feature map with more than one position"
        raise SpecError.of("E652", message, help=help)
    if ref.node not in live_nodes(tapped(graph, {"scores": scores})):
        raise SpecError.of("E652", f"the scores of the classes do not depend on `{layer}`", help=help)
    return ref
