"""The text of closed blocks with several outputs: short lines if the flow is to the right, no shape twice."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings
from cnngraph.render.fit import fitted
from cnngraph.render.layout.boxes import lines, size
from cnngraph.render.layout.drawing import PlacedBox
from cnngraph.render.picture import Shape
from tests.render.geometry import faults
from tests.render.networks import graph_of

STREAMS = """
cnngraph: 1
name: streams
input: [4, 32, 32]
blocks:
  stage:
    inputs: [large, small]
    nodes:
      one: {from: large, nodes: [{op: conv, out: 8, kernel: 3, padding: half}, relu]}
      two: {from: small, nodes: [{op: conv, out: 16, kernel: 3, padding: half}, relu]}
      maps: {op: identity, from: [one, two]}
nodes:
  split: {op: max_pool, kernel: 2}
  first: {op: stage, from: [in, split]}
  second: {op: stage, from: ["first[0]", "first[1]"]}
  largest: {op: global_avg_pool, from: "second[0]"}
  smallest: {op: global_avg_pool, from: "second[1]"}
  concat: {op: concat, from: [largest, smallest]}
"""


def stage(**settings: Any) -> PlacedBox:
    """The first stage of the streams, closed."""
    drawing = fitted(graph_of(STREAMS), Settings(depth=1, fold=False, page=None, **settings)).drawing
    assert list(faults(drawing)) == []
    return next(box for box in drawing.boxes if box.box.shape is Shape.SCOPE and len(box.box.types) == 2)


def texts(placed: PlacedBox) -> list[str]:
    """The lines of a box."""
    return ["".join(run.text for run in line.runs) for line in lines(placed.box)]


def test_shapes_beside_the_outputs_are_not_repeated_in_the_block() -> None:
    assert texts(stage(direction="down")) == ["first stage", "888 params"]
    assert texts(stage(direction="right")) == ["first", "stage", "888 params"]


def test_a_block_has_its_shapes_if_they_are_not_beside_it() -> None:
    assert texts(stage(direction="down", shapes=False)) == ["first stage", "888 params · 8×32×32, 16×16×16"]
    assert texts(stage(direction="right", shapes=False)) == ["first", "stage", "888 params", "8×32×32", "16×16×16"]


def test_a_block_is_short_if_the_flow_is_to_the_right() -> None:
    long, short = stage(direction="down", shapes=False), stage(direction="right", shapes=False)
    assert size(short.box)[0] < size(long.box)[0] / 2


@pytest.mark.parametrize(("name", "shown"), [("resnet50_fpn", "inner_blocks"), ("hrnet", "stages.2")])
def test_a_level_of_a_network_with_lanes_is_open_on_a_slide(name: str, shown: str) -> None:
    fit = fitted(load(name), Settings(page="slide"))
    assert fit.least_text >= PAGES["slide"].least - 1e-6
    assert list(faults(fit.drawing)) == []
    assert shown in {placed.frame.title.name for placed in fit.drawing.frames}
