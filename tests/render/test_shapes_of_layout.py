"""Layouts that follow from the graph: lanes of map sizes, arcs of dense blocks, trunks that stay straight."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from cnngraph import load
from cnngraph.graph.graph import Graph
from cnngraph.render import PAGES, Settings
from cnngraph.render.compose import candidates
from cnngraph.render.fit import fitted
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedBox
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.picture import Shape, sign
from tests.render.geometry import crossings, faults
from tests.render.networks import graph_of

HEAD = "cnngraph: 1\nname: net\ninput: [4, 32, 32]\n"
PYRAMID = """
nodes:
  c1: {op: conv, out: 8, kernel: 3, padding: half}
  c2: {op: conv, out: 16, kernel: 3, stride: 2, padding: half}
  c3: {op: conv, out: 32, kernel: 3, stride: 2, padding: half}
  laterals: {repeat: 3, from: "c${$i + 1}", op: conv, out: 8, kernel: 1, carry: none}
  up2: {op: upsample, from: laterals.2, scale_factor: 2}
  p2: {op: add, from: [laterals.1, up2]}
  up1: {op: upsample, from: p2, scale_factor: 2}
  p1: {op: add, from: [laterals.0, up1]}
outputs: {p1: p1, p2: p2, p3: laterals.2}
"""
STREAMS = """
blocks:
  stage:
    nodes:
      units:
        {repeat: len($in), from: "in[$i]", carry: none, nodes: [{op: conv, out: 8, kernel: 3, padding: half}, relu]}
      maps: {op: identity, from: units}
nodes:
  one: {op: conv, out: 8, kernel: 3, padding: half}
  two: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  three: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  maps: {op: identity, from: [one, two, three]}
  stages: {op: stage, repeat: 2}
  largest: {op: global_avg_pool, from: "stages[0]"}
  smallest: {op: global_avg_pool, from: "stages[2]"}
  concat: {op: concat, from: [largest, smallest]}
  fc: {op: linear, out: 10}
"""
NECK = """
nodes:
  c1: {op: conv, out: 8, kernel: 3, padding: half}
  c2: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  c3: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  up2: {op: upsample, from: c3, scale_factor: 2}
  p2: {op: add, from: [up2, c2]}
  up1: {op: upsample, from: p2, scale_factor: 2}
  p1: {op: add, from: [up1, c1]}
  down2: {op: conv, from: p1, out: 8, kernel: 3, stride: 2, padding: half}
  n2: {op: add, from: [down2, p2]}
  down3: {op: conv, from: n2, out: 8, kernel: 3, stride: 2, padding: half}
  n3: {op: add, from: [down3, c3]}
outputs: {n1: p1, n2: n2, n3: n3}
"""
SIZES = {"pyramid": PYRAMID, "streams": STREAMS, "neck": NECK}
DENSE = """
nodes:
  stem: {op: conv, out: 8, kernel: 3, padding: half}
  layers: {repeat: %d, carry: concat, op: conv, out: 4, kernel: 3, padding: half}
  end: relu
"""
ONE_SHOT = """
nodes:
  a: {op: conv, out: 8, kernel: 3, padding: half}
  b: {op: conv, out: 8, kernel: 3, padding: half}
  c: {op: conv, out: 8, kernel: 3, padding: half}
  all: {op: concat, from: [in, a, b, c]}
  end: {op: conv, out: 8, kernel: 1}
"""
SHORTCUT = """
blocks:
  join: {inputs: [x, residual], nodes: {%s}}
  unit:
    nodes:
      conv1: {op: conv, out: 4, kernel: 3, padding: half}
      relu1: relu
      conv2: {op: conv, out: 4, kernel: 3, padding: half}
      join: {op: join, from: [in, conv2]}
nodes: {unit: unit, end: relu}
"""
JOINS = {
    "identity": "add: {op: add, from: [residual, x]}",
    "conv": "conv: {op: conv, from: x, out: 4, kernel: 1}, add: {op: add, from: [residual, conv]}",
    "dropout": "drop: {op: dropout, from: x}, add: {op: add, from: [drop, residual]}",
    "scaled": "scale: {op: scale, from: x, factor: 0.5}, add: {op: add, from: [residual, scale]}",
}
SCALED = """
nodes:
  conv: {op: conv, out: 4, kernel: 3, padding: half}
  scale: {op: parameter, shape: [4, 1, 1], init: 1}
  mul: {op: mul, from: [conv, scale]}
  add: {op: add, from: [mul, in]}
"""


def drawn(nodes: str, **options: Any) -> Drawing:
    """The drawing of a network."""
    drawing = fitted(graph_of(HEAD + nodes), Settings(**options)).drawing
    assert list(faults(drawing)) == []
    return drawing


def ops(drawing: Drawing) -> dict[str, PlacedBox]:
    """The boxes of a drawing by the text of their first row, or their sign."""
    return {sign(box.box) or box.box.rows[0].text.split(",")[0]: box for box in drawing.boxes}


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", SIZES)
def test_maps_of_one_size_are_in_one_lane(name: str, direction: str) -> None:
    drawing = drawn(SIZES[name], direction=direction, page=None)
    axis = 0 if direction == "down" else 1
    lanes: dict[Any, set[float]] = {}
    for box in drawing.boxes:
        sizes = {tensor.sizes[1:] for tensor in box.box.types if tensor.is_map}
        if len(box.box.types) == 1 and sizes and box.box.shape is Shape.OPS:
            lanes.setdefault(sizes.pop(), set()).add(round(box.at.middle[axis], 1))
    assert len(lanes) == 3
    assert all(len(places) == 1 for places in lanes.values())
    order = [lanes[size] for size in sorted(lanes, reverse=True)]
    assert order == sorted(order, key=min)  # from the largest map to the smallest
    assert len(set(map(min, order))) == 3
    assert crossings(drawing) == 0


def test_a_network_with_one_size_at_a_time_has_no_lanes() -> None:
    graph = load("resnet18")
    layout = lay_out(next(iter(candidates(graph, Settings()))).picture, Settings())
    assert layout.lanes is None


def test_a_closed_block_reaches_over_the_lanes_of_its_maps() -> None:
    drawing = drawn(SIZES["streams"], depth=1, page=None)
    closed = next(box for box in drawing.boxes if box.box.shape is Shape.SCOPE)
    into = [arrow.curve[-1][0] for arrow in drawing.arrows if arrow.arrow.head == closed.box.key]
    out = [arrow.curve[0][0] for arrow in drawing.arrows if arrow.arrow.tail == closed.box.key]
    assert len(into) == 3
    assert max(into) - min(into) > 60
    assert set(map(round, out)) <= set(map(round, into))
    assert all(closed.at.x < x < closed.at.right for x in into)


@pytest.mark.parametrize("name", ["hrnet", "resnet50_fpn"])
def test_multi_resolution_networks_of_the_library_have_lanes(name: str) -> None:
    fit = fitted(load(name), Settings())
    curves = [arrow.curve for arrow in fit.drawing.arrows]
    straight = [curve for curve in curves if max(x for x, _ in curve) - min(x for x, _ in curve) < 1]
    assert len(straight) > len(curves) / 2
    if name == "resnet50_fpn":
        assert crossings(fit.drawing) == 0


@pytest.mark.parametrize("layers", [2, 5, 8])
def test_every_layer_of_a_small_dense_block_reaches_all_later_ones(layers: int) -> None:
    graph = graph_of(HEAD + DENSE % layers)
    fit = fitted(graph, Settings(fold=False))
    assert list(faults(fit.drawing)) == []
    assert reads(fit.drawing) == expected(graph)


def test_the_arcs_of_a_dense_block_are_nested() -> None:
    drawing = drawn(DENSE % 5, fold=False)
    joins = {box.box.key for box in drawing.boxes if box.box.shape is Shape.JOIN}
    arcs = [arrow for arrow in drawing.arrows if arrow.arrow.head in joins and reach(arrow) > 1]
    lanes: dict[str, set[float]] = {}
    for arc in arcs:
        lanes.setdefault(arc.arrow.source, set()).add(round(max(x for x, _ in arc.curve), 1))
    assert all(len(places) == 1 for places in lanes.values())  # one line from each layer to all of its readers
    first_to_last = [lanes[source] for source in sorted(lanes, key=lambda source: int(source.split(".")[0]))]
    assert first_to_last == sorted(first_to_last, key=min, reverse=True)


def test_a_large_dense_block_is_a_ladder() -> None:
    drawing = drawn(DENSE % 20, fold=False)
    assert max(Counter(arrow.arrow.head for arrow in drawing.arrows).values()) == 2


def test_a_chain_into_one_concat_is_on_the_spine() -> None:
    drawing = drawn(ONE_SHOT)
    assert len({round(box.at.middle[0], 1) for box in drawing.boxes}) == 1
    assert crossings(drawing) == 0


def chain(*reads: str) -> str:
    """Closed blocks in a row with what each reads: `10` reads the first one and the input."""
    body = "nodes: [concat, {op: conv, out: 4, kernel: 3, padding: half}]"
    names = (", ".join(map(source, read)) for read in reads)
    return "nodes:\n" + "".join(f"  n{place}: {{from: [{name}], {body}}}\n" for place, name in enumerate(names, 1))


def source(number: str) -> str:
    return f"n{number}" if int(number) else "in"


CHAINS = {
    "nested": (("0", "1", "21", "30"), {1}),
    "one after the other": (("0", "10", "2", "32"), {1}),
    "interleaved": (("0", "10", "21", "3"), {1, -1}),
    "interleaved twice": (("0", "10", "21", "32", "43"), {1, -1}),
}


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", CHAINS)
def test_arcs_that_would_cross_are_on_both_sides_of_a_chain(name: str, direction: str) -> None:
    reads_of, expected_sides = CHAINS[name]
    drawing = drawn(chain(*reads_of), depth=1, page=None, direction=direction)
    axis = 0 if direction == "down" else 1
    (spine,) = {round(box.at.middle[axis], 1) for box in drawing.boxes}
    away = [max((point[axis] - spine for point in arrow.curve), key=abs) for arrow in drawing.arrows]
    assert {1 if by > 0 else -1 for by in away if abs(by) > 20} == expected_sides
    assert crossings(drawing) == 0
    assert list(faults(drawing)) == []


ROOT = """
nodes:
  start: relu
  a: {op: conv, out: 8, kernel: 3, padding: half}
  b: {op: conv, out: 8, kernel: 3, padding: half}
  kept: {op: sigmoid, from: start}
  root: {from: [b, a, kept], nodes: [concat, {op: conv, out: 8, kernel: 1}]}
"""


TREE = """
nodes:
  bottom: {op: max_pool, kernel: 2}
  tree:
    from: [in, bottom]
    nodes:
      project: {op: conv, from: in.1, out: 8, kernel: 1}
      pool: {op: max_pool, from: in.0, kernel: 2}
      a: {op: concat, from: [project, pool]}
      b: {op: conv, out: 8, kernel: 3, padding: half}
      root: {from: [b, a, in.1], nodes: [concat, {op: conv, out: 8, kernel: 1}]}
"""


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("text", [ROOT, TREE], ids=["branches", "an arc on the left"])
def test_what_a_frame_aggregates_enters_it_in_the_order_in_which_it_comes(text: str, direction: str) -> None:
    drawing = drawn(text, page=None, direction=direction)
    assert [frame.frame.title.name for frame in drawing.frames][-1] == "root"
    assert crossings(drawing, at_joins=True) == 0
    assert list(faults(drawing)) == []


@pytest.mark.parametrize("name", JOINS)
def test_the_trunk_is_straight_and_the_operation_on_the_shortcut_beside_it(name: str) -> None:
    drawing = drawn(SHORTCUT % JOINS[name])
    trunk = {round(box.at.middle[0], 1) for key, box in ops(drawing).items() if key in ("conv 3×3", "+", "relu")}
    beside = [box for key, box in ops(drawing).items() if key.split()[0] in ("dropout", "scale") or key == "conv 1×1"]
    assert len(trunk) == 1
    assert all(box.at.x > trunk.copy().pop() for box in beside)
    assert len(beside) == (name != "identity")
    assert crossings(drawing) == 0


def test_a_parameter_is_inside_of_the_shortcut_around_it() -> None:
    drawing = drawn(SCALED)
    parameter = next(box for box in drawing.boxes if box.box.rows[0].text.startswith("parameter"))
    shortcut = max(max(x for x, _ in arrow.curve) for arrow in drawing.arrows if arrow.arrow.tail == "input0")
    assert parameter.at.right < shortcut
    assert crossings(drawing) == 0


@pytest.mark.parametrize("count", [2, 4, 7])
def test_inputs_of_a_box_keep_apart(count: int) -> None:
    branches = "".join(
        f"  b{i}: {{op: conv, from: in, out: 4, kernel: {2 * i + 1}, padding: half}}\n" for i in range(count)
    )
    names = ", ".join(f"b{i}" for i in range(count))
    drawing = drawn(f"nodes:\n{branches}  all: {{op: concat, from: [{names}, in]}}\n")
    concat = next(box for box in drawing.boxes if box.box.rows[0].text == "concat")
    ends = sorted(arrow.curve[-1][0] for arrow in drawing.arrows if arrow.arrow.head == concat.box.key)
    assert len(ends) == count + 1
    assert min(two - one for one, two in pairwise(ends)) > 3


def reach(arrow: PlacedArrow) -> float:
    """How far an arrow goes across the flow."""
    xs = [x for x, _ in arrow.curve]
    return max(xs) - min(xs)


def reads(drawing: Drawing) -> Counter[tuple[str, str]]:
    """The arrows of a drawing by their ends."""
    return Counter((arrow.arrow.tail, arrow.arrow.head) for arrow in drawing.arrows)


def expected(graph: Graph) -> Counter[tuple[str, str]]:
    """The arrows between nodes that each have a box, with those of inputs and outputs."""
    found = Counter(
        (f"node{ref.node}" if ref.node >= 0 else "input0", f"node{index}")
        for index, node in enumerate(graph.nodes)
        for ref in node.reads
    )
    return found + Counter((f"node{ref.node}", f"output{place}") for place, ref in enumerate(graph.outputs.values()))


def test_outputs_of_several_sizes_have_no_lanes_if_the_text_would_be_too_small() -> None:
    more = "  more: {op: conv, from: n3, out: 8, kernel: 1, repeat: 4}\n"
    nodes = NECK.replace("outputs:", f"{more}outputs:").replace("n3: n3}", "n3: more}")
    fit = fitted(graph_of(HEAD + nodes), Settings(page="column"))
    assert fit.least_text >= PAGES["column"].least
    assert list(faults(fit.drawing)) == []
