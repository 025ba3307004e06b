"""`net`: a network as a node of another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torchvision.ops import FeaturePyramidNetwork

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.compilation import compile_spec
from cnngraph.graph.plain_spec import plain_spec

INNER = """cnngraph: 1
input: [3, 16, 16]
params: {classes: 10, width: 8}
blocks: {unit: {params: {out: $width}, nodes: {conv: {op: conv, out: $out, kernel: 3, padding: 1}, act: relu}}}
nodes:
  stem: {op: unit}
  stage: {repeat: 2, op: unit, out: $width * 2}
  aux: {op: linear, from: pool, out: 2}
  pool: {op: global_avg_pool, from: stage}
  fc: {op: linear, from: pool, out: $classes}
outputs: {logits: fc, aux: aux}
training_only: [aux]
init:
  - {match: conv, weight: 0.25}
  - {match: "stage.*.conv", bias: $classes}
"""
FPN = """cnngraph: 1
input: [3, 64, 64]
nodes:
  body: {net: resnet50, until: layer4}
  inner: {repeat: [layer1, layer2, layer3, layer4], carry: none, from: body.$item, op: conv, out: 16, kernel: 1}
  td2: {op: upsample, from: [inner.3, inner.2]}
  p2: {op: add, from: [inner.2, td2]}
  td1: {op: upsample, from: [p2, inner.1]}
  p1: {op: add, from: [inner.1, td1]}
  td0: {op: upsample, from: [p1, inner.0]}
  p0: {op: add, from: [inner.0, td0]}
  layer0: {op: conv, from: p0, out: 16, kernel: 3, padding: 1}
  layer1: {op: conv, from: p1, out: 16, kernel: 3, padding: 1}
  layer2: {op: conv, from: p2, out: 16, kernel: 3, padding: 1}
  layer3: {op: conv, from: inner.3, out: 16, kernel: 3, padding: 1}
outputs: {f0: layer0, f1: layer1, f2: layer2, f3: layer3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the inner network."""
    (tmp_path / "inner.yaml").write_text(INNER)
    return tmp_path


def load(folder: Path, nodes: str, more: str = "", input: str = "[3, 16, 16]") -> Graph:
    """The network with these nodes, which may use `inner.yaml`."""
    file = folder / "outer.yaml"
    file.write_text(f"cnngraph: 1\ninput: {input}\nnodes: {nodes}\n{more}")
    return cnngraph.load(file)


def test_a_network_as_a_node_is_the_network_with_longer_names(folder: Path) -> None:
    inner = cnngraph.load(folder / "inner.yaml", classes=5)
    outer = load(folder, "{a: {net: inner.yaml, classes: 5}}")
    without_aux = {key: shape for key, shape in inner.state.items() if not key.startswith("aux")}
    assert list(outer.state.items()) == [(f"a.{key}", shape) for key, shape in without_aux.items()]
    assert outer.output_shapes == {"output": (5,)}
    torch.manual_seed(1)
    theirs = cnngraph.build(inner).eval()
    ours = cnngraph.build(outer).eval()
    ours.load_state_dict({f"a.{key}": value for key, value in theirs.state_dict().items() if key in without_aux})
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(ours(images), theirs(images))


def test_its_init_rules_hold_inside_it_alone(folder: Path) -> None:
    graph = load(folder, "{first: {op: conv, out: 3, kernel: 1}, a: {net: inner.yaml, classes: 7}}")
    for network in (graph, cnngraph.load(_written(folder, plain_spec(graph)))):
        weights = cnngraph.build(network).state_dict()
        assert weights["a.stem.conv.weight"].unique().tolist() == [0.25]
        assert weights["a.stage.1.conv.bias"].unique().tolist() == [7]
        assert weights["first.weight"].unique().numel() > 1
        assert weights["a.stem.conv.bias"].unique().numel() > 1


def _written(folder: Path, text: str) -> Path:
    file = folder / "written.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("nodes", "keys"),
    [
        ("{a: {net: inner.yaml, until: stem}}", {"a.stem.conv"}),
        ("{a: {net: inner.yaml, until: stage.0.conv}}", {"a.stem.conv", "a.stage.0.conv"}),
        ("{a: {net: inner.yaml, until: pool}}", {"a.stem.conv", "a.stage.0.conv", "a.stage.1.conv"}),
        ("{a: {net: inner.yaml}, b: {op: sigmoid, from: a.stage.0}}", {"a.stem.conv", "a.stage.0.conv"}),
        ("{a: {net: inner.yaml, until: stem, flat: true}}", {"stem.conv"}),
        ("{a: {nodes: {b: {net: inner.yaml, until: stem}}}}", {"a.b.stem.conv"}),
        ("{a: {net: inner.yaml, until: stem}, b: {net: inner.yaml, until: stem}}", {"a.stem.conv", "b.stem.conv"}),
    ],
)
def test_what_nothing_reads_is_left_out(folder: Path, nodes: str, keys: set[str]) -> None:
    graph = load(folder, nodes)
    assert {key.rpartition(".")[0] for key in graph.state} == keys
    assert sorted(cnngraph.build(graph).state_dict()) == sorted(graph.state)
    assert cnngraph.load(_written(folder, plain_spec(graph))).state == graph.state


def test_what_does_not_fit_behind_until_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        "cnngraph: 1\ninput: [3, 32, 32]\nnodes: {c: {op: conv, out: 4, kernel: 3}, p: {op: avg_pool, kernel: 30}}\n"
    )
    assert load(tmp_path, "{a: {net: inner.yaml, until: c}}").output_shapes == {"output": (4, 14, 14)}


def test_a_change_leads_into_a_network_and_its_own_comes_first(folder: Path) -> None:
    (folder / "inner.yaml").write_text(INNER + "change: [{match: act, op: tanh}, {match: stem.act, op: silu}]\n")
    with pytest.raises(SpecError, match="`act` matches no node"):
        cnngraph.load(folder / "inner.yaml")
    (folder / "inner.yaml").write_text(INNER + "change: [{match: relu, op: tanh}, {match: stem.act, op: silu}]\n")
    nodes = "{a: {net: inner.yaml}, b: {net: inner.yaml, from: in}, c: {op: add, from: [a, b]}}"
    graph = load(folder, nodes, "change: [{match: a.stem.act, op: gelu}, {match: inner, classes: 6}]\n")
    ops = {node.path: node.op for node in graph.nodes if node.path.endswith("act")}
    assert ops == {
        "a.stem.act": "gelu",
        "a.stage.0.act": "tanh",
        "a.stage.1.act": "tanh",
        "b.stem.act": "silu",
        "b.stage.0.act": "tanh",
        "b.stage.1.act": "tanh",
    }
    assert graph.output_shapes == {"output": (6,)}


def test_a_shared_network_has_one_set_of_weights(folder: Path) -> None:
    graph = load(
        folder,
        "{left: {net: inner.yaml, from: x}, right: {share: left, from: y}, out: {op: sub, from: [left, right]}}",
        input="{x: [3, 16, 16], y: [3, 24, 24]}",
    )
    model = cnngraph.build(graph).eval()
    images = torch.randn(2, 3, 16, 16)
    assert {key.partition(".")[0] for key in model.state_dict()} == {"left"}
    assert not model(images, images).any()


@pytest.mark.parametrize(
    ("nodes", "code", "words"),
    [
        ("{a: {net: iner.yaml}}", "E311", "did you mean|replace `iner.yaml`"),
        ("{a: {net: outer.yaml}}", "E309", "contains itself"),
        ("{a: {net: inner.yaml, clases: 3}}", "E207", "replace `clases` with `classes`"),
        ("{a: {net: inner.yaml, until: stge}}", "E301", "replace `stge` with `stage`"),
        ("{a: {net: inner.yaml, from: [in, in]}}", "E210", "expects one input, got 2"),
        ("{a: {op: relu, until: stem}}", "E109", "requires `net`"),
        ("{a: {op: relu, net: inner.yaml}}", "E109", "has both `op` and `net`"),
        ("{a: {net: inner.yaml, width: -1}}", "E205", "in the network `inner`, used as `a`"),
        ("{a: {net: library.yaml}}", "E311", "is a library of blocks"),
    ],
)
def test_mistakes(folder: Path, nodes: str, code: str, words: str) -> None:
    (folder / "library.yaml").write_text("cnngraph: 1\nblocks: {unit: relu}\n")
    with pytest.raises(SpecError, match=words) as caught:
        load(folder, nodes)
    assert [item.code for item in caught.value.diagnostics] == [code]


def test_a_variant_of_a_network_with_networks(folder: Path) -> None:
    load(folder, "{a: {net: inner.yaml, until: pool}, fc: {op: linear, out: 3}}")
    (folder / "variant.yaml").write_text("cnngraph: 1\nextends: outer.yaml\nchange: [{match: fc, out: 4}]\n")
    compilation = compile_spec(folder / "variant.yaml")
    assert compilation.graph
    assert compilation.graph.output_shapes == {"output": (4,)}


def test_a_feature_pyramid_on_resnet50_equals_torchvisions(tmp_path: Path) -> None:
    (tmp_path / "fpn.yaml").write_text(FPN)
    model = cnngraph.build(tmp_path / "fpn.yaml").eval()
    body = torchvision.models.resnet50(weights=None).eval()
    pyramid = FeaturePyramidNetwork([256, 512, 1024, 2048], 16).eval()
    renames = {"inner_blocks.": "inner.", "layer_blocks.": "layer"}
    weights = {f"body.{key}": value for key, value in body.state_dict().items() if not key.startswith("fc")}
    for key, value in pyramid.state_dict().items():
        old = next(old for old in renames if key.startswith(old))
        weights[key.replace(old, renames[old]).replace(".0.weight", ".weight").replace(".0.bias", ".bias")] = value
    model.load_state_dict(weights)
    images = torch.randn(1, 3, 64, 64)
    features, value = {}, images
    for name, module in body.named_children():
        value = value if name in ("avgpool", "fc") else module(value)
        if name.startswith("layer"):
            features[name] = value
    expected = pyramid(features)
    for ours, theirs in zip(model(images), expected.values(), strict=True):
        torch.testing.assert_close(ours, theirs)
