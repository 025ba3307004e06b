"""Iterations that alternate are drawn as one period in a frame with the number of periods."""

from __future__ import annotations

from collections import Counter

import pytest

from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.picture import Box, Frame, Picture, Shape
from cnngraph.render.settings import Settings
from tests.render.geometry import crossings, faults
from tests.render.networks import graph_of
from tests.render.pages import page_of
from tests.render.test_layout import assert_complete, from_dot, from_mermaid, from_svg
from tests.render.test_page import check_complete

HEAD = """
cnngraph: 1
name: periods
input: [8, 16, 16]
blocks:
  unit:
    params: {kernel: 3}
    nodes:
      conv: {op: conv, out: $in.channels, kernel: $kernel, padding: half}
      act: relu
      point: {op: conv, out: $in.channels, kernel: 1}
      add: {op: add, from: [in, point]}
  layers:
    params: {kernel: 3}
    nodes: [{op: conv, out: 4, kernel: $kernel, padding: half}, {op: conv, out: 4, kernel: $kernel, padding: half}]
  layer:
    params: {kernel: 3}
    nodes: [batch_norm, {op: conv, out: 4, kernel: $kernel, padding: half}]
nodes:
"""


def series(kernels: str, *, name: str = "x", more: str = "") -> str:
    """Units with these kernels in a row, of one digit each."""
    numbers = ", ".join(kernels)
    return f"{HEAD}  {name}: {{op: unit, repeat: {len(kernels)}, kernel: '[{numbers}][$i]'}}\n{more}  end: sigmoid\n"


def shown(picture: Picture) -> str:
    """The kernels of the units and the counts, with what is in a frame in parentheses: `(3 5)×3 3×2`."""
    return " ".join(filter(None, map(_shown, picture.members)))


def _shown(member: Box | Frame) -> str:
    if isinstance(member, Box):
        kernels = [row.text[5] for row in member.rows if row.text.startswith("conv ") and row.text[5] != "1"]
        return "".join(kernels)
    inner = " ".join(filter(None, map(_shown, member.members)))
    count = member.title.count
    return f"({inner}){count}" if count and " " in inner else f"{inner}{count}"


FOLDED = {
    "353535": "(3 5)×3",
    "357357": "(3 5 7)×2",
    "3579357935793579": "(3 5 7 9)×4",
    "335335": "(3×2 5)×2",
    "3353535": "3×2 5 (3 5)×2",
    "9535353": "9 (5 3)×3",
    "95353": "9 (5 3)×2",
    "935353": "9 3 (5 3)×2",
    "93535377": "9 (3 5)×2 3 7×2",
    "35353": "(3 5)×2 3",
    "33335": "3×4 5",
    "35": "3 5",
    "353": "3 5 3",
    "3579135791": "3 5 7 9 1 3 5 7 9 1",
}


@pytest.mark.parametrize("kernels", FOLDED)
def test_periods_are_folded_and_every_edge_is_drawn(kernels: str) -> None:
    expected = FOLDED[kernels].replace("1", "").replace("  ", " ").strip()
    graph = graph_of(series(kernels))
    picture = compose(graph, Settings(page=None, fold=True))
    assert shown(picture) == expected
    for depth in (1, 2, 3):
        check_read_back(series(kernels), depth)


def check_read_back(text: str, depth: int) -> None:
    """Every node and edge is in the picture, and in each format."""
    graph = graph_of(text)
    picture = compose(graph, Settings(page=None, depth=depth, fold=True))
    keys = [box.key for box in picture.boxes()] + [frame.key for frame in picture.frames()]
    assert len(keys) == len(set(keys))
    expected = Counter((arrow.tail, arrow.head) for arrow in picture.arrows)
    assert_complete(graph, picture, expected)
    for boxes, edges in (from_svg(picture), from_dot(picture), from_mermaid(picture)):
        assert boxes == {box.key for box in picture.boxes()}
        assert edges == expected


def test_the_edges_of_a_period_are_those_of_the_first() -> None:
    """Each unit of a period reads the one before it, and a shortcut passes each of them: no arrow is drawn twice."""
    picture = compose(graph_of(series("353535")), Settings(page=None, fold=True))
    graph = graph_of(series("353535"))
    number = {node.path: f"node{index}" for index, node in enumerate(graph.nodes)}
    arrows = Counter((arrow.tail, arrow.head) for arrow in picture.arrows)
    assert arrows == Counter(
        [
            ("input0", number["x.0.conv"]),
            ("input0", number["x.0.add"]),
            (number["x.0.conv"], number["x.0.point"]),
            (number["x.0.point"], number["x.0.add"]),
            (number["x.0.add"], number["x.1.conv"]),
            (number["x.0.add"], number["x.1.add"]),
            (number["x.1.conv"], number["x.1.point"]),
            (number["x.1.point"], number["x.1.add"]),
            (number["x.1.add"], number["end"]),
            (number["end"], "output0"),
        ]
    )


BROKEN = {
    "": "(3 5)×3",
    "x.0": "3 5 (3 5)×2",
    "x.1": "3 5 (3 5)×2",
    "x.0.act": "3 5 (3 5)×2",
    "x.2": "(3 5)×2 3 5",  # an arrow from a series begins in its last period
    "x.4": "(3 5)×3",
}


@pytest.mark.parametrize("read", BROKEN)
def test_a_period_of_which_a_tensor_is_read_elsewhere_ends_a_series(read: str) -> None:
    text = series("353535", more=f"  y: {{op: add, from: [x, {read}]}}\n" if read else "")
    assert shown(compose(graph_of(text), Settings(page=None, fold=True))) == BROKEN[read]
    check_read_back(text, 3)


def test_branches_that_alternate_are_no_series() -> None:
    text = f"{HEAD}  x: {{op: unit, repeat: 4, kernel: '[3, 5, 3, 5][$i]', carry: none, gives: all}}\n"
    text += "  c: {op: concat, from: x}\n"
    picture = compose(graph_of(text), Settings(page=None, fold=True))
    assert shown(picture) == "3 5 3 5"
    check_read_back(text, 3)


def test_a_series_in_a_dense_block_counts_the_channels_of_its_period() -> None:
    text = f"{HEAD}  x: {{op: layer, repeat: 6, kernel: '[3, 5, 3, 5, 3, 5][$i]', carry: concat}}\n  end: sigmoid\n"
    picture = compose(graph_of(text), Settings(page=None, fold=True))
    (frame,) = (frame for frame in picture.frames() if frame.title.count)
    assert (frame.title.count, frame.title.note) == ("×3", "+8 each")
    assert sum(box.shape is Shape.JOIN for box in picture.boxes()) == 2
    check_read_back(text, 3)


def test_what_is_used_in_a_row_is_folded_without_a_repeat() -> None:
    uses = "".join(f"  u{place}: {{op: unit, kernel: {kernel}}}\n" for place, kernel in enumerate("353535"))
    picture = compose(graph_of(f"{HEAD}{uses}  end: sigmoid\n"), Settings(page=None, fold=True))
    (frame,) = (frame for frame in picture.frames() if frame.title.count)
    assert (frame.title.name, frame.title.count) == ("u0–5", "×3")


def test_closed_blocks_of_a_series() -> None:
    """A closed repeat says that its iterations alternate; the closed iterations have the parameters of each."""
    (repeat,) = closed(series("353535"), depth=1)
    assert (repeat.title.name, repeat.title.block) == ("x", "unit, 2 alternating ×3")
    one, two = closed(series("353535"), depth=2)
    assert [box.rows[-1].text for box in (one, two)] == ["656 params · 8×16×16", "1.68 k params · 8×16×16"]
    assert len(one.nodes) == len(two.nodes) == 12
    dense = f"{HEAD}  x: {{op: layers, repeat: 4, kernel: '[3, 5, 3, 5][$i]', carry: concat}}\n  end: sigmoid\n"
    assert [box.rows[-1].text for box in closed(dense, depth=2)] == [
        "440…728 params · 4×16×16",
        "1.61 k…2.41 k params · 4×16×16",
    ]


def closed(text: str, depth: int) -> list[Box]:
    picture = compose(graph_of(text), Settings(page=None, fold=True, depth=depth))
    return [box for box in picture.boxes() if box.shape is Shape.SCOPE]


@pytest.mark.parametrize("page", [None, "a4", "slide", "column"])
def test_a_series_has_no_faults(page: str | None) -> None:
    for style in ("boxes", "volumes"):
        drawing = fitted(graph_of(series("9535353")), Settings(page=page, fold=True, style=style)).drawing
        assert list(faults(drawing)) == []
        assert crossings(drawing) == 0


def test_a_page_opens_a_series_and_the_iterations_in_it() -> None:
    text = series("93535")
    page = page_of(text)
    check_complete(graph_of(text), page)
    groups = {group["path"]: group for group in page.network["groups"]}
    assert groups["x.1–4"]["paths"] == ["x.1–2", "x.3–4"]
    assert groups["x.1"]["paths"] == ["x.1", "x.3"]
    assert groups["x.1"]["parent"] == list(groups).index("x.1–4")
    assert page_of(text, open=("x.2",)).opened() >= {"x.2"}
