"""Volumes of networks in the shape of a U: rows for the sizes of maps, with the skips across."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cnngraph.render import PAGES, THEMES, Settings
from cnngraph.render.fit import fitted
from cnngraph.render.layout.boxes import unused_label_room
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedBox
from cnngraph.render.marks import marks
from cnngraph.render.parts import Curve, Polygon
from cnngraph.render.picture import Shape
from tests.render.geometry import faults
from tests.render.networks import U_NET, graph_of

HEAD = """
cnngraph: 1
name: bowl
input: [1, 64, 64]
blocks:
  level: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 3, padding: half}, relu]}
  residual:
    params: {out: }
    nodes:
      conv: {op: conv, out: $out, kernel: 3, padding: half}
      again: {op: conv, out: $out, kernel: 3, padding: half}
      sum: {op: add, from: [conv, again]}
  merge:
    inputs: [x, skip]
    nodes:
      resized: {op: upsample, from: x, scale_factor: 2}
      both: {op: concat, from: [skip, resized]}
      conv: {op: conv, out: $skip.channels, kernel: 3, padding: half}
"""
BOWL = (
    HEAD
    + """
nodes:
  a: {op: KIND, out: 8}
  b: {nodes: [{op: max_pool, kernel: 2}, {op: KIND, out: 16}]}
  c: {nodes: [{op: max_pool, kernel: 2}, {op: KIND, out: 32}]}
  d: {nodes: [{op: max_pool, kernel: 2}, {op: KIND, out: 64}]}
  bottom: {nodes: [{op: max_pool, kernel: 2}, {op: KIND, out: 64}]}
  up3: {op: merge, from: [bottom, d]}
  up2: {op: merge, from: [up3, c]}
  up1: {op: merge, from: [up2, b]}
  up0: {op: merge, from: [up1, a]}
  logits: {op: conv, out: 2, kernel: 1}
"""
)


def bowl(kind: str, page: str | None = None) -> Drawing:
    """The drawing of a network with four skips."""
    return fitted(graph_of(BOWL.replace("KIND", kind)), Settings(style="volumes", page=page)).drawing


def boxes(drawing: Drawing) -> dict[str, PlacedBox]:
    """The boxes by key."""
    return {placed.box.key: placed for placed in drawing.boxes}


def skips(drawing: Drawing) -> list[PlacedArrow]:
    """The arrows that are across, from the encoder to the decoder."""
    into = [placed.arrow.head for placed in drawing.arrows]
    concats, at = {head for head in into if into.count(head) == 2}, boxes(drawing)
    middles = [(a, at[a.arrow.tail].at.middle[1], at[a.arrow.head].at.middle[1]) for a in drawing.arrows]
    return [a for a, one, two in middles if a.arrow.head in concats and abs(one - two) < 0.1]


@pytest.mark.parametrize("page", [None, *PAGES])
@pytest.mark.parametrize("kind", ["level", "residual"])
def test_a_u_has_no_faults(kind: str, page: str | None) -> None:
    assert list(faults(bowl(kind, page))) == []


@pytest.mark.parametrize("kind", ["level", "residual"])
def test_skips_are_level_and_each_row_has_one_size_of_map(kind: str) -> None:
    drawing = bowl(kind)
    at, found = boxes(drawing), [arrow for arrow in skips(drawing) if arrow.arrow.size]
    ends = [(at[arrow.arrow.tail], at[arrow.arrow.head]) for arrow in found if arrow.arrow.tail in at]
    pairs = [(one, two) for one, two in ends if two.at.x - one.at.right > 20 and two.box.rows[0].text != "add"]
    sizes = {one.at.middle[1]: one.box.types[0].sizes[1] for one, two in pairs}
    assert sorted(sizes.values()) == [8, 16, 32, 64]
    assert [size for _, size in sorted(sizes.items())] == [64, 32, 16, 8]
    for one, two in pairs:
        assert one.at.middle[1] == pytest.approx(two.at.middle[1])
        assert two.box.types[0].sizes[1] == one.box.types[0].sizes[1]


@pytest.mark.parametrize("kind", ["level", "residual"])
def test_what_computes_maps_of_a_size_is_in_their_row(kind: str) -> None:
    rows: dict[int, set[object]] = {}
    for placed in bowl(kind).boxes:
        (type_,) = placed.box.types
        rows.setdefault(round(placed.at.middle[1]), set()).add(type_.sizes[1:])
    assert [rows[middle] for middle in sorted(rows)] == [{(size, size)} for size in (64, 32, 16, 8, 4)]


def test_skips_pass_above_what_is_between_their_ends() -> None:
    drawing = bowl("level")
    at = boxes(drawing)
    passing = [arrow for arrow in skips(drawing) if arrow.curve[0][1] != arrow.curve[-1][1]]
    assert len(passing) == 4
    for arrow in passing:
        tail, head = at[arrow.arrow.tail].at, at[arrow.arrow.head].at
        between = [placed for placed in drawing.boxes if tail.right < placed.at.middle[0] < head.x]
        (resized,) = (placed for placed in between if placed.at.middle[1] == pytest.approx(head.middle[1]))
        assert resized.box.volume
        assert resized.box.rows[0].kind == "resize"
        assert arrow.curve[-1][0] > head.x
        assert min(y for _, y in arrow.curve) < resized.at.y + unused_label_room(resized.box.volume)[0]


@pytest.mark.parametrize("options", [{}, {"shapes": False}])
@pytest.mark.parametrize("name", ["up", "the_part_that_decodes"])
def test_open_blocks_of_a_u_have_frames_and_names(name: str, options: dict[str, Any]) -> None:
    text = re.sub(r"\bup(?=[0-3])", name, BOWL.replace("KIND", "level"))
    drawing = fitted(graph_of(text), Settings(style="volumes", page=None, **options)).drawing
    assert list(faults(drawing)) == []
    assert {frame.frame.title.name for frame in drawing.frames} == {f"{name}{level}" for level in range(4)}
    named = {placed.box.volume.name for placed in drawing.boxes if placed.box.volume}
    assert named >= {"b", "c", "d", "bottom"}  # these are one volume each


def test_a_u_keeps_its_shapes_and_closes_blocks_instead() -> None:
    drawing = fitted(graph_of(U_NET), Settings(style="volumes")).drawing
    assert all(placed.box.volume.slabs[-1].label for placed in drawing.boxes if placed.box.volume and placed.box.nodes)


def test_where_frames_do_not_fit_a_u_has_none() -> None:
    drawing = fitted(graph_of(BOWL.replace("KIND", "level")), Settings(style="volumes", page="slide")).drawing
    assert drawing.frames == ()
    assert not any(slab.above for placed in drawing.boxes if placed.box.volume for slab in placed.box.volume.slabs)


def test_a_u_on_a_slide_has_smaller_volumes_instead_of_closed_blocks() -> None:
    fit = fitted(graph_of(BOWL.replace("KIND", "level")), Settings(style="volumes", page="slide"))
    assert fit.least_text >= PAGES["slide"].least
    assert not any(box.box.shape is Shape.SCOPE for box in fit.drawing.boxes)
    assert len([arrow for arrow in skips(fit.drawing) if arrow.curve[-1][0] - arrow.curve[0][0] > 50]) >= 3
    drawings = (fit.drawing, bowl("level"))
    tallest, whole = (max(box.box.volume.height for box in one.boxes if box.box.volume) for one in drawings)
    assert tallest < whole


def test_the_main_path_goes_down_and_up_between_the_rows() -> None:
    drawing = bowl("level")
    at = boxes(drawing)
    upright = [arrow for arrow in drawing.arrows if arrow.curve[0][0] == pytest.approx(arrow.curve[-1][0])]
    down = [arrow for arrow in upright if arrow.curve[0][1] < arrow.curve[-1][1]]
    assert len(down) == 4
    assert len(upright) >= 6  # the way up turns where the encoder is in the way
    for arrow in down:
        tail, head = at[arrow.arrow.tail], at[arrow.arrow.head]
        assert tail.box.volume
        assert head.box.volume
        assert arrow.curve[0][1] == pytest.approx(tail.at.bottom - unused_label_room(tail.box.volume)[1])
        assert arrow.curve[-1][1] == pytest.approx(head.at.y + unused_label_room(head.box.volume)[0])


def test_arrows_between_rows_end_at_the_labels_not_inside_the_volumes() -> None:
    drawing = bowl("level")
    groups = [group for group in marks(drawing, THEMES["light"]) if group.kind == "arrow"]
    for placed, group in zip(drawing.arrows, groups, strict=True):
        curve, tip = group.parts[-2:]
        assert isinstance(curve, Curve)
        assert isinstance(tip, Polygon)
        if placed.curve[0][0] == placed.curve[-1][0]:
            assert tip.points[0] == pytest.approx(placed.curve[-1])
            assert curve.points[0] == pytest.approx(placed.curve[0])


def test_a_network_without_skips_across_is_a_line() -> None:
    text = HEAD + "nodes: [{op: level, out: 8}, {op: max_pool, kernel: 2}, {op: level, out: 8}]\n"
    drawing = fitted(graph_of(text), Settings(style="volumes", page=None)).drawing
    assert len({round(placed.at.middle[1]) for placed in drawing.boxes}) == 1


def test_a_shortcut_inside_of_the_smallest_maps_is_no_row() -> None:
    drawing = bowl("residual")
    middles = {round(placed.at.middle[1], 1) for placed in drawing.boxes if placed.box.types[0].sizes[1:] == (4, 4)}
    assert len(middles) == 1
