"""Which blocks of a network are drawn open, if not all of them fit the page."""

from __future__ import annotations

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings
from cnngraph.render.compose import candidates
from cnngraph.render.coverage import Coverage, openings
from cnngraph.render.fit import ROUNDING, Fitted, fitted
from cnngraph.render.picture import Frame, Shape
from cnngraph.render.tree import build_tree
from tests.render.networks import graph_of

BLOCKS = """
cnngraph: 1
name: net
input: [3, 64, 64]
blocks:
  unit:
    params: {out: , kernel: 3, expand: true}
    nodes:
      expand: {when: $expand, nodes: [{op: conv, out: 2 * $out, kernel: 1}, batch_norm, relu]}
      conv: [{op: conv, out: $out, kernel: $kernel, padding: half}, batch_norm, relu]
      conv2: [{op: conv, out: $out, kernel: $kernel, padding: half}, batch_norm, relu]
      add: {when: $in.channels == $out, op: add, from: [conv2, in]}
  head:
    nodes: [{op: conv, out: 8, kernel: 1}, sigmoid, {op: conv, out: 8, kernel: 1}, tanh]
nodes:
  first: {op: unit, out: 16, expand: false}
%s
  head: head
"""
UNITS = "".join(f"  unit{i}: {{op: unit, out: {16 + i // 4}}}\n" for i in range(40))
MIXING = """
cnngraph: 1
name: net
input: [16, 8, 8]
blocks:
  chain: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 3}, relu, {op: conv, out: $out, kernel: 1}, sigmoid]}
  mix:
    nodes:
      columns: {op: flatten, start_dim: 2}
      tokens: {op: permute, dims: [0, 2, 1]}
      parts: {op: chunk, chunks: 4}
      rest: {op: attention, from: ["parts[:3]"]}
      sum: {op: add, from: [rest, "parts[3]"]}
  mixer: {nodes: {norm: batch_norm, mix: mix}}
nodes:
  chain: {op: chain, out: 16}
  stage: {nodes: {mixer: mixer}}
"""
TREE = """
cnngraph: 1
name: net
input: [16, 8, 8]
blocks:
  unit: {nodes: [{op: conv, out: 16, kernel: 3, padding: half}, relu]}
  chain: {nodes: {a: unit, b: unit, c: unit, d: {op: conv, out: 16, kernel: 1}, e: sigmoid, f: tanh}}
  tree: {nodes: {a: unit, b: unit, c: unit, root: {from: [c, b, a], nodes: [concat, {op: conv, out: 16, kernel: 1}]}}}
nodes: {chain: chain, tree: tree}
"""
WIDE = UNITS.replace("unit33: {op: unit", "unit33: {op: unit, kernel: 7")


def opened(fit: Fitted) -> list[str]:
    """The names of the blocks that are drawn open."""
    return [placed.frame.title.name for placed in fit.drawing.frames if not placed.continues]


def rows(fit: Fitted) -> set[str]:
    """The first words of all operations that are shown."""
    boxes = (box.box for box in fit.drawing.boxes if box.box.shape is Shape.OPS)
    return {row.text.split(",")[0] for box in boxes for row in box.rows}


def test_the_most_usual_kind_of_a_block_is_open_not_the_first_use() -> None:
    graph = graph_of(BLOCKS % UNITS)
    closed = next(iter(candidates(graph, Settings(fold=False, depth=1))))
    best = openings(Coverage(graph, build_tree(graph)), closed)[0]
    assert best.group.scope.path == "unit0"  # one of many with expansion and shortcut
    fit = fitted(graph, Settings(fold=False))
    assert fit.least_text >= PAGES["a4"].least
    assert "unit0" in opened(fit)
    assert {"add", "sigmoid", "tanh", "conv 3×3", "conv 1×1"} <= rows(fit)


def test_branches_that_no_closed_box_tells_of_are_opened_first() -> None:
    graph = graph_of(MIXING)
    closed = next(iter(candidates(graph, Settings(depth=1))))
    paths = [opening.group.scope.path for opening in openings(Coverage(graph, build_tree(graph)), closed)]
    assert paths[0] == "stage.mixer.mix"  # inside of a closed block; the chain is what its closed box says
    assert "chain" in paths[1:]


def test_a_line_of_layers_does_not_tell_what_the_last_one_aggregates() -> None:
    graph = graph_of(TREE)
    closed = next(iter(candidates(graph, Settings(depth=1))))
    texts = [row.text for box in closed.picture.boxes() for row in box.rows]
    assert "(3×3 16) ×3 – 1×1 16" in texts  # of both
    assert openings(Coverage(graph, build_tree(graph)), closed)[0].group.scope.path == "tree"


def test_the_largest_aggregation_of_a_tree_is_shown() -> None:
    fit = fitted(load("dla34"), Settings())
    concats = {placed.box.key for placed in fit.drawing.boxes if [row.text for row in placed.box.rows] == ["concat"]}
    reads = [sum(placed.arrow.head == key for placed in fit.drawing.arrows) for key in concats]
    assert max(reads) == 4
    assert fit.least_text >= 6


def test_what_a_closed_box_says_counts_less() -> None:
    graph = graph_of(MIXING)
    coverage = Coverage(graph, build_tree(graph))
    word = {node.op: word for node, word in zip(graph.nodes, coverage.words, strict=True)}
    assert coverage.gain({word["sigmoid"]}) < coverage.gain({word["add"]})
    assert coverage.gain({word["chunk"]}) < coverage.gain({word["add"]})


def test_a_use_with_an_operation_of_its_own_is_open_too() -> None:
    fit = fitted(graph_of(BLOCKS % WIDE), Settings(fold=False))
    assert fit.least_text >= PAGES["a4"].least
    assert "unit33" in opened(fit)
    assert {"conv 7×7", "conv 3×3", "sigmoid"} <= rows(fit)


def test_equal_uses_are_not_opened_twice() -> None:
    fit = fitted(graph_of(BLOCKS % UNITS), Settings(fold=False))
    assert len([name for name in opened(fit) if name.startswith("unit")]) <= 2  # with and without a shortcut


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("mobilenet_v2", {"conv 1×1", "depthwise conv 3×3"}),
        ("inception_v3", {"conv 1×7", "conv 7×1"}),
        ("botnet50", {"attention 4 heads"}),
        ("drn_c_26", {"conv 3×3"}),
        ("regnet_y_400mf", {"sigmoid"}),
        ("googlenet", {"concat"}),
        ("coatnet_0", {"depthwise conv 3×3", "attention"}),
    ],
)
@pytest.mark.parametrize("page", ["a4"])
def test_what_makes_a_network_is_shown(name: str, shown: set[str], page: str) -> None:
    assert shown <= rows(fitted(load(name), Settings(page=page)))


@pytest.mark.parametrize("name", ["drn_c_26", "drn_c_58"])
def test_dilations_are_shown(name: str) -> None:
    fit = fitted(load(name), Settings())
    texts = {row.text for box in fit.drawing.boxes if box.box.shape is Shape.OPS for row in box.box.rows}
    assert {"dilation 2", "dilation 4"} <= {part for text in texts for part in text.split(", ")}


def test_one_example_is_open_on_a_narrow_page() -> None:
    fit = fitted(load("resnet50"), Settings(page="column"))
    assert fit.least_text >= PAGES["column"].least
    assert any(box.box.shape is Shape.OPS and box.box.rows[0].text == "add" for box in fit.drawing.boxes)


@pytest.mark.parametrize(
    ("name", "page", "shown"),
    [
        ("cbamresnet50", "a4", {"global max pool", "max over channels"}),
        ("seresnet50", "slide", {"sigmoid"}),
    ],
)
def test_shapes_are_left_out_if_a_block_inside_of_an_example_is_shown_instead(
    name: str, page: str, shown: set[str]
) -> None:
    fit = fitted(load(name), Settings(page=page))
    assert fit.least_text >= PAGES[page].least - ROUNDING
    assert shown <= rows(fit)
    assert {"add", "conv 3×3"} <= rows(fit)
    assert not fit.drawing.notes


def test_an_example_that_nearly_fits_is_tried_in_another_place() -> None:
    names = opened(fitted(load("convnext_tiny"), Settings(page="slide")))
    assert "features.5" in names  # with the same units in features.1 and 3, the text would be a little too small
    assert not {"features.1", "features.3"} & set(names)


def test_the_value_of_words_does_not_depend_on_their_order() -> None:
    graph = load("efficientnet_b0")
    coverage = Coverage(graph, build_tree(graph))
    words = list(coverage.counts)
    orders = [words, words[::-1], sorted(words, key=str)]
    assert len({coverage.gain(dict.fromkeys(order).keys()) for order in orders}) == 1


@pytest.mark.parametrize("name", ["inception_v1_bn", "googlenet_no_aux"])
def test_shapes_are_left_out_before_text_gets_too_small(name: str) -> None:
    assert fitted(load(name), Settings(page="column")).least_text >= PAGES["column"].least


def test_the_closed_blocks_with_most_lines_are_the_first_without_contents() -> None:
    fit = fitted(load("inception_v3"), Settings(page="slide"))
    assert fit.least_text >= PAGES["slide"].least - ROUNDING
    lines = {box.box.title.block: len(box.box.rows) for box in fit.drawing.boxes if box.box.shape is Shape.SCOPE}
    assert lines["inception_b"] == 1  # of four
    assert lines["inception_a"] == lines["inception_c"] == lines["reduction_b"] == 3


def test_a_block_is_drawn_like_the_one_whose_weights_it_shares() -> None:
    fit = fitted(load("siamese_resnet18"), Settings())
    frames = [placed.frame for placed in fit.drawing.frames if placed.level == 0]
    left, right = ([inner.title.name for inner in frames_in(frame)] for frame in frames)
    assert left == right
    assert "layer2.0" in left


def frames_in(frame: Frame) -> list[Frame]:
    """All frames inside of one, from the first."""
    inner = [member for member in frame.members if isinstance(member, Frame)]
    return [found for member in inner for found in (member, *frames_in(member))]
