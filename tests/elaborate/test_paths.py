"""Resolving paths: every path that `show` prints can be read, and ambiguous paths are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Severity, Source
from cnngraph.graph.graph import Graph
from tests.backend.support import graph_of
from tests.fuzz.cases import draw
from tests.fuzz.checks import MAIN, compiled
from tests.fuzz.spec_tree import spec_files
from tests.library import network

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"
MAYBE = "blocks: {maybe: {params: {n: }, when: $n > 0, nodes: [{op: conv, out: 8, kernel: 1}]}}\n"
PATHS = "paths: {op: maybe, repeat: 3, n: $i, carry: none, from: in"
LINK = """\
blocks:
  link: {params: {n: }, flat: true, nodes: {convs.$n: {op: conv, out: 8, kernel: 1}, act$n: relu}}
"""


def reads(text: str, node: str = "t") -> str:
    """The inputs of a node, or the codes of the errors."""
    result = compile_text(Source("t.yaml", HEAD + text), Path())
    errors = [diagnostic.code for diagnostic in result.diagnostics if diagnostic.severity is Severity.ERROR]
    if errors:
        return " ".join(errors)
    assert result.graph is not None
    return " ".join(next(candidate.inputs for candidate in result.graph.nodes if candidate.path == node))


# -- numbers

NUMBERS = {
    "a number that is one node and another tensor": (MAYBE, f"{PATHS}}}", "paths.0", "E319"),
    "the same further on": (MAYBE, f"{PATHS}}}", "paths.1", "E319"),
    "a tensor alone": (MAYBE, f"{PATHS}}}", "paths.2", "paths.1.0"),
    "neither": (MAYBE, f"{PATHS}}}", "paths.3", "E301"),
    "flat iterations": (MAYBE, f"{PATHS}, flat: true}}", "paths.0", "E319"),
    "a node further inside": (MAYBE, f"{PATHS}}}", "paths.0.0", "paths.0.0"),
    "iterations with names": (MAYBE, f"{PATHS}, name: path1}}", "paths.0", "in"),
    "the node of such a name": (MAYBE, f"{PATHS}, name: path1}}", "paths.path2", "paths.path2.0"),
    "all iterations there": ("", "paths: {op: relu, repeat: 3, carry: none}", "paths.1", "paths.1"),
    "iterations that are lists": ("", "paths: {op: chunk, chunks: 2, repeat: 2, carry: none}", "paths.1", "E319"),
    "a part of such an iteration": (
        "",
        "paths: {op: chunk, chunks: 2, repeat: 2, carry: none}",
        "paths.1.0",
        "paths.1.0",
    ),
    "a list at the end of a list": ("", "paths: [relu, {op: chunk, chunks: 2}]", "paths.1", "E319"),
    "a list at the end of a mapping": (
        "",
        "paths: {nodes: {a: relu, b: {op: chunk, chunks: 2}}}",
        "paths.1",
        "paths.b.1",
    ),
    "what is absent": ("", "paths: {op: chunk, chunks: 2, when: false, else: [in, in]}", "paths.1", "in"),
}


@pytest.mark.parametrize(("blocks", "node", "path", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_in_paths(blocks: str, node: str, path: str, expected: str) -> None:
    text = f"{blocks}nodes:\n  {node}\n  t: {{op: relu, from: {path}}}\n  all: {{op: concat, from: [paths, t]}}\n"
    assert reads(text) == expected


def test_an_ambiguous_path_lists_both_meanings() -> None:
    text = f"{MAYBE}nodes:\n  {PATHS}}}\n  t: {{op: relu, from: paths.1}}\n"
    (error,) = compile_text(Source("t.yaml", HEAD + text), Path()).diagnostics
    assert error.message == "`paths.1` is ambiguous"
    assert error.notes == ("it refers to the node `paths.1` at t.yaml:5", "and to tensor 1 of the list `paths`")
    assert error.help is not None
    assert "name: path1" in error.help
    assert "{op: identity, from: paths}" in error.help


def test_the_suggested_paths_are_unambiguous() -> None:
    text = f"{MAYBE}nodes:\n  {PATHS}}}\n  list: {{op: identity, from: paths}}\n  t: {{op: relu, from: list.0}}\n"
    assert reads(text + "  all: {op: concat, from: [paths, t]}\n") == "list.0"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("$x.0.channels", "E319"), ('"$x[0].channels"', "in"), ("$x.1.0.channels", "in"), ("$x.2.channels", "E404")],
)
def test_numbers_in_expressions(size: str, expected: str) -> None:
    node = "  x: [{op: conv, out: 4, kernel: 1}, {op: chunk, chunks: 2}]\n"
    text = f"nodes:\n{node}  t: {{op: conv, from: in, kernel: 1, out: {size}}}\n  all: {{op: concat, from: [x, t]}}\n"
    assert reads(text) == expected


# -- flat

FLAT = {
    "a node of a flat block in flat iterations": (LINK, "links: {op: link, repeat: 2, n: $i, flat: true}", "act0"),
    "a dotted one": (LINK, "links: {op: link, repeat: 2, n: $i, flat: true}", "convs.1"),
    "through the repeat": (LINK, "links: {op: link, repeat: 2, n: $i, flat: true}", "links.act1"),
    "through an iteration": (LINK, "links: {op: link, repeat: 2, n: $i, flat: true}", "links.1.act1"),
    "under a repeat with a level": (LINK, "links: {op: link, repeat: 2, n: $i}", "links.act1"),
}


@pytest.mark.parametrize(("blocks", "node", "path"), FLAT.values(), ids=FLAT)
def test_paths_into_flat_nodes(blocks: str, node: str, path: str) -> None:
    found = reads(f"{blocks}nodes:\n  {node}\n  t: {{op: tanh, from: {path}}}\n  all: {{op: add, from: [links, t]}}\n")
    assert found.split(".")[-1] == path.split(".")[-1]


@pytest.mark.parametrize(
    ("path", "expected"), [("a", "E319"), ("a.a", "a"), ("b", "b")], ids=["its name", "inside it", "another"]
)
def test_a_flat_node_with_the_name_of_an_inner_node(path: str, expected: str) -> None:
    text = "blocks: {u: {flat: true, nodes: {a: relu, b: tanh}}}\nnodes:\n  a: u\n"
    assert reads(f"{text}  t: {{op: relu, from: {path}}}\n  all: {{op: add, from: [b, t]}}\n") == expected


# -- paths are unique

CLASHES = {
    "a flat dense block called as its first iteration": (
        "nodes: {layer1: {repeat: 2, name: layer1, op: conv, out: 4, kernel: 1, carry: concat, flat: true}}",
        ["E305"],
    ),
    "with another name": (
        "nodes: {dense: {repeat: 2, name: layer1, op: conv, out: 4, kernel: 1, carry: concat, flat: true}}",
        [],
    ),
    "a concatenation beside a node called concat": (
        "nodes: [{repeat: 2, flat: true, carry: concat, nodes: {concat: {op: conv, out: 4, kernel: 1}}}]",
        [],
    ),
    "flat blocks in a flat dense block": (
        LINK + "nodes: {d: {op: link, repeat: 4, n: $i, flat: true, carry: concat}}",
        [],
    ),
}


def assert_one_path_each(graph: Graph) -> None:
    paths = [node.path for node in graph.nodes]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(("text", "codes"), CLASHES.values(), ids=CLASHES)
def test_two_nodes_with_one_path_are_an_error(text: str, codes: list[str]) -> None:
    result = compile_text(Source("t.yaml", HEAD + text), Path())
    assert [diagnostic.code for diagnostic in result.diagnostics] == codes
    assert result.graph is not None
    assert_one_path_each(result.graph)


def test_paths_in_random_specs_are_unique(tmp_path: Path) -> None:
    for seed in range(100):
        graph = compiled(spec_files(draw(seed)[1], MAIN), tmp_path).graph
        assert graph is not None
        assert_one_path_each(graph)


# -- every printed path can be read

READ = ["vgg11_bn", "squeezenet1_1", "shufflenet_v2_x0_5", "googlenet_mnist", "resnet_cifar_222", "mnasnet0_5"]
READ += ["densenet_40_12", "efficientnet_b0", "mobilenet_v2", "drn_c_26", "unet"]


def tensors(graph: Graph) -> dict[str, tuple[int, int]]:
    """Every tensor that can be an output, by the path that `show` prints; then the values of blocks and repeats."""
    found = {}
    for index, node in enumerate(graph.nodes):
        if not node.unused and node.types[0].batched:
            for part in range(len(node.types)):
                found[f"{node.path}.{part}" if node.is_list else node.path] = (index, part)
    for scope in graph.scopes():
        if scope.path and scope.kind != "container" and len(scope.value) == 1:
            ref = scope.value[0]
            if ref.node < 0 or not graph.nodes[ref.node].unused:
                found.setdefault(scope.path, (ref.node, ref.output))
    return found


@pytest.mark.parametrize("name", READ)
def test_every_path_can_be_an_output(name: str, tmp_path: Path) -> None:
    graph = compile_spec(network(name)).graph
    assert graph is not None
    expected_outputs = tensors(graph)
    lines = [f"  o{number}: {path!r}" for number, path in enumerate(expected_outputs)]
    text = "\n".join([f"cnngraph: 1\nextends: {name}\ntraining_only: []\noutputs:", *lines, ""])
    result = compile_text(Source("taps.yaml", text), tmp_path)
    assert result.ok, result.diagnostics[0]
    assert result.graph is not None
    found = {path: tuple(result.graph.outputs[f"o{number}"]) for number, path in enumerate(expected_outputs)}
    assert found == expected_outputs


def test_a_flat_dense_block_can_be_used_twice() -> None:
    """The concatenation that `carry: concat` implies takes no name that another node may have."""
    graph = graph_of(
        """
        blocks:
          dense: {flat: true, nodes: {layers: {repeat: 2, op: conv, out: 3, kernel: 1, carry: concat, flat: true}}}
        nodes:
          one: {op: dense}
          two: {op: dense}
          layers: relu
        """
    )
    paths = [node.path for node in graph.nodes]
    assert len(set(paths)) == len(paths)
    assert graph.output_shapes["output"][0] == graph.input_shapes["in"][0] + 4 * 3
