"""Layouts of volumes: no text or arrow is over another, arrows end at their volumes, networks fit their page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph import load
from cnngraph.render import PAGES, THEMES, Settings
from cnngraph.render.fit import fitted
from cnngraph.render.marks import front_of, marks
from cnngraph.render.parts import Curve, Dash, Text
from tests.library import networks
from tests.render.geometry import faults, loose, polyline
from tests.render.networks import graph_of
from tests.render.test_strangers import HEAD
from tests.render.test_volumes import SPECS, conv


@pytest.mark.parametrize("name", SPECS)
def test_small_networks_have_no_faults(name: str) -> None:
    for page in (None, *PAGES):
        drawing = fitted(graph_of(SPECS[name]), Settings(style="volumes", page=page)).drawing
        assert list(faults(drawing)) == []
        assert list(loose(drawing)) == []


TWO_HEADS = """
cnngraph: 1
name: heads
input: [3, 64, 64]
nodes:
  a: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  b: {op: conv, out: 8, kernel: 3, padding: half}
  c: {op: conv, out: 8, kernel: 3, padding: half}
  d: {op: conv, out: 8, kernel: 3, padding: half}
  %s
outputs: {the_output_of_x: x, the_output_of_y: y, last: d}
"""
PARTS_OF_HEADS = (
    "x1: {op: conv, from: a, out: 8, kernel: 1}\n  x: {op: conv, out: 8, kernel: 1}",
    "y: {op: conv, from: b, out: 8, kernel: 1}",
)


@pytest.mark.parametrize("heads", [PARTS_OF_HEADS, PARTS_OF_HEADS[::-1]])
def test_of_heads_that_reach_beside_each_other_the_later_is_nearer(heads: tuple[str, str]) -> None:
    for page in (None, "a4", "slide"):
        drawn = fitted(graph_of(TWO_HEADS % "\n  ".join(heads)), Settings(style="volumes", page=page))
        assert list(faults(drawn.drawing)) == []


@pytest.mark.parametrize("path", networks())
def test_networks_fit_their_page_and_have_no_faults(path: Path) -> None:
    drawn = fitted(load(path), Settings(style="volumes"))
    assert drawn.drawing.width * drawn.scale <= PAGES["a4"].width + 0.1
    assert drawn.drawing.height * drawn.scale <= PAGES["a4"].height + 0.1
    assert drawn.least_text >= PAGES["a4"].least - 0.01
    assert list(faults(drawn.drawing)) == []
    assert list(loose(drawn.drawing)) == []


@pytest.mark.parametrize("name", ["googlenet", "resnet50_fpn", "inception_v3", "unet"])
def test_no_arrow_crosses_the_labels_of_its_own_volumes(name: str) -> None:
    drawing = fitted(load(name), Settings(style="volumes")).drawing
    groups = list(marks(drawing, THEMES["light"]))
    labels = {group.key: [part for part in group.parts if isinstance(part, Text)] for group in groups}
    arrows = [group for group in groups if group.kind == "arrow"]
    for placed, group in zip(drawing.arrows, arrows, strict=True):
        points = [point for part in group.parts if isinstance(part, Curve) for point in polyline(part.points)]
        for text in (*labels[placed.arrow.tail], *labels[placed.arrow.head]):
            half = text.line.width / 2
            near = [y for x, y in points if abs(x - text.x) < half - 1]
            assert not any(text.y - 5 < y < text.y for y in near), (placed.arrow.tail, placed.arrow.head)


def test_a_projection_is_dotted_from_where_it_leaves_the_other_arrow() -> None:
    text = HEAD + "  pool: {op: max_pool, kernel: 2}\n  main: {op: conv, out: 3, kernel: 1}\n  relu: relu\n"
    text += "  main2: {op: conv, out: 3, kernel: 1}\n  side: {op: conv, from: pool, out: 3, kernel: 1}\n"
    drawing = fitted(graph_of(text + "  sum: {op: add, from: [main2, side]}\n"), Settings(style="volumes")).drawing
    (pool,) = (placed for placed in drawing.boxes if placed.box.rows[0].kind == "pool")
    assert pool.box.volume
    right = front_of(pool.box.volume, pool.at).right + pool.box.volume.depth
    curves = [part for group in marks(drawing, THEMES["light"]) for part in group.parts if isinstance(part, Curve)]
    starts = [(part.dash, part.points[0][0]) for part in curves]
    assert [dash for dash, x in starts if x == pytest.approx(right)] == [Dash.NONE]
    assert Dash.DOTTED in dict(starts)


def test_labels_are_inside_the_place_of_their_volume() -> None:
    drawing = fitted(load("unet"), Settings(style="volumes", page=None)).drawing
    places = {placed.box.key: placed.at for placed in drawing.boxes}
    for group in marks(drawing, THEMES["light"]):
        for part in group.parts:
            if isinstance(part, Text) and group.key in places and not part.to_left:
                at, half = places[group.key], part.line.width / 2
                assert at.x - 0.1 <= part.x - half
                assert part.x + half <= at.right + 0.1
                assert at.y <= part.y <= at.bottom


@pytest.mark.parametrize("page", PAGES)
def test_names_of_inputs_do_not_overlap(page: str) -> None:
    text = HEAD.replace("[3, 8, 8]", "[3, 64, 64]") + conv(8, 16).replace("-", "a:", 1)
    text += conv(8, 2).replace("-", "b:", 1)
    text += "  c: {op: upsample, from: [b, a]}\n"
    drawing = fitted(graph_of(text), Settings(style="volumes", page=page, shapes=False)).drawing
    assert [note.text for note in drawing.notes] == ["map", "like"]
    assert list(faults(drawing)) == []
