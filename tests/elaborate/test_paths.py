"""Resolving paths: numbers and indices, flat nodes, unique paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Severity, Source
from cnngraph.graph.graph import Graph
from tests.backend.support import graph_of
from tests.fuzz.cases import draw
from tests.fuzz.checks import MAIN, compiled
from tests.fuzz.spec_tree import spec_files

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"
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


# -- numbers: `x.1` is the node 1 inside x, `x[1]` is tensor 1 of its list

NAMED = "blocks: {maybe: {params: {n: }, when: $n > 0, nodes: {c: {op: conv, out: 8, kernel: 1}}}}\n"
SOME = "x: {op: conv, out: 8, kernel: 1, from: in, repeat: [{}, {when: false}, {}, {}]"
LAST = "x: {op: relu, from: in, repeat: [{}, {}, {when: false}], carry: none}"
PAIRS = "x: {op: chunk, chunks: 2, from: in, repeat: 2, carry: none}"
MIXED = "x: {op: relu, repeat: [{}, {when: false, else: [in, in]}, {}], carry: none}"

# a node called x, and for each path what is read: a path, several, or the code of the error
NUMBERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "a list of one op has no nodes inside": (
        "",
        "x: {op: chunk, chunks: 2}",
        {
            "x[0]": "x[0]",
            "x[1]": "x[1]",
            "x[-1]": "x[1]",
            "x.1": "x[1]",
            "x[2]": "E301",
            "x.2": "E301",
            "x[-3]": "E301",
        },
    ),
    "several inputs": (
        "",
        "x: {op: identity, from: [in, in]}",
        {"x[1]": "x[1]", "x.1": "x[1]"},
    ),
    "one tensor is no list": (
        "",
        "x: relu",
        {"x[0]": "E301", "x.0": "E301", "in[0]": "in", "in.0": "in", "in[1]": "E301"},
    ),
    "numbered nodes": (
        "",
        "x: [relu, {op: chunk, chunks: 2}]",
        {"x.0": "x.0", "x[0]": "x.1[0]", "x.1": "x.1[0] x.1[1]", "x[1]": "x.1[1]", "x.1[0]": "x.1[0]", "x.2": "E301"},
    ),
    "fewer numbered nodes than tensors": (
        "",
        "x: [relu, {op: chunk, chunks: 4}]",
        {"x[3]": "x.1[3]", "x.3": "E301", "x.1.3": "x.1[3]"},
    ),
    "named nodes": (
        "",
        "x: {nodes: {a: relu, b: {op: chunk, chunks: 2}}}",
        {"x[1]": "x.b[1]", "x.1": "x.b[1]", "x.b[1]": "x.b[1]", "x.b.1": "x.b[1]", "x.1.b": "E301"},
    ),
    "numbers as names": (
        "",
        "x: {nodes: {5: relu, 7: {op: chunk, chunks: 2}}}",
        {"x.5": "x.5", "x[1]": "x.7[1]", "x.1": "E301"},
    ),
    "dotted names": (
        "",
        "x: {nodes: {a.1: relu, b: {op: chunk, chunks: 2}}}",
        {"x.a.1": "x.a.1", "x[1]": "x.b[1]", "x.1": "x.b[1]"},
    ),
    "parallel iterations": (
        "",
        "x: {op: relu, repeat: 3, carry: none}",
        {"x.1": "x.1", "x[1]": "x.1", "x[-1]": "x.2", "x.3": "E301", "x[3]": "E301"},
    ),
    "iterations that are lists": (
        "",
        PAIRS,
        {
            "x.1": "x.1[0] x.1[1]",
            "x[1]": "x.0[1]",
            "x.1[0]": "x.1[0]",
            "x.1.0": "x.1[0]",
            "x[3]": "x.1[1]",
            "x.3": "E301",
        },
    ),
    "carried iterations": ("", "x: {op: relu, repeat: 3}", {"x.1": "x.1", "x[1]": "E301"}),
    "an absent parallel iteration keeps its number": (
        "",
        f"{SOME}, carry: none}}",
        {"x.0": "x.0", "x.1": "in", "x[1]": "in", "x.2": "x.2", "x[2]": "x.2", "x.3": "x.3", "x[3]": "x.3"},
    ),
    "an absent carried iteration: its number meant another one": (
        "",
        f"{SOME}}}",
        {"x.0": "x.0", "x.1": "E319", "x.2": "E319", "x.3": "x.3"},
    ),
    "an iteration that leaves nothing": (
        "",
        f"{SOME.replace('false', 'false, else: []')}, carry: none}}",
        {"x.0": "x.0", "x.1": "E319", "x[1]": "x.2", "x.2": "E319", "x[2]": "x.3", "x.3": "x.3"},
    ),
    "an iteration that leaves two tensors": ("", MIXED, {"x.1": "in in", "x[2]": "in", "x.2": "E319", "x[3]": "x.2"}),
    "the last iteration is absent": ("", LAST, {"x.1": "x.1", "x.2": "in", "x[2]": "in"}),
    "concatenated iterations": (
        "",
        f"{SOME}, carry: concat}}",
        {"x.1": "E319", "x.2": "E319", "x.3": "x.3", "x": "x.concat", "x[0]": "E301"},
    ),
    "the numbers are the names": (
        "",
        f"{SOME}, name: '0'}}",
        {"x.1": "x.0", "x.2": "x.2", "x.3": "x.3"},
    ),
    "the numbers are the names, and an iteration leaves two tensors": (
        "",
        MIXED.replace("carry", "name: '0', carry"),
        {"x.0": "x.0", "x.1": "E319", "x[1]": "in", "x[2]": "in", "x.2": "x.2", "x[3]": "x.2"},
    ),
    "the numbers are the names, and an iteration leaves nothing": (
        "",
        f"{SOME.replace('false', 'false, else: []')}, carry: none, name: '0'}}",
        {"x.1": "E319", "x[1]": "x.2", "x.2": "x.2", "x.3": "x.3"},
    ),
    "the repeat says that it gives all": (
        "",
        MIXED.replace("carry", "name: '0', gives: all, carry"),
        {"x.1": "in in", "x[1]": "in", "x.2": "x.2"},
    ),
    "other names": (
        "",
        f"{SOME}, carry: none, name: path1}}",
        {"x.path2": "in", "x.path3": "x.path3", "x[2]": "x.path3", "x.2": "x.path3"},
    ),
    "a block that is absent": (
        NAMED,
        "x: {op: maybe, repeat: 3, n: $i, carry: none, from: in}",
        {"x.0": "in", "x.1": "x.1.c", "x[1]": "x.1.c", "x.1.c": "E319", "x.2.c": "x.2.c", "x.0.c": "E319"},
    ),
    "all are absent": (NAMED, "x: {op: maybe, repeat: 2, n: 0, carry: none, from: in}", {"x.1": "in", "x.2": "E301"}),
    "flat iterations are numbered like nodes of a list": (
        "",
        f"{SOME}, carry: none, flat: true}}",
        {"x.1": "1", "1": "1", "x[1]": "in", "x[2]": "1", "x.3": "E301", "x[3]": "2"},
    ),
    "flat blocks in iterations": (
        "blocks: {pair: {flat: true, nodes: [relu, tanh]}}\n",
        "x: {op: pair, repeat: 2, carry: none, from: in}",
        {"x.1": "x.1", "x[1]": "x.3", "x.3": "x.3"},
    ),
    "a shared module": (
        "",
        "x: {nodes: {a: {op: conv, out: 8, kernel: 1}, b: {share: a, repeat: 2, carry: none}}}",
        {"x.b.1": "x.b.1", "x[1]": "x.b.1", "x.1": "x.b.1"},
    ),
    "the list that replaces an absent node": (
        "",
        "x: {op: chunk, chunks: 2, when: false, else: [in, in]}",
        {"x[1]": "in", "x.1": "in"},
    ),
    "a tensor contains nothing": (
        "",
        "x: {op: chunk, chunks: 2}",
        {"x[0].a": "E301", "x.0.a": "E301", "x[0][0]": "E301"},
    ),
    "what is not an index": (
        "",
        "x: {op: chunk, chunks: 2}",
        {"x[a]": "E301", "x[]": "E301", "x[0": "E301", "x[0.5]": "E301"},
    ),
}
CASES = [(situation, path) for situation, (_, _, paths) in NUMBERS.items() for path in paths]


@pytest.mark.parametrize(("situation", "path"), CASES)
def test_numbers_in_paths(situation: str, path: str) -> None:
    blocks, node, paths = NUMBERS[situation]
    text = f"{blocks}nodes:\n  {node}\n  t: {{op: identity, from: '{path}'}}\n"
    text += "  all: {op: concat, from: [x, t]}\noutputs: {o: all}\n"
    assert reads(text) == paths[path]


def test_a_shifted_number_says_what_it_meant() -> None:
    text = f"nodes:\n  {SOME}}}\n  t: {{op: relu, from: x.2}}\n"
    (error,) = compile_text(Source("t.yaml", HEAD + text), Path()).diagnostics
    assert error.message == "`x.2` is ambiguous, since iteration 1 of `x` is absent"
    assert ["iteration 2" in error.notes[0], "iteration 3" in error.notes[1]] == [True, True]
    named = text.replace("}]", "}], name: '0'")
    assert reads(named.replace("relu", "identity", 1) + "  u: {op: add, from: [x, t]}\n") == "x.2"


@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("x.3", "write `x[3]` for tensor 3 of its list"),
        ("x[3].relu", "write `x.3` for the node 3 inside `x`"),
        ("y[0]", "write `y.0` for an iteration, or add `gives: all` to `y`"),
    ],
)
def test_the_help_says_what_to_write(path: str, help: str) -> None:
    nodes = "  x: [relu, {op: chunk, chunks: 4}]\n  y: {op: relu, from: in, repeat: 2}\n"
    text = f"nodes:\n{nodes}  t: {{op: relu, from: '{path}'}}\n"
    (error,) = compile_text(Source("t.yaml", HEAD + text), Path()).diagnostics
    assert error.help is not None
    assert help in error.help


SIZES = {
    "$x.1[0].channels": "2",
    "$x[0].channels": "2",
    "$x.0.channels": "4",
    "$x.1.1.channels": "2",
    "$x.2.channels": "E402",
    "$y.2.channels": "E319",
    "$y.3.channels": "32",
    "len($x.1)": "2",
}


@pytest.mark.parametrize(("size", "expected"), SIZES.items())
def test_numbers_in_expressions(size: str, expected: str) -> None:
    """The same paths in expressions."""
    some = SOME.replace("x:", "y:").replace("out: 8", "out: 8 * ($i + 1)")
    text = f"""\
nodes:
  x: [{{op: conv, out: 4, kernel: 1}}, {{op: chunk, chunks: 2}}]
  {some}}}
  t: {{op: conv, from: in, kernel: 1, out: "{size}"}}
  all: {{op: concat, from: [x, y, t]}}
"""
    result = compile_text(Source("t.yaml", HEAD + text), Path())
    found = [diagnostic.code for diagnostic in result.diagnostics if diagnostic.severity is Severity.ERROR]
    assert result.graph is not None
    assert expected in found or not found
    if not found:
        (node,) = (node for node in result.graph.nodes if node.path == "t")
        assert str(node.types[0].sizes[0]) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x[$i]", ["x[0]", "x[1]", "x[2]"]),
        ("x[2 - $i]", ["x[2]", "x[1]", "x[0]"]),
        ("x[-1 - $i]", ["x[2]", "x[1]", "x[0]"]),
        ("x[$order[$i]]", ["x[1]", "x[0]", "x[2]"]),
        ("$other[$i]", ["x[0]", "x[1]", "x[2]"]),
        ("x[len($x) - 1]", ["x[2]", "x[2]", "x[2]"]),
        ("x[$i + 1]", ["E301"]),
        ("x[$i / 2]", ["E403"]),
        ("x[$i].a", ["E401"]),
    ],
)
def test_expressions_in_an_index(path: str, expected: list[str]) -> None:
    text = f"""\
params: {{order: [1, 0, 2], other: x}}
nodes:
  y: {{op: relu, from: "{path}", repeat: 3, carry: none}}
  x: {{op: split, sizes: [1, 3, 4], from: in}}
  all: {{op: concat, from: [x, y]}}
"""
    result = compile_text(Source("t.yaml", HEAD + text), Path())
    if result.diagnostics:
        assert [diagnostic.code for diagnostic in result.diagnostics][:1] == expected
    else:
        assert result.graph is not None
        assert [" ".join(node.inputs) for node in result.graph.nodes if node.op == "relu"] == expected


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
