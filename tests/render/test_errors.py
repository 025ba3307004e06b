"""Drawings of specs with errors: the valid part, and a red box for each node that has an error."""

from __future__ import annotations

from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.render import Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.picture import Box, Frame, Picture, Shape
from cnngraph.render.settings import UNLIMITED
from tests.conftest import GOLDEN
from tests.planted.corpus import corpus
from tests.planted.kinds import plant
from tests.planted.slips import KINDS

SPECS = sorted((GOLDEN / "errors").glob("*.yaml"))
BLOCK = """
cnngraph: 1
input: [3, 32, 32]
blocks:
  unit:
    nodes: {a: {op: conv, out: 8, kernel: 3}, b: {op: conv, out: 8, kernel: 3}, pool: {op: max_pool, kernel: 99}}
nodes:
  stem: {op: conv, out: 8, kernel: 3}
  one: unit
  two: {op: unit, from: stem}
  sum: {op: add, from: [one, two]}
"""


def valid_part(text: str) -> Graph:
    graph = compile_text(Source("net.yaml", text), Path()).graph
    assert graph is not None
    return graph


def errors(picture: Picture) -> dict[str, Box]:
    return {box.title.name: box for box in picture.boxes() if box.shape is Shape.ERROR}


def sources(picture: Picture, box: Box) -> list[str]:
    boxes = {item.key: item for item in picture.boxes()}
    tails = [boxes[arrow.tail] for arrow in picture.arrows if arrow.head == box.key]
    return [tail.rows[-1].text if tail.rows else tail.title.name for tail in tails]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_format_marks_every_node_with_an_error(path: Path) -> None:
    compilation = compile_text(Source(path.name, path.read_text(encoding="utf-8")), path.parent)
    graph = compilation.graph
    if graph is None:
        return
    for node in {item.node for item in compilation.diagnostics if item.node}:
        assert any(f".{error.path}.".find(f".{node}.") >= 0 for error in graph.errors)
    for page in ("a4", "slide", None):
        svg = draw(graph, "svg", Settings(page=page)).decode()
        ElementTree.fromstring(svg)
        assert svg.count('class="box error"') == len(graph.errors)
    volumes = draw(graph, "svg", Settings(style="volumes")).decode()
    assert volumes.count('class="box error"') == len(graph.errors)
    tikz = draw(graph, "tikz").decode()
    assert all(f"(error{number})" in tikz for number in range(len(graph.errors)))
    assert draw(graph, "html").decode().count('class="box error"') == len(graph.errors)
    for format in ("dot", "mermaid"):
        text = draw(graph, format).decode()
        assert all(f"  error{number}" in text for number in range(len(graph.errors)))


def test_the_box_reads_what_the_node_reads_and_says_what_is_wrong() -> None:
    graph = valid_part("""
cnngraph: 1
input: [3, 32, 32]
nodes:
  a: {op: conv, out: 8, kernel: 3}
  b: {op: conv, from: in, out: 8, kernel: 5}
  sum: {op: add, from: [a, b]}
  fc: {op: linear, out: 10}
""")
    picture = compose(graph, UNLIMITED)
    box = errors(picture)["sum"]
    assert " ".join(row.text for row in box.rows) == "E203 the inputs of add must have the same height and width"
    assert sources(picture, box) == ["conv 3×3, 8", "conv 5×5, 8"]
    labels = [arrow.label for arrow in picture.arrows if arrow.head == box.key]
    assert labels == ["8×30×30", "8×28×28"]
    assert list(errors(picture)) == ["sum"]  # `fc` depends on it and is not drawn


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("  wrong: {op: conv, from: a, out: 8}", ["conv 3×3, 8"]),  # a parameter is missing
        ("  wrong: {opp: conv, from: a}", []),  # it cannot be read
        ("  wrong: {op: add, from: [a, b]}", ["conv 3×3, 8"]),  # one of the inputs is known
        ("  wrong: {op: conve, from: a, out: 8}", ["conv 3×3, 8"]),
        ("  wrong: {op: relu, from: a, expect: [9, 9, 9]}", ["relu"]),  # the node is drawn; the check reads it
        ("  wrong: {op: conv, from: a, out: 8, kernel: 3}\n  end: {op: relu, from: a}", ["conv 3×3, 8"]),  # not used
        ("  wrong: {op: conv, from: a, repeat: 9, out: 8, kernel: 9}", ["conv 9×9, 8"]),  # the fourth iteration
    ],
)
def test_inputs_are_drawn_as_far_as_they_are_known(line: str, reads: list[str]) -> None:
    graph = valid_part(f"cnngraph: 1\ninput: [3, 32, 32]\nnodes:\n  a: {{op: conv, out: 8, kernel: 3}}\n{line}\n")
    picture = compose(graph, UNLIMITED)
    (box,) = errors(picture).values()
    assert box.title.name.startswith("wrong")
    assert box.rows[0].text[0] == "E"
    assert sources(picture, box) == reads


def test_the_box_is_in_the_innermost_frame_of_its_node() -> None:
    graph = valid_part(BLOCK)
    frames = {frame.title.name: frame for frame in compose(graph, UNLIMITED).frames()}
    assert set(errors(compose(graph, UNLIMITED))) == {"one.pool", "two.pool"}  # one message, two nodes
    for name in ("one", "two"):
        inside = [member.title.name for member in frames[name].members if isinstance(member, Box)]
        assert f"{name}.pool" in inside
    closed = compose(graph, Settings(depth=1, page=None))
    assert set(errors(closed)) == {"one.pool", "two.pool"}
    assert not [member for member in closed.members if isinstance(member, Frame)]
    part = compose(graph, Settings(node="two", page=None))
    assert set(errors(part)) == {"two.pool"}


def test_many_errors_are_bounded_and_long_messages_cut() -> None:
    lines = [f"  n{number}: {{op: conv, from: in, out: 8, kernel: {'9' * 5}}}" for number in range(60)]
    graph = valid_part("\n".join(["cnngraph: 1", "input: [3, 32, 32]", "nodes:", *lines]))
    boxes = errors(compose(graph, UNLIMITED))
    assert len(boxes) == 20
    name = "x" * 3000
    graph = valid_part(f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: {{a: relu, b: {{op: '{name}<&\"'}}}}\n")
    svg = draw(graph, "svg").decode()
    ElementTree.fromstring(svg)
    assert len(svg) < 20_000


def test_a_valid_graph_has_no_errors() -> None:
    assert valid_part("cnngraph: 1\ninput: [3, 8, 8]\nnodes: [relu]\n").errors == ()


def test_planted_errors_are_drawn() -> None:
    random, drawn, kinds = Random(7), 0, list(KINDS)
    while drawn < 10:
        spec = random.choice(corpus())
        planted = plant(random.choice(kinds), spec, random)
        compilation = compile_text(Source(spec.name, planted.text), spec.folder) if planted else None
        if compilation is None or compilation.ok or compilation.graph is None:
            continue
        drawn += 1
        graph = compilation.graph
        for settings in (Settings(), Settings(page=None, depth=1), Settings(style="volumes")):
            assert draw(graph, "svg", settings).decode().count('class="box error"') == len(graph.errors)
        assert draw(graph, "html").decode().count('class="box error"') == len(graph.errors)


def test_a_cycle_has_arrows_from_what_its_nodes_read_outside() -> None:
    picture = compose(
        valid_part(
            """
cnngraph: 1
input: [3, 32, 32]
nodes:
  stem: {op: conv, out: 8, kernel: 1}
  side: {op: conv, from: stem, out: 9, kernel: 1}
  a: {op: conv, from: c, out: 8, kernel: 1}
  b: {op: concat, from: [a, side]}
  c: {op: concat, from: [b, stem]}
  fc: {op: conv, from: side, out: 10, kernel: 1}
"""
        ),
        UNLIMITED,
    )
    ((name, box),) = errors(picture).items()
    assert name == "a"
    assert sorted(sources(picture, box)) == ["conv 1×1, 8", "conv 1×1, 9"]
