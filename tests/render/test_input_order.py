"""Drawings tell the inputs of an operation apart, if their order matters."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from cnngraph.graph.graph import Graph
from cnngraph.ops.registry import builtin_ops
from cnngraph.render import Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.layout.drawing import Drawing, Note
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.picture import Arrow
from cnngraph.render.settings import UNLIMITED
from tests.render.geometry import faults, polyline
from tests.render.networks import INCEPTION, graph_of, mermaid_of

FORMATS = ["svg", "tikz", "html", "dot", "mermaid"]
DIRECTIONS = ["down", "right"]
HEAD = "cnngraph: 1\ninput: {x: [8, 8, 8], y: [8, 8, 8]}\nnodes:\n"
ONE = "cnngraph: 1\ninput: [8, 8, 8]\nnodes:\n"
PARTS = "  parts: {op: chunk, chunks: 2}\n  end: {op: concat, from: [%s]}\n"
CHAIN = """
cnngraph: 1
input: [8, 8, 8]
nodes:
  a: {op: conv, out: 8, kernel: 1}
  b: {op: conv, out: 8, kernel: 1}
  c: {op: conv, out: 8, kernel: 1}
  d: {op: conv, out: 8, kernel: 1}
  end: {op: concat, from: [%s]}
"""
UNET = """
cnngraph: 1
input: [8, 64, 64]
blocks:
  double: {nodes: [{op: conv, out: 8, kernel: 3, padding: half}, {op: conv, out: 8, kernel: 3, padding: half}]}
nodes:
  e1: double
  p1: {op: max_pool, kernel: 2}
  e2: double
  p2: {op: max_pool, kernel: 2}
  e3: double
  p3: {op: max_pool, kernel: 2}
  e4: double
  u3: {op: conv_transpose, out: 8, kernel: 2, stride: 2}
  c3: {op: concat, from: [e3, u3]}
  d3: double
  u2: {op: conv_transpose, out: 8, kernel: 2, stride: 2}
  c2: {op: concat, from: [%s]}
  d2: double
  u1: {op: conv_transpose, out: 8, kernel: 2, stride: 2}
  c1: {op: concat, from: [e1, u1]}
  d1: double
"""


def pair(op: str, order: str) -> Graph:
    return graph_of(
        f"{HEAD}  a: {{op: relu, from: x}}\n  b: {{op: tanh, from: y}}\n  end: {{op: {op}, from: [{order}]}}\n"
    )


def drawings_of(page: str) -> str:
    """The drawings of a page, without what it knows of the operations."""
    facts = re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)
    assert facts
    return json.dumps(json.loads(facts[1])["network"]["groups"])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("op", ["sub", "div", "matmul", "concat"])
def test_swapped_inputs_give_another_drawing(op: str, format: str) -> None:
    one, two = (draw(pair(op, order), format).decode() for order in ("a, b", "b, a"))
    if format == "html":
        one, two = map(drawings_of, (one, two))
    assert one != two


@pytest.mark.parametrize("op", sorted(name for name, cls in builtin_ops().items() if cls.is_commutative))
def test_the_order_of_a_sum_is_not_shown(op: str) -> None:
    arrows = [arrow for order in ("a, b", "b, a") for arrow in compose(pair(op, order), UNLIMITED).arrows]
    assert not any(arrow.places or arrow.mark or arrow.role for arrow in arrows)


def marks(drawing: Drawing) -> list[Note]:
    return [note for note in drawing.notes if re.fullmatch(r"[−÷]|\d\d?(?:[–,] ?\d\d?)*", note.text)]


def near(note: Note, drawing: Drawing) -> Arrow:
    """The arrow beside whose head a mark is."""

    def distance(curve: Sequence[tuple[float, float]]) -> float:
        return min((x - note.x) ** 2 + (y - note.y) ** 2 for x, y in list(polyline(curve[-4:]))[4:])

    return min(drawing.arrows, key=lambda placed: distance(placed.curve)).arrow


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("op", ["sub", "div"])
@pytest.mark.parametrize("order", ["a, b", "b, a"])
def test_the_second_input_has_a_sign(order: str, op: str, direction: str) -> None:
    drawing = drawn_of(pair(op, order), direction)
    (note,) = marks(drawing)
    kinds = {box.box.key: box.box.rows[0].text for box in drawing.boxes if box.box.rows}
    assert kinds[near(note, drawing).tail] == ("tanh" if order == "a, b" else "relu")
    assert not list(faults(drawing))


def drawn_of(graph: Graph, direction: Any = "down") -> Drawing:
    return fitted(graph, Settings(page=None, direction=direction)).drawing


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (ONE + PARTS % "parts.0, parts.1", 0),
        (ONE + PARTS % "parts.1, parts.0", 2),
        (ONE + PARTS % "parts.0, parts.1, parts.0", 3),
        (ONE + PARTS % "parts.0, parts.0, parts.1", 0),
        (CHAIN % "d, c, b, a", None),
        (CHAIN % "a, b, c, d", None),
        (CHAIN % "b, d, a, c", 4),
        (INCEPTION, 0),
    ],
)
def test_numbers_where_the_inputs_are_not_in_order(text: str, numbers: int | None, direction: str) -> None:
    """Without numbers the ends of arrows are in order; with them each is beside the arrow of its input."""
    graph = graph_of(text)
    drawing = drawn_of(graph, direction)
    found = marks(drawing)
    assert numbers is None or len(found) == numbers
    assert not list(faults(drawing))
    axis = 0 if direction == "down" else 1
    into = [placed for placed in drawing.arrows if placed.arrow.places]
    if found:
        assert {int(note.text): near(note, drawing).places for note in found} == {
            place: (place,) for place in range(1, len(into) + 1)
        }
    else:
        seen = sorted(into, key=lambda placed: placed.curve[-1][axis])
        ordered = sorted(into, key=lambda placed: placed.arrow.places)
        assert [placed.arrow.source for placed in seen] == [placed.arrow.source for placed in ordered]


def test_a_skip_across_a_u_is_numbered_if_it_is_the_second_input() -> None:
    assert not marks(fitted(graph_of(UNET % "e2, u2"), Settings()).drawing)
    found = marks(drawing := fitted(graph_of(UNET % "u2, e2"), Settings()).drawing)
    ops = {box.box.key: box.box.rows[0].text for box in drawing.boxes}
    assert {note.text: "transpose" in ops[near(note, drawing).tail] for note in found} == {"1": True, "2": False}


def test_equal_branches_that_are_folded_share_an_arrow_with_a_range() -> None:
    names = [f"b{number}" for number in range(5)]
    branches = "".join(f"  {name}: {{op: conv, from: x, out: 4, kernel: 1}}\n" for name in names)
    text = f"{HEAD}{branches}  end: {{op: concat, from: [{', '.join(names)}, y]}}\n"
    picture = compose(graph_of(text), Settings(page=None, fold=True))
    assert sorted(arrow.places for arrow in picture.arrows if arrow.places) == [(1, 2, 3, 4, 5), (6,)]
    text = text.replace("b4, y]", "y, b4]")
    assert "1–4, 6" in mermaid_of(graph_of(text), fold=True)


def test_many_parts_in_another_order_are_said_to_be() -> None:
    def label(order: Sequence[int]) -> str:
        parts = ", ".join(f"parts.{part}" for part in order)
        text = f"{ONE}  parts: {{op: chunk, chunks: 8}}\n  end: {{op: concat, from: [{parts}]}}\n"
        return next(arrow.label for arrow in compose(graph_of(text), UNLIMITED).arrows if "tensors" in arrow.label)

    assert label(range(8)) == "8 tensors of 1×8×8"
    assert label(range(7, -1, -1)) == "8 tensors of 1×8×8, in another order"


def test_in_mermaid_inputs_side_by_side_and_in_order_have_no_numbers() -> None:
    assert roles(graph_of(INCEPTION)) == []
    assert roles(pair("concat", "a, b")) == []
    assert roles(pair("concat", "b, a")) == ["1", "2"]
    assert roles(graph_of(CHAIN % "a, b, c, d")) == ["1", "2", "3", "4"]


def roles(graph: Graph) -> list[str]:
    """The labels of the arrows of a Mermaid text that are not shapes."""
    labels = re.findall(r'\|"([^"|]*)"\|', mermaid_of(graph))
    return [label.split()[0].rstrip(":") for label in labels if re.match(r"\d(?:$|:)", label)]


@pytest.mark.skipif(shutil.which("dot") is None, reason="there is no Graphviz")
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("text", [INCEPTION, ONE + PARTS % "parts.0, parts.1"], ids=["inception", "parts"])
def test_in_graphviz_inputs_without_numbers_are_in_order(text: str, direction: Any) -> None:
    text = draw(graph_of(text), "dot", Settings(direction=direction)).decode()
    ran = subprocess.run(["dot", "-Tjson"], input=text.encode(), capture_output=True, timeout=60)
    assert not ran.stderr
    heads: dict[int, list[tuple[float, int]]] = {}
    for edge in json.loads(ran.stdout)["edges"]:
        if port := re.fullmatch(r"in(\d+):[nw]", edge.get("headport", "")):
            x, y = map(float, edge["pos"].split()[0].removeprefix("e,").split(","))
            heads.setdefault(edge["head"], []).append((x if direction == "down" else -y, int(port[1])))
    assert heads
    for ends in heads.values():
        assert [place for _, place in sorted(ends)] == sorted(place for _, place in ends)


CLOSED = """
cnngraph: 1
input: {deep: [8, 16, 16], shallow: [4, 32, 32]}
blocks:
  head:
    inputs: [top, lateral]
    nodes: {up: {op: upsample, from: [top, lateral]}, out: READS}
  pair:
    inputs: [query, key]
    nodes: {q: {op: conv, from: query, out: 4, kernel: 1}, out: {op: sub, from: [q, key]}}
nodes:
  a: {op: head, from: [deep, shallow]}
  b: {op: conv, from: shallow, out: 4, kernel: 3, padding: half}
  c: {op: pair, from: [shallow, b]}
  d: {op: pair, from: [b, shallow]}
outputs: {x: a, y: c, z: d}
"""


@pytest.mark.parametrize(
    ("reads", "role"),
    [("{op: conv, from: up, out: 4, kernel: 1}", "like"), ("{op: concat, from: [up, lateral]}", "")],
)
def test_names_of_inputs_at_closed_blocks_are_those_of_the_block(reads: str, role: str) -> None:
    """They are needed where two inputs have the same shape; `like` only if nothing inside reads the values."""
    picture = compose(graph_of(CLOSED.replace("READS", reads)), Settings(page=None, depth=1))
    titles = {box.key: box.title.name for box in picture.boxes()}
    roles = [(titles[arrow.head], arrow.tail, arrow.role) for arrow in picture.arrows]
    assert [item for item in roles if item[0] in ("a", "c", "d")] == [
        ("a", "input0", ""),
        ("a", "input1", role),
        ("c", "input1", "query"),
        ("c", "node2", "key"),
        ("d", "node2", "query"),
        ("d", "input1", "key"),
    ]


TRIPLET = """
cnngraph: 1
input: {a: [1, 8, 8], p: [1, 8, 8], n: [1, 8, 8]}
nodes:
  ea: {op: conv, from: a, out: 4, kernel: 3}
  ep: {share: ea, from: p}
  en: {share: ea, from: n}
  dp: {op: sub, from: [ea, ep]}
  dn: {op: sub, from: [ea, en]}
  rp: {op: relu, from: dp}
  rn: {op: relu, from: dn}
  loss: {op: sub, from: [rp, rn]}
"""


def test_a_mark_is_nearest_to_its_own_line() -> None:
    """Where there is no such place, nothing is better than a mark that seems to be of the other arrow."""
    drawing = fitted(graph_of(TRIPLET), Settings(page=None)).drawing
    marks = [note for note in drawing.notes if note.text == "−"]
    assert marks
    for mark in marks:
        lines = {
            placed.arrow.tail: min(math.dist((mark.x, mark.y), point) for point in polyline(placed.curve))
            for placed in drawing.arrows
        }
        assert min(lines, key=lambda tail: lines[tail]) in ("node1", "node2", "node6"), mark


@pytest.mark.parametrize("text", [TRIPLET, ONE + PARTS % '"parts[1]", "parts[0]"'])
def test_a_strip_in_which_blocks_can_be_opened_has_marks(text: str) -> None:
    layout = lay_out(compose(graph_of(text), Settings(page=None)), Settings(page=None))
    assert layout.strip().notes == layout.drawing().notes
    assert {"−", "1"} & {note.text for note in layout.strip().notes}
