"""Suggested renames for a weights file with other keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import cnngraph
from cnngraph import Graph
from cnngraph.backend import check_weights
from cnngraph.backend.weights import suggestions
from cnngraph.backend.weights.files import read_weights
from cnngraph.backend.weights.suggestions import suggest_renames
from tests.backend.support import graph_of

Renaming: TypeAlias = Callable[[str], str]

SPEC = """
    input: [3, 8, 8]
    params: {classes: 10}
    nodes:
      conv1: {op: conv, out: 8, kernel: 3, padding: half, bias: false}
      bn1: batch_norm
      layer:
        repeat: 3
        nodes: {conv1: {op: conv, out: 8, kernel: 1}, bn1: batch_norm, conv2: {op: conv, out: 8, kernel: 1}}
      last: {repeat: 2, name: stage1, nodes: {conv: {op: conv, out: 12, kernel: 1}, bn: batch_norm}}
      pool: global_avg_pool
      fc: {op: linear, out: $classes}
    """


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(SPEC)


@pytest.fixture(params=["pth", "safetensors"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Mapping[str, Tensor]], Path]:
    """A function that saves weights with keys in module order or alphabetical order."""
    path = tmp_path / f"weights.{request.param}"

    def write(weights: Mapping[str, Tensor]) -> Path:
        if path.suffix == ".pth":
            torch.save(dict(weights), path)
        else:
            save_file(dict(weights), path)
        return path

    return write


Save: TypeAlias = Callable[[Mapping[str, Tensor]], Path]


def renamed(graph: Graph, name: Renaming) -> dict[str, Tensor]:
    """The weights of the network under other names."""
    return {name(key): torch.zeros(shape) for key, shape in graph.state.items()}


def all_but_fc(prefix: str) -> Renaming:
    return lambda key: key if key.startswith("fc.") else prefix + key


def in_blocks(key: str) -> str:
    return key.replace("layer.", "blocks.").replace("last.stage", "last.block")


@pytest.mark.parametrize(
    ("name", "renames"),
    [
        (lambda key: f"trunk.{key}", {"trunk.**": "**"}),
        (all_but_fc("tower."), {"tower.**": "**"}),
        (lambda key: key.replace("fc.", "head.linear."), {"head.linear.**": "fc.**"}),
        (lambda key: all_but_fc("body.")(key).replace("fc.", "head."), {"body.**": "**", "head.**": "fc.**"}),
        (in_blocks, {"blocks.**": "layer.**", "last.block*.**": "last.stage*.**"}),
        (lambda key: key.replace("bn1", "norm"), {"**.norm.**": "**.bn1.**", "norm.**": "bn1.**"}),
        (lambda key: key, None),
    ],
)
def test_prefixes(graph: Graph, save: Save, name: Renaming, renames: dict[str, str] | None) -> None:
    file = read_weights(save(renamed(graph, name)))
    found = suggest_renames(file, graph)
    if renames is None:
        assert found is None
        return
    assert found is not None
    assert found[0] == renames
    assert found[1] == check_weights(file, graph, renames)
    assert found[1].ok


def test_a_missing_prefix(save: Save) -> None:
    graph = graph_of("nodes: {body: [{op: conv, out: 8, kernel: 3}, {op: conv, out: 9, kernel: 3}]}")
    found = suggest_renames(read_weights(save(renamed(graph, lambda key: key.removeprefix("body.")))), graph)
    assert found
    assert found[0] == {"**": "body.**"}


def test_unrelated_names_are_matched_by_order(graph: Graph, tmp_path: Path) -> None:
    torch.save(renamed(graph, lambda key: key.replace("conv1", "first").replace("conv2", "second")), tmp_path / "w.pth")
    found = suggest_renames(read_weights(tmp_path / "w.pth"), graph)
    assert found
    assert found[1].ok
    swapped = renamed(graph, lambda key: key.replace("layer.0.conv1", "x.b").replace("layer.1.conv1", "x.a"))
    save_file(swapped, tmp_path / "w.safetensors")  # only the order tells the two apart
    assert suggest_renames(read_weights(tmp_path / "w.safetensors"), graph) is None


def test_renames_of_the_spec_are_kept(save: Save) -> None:
    graph = graph_of(SPEC + '\n    weights: {renames: {"classifier.*": "fc.*"}}')
    names = all_but_fc("trunk.")
    found = suggest_renames(
        read_weights(save(renamed(graph, lambda key: names(key).replace("fc.", "classifier.")))), graph
    )
    assert found
    assert found[0] == {"trunk.**": "**", "classifier.*": "fc.*"}


def test_a_useless_rename_of_the_spec_is_replaced(save: Save) -> None:
    graph = graph_of(SPEC + '\n    weights: {renames: {"trunk.**": "nowhere.**"}}')
    found = suggest_renames(read_weights(save(renamed(graph, lambda key: f"trunk.{key}"))), graph)
    assert found
    assert (found[0], found[1].ok) == ({"trunk.**": "**"}, True)


def test_with_a_classifier_of_another_size(tmp_path: Path, save: Save) -> None:
    (tmp_path / "net.yaml").write_text(
        "cnngraph: 1\ninput: [3, 8, 8]\nparams: {classes: 10}\n"
        "nodes: {body: {op: conv, out: 8, kernel: 3}, pool: global_avg_pool, fc: {op: linear, out: $classes}}"
    )
    file = read_weights(save(renamed(cnngraph.load(tmp_path / "net.yaml"), lambda key: f"trunk.{key}")))
    found = suggest_renames(file, cnngraph.load(tmp_path / "net.yaml", classes=3))
    assert found
    assert (found[0], found[1].ok, found[1].fresh_layers) == ({"trunk.**": "**"}, True, ["fc"])


def test_accidental_matches_are_not_suggested(graph: Graph, save: Save) -> None:
    weights = {"encoder.1.weight": torch.zeros(10, 12), "encoder.1.bias": torch.zeros(10), "other": torch.zeros(7)}
    assert suggest_renames(read_weights(save(weights)), graph) is None


def test_a_partly_matching_module_is_not_renamed(graph: Graph, save: Save) -> None:
    weights = renamed(graph, all_but_fc("trunk."))
    weights["trunk.layer.0.extra.weight"] = torch.zeros(3)
    found = suggest_renames(read_weights(save(weights)), graph)
    assert found
    assert "trunk.**" not in found[0]
    assert not any("trunk.layer.**" in rename for rename in found[0])
    assert found[1].unexpected == ("trunk.layer.0.extra.weight",)


def test_the_search_is_bounded(graph: Graph, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "MAX_KEYS", 5)
    assert suggest_renames(read_weights(save(renamed(graph, lambda key: f"trunk.{key}"))), graph) is None
    monkeypatch.undo()
    many = {f"part{number}.x.weight": torch.zeros(8) for number in range(3000)}
    start = time.process_time()
    assert suggest_renames(read_weights(save(many)), graph) is None
    assert time.process_time() - start < 20
    for key in ("a*b.weight", f"{'x' * 2000}.weight", f"{'x.' * 100}weight"):
        weights = {**renamed(graph, lambda key: f"trunk.{key}"), key: torch.zeros(1)}
        assert suggest_renames(read_weights(save(weights)), graph) is None
