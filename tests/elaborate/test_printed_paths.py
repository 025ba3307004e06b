"""Every path that `show` prints can be read, as an output of a spec that extends the network, and is that very node."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.graph.path_patterns import matches_path
from cnngraph.passes.tap import tensor_at
from tests.elaborate.test_paths import HEAD, NUMBERS
from tests.fuzz.cases import draw
from tests.fuzz.checks import MAIN, compiled
from tests.fuzz.spec_tree import spec_files
from tests.library import LIBRARY, NETWORKS

SAMPLE = 12  # paths of each network; all of them in the slow suite
FILES = [*NETWORKS, *sorted(LIBRARY.glob("examples/*.yaml"))]
TAPS = "cnngraph: 1\nextends: {}\ntraining_only: []\noutputs:\n"
AMBIGUOUS = re.compile(r"`([^`]*)` is ambiguous")


def tensors(graph: Graph) -> dict[str, Ref]:
    """Every tensor that can be an output, by the path that `show` prints; then the values of blocks and repeats."""
    found = {name: Ref(-1 - number) for number, name in enumerate(graph.inputs)}
    for index, node in enumerate(graph.nodes):
        for part, type_ in enumerate(node.types):
            if type_.batched and not node.unused:
                found[f"{node.path}[{part}]" if node.is_list else node.path] = Ref(index, part)
    for scope in graph.scopes():
        if scope.path and scope.kind != "container" and len(scope.value) == 1:
            ref = scope.value[0]
            if ref.node < 0 or (not graph.nodes[ref.node].unused and graph.type_of(ref).batched):
                found.setdefault(scope.path, ref)
    return found


def read(base: str, paths: list[str], folder: Path) -> dict[str, Ref]:
    """What the paths are as outputs of a spec that extends `base`, without those that two nodes of a name share."""
    lines = [f"  o{number}: {path!r}\n" for number, path in enumerate(paths)]
    result = compile_text(Source("taps.yaml", TAPS.format(base) + "".join(lines)), folder)
    if not result.ok:
        shared = [found[1] for error in result.diagnostics if (found := AMBIGUOUS.fullmatch(error.message))]
        assert shared, result.diagnostics[0]
        return read(base, [path for path in paths if path not in shared], folder)
    assert result.graph is not None
    return {path: result.graph.outputs[f"o{number}"] for number, path in enumerate(paths)}


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_paths_of_bundled_networks(file: Path, count: int | None, tmp_path: Path) -> None:
    compilation = compile_spec(file)
    graph = compilation.graph
    assert graph is not None
    assert compilation.spec is not None
    expected = tensors(graph)
    for rule in compilation.spec.change:  # what reads it reads the nodes after it
        if rule.after is not None:
            expected = {path: ref for path, ref in expected.items() if not matches_path(rule.match.text, path)}
    paths = random.Random(file.stem).sample(sorted(expected), min(count or len(expected), len(expected)))
    assert read(str(file), paths, tmp_path) == {path: expected[path] for path in paths}
    training = {path for path in paths if (node := expected[path].node) >= 0 and graph.nodes[node].training_only}
    assert [path for path in paths if path not in training and tensor_at(graph, path) != expected[path]] == []


def test_a_node_of_a_flat_block_in_flat_iterations(tmp_path: Path) -> None:
    (tmp_path / "taps.yaml").write_text("cnngraph: 1\nextends: vgg16\noutputs: {relu1_2: features.3}\n")
    result = compile_spec(tmp_path / "taps.yaml")
    assert result.graph is not None
    node = result.graph.nodes[result.graph.outputs["relu1_2"].node]
    assert (node.path, node.op, node.shape) == ("features.3", "relu", (64, 224, 224))


@pytest.mark.parametrize("situation", NUMBERS)
def test_paths_of_test_specs(situation: str, tmp_path: Path) -> None:
    blocks, node, _ = NUMBERS[situation]
    text = f"{HEAD}{blocks}nodes:\n  {node}\n  all: {{op: concat, from: [in, x]}}\n"
    (tmp_path / "base.yaml").write_text(text, encoding="utf-8")
    graph = compile_spec(tmp_path / "base.yaml").graph
    assert graph is not None
    expected = tensors(graph)
    found = read("base.yaml", list(expected), tmp_path)
    assert {path: ref for path, ref in expected.items() if path in found} == found


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 1000), marks=pytest.mark.slow)])
def test_paths_of_random_specs(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        files = spec_files(draw(seed)[1], MAIN)
        (folder / MAIN).write_text(files[MAIN], encoding="utf-8")
        graph = compiled(files, folder).graph
        assert graph is not None
        expected = tensors(graph)
        found = read(f"./{MAIN}", list(expected), folder)
        assert {path: ref for path, ref in expected.items() if path in found} == found, seed
