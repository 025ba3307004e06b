"""Untrusted names, and graphs too large to draw."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from time import process_time
from xml.etree import ElementTree

import pytest

from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Scope
from cnngraph.render import Settings, render
from tests.render.networks import INCEPTION, dot_of, graph_of, mermaid_of

NASTY = [
    '"]; evil [label="x"] \\',
    "<script>alert(1)</script>",
    "</TD></TR></TABLE>>]; evil",
    '<IMG SRC="/etc/passwd"/>',
    "&lt;b&gt; &amp; \\N \\G",
    '"]; click node0 callback "x',
    '%%{init: {"securityLevel": "loose"}}%%',
    "`markdown` **bold** #quot; #35;",
    "a\x00b\x1b[31m\nend\u2028\u202e\ud800",
    "名前 — ünï×çødé 🦊",
    "long " * 500,
]


def renamed(graph: Graph, name: str) -> Graph:
    """The graph with every name replaced."""

    def scope(part: Scope) -> Scope:
        children = tuple(scope(child) if isinstance(child, Scope) else child for child in part.children)
        return replace(part, path=part.path and name, block=part.block and name, children=children)

    return replace(
        graph,
        name=name,
        about=name,
        inputs=dict.fromkeys([name], graph.inputs["in"]),
        outputs=dict.fromkeys([name], graph.outputs["output"]),
        nodes=tuple(replace(node, path=name, shares=name) for node in graph.nodes),
        root=scope(graph.root),
    )


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text_in_an_svg(name: str, tmp_path: Path) -> None:
    render(renamed(graph_of(INCEPTION), name), tmp_path / "net.svg")
    drawing = ElementTree.parse(tmp_path / "net.svg")
    tags = {re.sub("{.*}", "", element.tag) for element in drawing.iter()}
    assert tags <= {"svg", "g", "title", "path", "polygon", "circle", "rect", "text", "tspan"}
    plain = ElementTree.tostring(drawing.getroot(), encoding="unicode")
    assert "evil" not in re.findall("<title>(.*?)</title>", plain)
    assert not re.search(r'\son\w+=|href="', plain)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text_in_dot_and_mermaid(name: str) -> None:
    graph = graph_of(INCEPTION)
    nasty = renamed(graph, name)
    assert shape_of(dot_of(nasty)) == shape_of(dot_of(renamed(graph, "plain")))
    diagram = mermaid_of(nasty)
    for line in diagram.splitlines():
        assert line.count('"') in (0, 2), line
        quoted = "".join(re.findall('"(.*)"', line))
        assert not re.search(r"[`%{}\\]|<(?!/?b>|br/>)", quoted), line
    assert len(diagram.splitlines()) == len(mermaid_of(renamed(graph, "plain")).splitlines())


def shape_of(text: str) -> list[str]:
    """The statements of DOT without quoted strings and HTML-like labels."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    return [re.sub("label=<.*?>(?=[,\\]])", "label=<>", line) for line in text.splitlines()]


def test_a_flat_network_of_thousands_of_nodes_is_an_error(tmp_path: Path) -> None:
    graph = graph_of(f"{HEAD}  body: {{repeat: 2000, flat: true, op: conv, out: $i + 1, kernel: 1}}\n")
    with pytest.raises(SpecError) as caught:
        render(graph, tmp_path / "net.svg")
    (found,) = caught.value.diagnostics
    assert found.code == "E501"
    assert "1,500 boxes" in found.message
    assert not list(tmp_path.iterdir())


HEAD = "cnngraph: 1\nname: big\ninput: [3, 8, 8]\nnodes:\n"


def test_a_large_network_is_drawn_closed_unless_a_depth_is_given(tmp_path: Path) -> None:
    graph = graph_of(
        f"{HEAD}  body: {{repeat: 1000, nodes: [{{op: conv, out: $i + 1, kernel: 1}}, max, {{op: relu}}]}}\n".replace(
            "max", "identity"
        )
    )
    start = process_time()
    render(graph, tmp_path / "net.svg")
    assert process_time() - start < 20
    wide = graph_of(f"{HEAD}  body: {{repeat: 2000, op: conv, out: $i + 1, kernel: 1}}\n")
    render(wide, tmp_path / "wide.svg")
    with pytest.raises(SpecError, match="smaller `--depth`"):
        render(wide, tmp_path / "wide.svg", Settings(depth=2))


def test_the_number_of_arrows_is_bounded() -> None:
    nodes = "".join(f"  a{i}: {{op: conv, from: in, out: 3, kernel: 1}}\n" for i in range(70))
    reads = ", ".join(f"a{i}" for i in range(70))
    sums = "".join(f"  b{i}: {{op: {('add', 'mul')[i % 2]}, from: [{reads}]}}\n" for i in range(70))  # nothing to fold
    end = f"  end: {{op: add, from: [{', '.join(f'b{i}' for i in range(70))}]}}\n"
    with pytest.raises(SpecError, match="3,000 arrows"):
        dot_of(graph_of(HEAD + nodes + sums + end))
