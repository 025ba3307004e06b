"""The depth of layers: against the layers of published fine-tuning code, and against networkx."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest

import cnngraph
from cnngraph.analysis.layers import head_layers, layer_depths
from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.recipe.optimizers import AdamW, ParameterGroup, Sgd
from cnngraph.train.loop.optimizers import make_optimizer
from tests.library import networks

TRANSFORMER = """\
cnngraph: 1
name: plain
input: [3, 8, 8]
blocks:
  layer:
    nodes:
      norm1: {op: group_norm, num_groups: 2}
      mix: {op: conv, out: $in.channels, kernel: 3, padding: half}
      add: {op: add, from: [mix, in]}
nodes:
  patches: {op: conv, out: 8, kernel: 2, stride: 2}
  position: {op: parameter, shape: [8, 4, 4]}
  stem: {op: add, from: [patches, position]}
  blocks: {op: layer, repeat: 3}
  norm: batch_norm
  pool: global_avg_pool
  fc: {op: linear, out: 4}
"""


def graph_of(text: str) -> Graph:
    compilation = compile_text(Source("net.yaml", text), Path())
    assert compilation.ok, compilation.diagnostics
    assert compilation.graph
    return compilation.graph


def bundled(name: str | Path) -> Graph:
    graph = compile_spec(name).graph
    assert graph
    return graph


@pytest.mark.parametrize(
    ("network", "depths"),
    [  # as timm's group_matcher has it, with the head as the last group
        (
            "resnet18",
            {"conv1": 9, "bn1": 9, "layer1.0.conv1": 8, "layer1.1.bn2": 7, "layer2.0.downsample.0": 6,
             "layer3.1.conv1": 3, "layer4.0.conv2": 2, "layer4.1.bn1": 1, "fc": 0},
        ),
        (
            "vgg11_bn",
            {"features.0": 10, "features.1": 10, "features.4": 9, "features.25": 3, "classifier.0": 2,
             "classifier.3": 1, "classifier.6": 0},
        ),
        (
            "convnext_tiny",
            {"features.0.0": 22, "features.0.1": 22, "features.1.0.block.0": 21, "features.1.0.layer_scale": 21,
             "features.2.1": 18, "features.7.2.block.3": 1, "classifier.0": 1, "classifier.2": 0},
        ),
        ("densenet121", {"features.conv0": 62, "features.transition1.conv": 55, "features.norm5": 1, "classifier": 0}),
        ("googlenet", {"conv1.conv": 12, "inception3a.branch1.conv": 9, "aux1.fc1": 0, "aux2.fc2": 0, "fc": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_depths_of_published_networks(network: str, depths: dict[str, int]) -> None:
    found = layer_depths(bundled(network))
    assert {path: found[path] for path in depths} == depths


def test_parameters_and_norms_belong_to_the_layer_before_them() -> None:
    """As in BEiT, the patch embedding and the positions are layer 0, and the head is the last."""
    found = layer_depths(graph_of(TRANSFORMER))
    paths = ("patches", "position", "blocks.0.norm1", "blocks.0.mix", "blocks.1.mix", "blocks.2.mix", "norm", "fc")
    assert [found[path] for path in paths] == [4, 4, 3, 3, 2, 1, 1, 0]


@pytest.mark.parametrize("path", networks())
def test_depths_equal_the_longest_paths_of_networkx(path: Path) -> None:
    """In every bundled network, whose blocks are contracted to one vertex each."""
    graph = bundled(path)
    scopes = {scope.path: scope for scope in graph.scopes() if not scope.shares}
    stages = {path.rpartition(".")[0] for path, scope in scopes.items() if scope.kind == "repeat"}
    repeats = {path for path, scope in scopes.items() if scope.kind == "repeat"}
    blocks = [
        path
        for path, scope in scopes.items()
        if (scope.kind == "block" or (scope.kind == "nodes" and path.rpartition(".")[0] in repeats))
        and not any(stage == path or stage.startswith(f"{path}.") for stage in stages)
        and path not in repeats
    ]

    def vertex(index: int) -> str:
        path = graph.nodes[index].path
        return min((block for block in blocks if path.startswith(f"{block}.")), key=len, default=path)

    is_layer = {node.path: bool(node.parameters) and node.macs > 0 for node in graph.nodes} | dict.fromkeys(
        blocks, True
    )
    contracted = networkx.DiGraph()
    for index, node in enumerate(graph.nodes):
        contracted.add_node(vertex(index))
        for ref in node.reads:
            if ref.node >= 0 and vertex(ref.node) != vertex(index):
                contracted.add_edge(vertex(ref.node), vertex(index), layers=int(is_layer[vertex(index)]))
    depths = layer_depths(graph)
    for index, node in enumerate(graph.nodes):
        if node.parameters and not node.shares:
            after = contracted.subgraph({vertex(index), *networkx.descendants(contracted, vertex(index))})
            assert depths[node.path] == networkx.dag_longest_path_length(after, weight="layers"), node.path
    assert {depths[layer] for layer in head_layers(graph)} == {0}


@pytest.mark.parametrize(
    ("nodes", "head"),
    [
        ("[flatten, {op: linear, out: 8}, relu, {op: linear, out: 4}, softmax]", {"3"}),
        ("{a: {op: conv, out: 4, kernel: 3}, bn: batch_norm, relu: relu, pool: global_avg_pool}", {"a", "bn"}),
        ("{f: flatten, a: {op: linear, out: 4}, b: {op: linear, from: f, out: 4}, s: {op: add, from: [a, b]}}",
         {"a", "b"}),
        ("[flatten]", set()),
    ],
)  # fmt: skip
def test_the_head(nodes: str, head: set[str]) -> None:
    assert head_layers(graph_of(f"cnngraph: 1\nname: net\ninput: [1, 6, 6]\nnodes: {nodes}\n")) == head


def rates(optimizer: Sgd | AdamW, text: str = TRANSFORMER) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each parameter."""
    network = cnngraph.build(graph_of(text))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    made = make_optimizer(optimizer, network, dict.fromkeys(names.values(), 0.0))
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in made.param_groups
        for parameter in group["params"]
    }


def test_the_learning_rate_decays_by_layer() -> None:
    found = rates(AdamW(lr=0.1, weight_decay=0.2, layer_decay=0.5))
    by_layer = {"patches": 4, "position": 4, "blocks.0": 3, "blocks.1": 2, "blocks.2": 1, "norm": 1, "fc": 0}
    for name, (rate, decay) in found.items():
        depth = next(depth for path, depth in by_layer.items() if name == path or name.startswith(f"{path}."))
        assert rate == pytest.approx(0.1 * 0.5**depth), name
        assert decay == 0.2


def test_layer_decay_with_groups() -> None:
    """A group's own rate is used as it is; a group without one keeps the rate of the layer."""
    groups = (ParameterGroup(match=("bias", "norm"), weight_decay=0.0), ParameterGroup(match="blocks.1", lr=0.03))
    found = rates(Sgd(lr=0.1, weight_decay=0.2, layer_decay=0.5, groups=groups))
    expected = {
        "patches.weight": (0.00625, 0.2), "patches.bias": (0.00625, 0.0), "position": (0.00625, 0.2),
        "blocks.0.mix.weight": (0.0125, 0.2), "blocks.0.mix.bias": (0.0125, 0.0), "blocks.1.mix.bias": (0.03, 0.2),
        "blocks.1.mix.weight": (0.03, 0.2), "blocks.2.norm1.weight": (0.05, 0.0), "norm.weight": (0.05, 0.0),
        "fc.weight": (0.1, 0.2), "fc.bias": (0.1, 0.0),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
