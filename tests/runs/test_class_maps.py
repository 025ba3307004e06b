"""CAM and Grad-CAM: the definitions of the papers, and the feature map that is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnngraph
from cnngraph import SpecError
from cnngraph.analysis.head import find_head, last_map
from cnngraph.passes.tap import tapped
from cnngraph.recipe import load_recipe
from cnngraph.runs.class_maps import ActivationMaps, GradCam, choose_class_maps, class_score_maps, path_of
from cnngraph.runs.classifier import Classifier, RunImageReader
from cnngraph.train.augment.preparation import Preparation
from tests.library import network

HEADS = [
    "nodes: [{op: conv, out: 6, kernel: 3}, relu, global_avg_pool, {op: dropout, p: 0.5}, {op: linear, out: 5}]",
    "nodes: [{op: conv, out: 6, kernel: 3}, {op: avg_pool, kernel: [10, 8]}, {op: conv, out: 5, kernel: 1}, flatten]",
    "nodes: [{op: conv, out: 6, kernel: 3}, {op: adaptive_avg_pool, output: 1}, flatten, {op: linear, out: 7}, "
    "{op: linear, out: 5, bias: false}, softmax]",
    "nodes: [{op: conv, out: 5, kernel: 3}, relu, {op: mean, dim: [height, width]}]",
]
FLAT = """
nodes:
  conv1: {op: conv, out: 6, kernel: 3}
  relu1: relu
  pool1: {op: max_pool, kernel: 2}
  conv2: {op: conv, out: 4, kernel: 3}
  relu2: relu
  pool2: {op: max_pool, kernel: 2, ceil_mode: true}
  flatten: flatten
  fc1: {op: linear, out: 9}
  relu3: relu
  fc2: {op: linear, out: 5}
"""


def load(folder: Path, nodes: str) -> cnngraph.Graph:
    (folder / "net.yaml").write_text(f"cnngraph: 1\nname: net\ninput: [3, 12, 10]\n{nodes}\n")
    return cnngraph.load(folder / "net.yaml")


def classifier_of(graph: cnngraph.Graph) -> Classifier:
    """An untrained network."""
    torch.manual_seed(0)
    model: nn.Module = cnngraph.build(graph).eval()
    (output, *_) = graph.outputs.values()
    classes = tuple(map(str, range(graph.type_of(output).count)))
    device = torch.device("cpu")
    reader = RunImageReader((3, 12, 10), Preparation.of(load_recipe("cifar"), 3, device))
    return Classifier(graph, model, "weights", classes, reader, device)


@pytest.mark.parametrize("nodes", HEADS)
def test_the_mean_of_a_cam_is_the_score(tmp_path: Path, nodes: str) -> None:
    graph = load(tmp_path, nodes)
    head = find_head(graph)
    assert head
    model: nn.Module = cnngraph.build(tapped(graph, {"map": head.map, "scores": head.scores})).eval()
    with torch.inference_mode():
        features, scores = model(torch.randn(4, 3, 12, 10))
        places = class_score_maps(head, model, features)
    assert places.shape == (4, 5, 10, 8)
    torch.testing.assert_close(places.mean((2, 3)), scores)


@pytest.mark.parametrize("nodes", [*HEADS, "resnet_cifar_222", "densenet_40_12"])
def test_grad_cam_is_cam_where_both_apply(tmp_path: Path, nodes: str) -> None:
    """Up to the bias, which has no gradient, and the number of positions; negative sums are 0."""
    graph = cnngraph.load(network(nodes)) if nodes.isidentifier() else load(tmp_path, nodes)
    classifier, head = classifier_of(graph), find_head(graph)
    assert head
    image = torch.randn(next(iter(graph.inputs.values())).sizes)
    cam = ActivationMaps(classifier, head)
    bias = class_score_maps(head, cam.model, torch.zeros(1, *cam.shape))[0]
    for label in range(len(classifier.classes)):
        _, _, expected = cam.compute(image, label)
        scores, _, found = GradCam(classifier, head.map, head.scores).compute(image, label)
        assert scores.shape == (len(classifier.classes),)
        torch.testing.assert_close(found, ((expected - bias[label]) / expected.numel()).relu(), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("layer", ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"])
def test_grad_cam_weights_channels_by_the_change_of_the_score(tmp_path: Path, layer: str) -> None:
    classifier = classifier_of(load(tmp_path, FLAT))
    image, label, step = torch.randn(3, 12, 10), 2, 1e-6
    maps = choose_class_maps(classifier, layer)
    _, _, found = maps.compute(image, label)
    assert (maps.method, maps.layer) == ("Grad-CAM", layer)
    assert float(found.max()) > 0

    classifier.model.double()
    module, features, added = classifier.model.get_submodule(layer), list[torch.Tensor](), torch.zeros(())

    def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        features.append(output.clone())
        return output + added

    module.register_forward_hook(hook)

    def score(more: torch.Tensor) -> float:
        nonlocal added
        added = more
        return float(classifier.run(classifier.model, [image.double()])[0, label])

    base = score(torch.zeros(()))
    expected = torch.zeros(features[0].shape[2:], dtype=torch.float64)
    for channel in range(features[0].shape[1]):
        more = torch.zeros(1, features[0].shape[1], 1, 1, dtype=torch.float64)
        more[0, channel] = step  # of all positions of the channel
        weight = (score(more) - base) / step / expected.numel()
        expected += weight * features[0][0, channel]
    torch.testing.assert_close(found, expected.relu().float(), atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "densenet121", "squeezenet1_1", "drn_c_26", "resnet_cifar_222"]
)
def test_networks_with_cam(name: str) -> None:
    assert find_head(cnngraph.load(network(name)))


@pytest.mark.parametrize(
    ("name", "path", "shape"),
    [
        ("alexnet", "features.11", (256, 13, 13)),
        ("vgg16", "features.29", (512, 14, 14)),
        ("googlenet_mnist", "inception2.concat", (88, 4, 4)),
        ("mobilenet_v3_small", "features.12.2", (576, 7, 7)),
        ("convnext_tiny", "features.7.2.add", (768, 7, 7)),
    ],
)
def test_the_last_map_of_other_networks(name: str, path: str, shape: tuple[int, ...]) -> None:
    graph = cnngraph.load(network(name))
    ref = last_map(graph)
    assert find_head(graph) is None
    assert ref
    assert (path_of(graph, ref), graph.type_of(ref).sizes) == (path, shape)


MAPS = {
    "a gate beside the map": (
        """
        nodes:
          conv: {op: conv, out: 4, kernel: 3}
          excite: [{op: adaptive_avg_pool, output: 1}, {op: conv, out: 4, kernel: 1}]
          scaled: {op: mul, from: [conv, excite]}
          flatten: flatten
          fc: {op: linear, out: 5}
        """,
        "scaled",
    ),
    "a longer path that is no map": (
        """
        nodes:
          conv: {op: conv, out: 4, kernel: 3}
          long: [global_avg_pool, {op: linear, out: 8}, relu, {op: linear, out: 5}]
          short: {from: conv, nodes: [flatten, {op: linear, out: 5}]}
          add: {op: add, from: [long, short]}
        """,
        "conv",
    ),
    "two maps side by side": (
        """
        nodes:
          left: {from: in, nodes: [{op: conv, out: 4, kernel: 3}, flatten, {op: linear, out: 5}]}
          right: {from: in, nodes: [{op: conv, out: 4, kernel: 5}, relu, flatten, {op: linear, out: 5}]}
          add: {op: add, from: [left, right]}
        """,
        "right.1",
    ),
    "a global maximum": ("nodes: [{op: conv, out: 4, kernel: 3}, relu, global_max_pool, {op: linear, out: 5}]", "1"),
    "poolings at the end": (
        "nodes: [{op: conv, out: 4, kernel: 3}, {op: max_pool, kernel: 2}, dropout, {op: avg_pool, kernel: 2}, "
        "flatten, {op: linear, out: 5}]",
        "0",
    ),
}


@pytest.mark.parametrize("case", MAPS)
def test_the_last_map(tmp_path: Path, case: str) -> None:
    nodes, path = MAPS[case]
    graph = load(tmp_path, "\n".join(line.removeprefix(" " * 8) for line in nodes.splitlines()))
    maps = choose_class_maps(classifier_of(graph))
    assert (maps.method, maps.layer) == ("Grad-CAM", path)
    _, _, found = maps.compute(torch.randn(3, 12, 10), None)
    assert found.shape == maps.shape[1:]


def test_a_network_without_maps(tmp_path: Path) -> None:
    for pool in ("global_max_pool, ", ""):
        nodes = f"nodes: [{pool}flatten, {{op: linear, out: 5}}]"
        with pytest.raises(SpecError, match="`net` has no feature map with more than one position") as caught:
            choose_class_maps(classifier_of(load(tmp_path, nodes)))
        assert caught.value.diagnostics[0].code == "E654"
    maps = choose_class_maps(classifier_of(load(tmp_path, "nodes: [global_avg_pool, {op: linear, out: 5}]")))
    assert (maps.method, maps.layer) == ("CAM", "in")  # the pixels are the map


def test_layers_that_are_no_maps_of_the_scores(tmp_path: Path) -> None:
    classifier = classifier_of(load(tmp_path, FLAT))
    cases = {
        "fc1": "the output of `fc1` is 9, not a feature map with more than one position",
        "in": "the output of `in` is 3×12×10, not a feature map",
        "conv3": "`net` has no node `conv3`",
    }
    for layer, message in cases.items():
        with pytest.raises(SpecError, match=message) as caught:
            choose_class_maps(classifier, layer)
        (error,) = caught.value.diagnostics
        assert error.code == "E652"
    side: Any = FLAT + "  side: {op: conv, from: relu1, out: 2, kernel: 1}\noutputs: {scores: fc2, side: side}\n"
    with pytest.raises(SpecError, match="the scores of the classes do not depend on `side`") as caught:
        choose_class_maps(classifier_of(load(tmp_path, side)), "side")
    assert caught.value.diagnostics[0].help == "use `--layer relu2`, or a map before it"
