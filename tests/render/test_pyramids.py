"""Feature pyramids as users write them: maps of one size are in one lane, with the laterals and heads of this size."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph.render import Settings
from cnngraph.render.compose import candidates
from cnngraph.render.fit import fitted
from cnngraph.render.layout.drawing import Drawing, PlacedArrow
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.picture import Shape
from tests.render.geometry import crossings, faults
from tests.render.networks import graph_of

HEAD = "cnngraph: 1\nname: net\ninput: [3, 128, 128]\n"
BLOCKS = """
blocks:
  stage:
    params: {out: }
    nodes: [{op: conv, out: $out, kernel: 3, stride: 2, padding: half}, batch_norm, relu]
  merge:
    inputs: [top, lateral]
    nodes:
      own: {op: conv, from: lateral, out: 32, kernel: 1}
      up: {op: upsample, from: top, scale_factor: 2}
      sum: {op: add, from: [own, up]}
"""
FLAT = """
nodes:
  c1: {op: stage, out: 16}
  c2: {op: stage, out: 32}
  c3: {op: stage, out: 64}
  c4: {op: stage, out: 96}
  lateral4: {op: conv, out: 32, kernel: 1}
  lateral3: {op: conv, from: c3, out: 32, kernel: 1}
  lateral2: {op: conv, from: c2, out: 32, kernel: 1}
  up4: {op: upsample, from: lateral4, scale_factor: 2}
  p3: {op: add, from: [lateral3, up4]}
  up3: {op: upsample, scale_factor: 2}
  p2: {op: add, from: [lateral2, up3]}
  head2: {op: conv, from: p2, out: 10, kernel: 3, padding: half}
  head3: {op: conv, from: p3, out: 10, kernel: 3, padding: half}
  head4: {op: conv, from: lateral4, out: 10, kernel: 3, padding: half}
outputs: {small: head2, medium: head3, large: head4}
"""
SHARED = """
nodes:
  c2: {op: stage, out: 16}
  c3: {op: stage, out: 32}
  c4: {op: stage, out: 64}
  c5: {op: stage, out: 96}
  p5: {op: conv, out: 32, kernel: 1}
  p4: {op: merge, from: [p5, c4]}
  p3: {op: merge, from: [p4, c3]}
  p2: {op: merge, from: [p3, c2]}
  cls5: {op: conv, from: p5, out: 9, kernel: 3, padding: half}
  cls4: {share: cls5, from: p4}
  cls3: {share: cls5, from: p3}
  cls2: {share: cls5, from: p2}
  box5: {op: conv, from: p5, out: 36, kernel: 3, padding: half}
  box4: {share: box5, from: p4}
  box3: {share: box5, from: p3}
  box2: {share: box5, from: p2}
outputs: {cls2: cls2, cls3: cls3, cls4: cls4, cls5: cls5, box2: box2, box3: box3, box4: box4, box5: box5}
"""
PYRAMIDS = {
    "flat": BLOCKS + FLAT,
    "shared": BLOCKS + SHARED,
    "sized": BLOCKS.replace("from: top, scale_factor: 2", "from: [top, own]") + SHARED,
}
UP = "{op: upsample, from: %s, scale_factor: 2}"
OTHERS = {
    "two skips": f"""
nodes:
  e1: {{op: conv, out: 8, kernel: 3, padding: half}}
  e2: {{op: stage, out: 8}}
  e3: {{op: stage, out: 8}}
  up2: {UP % "e3"}
  d2: {{op: concat, from: [e2, up2]}}
  up1: {UP % "d2"}
  d1: {{op: concat, from: [e1, up1]}}
  end: {{op: conv, out: 2, kernel: 1}}
""",
    "autoencoder": f"""
nodes:
  e1: {{op: stage, out: 8}}
  e2: {{op: stage, out: 8}}
  up2: {UP % "e2"}
  d2: {{op: conv, out: 8, kernel: 3, padding: half}}
  s2: {{op: add, from: [up2, d2]}}
  up1: {UP % "s2"}
  end: {{op: conv, out: 2, kernel: 1}}
outputs: {{out: end, aux: e2}}
""",
    "gates": """
blocks:
  gated:
    nodes:
      conv: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
      pool: {op: max_pool, kernel: $in.height // 2}
      fc: {op: conv, out: 8, kernel: 1}
      gate: {op: conv, from: fc, out: 8, kernel: 1}
      aside: {op: add, from: [fc, gate]}
      out: {op: mul, from: [conv, aside]}
nodes:
  a: {op: gated}
  b: {op: gated}
  c: {op: gated}
""",
    "pooled": """
nodes:
  stem: {op: stage, out: 8}
  pool2: {op: avg_pool, kernel: 2}
  pool4: {op: avg_pool, from: stem, kernel: 4}
  pool8: {op: avg_pool, from: stem, kernel: 8}
  up2: {op: upsample, from: pool2, scale_factor: 2}
  up4: {op: upsample, from: pool4, scale_factor: 4}
  up8: {op: upsample, from: pool8, scale_factor: 8}
  all: {op: concat, from: [stem, up2, up4, up8]}
outputs: {out: all, aux: pool4}
""",
}


def drawn(nodes: str, **options: Any) -> Drawing:
    """The drawing of a network."""
    return fitted(graph_of(HEAD + nodes), Settings(**options)).drawing


def lanes(drawing: Drawing) -> dict[Any, list[float]]:
    """Where the boxes of the sizes from the backbone's second one are, across the flow; of heads only if alone."""
    found: dict[Any, list[float]] = {}
    read = {arrow.arrow.tail: arrow.arrow.size for arrow in drawing.arrows}
    for box in drawing.boxes:
        if box.box.shape in (Shape.OPS, Shape.SCOPE) and (size := read.get(box.box.key)):
            found.setdefault(size, []).append(box.at.middle[0 if drawing.is_down else 1])
    return found


def bend(arrow: PlacedArrow, drawing: Drawing) -> float:
    """How far an arrow is from a straight line along the flow."""
    across = [point[0 if drawing.is_down else 1] for point in arrow.curve]
    return max(across) - min(across)


@pytest.mark.parametrize("style", ["boxes", "volumes"])
@pytest.mark.parametrize("page", ["a4", "slide", "column", None])
@pytest.mark.parametrize("name", PYRAMIDS)
def test_each_size_of_a_pyramid_has_a_lane(name: str, page: Any, style: Any) -> None:
    drawing = drawn(PYRAMIDS[name], page=page, style=style)
    assert [fault for fault in faults(drawing) if style == "boxes" or " crosses " in fault] == []
    assert crossings(drawing) == 0
    places = lanes(drawing)
    sizes = sorted((size for size in places if size <= (32 if name == "flat" else 64,) * 2), reverse=True)
    middles = [sorted(places[size])[len(places[size]) // 2] for size in sizes]
    assert middles == sorted(middles)
    assert len(set(map(round, middles))) == len(sizes) == (3 if name == "flat" else 4)


def test_laterals_into_closed_blocks_are_straight() -> None:
    drawing = drawn(PYRAMIDS["shared"], page=None, depth=1)
    inputs = {box.box.key: box.box.title.name for box in drawing.boxes}
    laterals = [
        arrow
        for arrow in drawing.arrows
        if inputs[arrow.arrow.tail].startswith("c") and inputs[arrow.arrow.head].startswith("p")
    ]
    assert len(laterals) == 3
    assert all(bend(arrow, drawing) < 1 for arrow in laterals)


def test_heads_of_one_map_are_side_by_side_if_there_is_room() -> None:
    wide, narrow = (drawn(PYRAMIDS["shared"], page=page, depth=1) for page in (None, "column"))
    for drawing, is_beside in ((wide, True), (narrow, False)):
        rows = {box.box.rows[0].note.split(",")[0]: round(box.at.y) for box in drawing.boxes if box.box.rows}
        assert (rows["cls3"] == rows["box3"]) is is_beside


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_with_maps_of_several_sizes_have_no_lanes(name: str) -> None:
    picture = next(
        iter(candidates(graph_of(HEAD + BLOCKS * ("blocks:" not in OTHERS[name]) + OTHERS[name]), Settings()))
    )
    assert lay_out(picture.picture, Settings()).lanes is None
