"""`change`: each rule gives the network that would otherwise be written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.compilation import compile_spec
from cnngraph.graph.plain_spec import plain_spec
from cnngraph.language.write import write_spec
from tests.library import CHOSEN

UNITS = """cnngraph: 1
blocks:
  conv3x3: {op: conv, kernel: 3, padding: half, bias: false}
  unit:
    params: {width: null, stride: 1}
    nodes:
      conv: {op: conv3x3, out: $width, stride: $stride}
      bn: batch_norm
      act: relu
"""
BASE = """cnngraph: 1
input: [3, 32, 32]
import: units.yaml
params: {classes: 10, width: 8}
nodes:
  stem: {op: conv3x3, out: $width, expect: [8, 32, 32]}
  pool: {op: max_pool, kernel: 2, stride: 2}
  layers: {repeat: 2, op: unit, width: 16, first: {stride: 2}}
  join: {op: add, from: [layers, layers.1]}
  features: [{op: conv, out: 8, kernel: 1}, relu, {op: conv, out: 4, kernel: 1}]
  head: {nodes: [global_avg_pool, {op: linear, out: $classes}]}
"""


def conv3x3(out: int, stride: int = 1, kernel: int = 3, more: str = "bias: false") -> str:
    """The block of that name, written out."""
    return f"{{op: conv, out: {out}, kernel: {kernel}, stride: {stride}, padding: half, {more}}}"


def unit(first: str, act: str = "relu", after_bn: str = "") -> str:
    """The block of that name, written out."""
    return f"{{nodes: {{conv: {first}, bn: batch_norm, {after_bn} act: {act}}}}}"


PARTS = {
    "stem": conv3x3(8),
    "pool": "{op: max_pool, kernel: 2, stride: 2}",
    "layers": f"[{unit(conv3x3(16, 2))}, {unit(conv3x3(16))}]",
    "join": "{op: add, from: [layers, layers.1]}",
    "features": "[{op: conv, out: 8, kernel: 1}, relu, {op: conv, out: 4, kernel: 1}]",
    "head": "[global_avg_pool, {op: linear, out: 10}]",
}


def by_hand(outputs: str = "", **parts: str | None) -> str:
    """The base, written out, with other parts; None leaves one out."""
    nodes = "".join(f"  {name}: {node}\n" for name, node in {**PARTS, **parts}.items() if node)
    return f"cnngraph: 1\ninput: [3, 32, 32]\nnodes:\n{nodes}{outputs}"


def with_unit(block: str, act: str, **parts: str) -> str:
    """The base, written out, with another activation, or another unit without strides."""
    layers = block or f"[{unit(conv3x3(16, 2), act)}, {unit(conv3x3(16), act)}]"
    return by_hand(layers=layers, features=PARTS["features"].replace("relu", act), **parts)


def variant(folder: Path, text: str) -> Path:
    """A file that extends the base."""
    (folder / "units.yaml").write_text(UNITS)
    (folder / "base.yaml").write_text(BASE)
    path = folder / "variant.yaml"
    path.write_text(f"cnngraph: 1\nextends: base.yaml\n{text}\n")
    return path


def structure(graph: Graph) -> object:
    """Everything that a built network consists of."""
    nodes = [(node.path, node.operation, node.inputs, node.types, node.shares, node.unused) for node in graph.nodes]
    return list(graph.state.items()), sorted(nodes, key=str), graph.output_shapes, graph.macs


CHANGES = {
    "a parameter, for which an `expect` of the base does not hold": (
        "change: [{match: stem, out: 12}]",
        by_hand(stem=conv3x3(12)),
    ),
    "a parameter inside a block": (
        "change: [{match: layers.1.conv, kernel: 5}]",
        by_hand(layers=f"[{unit(conv3x3(16, 2))}, {unit(conv3x3(16, 1, 5))}]"),
    ),
    "a parameter of all iterations, also of those with a `first`": (
        "change: [{match: layers, stride: 1}]",
        by_hand(layers=f"[{unit(conv3x3(16))}, {unit(conv3x3(16))}]"),
    ),
    "a parameter of a block, computed from a param of the file": (
        "change: [{match: unit, width: $width * 4}]",
        by_hand(layers=f"[{unit(conv3x3(32, 2))}, {unit(conv3x3(32))}]"),
    ),
    "a parameter computed from the shape that the node reads": (
        "change: [{match: stem, out: $from.channels * 4}]",
        by_hand(stem=conv3x3(12)),
    ),
    "no parameter, where a block presets one": (
        "change: [{match: conv3x3, bias: null}]",
        by_hand(
            stem=conv3x3(8, more="bias: true"),
            layers=f"[{unit(conv3x3(16, 2, more='bias: true'))}, {unit(conv3x3(16, more='bias: true'))}]",
        ),
    ),
    "another op": (
        "change: [{match: relu, op: leaky_relu, negative_slope: 0.1}]",
        with_unit("", "{op: leaky_relu, negative_slope: 0.1}"),
    ),
    "another op with the same parameters": (
        "change: [{match: pool, op: avg_pool}]",
        by_hand(pool="{op: avg_pool, kernel: 2, stride: 2}"),
    ),
    "another op without some parameters": (
        "change: [{match: pool, op: relu, kernel: null, stride: null}]",
        by_hand(pool="relu"),
    ),
    "another block for all iterations": (
        "change: [{match: layers, op: conv3x3, out: 4, width: null, stride: 1}]",
        by_hand(layers=f"[{conv3x3(4)}, {conv3x3(4)}]"),
    ),
    "a removed node": (
        "change: [{match: pool, remove: true}]",
        by_hand(pool=None),
    ),
    "a removed node of a list, whose number stays its own": (
        "change: [{match: features.1, remove: true}]",
        by_hand(features="{nodes: {0: {op: conv, out: 8, kernel: 1}, 2: {op: conv, out: 4, kernel: 1}}}"),
    ),
    "a removed iteration": (
        "change: [{match: layers.1, remove: true}]",
        by_hand(layers=f"[{unit(conv3x3(16, 2))}]", join="{op: add, from: [layers, layers.0]}"),
    ),
    "a removed first iteration: the others keep their numbers": (
        "change: [{match: layers.0, remove: true}]",
        by_hand(layers=f"{{nodes: {{1: {unit(conv3x3(16))}}}}}", join="{op: add, from: [layers, layers.1]}"),
    ),
    "a removed repeat": (
        "change: [{match: layers, remove: true}, {match: join, replace: {op: relu, from: pool}}]",
        by_hand(layers=None, join="relu"),
    ),
    "nodes after each match, which read the node as `in` and by its name": (
        "change: [{match: 'layers.*.bn', after: {a: {op: conv, out: $from.channels, kernel: 1}, "
        "b: {op: mul, from: [in, a, bn]}}}]",
        by_hand(
            layers="[{}, {}]".format(
                *(
                    unit(
                        conv3x3(16, stride),
                        after_bn="a: {op: conv, out: 16, kernel: 1}, b: {op: mul, from: [bn, a, bn]},",
                    )
                    for stride in (2, 1)
                )
            )
        ),
    ),
    "nodes after each iteration, named after it": (
        "change: [{match: unit, after: {drop$name: {op: dropout, p: 0.1 * ($i + 1)}}}]",
        by_hand(
            layers=f"{{nodes: {{0: {unit(conv3x3(16, 2))}, drop0: {{op: dropout, p: 0.1}}, "
            f"1: {unit(conv3x3(16))}, drop1: {{op: dropout, p: 0.2}}}}}}",
            join="{op: add, from: [layers, layers.drop1]}",
        ),
    ),
    "nodes before and after a repeat": (
        "change: [{match: layers, before: {a: batch_norm}, after: {b: sigmoid}}]",
        by_hand(layers=None, join=None, features=None, head=None)
        + f"  a: batch_norm\n  layers: {PARTS['layers']}\n  b: sigmoid\n  join: {{op: add, from: [b, layers.1]}}\n"
        + f"  features: {PARTS['features']}\n  head: {PARTS['head']}\n",
    ),
    "a node in the place of another": (
        "change: [{match: head, replace: {nodes: [global_max_pool, {op: linear, out: $classes}]}}]",
        by_hand(head="[global_max_pool, {op: linear, out: 10}]"),
    ),
    "a node in the place of one of a list": (
        "change: [{match: features.1, replace: [batch_norm, relu]}]",
        by_hand(features="[{op: conv, out: 8, kernel: 1}, [batch_norm, relu], {op: conv, out: 4, kernel: 1}]"),
    ),
    "the ops that rules above have set": (
        "change: [{match: pool, after: {a: relu}}, {match: relu, op: silu}]",
        with_unit("", "silu").replace("  layers:", "  a: silu\n  layers:"),
    ),
    "a node inserted after one that a rule replaces and another changes": (
        "change: [{match: pool, after: {a: tanh}}, {match: pool, replace: {op: avg_pool, kernel: 4}}, "
        "{match: pool, kernel: 2}]",
        by_hand(pool="{op: avg_pool, kernel: 2}").replace("  layers:", "  a: tanh\n  layers:"),
    ),
    "a node inserted after one that is removed": (
        "change: [{match: pool, after: {a: tanh}}, {match: pool, remove: true}]",
        by_hand(pool=None).replace("  layers:", "  a: tanh\n  layers:"),
    ),
    "another op for all iterations, and a node after them": (
        "change: [{match: layers, op: conv3x3, out: 4, width: null, stride: 1, after: {a: relu}}]",
        by_hand(
            layers=None,
            join=None,
            features=None,
            head=None,
        )
        + f"  layers: [{conv3x3(4)}, {conv3x3(4)}]\n  a: relu\n  join: {{op: add, from: [a, layers.1]}}\n"
        + f"  features: {PARTS['features']}\n  head: {PARTS['head']}\n",
    ),
    "an op that a rule above has set": (
        "change: [{match: max_pool, op: avg_pool}, {match: avg_pool, kernel: 3, padding: 1}]",
        by_hand(pool="{op: avg_pool, kernel: 3, stride: 2, padding: 1}"),
    ),
    "a node, twice": (
        "change: [{match: stem, out: 4}, {match: conv3x3, out: 6}]",
        by_hand(stem=conv3x3(6), layers=f"[{unit(conv3x3(6, 2))}, {unit(conv3x3(6))}]"),
    ),
    "a node that a rule above has replaced": (
        "change: [{match: stem, replace: {op: conv3x3, out: 4}}, {match: stem, out: 6}]",
        by_hand(stem=conv3x3(6)),
    ),
    "a block that the base imports": (
        "blocks: {unit: {params: {width: null, stride: 1}, nodes: {only: {op: conv3x3, out: $width + $classes}}}}",
        by_hand(layers=f"[{{nodes: {{only: {conv3x3(26)}}}}}, {{nodes: {{only: {conv3x3(26)}}}}}]"),
    ),
    "nodes beside `extends`": (
        "nodes: {age: {op: linear, from: head.0, out: 1}}\noutputs: {label: head, age: age}",
        by_hand(age="{op: linear, from: head.0, out: 1}", outputs="outputs: {label: head, age: age}\n"),
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_gives_the_network_written_by_hand(tmp_path: Path, change: str, expected: str) -> None:
    compilation = compile_spec(variant(tmp_path, change))
    assert compilation.graph
    assert not compilation.diagnostics, str(SpecError(compilation.diagnostics))
    (tmp_path / "expected.yaml").write_text(expected)
    assert structure(compilation.graph) == structure(cnngraph.load(tmp_path / "expected.yaml"))


@pytest.mark.parametrize("change", [change for change, _ in CHANGES.values()], ids=CHANGES)
def test_the_written_spec_is_the_same_network(tmp_path: Path, change: str) -> None:
    compilation = compile_spec(variant(tmp_path, change))
    assert compilation.graph
    assert compilation.spec
    for number, text in enumerate((write_spec(compilation.spec), plain_spec(compilation.graph))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "net.yaml").write_text(text)
        assert structure(cnngraph.load(folder / "net.yaml")) == structure(compilation.graph)
    assert "change:" not in text


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("change: [{match: laeyrs, stride: 1}]", "E324", 3, ("matches no node", "replace `laeyrs` with `layers`")),
        ("change: [{match: 'layrs.*.conv', bias: true}]", "E324", 3, ("did you mean `layers.*.conv`?",)),
        ("change: [{match: join, before: {a: relu}}]", "E324", 3, ("has 2 inputs", "base.yaml:9")),
        (
            "change: [{match: pool, replace: parameter}, {match: parameter, before: {a: relu}}]",
            "E324",
            3,
            ("no inputs",),
        ),
        (
            "change: [{match: stem, kernl: 3}]",
            "E207",
            3,
            ("replace `kernl` with `kernel`", "base.yaml:6 is changed by"),
        ),
        ("change: [{match: pool, op: relu}]", "E207", 3, ("remove it in the rule: `kernel: null`", "base.yaml:7")),
        ("change: [{match: head, out: 3}]", "E207", 3, ("contains nodes", "match the nodes inside")),
        ("change: [{match: unit, after: {a: relu}}]", "E305", 3, ("inserts `layers.a` twice", "`a_$name`")),
        ("change: [{match: stem, after: {pool: relu}}]", "E305", 3, ("there is a node `pool` already",)),
        ("change: [{match: stem, out: $wdth}]", "E402", 3, ("replace `$wdth` with `$width`",)),
        ("change: [{match: stem, op: cnv}]", "E313", 3, ("did you mean `conv`?",)),
        ("change: [{match: relu, op: silu}, {match: relu, op: tanh}]", "E324", 3, ("`relu` matches no node",)),
        ("change: [{match: stem}]", "E107", 3, ("changes nothing",)),
        ("change: [{match: stem, remove: false}]", "E107", 3, ("changes nothing",)),
        ("change: [{stride: 1}]", "E107", 3, ("needs `match`",)),
        ("change: [{match: stem, remove: true, out: 3}]", "E109", 3, ("cannot be combined with `out`",)),
        ("change: [{match: stem, after: [relu]}]", "E109", 3, ("must be a mapping of names to nodes",)),
        ("change: [{match: stem, replace: 3}]", "E109", 3, ("must be a node",)),
        ("change: [{match: stem, stride: 64, padding: 0, kernel: 64}]", "E204", 3, ("base.yaml:6 is changed by",)),
        ("nodes: {head: relu}", "E305", 3, ("base.yaml` has a node `head` already", "match: head")),
        ("nodes: [relu]", "E107", 3, ("name them",)),
        ("nodes: {more: {op: relu, from: pool}}", "E316", 11, ("name it under `outputs`", "match: head, remove: true")),
        (
            "change: [{match: join, remove: true}]\nnodes: {a: {op: conv, from: features, out: 1, kernel: 1}}",
            "E316",
            11,
            (),
        ),
    ],
)
def test_an_error_names_the_rule_and_the_place_in_the_base(
    tmp_path: Path, text: str, code: str, line: int, words: tuple[str, ...]
) -> None:
    compilation = compile_spec(variant(tmp_path, text))
    found = [(item.code, item.line) for item in compilation.diagnostics]
    assert found == [(code, line)]
    said = str(SpecError(list(compilation.diagnostics)))
    for word in words:
        assert word in said


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_what_a_rule_does_not_touch_keeps_its_keys_and_its_outputs(path: Path, tmp_path: Path) -> None:
    """An `identity` after each batch norm: the same weights give the same outputs."""
    base = cnngraph.load(path)
    op = next((node.op for node in base.nodes if node.op in ("batch_norm", "relu", "conv")), "linear")
    file = tmp_path / "variant.yaml"
    file.write_text(f"cnngraph: 1\nextends: {path.stem}\nchange: [{{match: {op}, after: {{same_$name: identity}}}}]\n")
    compilation = compile_spec(file)
    assert compilation.graph
    assert compilation.ok, str(SpecError(compilation.diagnostics))
    assert list(compilation.graph.state.items()) == list(base.state.items())
    assert compilation.graph.output_shapes == base.output_shapes


def test_a_shared_module_is_changed_once(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "cnngraph: 1\ninput: {a: [3, 8, 8], b: [3, 8, 8]}\nnodes:\n"
        "  left: {from: a, nodes: {conv: {op: conv, out: 4, kernel: 3}, act: relu}}\n"
        "  right: {share: left, from: b}\n  join: {op: add, from: [left, right]}\n"
    )
    rules = "[{match: left.conv, out: 6}, {match: relu, op: silu}, {match: left.conv, after: {bn: batch_norm}}]"
    (tmp_path / "variant.yaml").write_text(f"cnngraph: 1\nextends: base.yaml\nchange: {rules}\n")
    graph = cnngraph.load(tmp_path / "variant.yaml")
    assert [(node.path, node.op, node.shares) for node in graph.nodes] == [
        ("left.conv", "conv", None),
        ("left.bn", "batch_norm", None),
        ("left.act", "silu", None),
        ("right.conv", "conv", "left.conv"),
        ("right.bn", "batch_norm", "left.bn"),
        ("right.act", "silu", "left.act"),
        ("join", "add", None),
    ]
    assert cnngraph.build(graph)(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)).shape == (1, 6, 6, 6)


def test_a_variant_of_a_variant_applies_the_rules_of_both_in_order(tmp_path: Path) -> None:
    middle = variant(tmp_path, "change: [{match: pool, after: {extra: relu}}]")
    middle.rename(tmp_path / "middle.yaml")
    (tmp_path / "last.yaml").write_text("cnngraph: 1\nextends: middle.yaml\nchange: [{match: extra, op: tanh}]\n")
    graph = cnngraph.load(tmp_path / "last.yaml")
    assert [node.op for node in graph.nodes if node.path == "extra"] == ["tanh"]


def test_nodes_are_added_to_a_base_whose_nodes_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("cnngraph: 1\ninput: [4]\nnodes: [{op: linear, out: 3}, relu]\n")
    (tmp_path / "variant.yaml").write_text(
        "cnngraph: 1\nextends: base.yaml\nnodes: {fc: {op: linear, out: 2}}\nchange: [{match: '1', remove: true}]\n"
    )
    compilation = compile_spec(tmp_path / "variant.yaml")
    assert compilation.graph
    assert compilation.spec
    assert list(compilation.graph.state) == ["0.weight", "0.bias", "fc.weight", "fc.bias"]
    (tmp_path / "written.yaml").write_text(write_spec(compilation.spec))
    assert structure(cnngraph.load(tmp_path / "written.yaml")) == structure(compilation.graph)
