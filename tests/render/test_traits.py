"""What drawings mark: gates, dilation, groups, maps that change their size, projections, sizes, training-only parts."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph import load
from cnngraph.render import THEMES, Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.trunks import without_trunk
from cnngraph.render.marks import marks
from cnngraph.render.parts import Circle, Curve, Dash, Polygon, Rect
from cnngraph.render.picture import Box, Change, Flow, Look, Picture, Shape, Trait
from tests.render.networks import DENSE, PARTS, RESIDUAL, SKIPS, dot_of, graph_of, mermaid_of
from tests.render.test_strangers import HEAD

WIDE = HEAD.replace("[3, 8, 8]", "[8, 32, 32]")
EXCITE = """  pool: {op: global_avg_pool}
  fc: {op: linear, out: 8}
  weights: %s
  shape: {op: reshape, shape: [8, 1, 1]}
  scaled: {op: mul, from: [in, shape]}
"""


def picture_of(nodes: str, **options: Any) -> Picture:
    """The picture of nodes that read maps of 8×32×32."""
    return compose(graph_of(WIDE + nodes), Settings(page=None, **options))


def drawing_of(text: str, **options: Any) -> Drawing:
    """The drawing of a spec."""
    return fitted(graph_of(text), Settings(page=None, **options)).drawing


def marked(picture: Picture) -> list[tuple[Trait, ...]]:
    """The traits of each box of operations or closed block."""
    boxes = [box for box in picture.boxes() if box.shape in (Shape.OPS, Shape.SCOPE)]
    return [tuple(dict.fromkeys(box.marks)) for box in boxes]


def change(nodes: str) -> list[Change]:
    """How each box changes the size of its map."""
    return [box.change for box in picture_of(nodes).boxes() if box.shape is Shape.OPS]


@pytest.mark.parametrize("function", ["sigmoid", "hardsigmoid", "tanh", "{op: softmax, dim: 1}"])
def test_a_product_with_a_bounded_tensor_is_a_gate(function: str) -> None:
    assert marked(picture_of(EXCITE % function))[-1] == (Trait.GATE,)


@pytest.mark.parametrize("function", ["relu", "softplus"])
def test_another_product_is_no_gate(function: str) -> None:
    assert marked(picture_of(EXCITE % function))[-1] == ()


def test_a_closed_block_and_the_op_show_that_they_are_gates() -> None:
    block = "  se:\n" + "".join(f"    {line}\n" for line in ["nodes:", *(EXCITE % "sigmoid").splitlines()])
    assert marked(picture_of(block, depth=1)) == [(Trait.GATE,)]
    assert (Trait.GATE,) in marked(compose(graph_of(PARTS)))


@pytest.mark.parametrize("theme", THEMES)
def test_a_gate_is_dark_and_a_product_is_not(theme: str) -> None:
    colours = THEMES[theme]
    for function, fill in (("sigmoid", colours.terminal), ("relu", colours.box)):
        drawing = drawing_of(WIDE + EXCITE % function)
        circles = (part for group in marks(drawing, colours) for part in group.parts if isinstance(part, Circle))
        assert [circle.fill for circle in circles] == [fill]
    assert colours.terminal != colours.box


def test_dilation_is_a_sign_and_the_deeper_the_larger() -> None:
    text = "".join(f"  - {{op: conv, out: 8, kernel: 3, padding: half, dilation: {size}}}\n" for size in (1, 2, 4, 8))
    picture = picture_of(text)
    assert marked(picture) == [(), *[(Trait.DILATED,)] * 3]
    assert [box.rows[0].traits.level for box in picture.boxes() if box.shape is Shape.OPS] == [0, 1, 2, 3]
    for theme in THEMES.values():
        assert len({theme.tint("conv", level) for level in range(4)}) == 4
    dots = [part for group in marks(drawing_of(WIDE + text), THEMES["light"]) for part in group.parts]
    assert sum(isinstance(part, Circle) for part in dots) == 3 * 9


def test_a_block_is_dilated_if_its_wide_convolutions_are() -> None:
    body = "{nodes: [{op: conv, out: 8, kernel: 3, padding: half, dilation: 2}, {op: conv, out: 8, kernel: 1}]}"
    assert marked(picture_of(f"  body: {body}\n", depth=1)) == [(Trait.DILATED,)]


@pytest.mark.parametrize(("groups", "expected"), [(1, ()), (2, (Trait.GROUPED,)), (8, (Trait.DEPTHWISE,))])
def test_groups_are_a_sign(groups: int, expected: tuple[Trait, ...]) -> None:
    conv = f"  - {{op: conv, out: 8, kernel: 3, groups: {groups}}}\n"
    assert marked(picture_of(conv)) == [expected]


def test_boxes_narrow_where_the_map_becomes_smaller() -> None:
    nodes = "  - {op: conv, out: 8, kernel: 3, stride: 2}\n  - {op: conv, out: 9, kernel: 1}\n"
    nodes += "  - {op: upsample, size: [64, 64]}\n  - global_avg_pool\n  - {op: linear, out: 2}\n"
    assert change(nodes) == [Change.SMALLER, Change.NONE, Change.LARGER, Change.SMALLER, Change.NONE]
    assert change("  - batch_norm\n  - {op: conv, out: 8, kernel: 2, stride: 2}\n") == [Change.SMALLER]
    assert change("  - {op: conv, out: 8, kernel: 25}\n  - {op: max_pool, kernel: 5, stride: 1}\n") == [Change.NONE] * 2
    nodes = "  - flatten\n  - {op: reshape, shape: [8, 16, 64]}\n  - {op: pixel_shuffle, upscale_factor: 2}\n"
    assert change(nodes) == [Change.NONE, Change.NONE, Change.LARGER]
    assert (
        change("  - {op: conv, out: 8, kernel: 5}\n  - {op: chunk, chunks: 2, dim: height}\n  - concat\n")
        == [Change.NONE] * 3
    )


@pytest.mark.parametrize("direction", ["down", "right"])
def test_the_narrow_side_is_where_the_arrow_leaves(direction: Any) -> None:
    text = WIDE + "  - {op: conv, out: 8, kernel: 3, stride: 2}\n  - {op: upsample, size: [64, 64]}\n"
    drawing = drawing_of(text, direction=direction)
    axis = 0 if direction == "down" else 1
    for group in marks(drawing, THEMES["light"]):
        if group.kind != "box ops":
            continue
        (outline, *_) = group.parts
        assert isinstance(outline, Polygon)
        along = [point[1 - axis] for point in outline.points]
        widths = {
            end: max(p[axis] for p in outline.points if p[1 - axis] == end)
            - min(p[axis] for p in outline.points if p[1 - axis] == end)
            for end in (min(along), max(along))
        }
        box = next(placed.box for placed in drawing.boxes if placed.box.key == group.key)
        assert (widths[min(along)] > widths[max(along)]) == (box.change is Change.SMALLER)


def flows(picture: Picture) -> list[tuple[str, str]]:
    """The ends of the arrows on projections."""
    return [(arrow.tail, arrow.head) for arrow in picture.arrows if arrow.flow is Flow.PROJECTION]


def test_the_shortcut_with_a_projection_is_dotted_and_the_identity_is_not() -> None:
    picture = compose(graph_of(RESIDUAL), Settings(page=None, fold=False))
    downsample = next(box.key for box in picture.boxes() if box.title.name == "downsample")
    found = flows(picture)
    assert len(found) == 2
    assert found[0][1] == found[1][0] == downsample
    curves = [part for group in marks(drawing_of(RESIDUAL), THEMES["light"]) for part in group.parts]
    assert sum(isinstance(part, Curve) and part.dash is Dash.DOTTED for part in curves) == 2


@pytest.mark.parametrize("text", [DENSE, SKIPS, PARTS])
def test_other_networks_have_no_projection(text: str) -> None:
    assert flows(compose(graph_of(text))) == []


def test_lateral_convolutions_of_a_pyramid_are_no_projection() -> None:
    picture = compose(load("resnet50_fpn"))
    assert not [arrow for arrow in picture.arrows if arrow.flow is Flow.PROJECTION and not arrow.source]
    assert {arrow.role for arrow in picture.arrows if arrow.flow is Flow.SIZE} == {"like"}
    boxes: dict[str, Box] = {box.key: box for box in picture.boxes()}
    ends = [boxes[head] for _, head in flows(picture) if len(boxes[head].nodes) == 1]
    paths = [load("resnet50_fpn").nodes[box.nodes[0]].path for box in ends]
    assert all(path.startswith("body.") for path in paths)


def test_a_projection_is_found_beside_a_main_path_that_ends_with_a_convolution_after_a_sum() -> None:
    nodes = "  a: relu\n  b: {op: conv, out: 8, kernel: 1}\n  c: relu\n  d: {op: add, from: [b, c]}\n"
    nodes += "  e: {op: conv, out: 9, kernel: 1}\n  side: {op: conv, out: 9, kernel: 1, from: a}\n"
    nodes += "  sum: {op: add, from: [e, side]}\n"
    picture = picture_of(nodes)
    side = next(box.key for box in picture.boxes() if "side" in [row.note for row in box.rows])
    assert [side in ends for ends in flows(picture)] == [True, True]


def test_a_branch_that_is_read_elsewhere_is_no_projection() -> None:
    nodes = "  a: {op: conv, out: 8, kernel: 1}\n  b: relu\n  c: {op: conv, out: 8, kernel: 1}\n"
    nodes += "  side: {op: conv, out: 8, kernel: 1, from: a}\n  sum: {op: add, from: [c, side]}\n"
    assert len(flows(picture_of(nodes))) == 2
    assert flows(picture_of(nodes + "outputs: {x: sum, y: b}\n")) == []


def test_a_shared_line_is_drawn_once() -> None:
    straight = ((0.0, 0.0), (0.0, 0.0), (0.0, 90.0), (0.0, 90.0))
    bend = ((0.0, 0.0), (0.0, 0.0), (0.0, 30.0), (0.0, 30.0), (0.0, 40.0), (20.0, 30.0), (20.0, 50.0))
    assert without_trunk(bend, [straight]) == bend[3:]
    assert without_trunk(bend, []) == bend


def test_every_line_of_a_fork_is_drawn_once() -> None:
    """The arrows of a tensor begin in different places: only the first one at its box, others where they leave it."""
    drawing = fitted(graph_of(RESIDUAL), Settings(page=None)).drawing
    groups = [group for group in marks(drawing, THEMES["light"]) if group.kind == "arrow"]
    curves = [part for group in groups for part in group.parts if isinstance(part, Curve)]
    starts: dict[str, list[tuple[float, float]]] = {}
    for placed, curve in zip(drawing.arrows, curves, strict=True):
        starts.setdefault(placed.arrow.source, []).append(curve.points[0])
    shared = [found for found in starts.values() if len(found) > 1]
    assert shared
    assert all(len(set(found)) == len(found) for found in shared)


def test_what_runs_only_in_training_mode_is_noted_once() -> None:
    picture = compose(load("googlenet"), Settings(node="aux1", page=None))
    notes = [box.title.note for box in picture.boxes()]
    assert notes.count("training only") == 1
    assert {box.look for box in picture.boxes() if box.shape is not Shape.INPUT} == {Look.TRAINING}
    assert {arrow.look for arrow in picture.arrows} == {Look.TRAINING}


def test_every_part_that_runs_only_in_training_mode_is_noted() -> None:
    picture = compose(load("googlenet"), Settings(depth=1, page=None))
    noted = [box.title.name for box in picture.boxes() if box.title.note]
    assert noted == ["aux1", "aux2"]


def legend(text: str, **options: Any) -> set[str]:
    """The texts of the legend."""
    return {key.text for key in drawing_of(text, legend=True, **options).legend}


def test_the_legend_explains_the_marks_that_occur() -> None:
    plain = legend(WIDE + "  - {op: conv, out: 8, kernel: 1}\n")
    assert plain == {"convolution"}
    parts = legend(PARTS)
    assert {"gate: scales what passes", "depthwise", "smaller map", "only in training mode"} <= parts
    assert "shortcut with a projection" in legend(RESIDUAL)
    assert "larger map" in legend(SKIPS)
    for style in ("boxes", "volumes"):
        assert "n times as high and wide" in legend(SKIPS, style=style)
        assert "n times as high and wide" not in legend(RESIDUAL, style=style)
    assert not {"in groups", "dilated; larger: stronger colour", "product", "gives only its size"} & parts


def test_every_entry_of_a_legend_has_a_sample() -> None:
    for text in (PARTS, RESIDUAL, SKIPS, DENSE, WIDE + EXCITE % "relu"):
        for group in marks(drawing_of(text, legend=True), THEMES["light"]):
            if group.kind == "legend":
                assert len(group.parts) > 1


def test_text_formats_mark_what_they_can() -> None:
    gate = dot_of(graph_of(WIDE + EXCITE % "sigmoid"))
    assert 'label="×"' in gate
    assert 'fillcolor="#374151", fontcolor="#ffffff"' in gate
    assert "style=dotted" in dot_of(graph_of(RESIDUAL))
    mermaid = mermaid_of(graph_of(RESIDUAL))
    assert "linkStyle" in mermaid
    assert '[\\"conv 3×3, 32, /2<br/>batch norm<br/>relu"/]' in mermaid
    deep = WIDE + "  - {op: conv, out: 8, kernel: 3, padding: half, dilation: 2}\n"
    tint = THEMES["light"].tint("conv", 1)
    assert tint in dot_of(graph_of(deep))
    assert tint in mermaid_of(graph_of(deep))


def test_slanted_boxes_are_nodes_of_tikz_and_dotted_lines_have_a_style() -> None:
    text = draw(graph_of(RESIDUAL), "tikz", Settings(page=None)).decode()
    assert ",dots]" in text
    keys = [box.key for box in compose(graph_of(RESIDUAL)).boxes() if box.change is Change.SMALLER]
    assert all(f"({key}) at" in text for key in keys)


def test_other_boxes_stay_rectangles() -> None:
    drawing = drawing_of(WIDE + "  - {op: conv, out: 8, kernel: 1}\n")
    outlines = [group.parts[0] for group in marks(drawing, THEMES["light"]) if group.kind == "box ops"]
    assert [type(part) for part in outlines] == [Rect]
