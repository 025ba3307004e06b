"""Volumes: sizes follow the shapes, chains touch, and everything of the network is still there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cnngraph import load
from cnngraph.graph.graph import Graph
from cnngraph.render import THEMES, Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import SMALL, poolings_of, volume_size
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.marks import front_of, marks
from cnngraph.render.parts import Circle, Text
from cnngraph.render.picture import Picture, Shape, Slab, Volume, sign
from cnngraph.render.settings import UNLIMITED
from cnngraph.render.volumes import SLICE, with_volumes
from tests.render.geometry import loose
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of
from tests.render.test_strangers import HEAD

SPECS = {"inception": INCEPTION, "residual": RESIDUAL, "dense": DENSE, "parts": PARTS, "skips": SKIPS}


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
    assert (slab.texts, volume.size) == (("64", "[3×3] ×2", ""), "")


def test_channels_that_change_are_labelled_below_their_part() -> None:
    (volume,) = volumes(conv(256) + conv(512))
    assert [slab.texts for slab in volume.slabs] == [("256", "3×3", ""), ("512", "3×3", "")]


def test_equal_operations_have_one_text_however_many_they_are() -> None:
    (volume,) = volumes("".join(conv(96) for _ in range(12)))
    assert [slab.texts for slab in volume.slabs] == [("96", "[3×3] ×12", "")]


@pytest.mark.parametrize(
    ("rest", "texts"),
    [
        (", dilation: 2", ("16", "3×3", "dilation 2")),
        (", dilation: [2, 4]", ("16", "3×3", "dilation 2×4")),
        (", groups: 4, dilation: 3", ("16", "3×3", "dilation 3, groups 4")),
        (", groups: 16", ("16", "dw 3×3", "")),
    ],
)
def test_dilation_and_groups_are_below_a_volume(rest: str, texts: tuple[str, str, str]) -> None:
    first, *more = (slab for volume in volumes(conv(16) + conv(16, rest=rest)) for slab in volume.slabs)
    assert first.texts == ("16", "3×3", "")
    assert [slab.texts for slab in more] == [texts]


@pytest.mark.parametrize("out", [4, 64, 512])
def test_a_dilated_slice_has_nine_dots_inside_of_it(out: int) -> None:
    text = HEAD + conv(out) + conv(out, rest=", dilation: 2")
    drawing = fitted(graph_of(text), Settings(style="volumes", page=None)).drawing
    (dilated,) = (box for box in drawing.boxes if any("dilation" in row.text for row in box.box.rows))
    assert dilated.box.volume
    front = front_of(dilated.box.volume, dilated.at)
    (group,) = (group for group in marks(drawing, THEMES["print"]) if group.key == dilated.box.key)
    dots = [part for part in group.parts if isinstance(part, Circle)]
    assert len({(dot.x, dot.y) for dot in dots}) == 9
    assert all(front.x <= dot.x - dot.radius <= dot.x + dot.radius <= front.right for dot in dots)


@pytest.mark.parametrize(
    ("pool", "above"),
    [
        ("max_pool, kernel: 2", "max 2×2, /2"),
        ("avg_pool, kernel: [3, 5], stride: 1, padding: [1, 2]", "avg 3×5"),
        ("blur_pool, stride: 2", "blur 3×3, /2"),
    ],
)
@pytest.mark.parametrize("out", [8, 64, 256])
def test_a_pooling_that_touches_the_next_operation_is_above_its_map(pool: str, above: str, out: int) -> None:
    found = volumes(conv(out, 2) + f"  - {{op: {pool}}}\n" + conv(out))
    ((slab, volume),) = [(slab, volume) for volume in found for slab in volume.slabs if kinds(slab) == ["pool"]]
    assert (slab.above, slab.texts[1], len(volume.slabs)) == (above, "", 2)
    whole, room = volume_size(volume)[0], text_width(above, SMALL)
    ((middle, text),) = poolings_of(volume)
    assert text == above
    assert room <= whole
    assert abs(middle - (volume.thickness + volume.depth) / 2) + room / 2 <= whole / 2 + 0.1


def test_every_pooling_in_vgg_says_its_kernel_and_stride() -> None:
    drawing = fitted(load("vgg16"), Settings(style="volumes")).drawing
    texts = [run.text for part in texts_of(drawing) for run in part.line.runs]
    assert texts.count("max 2×2, /2") == 5


def texts_of(drawing: Drawing) -> list[Text]:
    """The texts that are drawn."""
    return [part for group in marks(drawing, THEMES["light"]) for part in group.parts if isinstance(part, Text)]


def test_kernel_and_stride_are_below_a_volume() -> None:
    text = "  - {op: conv, out: 8, kernel: [3, 5], stride: 2}\n  - {op: max_pool, kernel: 3}\n"
    text += "  - {op: conv, out: 8, kernel: 1}\n  - {op: conv_transpose, out: 4, kernel: 2, stride: 2}\n"
    text += "  - {op: upsample, scale_factor: 2}\n  - {op: max_pool, kernel: 2}\n  - global_avg_pool\n"
    windows = [slab.texts[1] for volume in volumes(text) for slab in volume.slabs]
    assert windows == ["3×5, /2", "", "1×1", "2×2, ↑2", "↑2", "max 2×2, /2", ""]
    (depthwise,) = volumes("  - {op: conv, out: 3, kernel: 3, groups: 3}\n")
    assert depthwise.slabs[0].texts == ("3", "dw 3×3", "")


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


def test_maps_are_as_high_as_if_there_were_no_long_sequence() -> None:
    text = conv(8, 4) + "  - {op: flatten, start_dim: 2}\n  - {op: permute, dims: [0, 2, 1]}\n"
    (alone,), (first, *_, tokens) = volumes(conv(8, 4)), volumes(text)
    assert first.height == alone.height < tokens.height


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
    around = {frame.title.name for frame in picture.frames()}
    assert around > {"down.1", "up.0"}  # the skips of a U do not run along it
    frames = picture_of(load("googlenet_mnist")).frames()
    assert [frame.title.name for frame in frames][:2] == ["inception1", "wide"]


def test_without_shapes_there_are_no_numbers() -> None:
    (volume,) = volumes(conv(64), shapes=False)
    assert (labels(volume), volume.size) == ([""], "")


@pytest.mark.parametrize("name", SPECS)
def test_every_operation_is_in_a_box_and_every_tensor_is_an_arrow_or_inside(name: str) -> None:
    graph = graph_of(SPECS[name])
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
