"""Layouts of any graph: no arrow is drawn over a box or a text, no two texts overlap."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings
from cnngraph.render.fit import fitted
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.settings import Direction, Style
from tests.render.geometry import faults
from tests.render.networks import graph_of
from tests.render.random_graphs import random_spec

DIRECTIONS: tuple[Direction, ...] = ("down", "right")
RARE = (17, 131, 199, 399)  # against the flow, several inputs, boxes over several lanes


@pytest.mark.parametrize(
    ("seeds", "pages", "styles"),
    [
        (RARE, (None, "a4"), ("boxes",)),
        (range(60), (None,), ("boxes",)),
        (range(60, 75), PAGES, ("boxes", "volumes")),
        pytest.param(range(75, 1000), (None, *PAGES), ("boxes", "volumes"), marks=pytest.mark.slow),
    ],
)
def test_random_graphs_have_no_faults(
    seeds: Iterable[int], pages: tuple[str | None, ...], styles: tuple[Style, ...]
) -> None:
    found = {}
    for seed in seeds:
        graph = graph_of(random_spec(seed))
        for page, style, direction in product(pages, styles, DIRECTIONS):
            if style == "boxes" or direction == "right":
                drawing = fitted(graph, Settings(page=page, style=style, direction=direction)).drawing
                found[seed, page, style, direction] = list(faults(drawing))
    assert {key: texts for key, texts in found.items() if texts} == {}


def drawn(text: str, direction: Direction = "down") -> Drawing:
    """The drawing of a graph of maps of one size on an endless page."""
    settings = Settings(page=None, direction=direction)
    return fitted(graph_of(f"cnngraph: 1\n{text}"), settings).drawing


@pytest.mark.parametrize(("seed", "first", "later"), [(109, "xy", ""), (44, "xyz", ""), (145, "xz", "y")])
def test_inputs_are_side_by_side_or_near_what_reads_them(seed: int, first: str, later: str) -> None:
    """The first ones are read by one of the first nodes, the later ones only by others."""
    drawing = fitted(graph_of(random_spec(seed)), Settings(page=None, direction="down")).drawing
    at = {placed.box.title.name: placed.at.y for placed in drawing.boxes if placed.box.key.startswith("input")}
    assert len({at[name] for name in first}) == 1
    assert all(at[name] > at["x"] + 30 for name in later)


def bends(drawing: Drawing) -> list[float]:
    """How long the bends of arrows across the flow are along it."""
    found = []
    for arrow in drawing.arrows:
        for place in range(0, len(arrow.curve) - 3, 3):
            a, b, c, d = arrow.curve[place : place + 4]
            if a[0] == b[0] and c[0] == d[0] and abs(a[0] - d[0]) > 3:
                found.append(d[1] - a[1])
    return found


BENDS = {
    "a part that begins with two nodes has one edge from outside": """
input: {x: [4, 8, 8], z: [4, 8, 8]}
nodes:
  a: {op: relu, from: x}
  b: {op: relu, from: a}
  c: {op: relu, from: b}
  d: {op: relu, from: c}
  e: {op: relu, from: d}
  f: {op: relu, from: e}
  p: {op: conv, from: a, out: 4, kernel: 1}
  q: {op: mul, from: [p, z]}
  r: {op: concat, from: [p, z]}
  s: {op: concat, from: [q, r, z]}
outputs: {one: f, two: s}
""",
    "edges of one tensor enter a frame at several places": """
input: [4, 8, 8]
nodes:
  x: relu
  f:
    from: x
    nodes: {a: relu, b: {op: add, from: [in, a]}, c: {op: mul, from: [in, a]}, d: {op: concat, from: [b, c, in]}}
  y: {op: concat, from: [f, f.b, f.c]}
""",
    "an edge leaves a frame beside its middle": """
input: [4, 8, 8]
nodes:
  x: relu
  f: {from: x, nodes: {a: {op: conv, out: 4, kernel: 1}, b: {op: conv, from: in, out: 4, kernel: 1}}}
  g: {from: f, nodes: {c: {op: conv, out: 4, kernel: 1}, d: {op: conv, from: in, out: 4, kernel: 1}}}
  h: {op: concat, from: [g, x]}
outputs: {one: h, two: f.a, three: g.c}
""",
}


@pytest.mark.parametrize("name", BENDS)
def test_arrows_have_room_to_bend(name: str) -> None:
    drawing = drawn(BENDS[name])
    assert min(bends(drawing)) > 5
    assert list(faults(drawing)) == []


@pytest.mark.parametrize("page", ["slide", "column"])
@pytest.mark.parametrize(("name", "depth"), [("dla34", 3), ("resnet50_fpn", None)])
def test_volumes_of_networks_with_joins_and_named_inputs_have_no_faults(
    name: str, depth: int | None, page: str
) -> None:
    drawing = fitted(load(name), Settings(page=page, style="volumes", depth=depth)).drawing
    assert list(faults(drawing)) == []
