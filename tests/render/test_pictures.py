"""Pictures: boxes, frames, arrows with shapes, folded iterations and closed blocks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.plain_spec import plain_spec
from cnngraph.render.compose import compose
from cnngraph.render.forks import with_forks
from cnngraph.render.picture import Box, Look, Picture, Shape
from cnngraph.render.settings import Settings
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of


def unlimited(**options: Any) -> Settings:
    """Settings without a page."""
    return Settings(page=None, **options)


def rows(picture: Picture) -> list[list[str]]:
    """The texts of each box of operations."""
    return [[row.text for row in box.rows] for box in picture.boxes() if box.shape is Shape.OPS]


def titles(picture: Picture) -> list[str]:
    """The name, block and count of each frame."""
    return [
        " ".join(filter(None, (frame.title.name, frame.title.block, frame.title.count))) for frame in picture.frames()
    ]


def box(picture: Picture, text: str) -> Box:
    """The first box with a row of this text."""
    return next(box for box in picture.boxes() if text in [row.text for row in box.rows])


def test_a_chain_is_one_box_and_shapes_are_shown_once() -> None:
    picture = compose(graph_of(INCEPTION))
    assert rows(picture)[:2] == [["conv 5×5, 10, /2"], ["max pool 2×2, /2", "relu"]]
    assert titles(picture) == ["inception1", "deep", "pool", "classifier"]
    labels = [arrow.label for arrow in picture.arrows if arrow.label]
    assert labels.count("10×6×6") == 1
    assert [arrow.label for arrow in picture.arrows if arrow.head == box(picture, "concat").key] == [
        "16×6×6",
        "24×6×6",
        "24×6×6",
    ]


def test_a_pre_activation_is_in_the_box_of_its_convolution() -> None:
    layer = ["batch norm", "relu", "conv 1×1, 48"], ["batch norm", "relu", "conv 3×3, 12"]
    assert rows(compose(graph_of(DENSE), unlimited(fold=True)))[1:3] == [*layer]


def test_equal_iterations_are_folded_except_the_first() -> None:
    graph = graph_of(RESIDUAL)
    assert titles(compose(graph)) == ["layer1 basic ×4", "layer2 basic", "layer2.0", "layer2.1–3 ×3"]
    unfolded = titles(compose(graph, unlimited(fold=False)))
    assert unfolded[:3] == ["layer1 basic", "layer1.0", "layer1.1"]
    assert len(unfolded) == 10


def test_iterations_with_different_parameters_are_not_folded() -> None:
    text = RESIDUAL.replace("op: basic, out: 16}", "op: basic, out: 16 + $i}")
    assert "×4" not in " ".join(titles(compose(graph_of(text), unlimited(depth=9))))


def test_an_iteration_read_from_outside_ends_a_fold() -> None:
    text = RESIDUAL + "  tap: {op: linear, from: tap_pool, out: 3}\n  tap_pool: {op: global_avg_pool, from: layer1.1}\n"
    text += "outputs: {logits: fc, tap: tap}\n"
    picture = compose(graph_of(text), unlimited(depth=9))
    assert titles(picture)[:3] == ["layer1 basic", "layer1.0–1 ×2", "layer1.2–3 ×2"]


def test_repeats_in_a_plain_spec_are_folded() -> None:
    graph = graph_of(RESIDUAL)
    plain = compose(graph_of(plain_spec(graph)), unlimited(depth=9))
    assert titles(plain) == ["layer1 ×4", "layer2", "layer2.0", "layer2.1–3 ×3"]
    assert rows(plain) == rows(compose(graph, unlimited(depth=9)))
    assert titles(compose(graph_of(plain_spec(graph)), unlimited(depth=1))) == []


@pytest.mark.parametrize(
    "nodes",
    [
        "x.0.a: relu\n  x.1.a: relu\n  x.b: relu",  # another child
        "x.1.a: relu\n  x.2.a: relu",  # does not start at 0
        "x.0.a: relu\n  y: relu\n  x.1.a: relu",  # something else between them
        "x.1.a: {op: relu, from: x.0.a}\n  x.0.a: {op: relu, from: in}\n  y: {op: relu, from: x.1.a}",  # another order
        "x.0: relu\n  x.1: relu",  # operations
    ],
)
def test_other_dotted_names_are_no_repeats(nodes: str) -> None:
    picture = compose(graph_of(f"cnngraph: 1\nname: x\ninput: [3, 8, 8]\nnodes:\n  {nodes}\n"), unlimited(depth=9))
    assert titles(picture) == []


def test_drop_rates_may_grow_within_a_fold() -> None:
    text = RESIDUAL.replace("params: {out: ,", "params: {rate: 0.1, out: ,").replace("p: 0.1", "p: $rate")
    text = text.replace("op: basic, out: 16}", "op: basic, out: 16, rate: $i / 10}")
    picture = compose(graph_of(text))
    assert titles(picture)[0] == "layer1 basic ×4"
    assert "drop path 0 … 0.3" in [words[-1] for words in rows(picture)]


def test_factors_may_differ_within_a_fold() -> None:
    text = RESIDUAL.replace("params: {out: ,", "params: {factor: 1, out: ,")
    text = text.replace("{op: drop_path, from: bn2, p: 0.1}", "{op: scale, from: bn2, factor: $factor}")
    text = text.replace("op: basic, out: 16}", "op: basic, out: 16, factor: 1 / ($i + 1)}")
    picture = compose(graph_of(text))
    assert titles(picture)[0] == "layer1 basic ×4"
    assert ["scale ×1 … ×0.25"] in rows(picture)


def test_iterations_that_share_weights_inside_are_folded() -> None:
    text = """
cnngraph: 1
input: [16, 8, 8]
blocks:
  unit:
    nodes:
      conv1: {op: conv, out: 16, kernel: 3, padding: half}
      conv2: {share: conv1}
      add: {op: add, from: [in, conv2]}
nodes: {layer1: {op: unit, repeat: 4}}
"""
    picture = compose(graph_of(text), unlimited(depth=9))
    assert titles(picture) == ["layer1 unit ×4"]
    notes = [row.note for box in picture.boxes() for row in box.rows if "shares" in row.note]
    assert set(notes) == {"shares conv1"}


def test_the_shape_of_a_fold_is_shown_if_any_iteration_changes_it() -> None:
    """The third layer reads 48 channels, as many as its first convolution has."""
    text = DENSE.replace("conv0: {op: conv, out: 24", "conv0: {op: conv, out: 48")
    picture = compose(graph_of(text), unlimited(fold=True))
    tail = box(picture, "conv 1×1, 48").key
    assert [arrow.label for arrow in picture.arrows if arrow.tail == tail] == ["48×32×32"]


def test_equal_operations_of_several_blocks_all_have_their_shapes() -> None:
    """Of four lateral convolutions, one reads as many channels as it has."""
    text = """
cnngraph: 1
name: pyramid
input: [8, 32, 32]
nodes:
  stage: {op: conv, repeat: 4, out: 8 * 2 ** $i, kernel: 3, stride: 2, padding: half, gives: all}
  lateral: {op: conv, repeat: 4, from: stage.$i, out: 16, kernel: 1, carry: none}
  pool: {op: global_avg_pool, repeat: 4, from: lateral.$i, carry: none}
  sum: {op: add, from: pool}
"""
    picture = compose(graph_of(text))
    laterals = [box.key for box in picture.boxes() if [row.text for row in box.rows] == ["conv 1×1, 16"]]
    labels = [arrow.label for key in laterals for arrow in picture.arrows if arrow.tail == key]
    assert labels == ["16×16×16", "16×8×8", "16×4×4", "16×2×2"]


def test_the_shape_of_a_product_is_not_that_of_its_first_factor() -> None:
    text = "cnngraph: 1\ninput: [4, 8, 8]\nnodes: {a: {op: conv, out: 6, kernel: 1}, b: {op: mean, dim: channels, "
    text += "keepdim: true}, c: {op: mul, from: [b, a]}, d: {op: max_pool, kernel: 2}}"
    labels = [arrow.label for arrow in compose(graph_of(text)).arrows if arrow.tail == "node2"]
    assert labels == [""]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("block: {op: wide}\n  last: relu", ["block wide"]),
        ("a: {nodes: {block: {nodes: [wide, relu]}}}", ["a", "block.0 wide"]),
        ("body: {repeat: 2, op: wide}\n  module: wide\n  last: relu", ["body wide ×2", "module wide"]),
        ("a: {nodes: [relu, {nodes: {block: {repeat: 2, op: wide}}}]}", ["a", "a.1 wide ×2"]),
        ("stage: {repeat: 2, op: wide}", ["stage wide ×2"]),
        ("layer1: {op: wide}", ["layer1 wide"]),
        ("wide2: {op: wide}", ["wide2"]),
    ],
)
def test_a_title_has_the_end_of_the_path_and_the_block(nodes: str, expected: list[str]) -> None:
    text = "cnngraph: 1\nname: x\ninput: [3, 8, 8]\nblocks: {wide: {nodes: {a: relu, b: {op: add, from: [in, a]}}}}\n"
    assert titles(compose(graph_of(f"{text}nodes:\n  {nodes}\n"), unlimited(fold=True))) == expected


def test_parallel_iterations_are_folded() -> None:
    picture = compose(graph_of(PARTS), unlimited(depth=9))
    (branches,) = (box for box in picture.boxes() if box.title.times == 4)
    assert branches.title.count == "×4 in parallel"
    assert [row.text for row in branches.rows] == ["conv 1×1, 8", "batch norm"]


def test_a_dense_block_is_a_ladder() -> None:
    picture = compose(graph_of(DENSE))
    joins = [box.key for box in picture.boxes() if box.shape is Shape.JOIN]
    assert len(joins) == 6
    for join in joins:
        assert len([arrow for arrow in picture.arrows if arrow.head == join]) == 2
    assert list(pairwise(joins)) == [
        (arrow.tail, arrow.head) for arrow in picture.arrows if {arrow.tail, arrow.head} <= set(joins)
    ]
    labels = [arrow.label for arrow in picture.arrows if arrow.tail in joins and arrow.label]
    assert labels == ["36×32×32", "48×32×32", "60×32×32", "72×32×32", "84×32×32", "96×32×32"]


def test_a_folded_dense_block_shows_the_output_of_its_last_iteration() -> None:
    picture = compose(graph_of(DENSE), unlimited(fold=True))
    assert titles(picture)[0] == "block1 dense_layer ×6"
    assert next(picture.frames()).title.note == "+12 each"
    (join,) = (box.key for box in picture.boxes() if box.shape is Shape.JOIN)
    assert [arrow.label for arrow in picture.arrows if arrow.tail == join] == ["96×32×32"]


def test_with_depth_blocks_are_boxes_with_parameters_and_shape() -> None:
    picture = compose(graph_of(RESIDUAL), unlimited(depth=1))
    assert not list(picture.frames())
    closed = {box.title.name: box for box in picture.boxes() if box.shape is Shape.SCOPE}
    assert closed.keys() == {"layer1", "layer2"}
    assert closed["layer1"].title.block == "basic ×4"
    assert closed["layer1"].rows[-1].text == "18.7 k params · 16×32×32"
    two = [box for box in compose(graph_of(RESIDUAL), unlimited(depth=2)).boxes() if box.shape is Shape.SCOPE]
    assert [box.title.count for box in two] == ["×4", "", "×3"]
    assert two[2].rows[-1].text == "18.6 k params each · 32×16×16"


def test_a_closed_block_lists_all_its_shapes() -> None:
    picture = compose(graph_of(SKIPS), unlimited(depth=1))
    closed = {box.title.name: box for box in picture.boxes() if box.shape is Shape.SCOPE}
    assert closed["sizes"].rows[-1].text == "113 params · 4×16×16, 5×32×32"
    assert {
        arrow.label for arrow in picture.arrows if (arrow.tail, arrow.head) == (closed["down"].key, closed["up"].key)
    } == {"4×32×32", "8×16×16", "16×8×8"}
    assert [arrow.label for arrow in picture.arrows if arrow.tail == closed["sizes"].key] == ["5×32×32", "4×16×16"]


def test_many_shapes_are_abbreviated() -> None:
    text = """
cnngraph: 1
name: pyramid
input: [1, 32, 32]
nodes:
  pyramid: {repeat: 5, op: conv, out: 2 + $i, kernel: 1, carry: none}
  sum: {op: concat, from: pyramid}
"""
    (pyramid,) = (box for box in compose(graph_of(text), unlimited(depth=1)).boxes() if box.shape is Shape.SCOPE)
    assert pyramid.rows[-1].text == "40 params · 2×32×32, …, 6×32×32"


def test_a_transposed_convolution_shows_its_larger_output() -> None:
    assert ["conv transpose 2×2, 8, ↑2"] in rows(compose(graph_of(SKIPS)))


def test_an_arrow_out_of_a_frame_shows_its_shape_inside() -> None:
    skips = with_forks(compose(graph_of(SKIPS), unlimited(depth=2)))
    (down,) = (frame for frame in skips.frames() if frame.title.name == "down")
    inside = [member.rows[0].text for member in down.members if isinstance(member, Box) and member.shape is Shape.LABEL]
    assert inside == ["4×32×32", "8×16×16"]


def test_training_only_and_unused_nodes_are_styled() -> None:
    picture = compose(graph_of(PARTS))
    frame = next(frame for frame in picture.frames() if frame.title.name == "aux")
    assert (frame.look, frame.title.note) == (Look.TRAINING, "training only")
    old = box(picture, "linear 5")
    assert (old.look, old.rows[0].note) == (Look.UNUSED, "old, unused")
    assert not [arrow for arrow in picture.arrows if old.key in (arrow.tail, arrow.head)]
    outputs = {box.title.name: box.look for box in picture.boxes() if box.shape is Shape.OUTPUT}
    assert outputs == {"logits": Look.PLAIN, "aux": Look.TRAINING}


def test_shared_blocks_name_their_owner() -> None:
    (shared,) = (box for box in compose(graph_of(PARTS)).boxes() if box.title.name == "b")
    assert shared.title.note == "shares a"


SHARED = """
cnngraph: 1
name: twins
input: {left: [4, 8, 8], right: [4, 8, 8]}
blocks:
  unit: {nodes: {a: {op: conv, out: 4, kernel: 1}, b: relu, c: {op: conv, out: 4, kernel: 1}}}
  tower: {nodes: {first: {op: conv, out: 4, kernel: 1}, layer: {op: unit, repeat: 3}}}
nodes:
  a: {op: tower, from: left}
  b: {share: a, from: right}
  diff: {op: sub, from: [a, b]}
"""


def test_iterations_that_share_those_of_another_repeat_are_folded() -> None:
    picture = compose(graph_of(SHARED), unlimited(fold=True))
    assert titles(picture) == ["a tower", "layer unit ×3", "b tower", "layer unit ×3"]
    assert [frame.title.note for frame in picture.frames()] == ["", "", "shares a", ""]
    part = compose(graph_of(SHARED.replace("b: {share: a, from", "b: {share: a.layer, from")), unlimited(fold=True))
    (b,) = (frame for frame in part.frames() if frame.title.name == "b")
    assert (b.title.count, b.title.note) == ("×3", "shares a.layer")


def test_iterations_that_share_the_first_one_are_folded() -> None:
    text = "cnngraph: 1\ninput: [4, 8, 8]\nblocks: {unit: {nodes: [{op: conv, out: 4, kernel: 1}, relu]}}\nnodes:\n"
    text += "  x: {op: unit}\n  y: {repeat: 3, share: x}\n"
    notes = [box.title.note for box in compose(graph_of(text), unlimited(fold=True)).boxes() if box.title.times == 3]
    assert notes == ["shares x"]


def test_arrows_into_a_gate_have_roles() -> None:
    assert {arrow.role for arrow in compose(graph_of(PARTS)).arrows} == {"", "transform", "carry"}


def test_the_arrow_of_a_single_input_has_no_role() -> None:
    text = "cnngraph: 1\ninput: [3, 9, 9]\nnodes: {a: {op: adaptive_avg_pool, output: 2}, b: {op: %s}}"
    one, two = "pad, padding: 1", "pad, from: [a, in]"
    assert {arrow.role for arrow in compose(graph_of(text % one)).arrows} == {""}
    assert {arrow.role for arrow in compose(graph_of(text % two)).arrows} == {"", "map", "like"}


def test_a_depthwise_convolution_is_labelled() -> None:
    assert ["depthwise conv 3×3, 12"] in rows(compose(graph_of(PARTS)))


def test_a_network_without_operations() -> None:
    picture = compose(graph_of("cnngraph: 1\nname: wire\ninput: [1, 2, 2]\nnodes: {a: {op: relu, when: 1 > 2}}\n"))
    assert [(arrow.tail, arrow.head) for arrow in picture.arrows] == [("input0", "output0")]


def test_the_valid_part_of_a_spec_with_errors_can_be_drawn() -> None:
    wrong = INCEPTION.replace("op: conv, out: 24, kernel: 1", "op: conv, out: 24, kernel: 99")
    compilation = compile_text(Source("net.yaml", wrong), Path())
    assert not compilation.ok
    assert compilation.graph is not None
    assert ["conv 5×5, 24"] in rows(compose(compilation.graph))
