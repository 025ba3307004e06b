"""Volumes: sizes follow the shapes, chains touch, and everything of the network is still there."""

from __future__ import annotations

from collections import Counter
from math import dist
from pathlib import Path
from typing import Any

import pytest

from cnngraph import load
from cnngraph.graph.graph import Graph
from cnngraph.render import PAGES, THEMES, Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.layout.boxes import CIRCLE, unused_label_room
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.marks import front_of, marks
from cnngraph.render.parts import Circle, Polygon, Text
from cnngraph.render.picture import Box, Picture, Shape, Slab, Volume, sign
from cnngraph.render.settings import UNLIMITED
from cnngraph.render.volumes import SLICE, with_volumes
from tests.library import networks
from tests.render.geometry import faults
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of
from tests.render.test_strangers import HEAD

SMALL = {"inception": INCEPTION, "residual": RESIDUAL, "dense": DENSE, "parts": PARTS, "skips": SKIPS}


def picture_of(graph: Graph, **options: Any) -> Picture:
    """The picture with volumes, without a page."""
    settings = Settings(page=None, style="volumes", **options)
    return with_volumes(compose(graph, settings), shapes=settings.shapes)


def volumes(nodes: str, input: str = "[3, 64, 64]", **options: Any) -> list[Volume]:
    """The volumes of a network's nodes, without that of its input."""
    text = HEAD.replace("[3, 8, 8]", input) + nodes
    return [box.volume for box in picture_of(graph_of(text), **options).boxes() if box.volume][1:]


def labels(volume: Volume) -> list[str]:
    """The channels below a volume."""
    return [slab.label for slab in volume.slabs]


def kinds(slab: Slab) -> list[str]:
    """The kinds of the slices."""
    return [piece.kind for piece in slab.slices]


def conv(out: int, stride: int = 1, rest: str = "") -> str:
    """A node."""
    return f"  - {{op: conv, out: {out}, kernel: 3, stride: {stride}, padding: half{rest}}}\n"


def test_height_and_depth_are_from_the_map_and_thickness_is_from_channels() -> None:
    sizes = [volumes(conv(out, stride))[0] for out, stride in ((16, 1), (16, 2), (16, 8), (64, 1), (256, 1))]
    heights = [volume.height for volume in sizes]
    assert heights[0] == heights[3] == heights[4] > heights[1] > heights[2] > heights[0] / 4
    assert sizes[0].depth > sizes[1].depth > sizes[2].depth
    assert sizes[0].thickness < sizes[3].thickness < sizes[4].thickness


def test_a_wide_map_is_deeper_than_a_high_one() -> None:
    (high,), (wide,) = volumes(conv(8), "[3, 64, 16]"), volumes(conv(8), "[3, 16, 64]")
    assert (high.height > wide.height, high.depth < wide.depth) == (True, True)


def test_a_chain_on_one_size_is_one_volume_with_its_operations_as_slices() -> None:
    (volume,) = volumes(conv(64) + "  - batch_norm\n  - relu\n" + conv(64) + "  - relu\n")
    ((slab),) = volume.slabs
    assert kinds(slab) == ["conv", "norm", "activation", "conv", "activation"]
    assert (slab.texts, volume.size) == (("64", "[3×3] ×2"), "")


def test_channels_that_change_are_labelled_below_their_part() -> None:
    (volume,) = volumes(conv(256) + conv(512) + conv(512, rest=", dilation: 2"))
    assert [slab.texts for slab in volume.slabs] == [("256", "3×3"), ("512", "3×3"), ("512", "3×3")]
    assert [piece.level for slab in volume.slabs for piece in slab.slices] == [0, 0, 1]


def test_kernel_and_stride_are_below_a_volume() -> None:
    text = "  - {op: conv, out: 8, kernel: [3, 5], stride: 2}\n  - {op: max_pool, kernel: 3}\n"
    text += "  - {op: conv, out: 8, kernel: 1}\n  - {op: conv_transpose, out: 4, kernel: 2, stride: 2}\n"
    text += "  - global_avg_pool\n"
    windows = [slab.texts[1] for volume in volumes(text) for slab in volume.slabs]
    assert windows == ["3×5, /2", "", "1×1", "2×2, ↑2", ""]
    (depthwise,) = volumes("  - {op: conv, out: 3, kernel: 3, groups: 3}\n")
    assert depthwise.slabs[0].texts == ("3", "dw 3×3")


def test_every_new_volume_has_a_label() -> None:
    text = conv(32) + "  - {op: max_pool, kernel: 2}\n  - {op: adaptive_avg_pool, output: 2}\n  - relu\n"
    assert [labels(volume) for volume in volumes(text)] == [["32"], ["32"], ["32"]]


def test_a_sum_and_its_activation_are_one() -> None:
    text = HEAD.replace("[3, 8, 8]", "[3, 64, 64]") + conv(64).replace("-", "a:", 1) + conv(64).replace("-", "b:", 1)
    graph = graph_of(text + "  sum: {op: add, from: [b, a]}\n  relu: relu\n  c: {op: max_pool, kernel: 2}\n")
    picture = picture_of(graph)
    (one,) = (box for box in picture.boxes() if sign(box))
    assert [graph.nodes[node].op for node in one.nodes] == ["add", "relu"]
    assert one.volume
    assert (one.volume.sign, one.volume.thickness, labels(one.volume)) == ("+", SLICE, [""])
    assert [arrow.head for arrow in picture.arrows].count(one.key) == 2
    assert list(loose(fitted(graph, Settings(style="volumes")).drawing)) == []


def test_transposed_convolutions_and_concats_are_told_apart_and_explained() -> None:
    drawing = fitted(load("unet"), Settings(style="volumes")).drawing
    texts = [key.text for key in drawing.legend]
    assert {"convolution", "transposed convolution", "concat"} <= set(texts)
    assert "n equal iterations, drawn once" not in texts
    theme = THEMES["light"]
    assert len({theme.fill(kind) for kind in ("conv", "transposed", "merge", "resize")}) == 4


def test_the_op_gate_is_marked() -> None:
    drawing = fitted(load("residual_mnist_exclusive_gating"), Settings(style="volumes")).drawing
    assert "gate: scales what passes" in [key.text for key in drawing.legend]
    gates = [
        group for group in marks(drawing, THEMES["light"]) if any(isinstance(part, Circle) for part in group.parts)
    ]
    assert [group.kind for group in gates] == ["box ops", "box ops", "legend"]


def test_a_closed_block_is_one_slice_with_its_marks() -> None:
    nodes = "[{op: conv, out: 64, kernel: 3, padding: half, dilation: 2}, relu, {op: conv, out: 64, kernel: 1}]"
    (closed,), (one,) = volumes(f"  body: {{nodes: {nodes}}}\n", depth=1), volumes(conv(64))
    ((piece,),) = (slab.slices for slab in closed.slabs)
    assert (piece.kind, piece.thickness, piece.level) == ("scope", one.thickness, 1)
    (repeated,) = volumes(f"  body: {{repeat: 3, nodes: {nodes}}}\n", depth=2, fold=True)
    assert (repeated.thickness, repeated.name) == (one.thickness, "body ×3")


def test_outputs_have_their_size() -> None:
    boxes = picture_of(load("alexnet")).boxes()
    assert [box.rows[0].text for box in boxes if box.shape is Shape.OUTPUT] == ["1000"]


def test_volumes_whose_labels_would_touch_stay_apart() -> None:
    assert [labels(volume) for volume in volumes(conv(16) + conv(24))] == [["16"], ["24"]]


def test_a_smaller_map_is_another_volume_with_its_size() -> None:
    one, two = volumes(conv(64) + "  - {op: max_pool, kernel: 2}\n" + conv(128))
    assert (labels(one), one.size) == (["64"], "")
    assert (labels(two), two.size) == (["", "128"], "32×32")  # pooling does not change the channels


def test_a_chain_ends_where_a_tensor_is_read_twice() -> None:
    text = "  a: {op: conv, out: 64, kernel: 1}\n  b: {op: conv, out: 64, kernel: 1}\n"
    text += "  c: {op: conv, out: 64, kernel: 1}\n  sum: {op: add, from: [a, c]}\n"
    assert len(volumes(text)) == 2


def test_vectors_and_sequences_are_flat() -> None:
    pooled, small, large = volumes("  - global_avg_pool\n  - {op: linear, out: 10}\n  - {op: linear, out: 1000}\n")
    assert large.height > small.height
    assert len({volume.depth for volume in (pooled, small, large)}) == 1
    *_, tokens = volumes(
        "  - {op: flatten, start_dim: 2}\n  - {op: permute, dims: [0, 2, 1]}\n  - {op: linear, out: 96}\n"
    )
    assert (tokens.depth, tokens.slabs[-1].label) == (large.depth, "96")


def test_few_iterations_are_slices_and_many_are_counted() -> None:
    row = "nodes: [{op: conv, out: 64, kernel: 1}, relu]"
    (few,), (many,) = (volumes(f"  body: {{repeat: {times}, {row}}}\n", fold=True) for times in (3, 12))
    assert kinds(few.slabs[0]) == ["conv", "activation"] * 3
    assert (few.name, many.name) == ("", "×12")


def test_skip_connections_run_along_the_main_path() -> None:
    picture = picture_of(load("unet"))
    assert {frame.title.name for frame in picture.frames()} == {"down.1", "down.2", "down.3", "down.4"}
    frames = picture_of(load("googlenet_mnist")).frames()
    assert [frame.title.name for frame in frames][:2] == ["inception1", "wide"]


def test_without_shapes_there_are_no_numbers() -> None:
    (volume,) = volumes(conv(64), shapes=False)
    assert (labels(volume), volume.size) == ([""], "")


@pytest.mark.parametrize("name", SMALL)
def test_every_operation_is_in_a_box_and_every_tensor_is_an_arrow_or_inside(name: str) -> None:
    graph = graph_of(SMALL[name])
    plain, picture = compose(graph, UNLIMITED), picture_of(graph)
    assert nodes(picture) == nodes(plain)
    stands = {index: box.key for box in picture.boxes() for index in (*box.nodes, box.key)}
    first = {box.key: box.nodes[0] if box.nodes else box.key for box in plain.boxes()}
    between = [(stands[first[arrow.tail]], stands[first[arrow.head]]) for arrow in plain.arrows]
    assert Counter(pair for pair in between if pair[0] != pair[1]) == Counter(
        (arrow.tail, arrow.head) for arrow in picture.arrows
    )


def nodes(picture: Picture) -> list[int]:
    """The operations in all boxes."""
    return sorted(index for box in picture.boxes() for index in box.nodes)


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_have_no_faults(name: str) -> None:
    for page in (None, *PAGES):
        drawing = fitted(graph_of(SMALL[name]), Settings(style="volumes", page=page)).drawing
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


def loose(drawing: Drawing) -> list[str]:
    """The arrows whose heads do not touch the front of their volume, its labels, or the circle before it."""
    boxes: dict[str, Box] = {placed.box.key: placed.box for placed in drawing.boxes}
    places = {placed.box.key: placed.at for placed in drawing.boxes}
    fronts = {placed.box.key: front_of(placed.box.volume, placed.at) for placed in drawing.boxes if placed.box.volume}
    groups = [group for group in marks(drawing, THEMES["light"]) if group.kind == "arrow"]
    found = []
    for placed, group in zip(drawing.arrows, groups, strict=True):
        head = placed.arrow.head
        tip = group.parts[-1]
        assert isinstance(tip, Polygon)
        (x, y), front = tip.points[0], fronts.get(head)
        volume = boxes[head].volume
        if volume and volume.sign:
            middle = front_of(volume, places[head]).x - CIRCLE / 2, places[head].middle[1]
            if abs(dist((x, y), middle) - CIRCLE / 2) > 0.1:
                found.append(head)
        elif volume and front and not (abs(x - front.x) < 0.1 and front.y <= y <= front.bottom):
            at, (above, below) = places[head], unused_label_room(volume)
            if abs(x - at.middle[0]) > 0.1 or min(abs(y - at.y - above), abs(y - at.bottom + below)) > 0.1:
                found.append(boxes[head].key)
    return found


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


def test_there_is_a_legend_unless_it_is_refused() -> None:
    graph = graph_of(RESIDUAL)
    assert fitted(graph, Settings(style="volumes")).drawing.legend
    assert not fitted(graph, Settings(style="volumes", legend=False)).drawing.legend
    assert not fitted(graph, Settings()).drawing.legend


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("html", {}, r"DOT, Mermaid and Model Explorer; choose \.svg"),
        ("dot", {}, r"DOT, Mermaid and Model Explorer; choose \.svg"),
        ("mermaid", {}, r"DOT, Mermaid and Model Explorer; choose \.svg"),
        ("svg", {"direction": "down"}, "from left to right"),
    ],
)
def test_what_volumes_cannot_be(format: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(graph_of(SKIPS), format, Settings(style="volumes", **options))


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_all_formats_with_a_layout_have_volumes(format: str, start: bytes) -> None:
    assert draw(graph_of(SKIPS), format, Settings(style="volumes")).startswith(start)
