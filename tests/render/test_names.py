"""The names of folded boxes and frames say which blocks are in them."""

from __future__ import annotations

import pytest

from cnngraph.render.compose import compose
from cnngraph.render.names import range_of
from cnngraph.render.picture import Title
from cnngraph.render.settings import Settings
from tests.render.networks import graph_of

RANGES = {
    ("layer2.1",): "layer2.1",
    ("layer2.1", "layer2.2"): "layer2.1–2",
    ("layer2.9", "layer2.10", "layer2.11"): "layer2.9–11",
    ("features.5.0", "features.5.2", "features.5.4"): "features.5.0, 2, 4",
    ("b0", "b2", "b4", "b6", "b8"): "b0, 2, …, 8",
    ("branch_2", "branch_4"): "branch_2, 4",
    ("block3-1", "block3-2", "block3-3"): "block3-1 … 3",  # a dash after a hyphen looks like another number
    ("a.x", "a.y"): "a.x … y",
    ("unit", "unit2", "unit3"): "unit … unit3",
}


@pytest.mark.parametrize("paths", RANGES, ids="-".join)
def test_several_paths_as_one(paths: tuple[str, ...]) -> None:
    assert range_of(paths) == RANGES[paths]


HEAD = """
cnngraph: 1
name: net
input: [8, 16, 16]
blocks:
  unit: {nodes: {conv: {op: conv, out: $in.channels, kernel: 1}, point: {op: conv, out: $in.channels, kernel: 1}}}
  fire: {nodes: {conv: {op: conv, out: $in.channels, kernel: 1}, point: {op: conv, out: $in.channels, kernel: 1}}}
  units: {nodes: {unit1: unit, unit2: unit}}
nodes:
"""
FOLDED = {
    "uses in a list": ("features: [relu, {op: fire}, {op: fire}, max_pool_]", "features.1–2 fire ×2"),
    "named uses": ("fire2: fire\n  fire3: fire\n  end: relu", "fire2–3 ×2"),  # fire is in the name
    "all iterations of a repeat": ("x: {op: fire, repeat: 3}", "x fire ×3"),
    "some iterations": ("x: {op: fire, repeat: 3}\n  y: {op: add, from: [x, x.0]}", "x.1–2 ×2"),
    "the only content of a block": ("x: {op: units}\n  y: relu", "x unit1–2 ×2"),
    "the block is the name of its content": ("units1: {op: units}\n  y: relu", "units1 unit1–2 ×2"),
    "iterations without a block": ("x: {repeat: 2, nodes: [{op: conv, out: 8, kernel: 1}, relu]}", "x ×2"),
    "… of which one differs": (
        "x: {repeat: 3, nodes: [{op: conv, out: 8, kernel: '3 - 2 * min($i, 1)', padding: half}, relu]}",
        "x.1–2 ×2",
    ),
    "branches": (
        "".join(f"b{i}: {{op: conv, from: in, out: 8, kernel: 1}}\n  " for i in range(4)),
        "b0–3 ×4 in parallel",
    ),
}


@pytest.mark.parametrize(("nodes", "expected"), FOLDED.values(), ids=FOLDED)
def test_the_title_of_what_is_folded(nodes: str, expected: str) -> None:
    nodes = nodes.replace("max_pool_", "{op: max_pool, kernel: 2}")
    nodes += "c: {op: concat, from: [b0, b1, b2, b3]}" if expected.startswith("b0") else ""
    picture = compose(graph_of(f"{HEAD}  {nodes}\n"), Settings(page=None, fold=True))
    titles = [frame.title for frame in picture.frames()] + [box.title for box in picture.boxes()]
    assert [shown(title) for title in titles if title.times > 1] == [expected]


def shown(title: Title) -> str:
    return " ".join(filter(None, (title.name, title.block, title.count)))


def test_the_tooltip_has_the_parameters_of_each() -> None:
    uses = "  x1: fire\n  x2: fire\n  x3: fire\n  y: relu\n"
    picture = compose(graph_of(HEAD + uses), Settings(page=None, depth=1, fold=True))
    (closed,) = (box for box in picture.boxes() if box.title.times > 1)
    assert closed.tip == "x1–3 (fire): 2 operations, 144 parameters each"


def test_long_names_are_shortened_in_the_middle() -> None:
    """The ends of long names, which often are their only difference, are shown."""
    long = "a_very_long_prefix_of_a_name_that_a_generator_of_networks_has_written_for_the_stage"
    blocks = "\n".join(f"  {long}_{end}: {op}" for end, op in (("one", "unit"), ("two", "fire")))
    for depth in (1, 2):
        picture = compose(graph_of(f"{HEAD}{blocks}\n  {long}_three: relu\n  last: tanh\n"), Settings(depth=depth))
        frames = [frame.title.name for frame in picture.frames()]
        names = frames + [box.title.name for box in picture.boxes() if box.title.block]
        assert [name[-4:] for name in names] == ["_one", "_two"]
        assert {name[:10] for name in names} == {long[:10]}
        assert max(map(len, names)) == 40
