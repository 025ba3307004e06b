"""What a variant changes must be there to be changed."""

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
    ("text", "meant"), [("params: {unit: 3}", "units"), ("blocks: {jion: {op: tanh}}", "join")], ids=["param", "block"]
)
def test_a_name_that_replaces_nothing_is_a_warning(tmp_path: Path, text: str, meant: str) -> None:
    compilation = compile_spec(variant(tmp_path, text))
    (told,) = compilation.diagnostics
    assert (told.code, told.line, told.help) == ("W318", 3, f"did you mean `{meant}`?")
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
def test_other_names_are_the_variants_own(tmp_path: Path, text: str) -> None:
    assert cnngraph.check(variant(tmp_path, text)).diagnostics == ()


def test_a_params_new_value_may_use_what_is_new(tmp_path: Path) -> None:
    graph = cnngraph.load(variant(tmp_path, "params: {units: $half * 2, half: 3}"))
    assert [node.path for node in graph.nodes] == [f"units.{index}" for index in range(6)]


def test_params_in_a_circle_are_reported(tmp_path: Path) -> None:
    (told, *_) = cnngraph.check(variant(tmp_path, "params: {units: $half, half: $units}"))
    assert (told.code, told.line) == ("E402", 3)


def test_params_may_use_each_other_thousands_deep(tmp_path: Path) -> None:
    chain = "".join(f"  p{index}: $p{index + 1}\n" for index in range(5000))
    graph = cnngraph.load(variant(tmp_path, f"params:\n  units: $p0\n{chain}  p5000: 3"))
    assert len(graph.nodes) == 3


def test_the_order_of_the_base_is_kept_where_nothing_asks_for_another(tmp_path: Path) -> None:
    graph = cnngraph.load(variant(tmp_path, "params: {more: $units, units: 4}"))
    assert dict(graph.params) == {"units": 4, "more": 4}


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
def test_other_outputs_keep_what_is_for_training_only_of_them(
    tmp_path: Path, outputs: str, training_only: set[str]
) -> None:
    (tmp_path / "base.yaml").write_text(HEADS)
    path = tmp_path / "variant.yaml"
    path.write_text(f"cnngraph: 1\nextends: base.yaml\noutputs: {outputs}\n")
    assert cnngraph.load(path).training_only == training_only
