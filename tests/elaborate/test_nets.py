"""`net`: a network as a node of another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.cli.process import run
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


@pytest.fixture
def weighted(folder: Path) -> Path:
    """A spec whose network has weights in a file, beside them."""
    torch.manual_seed(3)
    torch.save(cnngraph.build(folder / "inner.yaml").state_dict(), folder / "inner.pth")
    file = folder / "outer.yaml"
    file.write_text(
        "cnngraph: 1\ninput: [3, 16, 16]\nweights: {body: inner.pth}\n"
        "nodes: {body: {net: inner.yaml, until: pool}, fc: {op: linear, out: 3}}\n"
    )
    return file


def test_weights_of_a_network_are_loaded_by_build_and_train(weighted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = torch.load(weighted.parent / "inner.pth", weights_only=True)
    out = weighted.parent / "built.safetensors"
    assert run(["build", str(weighted), "-o", str(out)]) == 0
    assert "6 of 6 weights of `body`" in capsys.readouterr().out
    built = load_file(out)
    assert torch.equal(built["body.stage.1.conv.bias"], stored["stage.1.conv.bias"])
    assert {key for key in built if not key.startswith("body.")} == {"fc.weight", "fc.bias"}
    assert run(["build", str(weighted), "--weights", "none", "-o", str(out)]) == 0
    assert not torch.equal(load_file(out)["body.stem.conv.weight"], stored["stem.conv.weight"] * 2)


@pytest.mark.parametrize(
    ("weights", "code", "words"),
    [
        ("{bdy: inner.pth}", "E301", "there is no network `bdy` here"),
        ("{body: ../inner.pth}", "E310", "outside the spec's folder"),
        ("{body: {a: b}}", "E110", "has no key `body`"),
        ("{renmes: {a: b}}", "E110", "replace `renmes` with `renames`|did you mean `renames`"),
    ],
)
def test_mistakes_in_weights(weighted: Path, weights: str, code: str, words: str) -> None:
    weighted.write_text(weighted.read_text().replace("{body: inner.pth}", weights))
    with pytest.raises(SpecError, match=words) as caught:
        cnngraph.load(weighted)
    assert [item.code for item in caught.value.diagnostics] == [code]


def test_weights_that_do_not_fit_their_network_are_an_error(weighted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"other.weight": torch.zeros(3)}, weighted.parent / "inner.pth")
    assert run(["build", str(weighted)]) == 1
    assert "does not fit `body`" in capsys.readouterr().err
