"""Variants: what a spec that extends another may override."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.compilation import compile_spec

BASE = """cnngraph: 1
input: [3, 8, 8]
params: {units: 2}
blocks: {join: {op: relu}}
nodes: {units: {op: join, repeat: $units}}
"""


def variant(folder: Path, text: str) -> Path:
    (folder / "base.yaml").write_text(BASE)
    path = folder / "variant.yaml"
    path.write_text(f"cnngraph: 1\nextends: base.yaml\n{text}\n")
    return path


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("params: {unit: 3}", "units"), ("blocks: {jion: {op: tanh}}", "join")],
    ids=["param", "block"],
)
def test_an_override_of_an_unknown_name_is_a_warning(tmp_path: Path, text: str, suggestion: str) -> None:
    compilation = compile_spec(variant(tmp_path, text))
    (diagnostic,) = compilation.diagnostics
    assert (diagnostic.code, diagnostic.line, diagnostic.help) == ("W318", 3, f"did you mean `{suggestion}`?")
    assert compilation.ok
    assert compilation.graph


@pytest.mark.parametrize(
    "text",
    [
        "params: {units: 3}",
        "params: {unit: 1, units: $unit + 1}",
        "blocks: {join: {op: joint}, joint: {op: tanh}}",
    ],
    ids=["replaces", "is used", "block that is used"],
)
def test_a_variant_may_add_names_that_it_uses(tmp_path: Path, text: str) -> None:
    assert cnngraph.check(variant(tmp_path, text)).diagnostics == ()


def test_an_overridden_param_may_use_a_new_param(tmp_path: Path) -> None:
    graph = cnngraph.load(variant(tmp_path, "params: {units: $half * 2, half: 3}"))
    assert [node.path for node in graph.nodes] == [f"units.{index}" for index in range(6)]


def test_params_in_a_cycle_are_an_error(tmp_path: Path) -> None:
    (diagnostic, *_) = cnngraph.check(variant(tmp_path, "params: {units: $half, half: $units}"))
    assert (diagnostic.code, diagnostic.line) == ("E402", 3)


def test_a_chain_of_thousands_of_params(tmp_path: Path) -> None:
    chain = "".join(f"  p{index}: $p{index + 1}\n" for index in range(5000))
    graph = cnngraph.load(variant(tmp_path, f"params:\n  units: $p0\n{chain}  p5000: 3"))
    assert len(graph.nodes) == 3


def test_params_keep_the_order_of_the_base(tmp_path: Path) -> None:
    graph = cnngraph.load(variant(tmp_path, "params: {more: $units, units: 4}"))
    assert list(graph.params.items()) == [("units", 4), ("more", 4)]


HEADS = """cnngraph: 1
input: [3, 8, 8]
nodes:
  stem: relu
  aux: {op: conv, from: stem, out: 2, kernel: 1}
  head: {op: conv, from: stem, out: 4, kernel: 1}
outputs: {logits: head, aux: aux}
training_only: [aux]
"""


@pytest.mark.parametrize(
    ("outputs", "training_only"), [("{tap: stem}", set()), ("stem", set()), ("{tap: stem, aux: aux}", {"aux"})]
)
def test_overridden_outputs_keep_training_only(tmp_path: Path, outputs: str, training_only: set[str]) -> None:
    (tmp_path / "base.yaml").write_text(HEADS)
    path = tmp_path / "variant.yaml"
    path.write_text(f"cnngraph: 1\nextends: base.yaml\noutputs: {outputs}\n")
    assert cnngraph.load(path).training_only == training_only
