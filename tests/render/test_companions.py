"""Equal blocks: those that a reader compares are open or closed together, and begin at the same height."""

from __future__ import annotations

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings
from cnngraph.render.companions import Companions
from cnngraph.render.fit import Fitted, fitted
from cnngraph.render.settings import Style
from cnngraph.render.tree import build_tree
from tests.render.networks import U_NET, graph_of

STREAMS = """
cnngraph: 1
name: streams
input: {rgb: [3, 64, 64], flow: [20, 64, 64]}
blocks:
  stream:
    params: {width: }
    nodes:
      - {op: conv, out: $width, kernel: 7, stride: 2, padding: half}
      - relu
      - {op: max_pool, kernel: 2}
      - {op: conv, out: $width * 2, kernel: 3, padding: half}
      - relu
      - {repeat: %d, op: conv, out: $width * 2, kernel: 3, padding: half}
nodes:
  spatial: {op: stream, from: rgb, width: 32}
  temporal: {op: stream, from: flow, width: %d}
  sum: {op: concat, from: [spatial, temporal]}
  mixed: {op: concat, from: [sum, spatial]}
  more: {op: stream, width: 32}
  pool: global_avg_pool
  head: {op: linear, out: 10}
"""


def opened(fit: Fitted) -> set[str]:
    """The names in the titles of frames."""
    return {frame.frame.title.name for frame in fit.drawing.frames}


def test_companions_are_beside_each_other_and_have_the_same_operations() -> None:
    tree = build_tree(graph_of(STREAMS % (2, 48)))
    companions = Companions(tree, lambda: ["" for _ in tree.graph.nodes])
    assert companions.of("spatial", is_u=False) == {"spatial", "temporal"}
    assert companions.of("more", is_u=False) == {"more"}
    assert companions.of("spatial", is_u=True) == {"spatial", "temporal", "more"}
    words = [node.path for node in tree.graph.nodes]
    assert Companions(tree, lambda: words).of("spatial", is_u=False) == {"spatial"}


@pytest.mark.parametrize("style", ["boxes", "volumes"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("count", [1, 6, 20])
def test_equal_blocks_beside_each_other_are_open_or_closed_together(page: str, style: Style, count: int) -> None:
    fit = fitted(graph_of(STREAMS % (count, 48)), Settings(page=page, style=style, fold=False))
    assert len(opened(fit) & {"spatial", "temporal"}) in (0, 2)


@pytest.mark.parametrize("page", ["a4", "slide"])
def test_equal_blocks_beside_each_other_begin_at_the_same_height(page: str) -> None:
    drawing = fitted(graph_of(STREAMS % (1, 32)), Settings(page=page, open=("spatial", "temporal"))).drawing
    at = {frame.frame.title.name: frame.at for frame in drawing.frames}
    starts = [at[name].y if drawing.is_down else at[name].x for name in ("spatial", "temporal")]
    assert starts[0] == pytest.approx(starts[1], abs=0.5)


@pytest.mark.parametrize("page", PAGES)
def test_the_levels_of_a_u_are_open_or_closed_together(page: str) -> None:
    found = opened(fitted(graph_of(U_NET), Settings(page=page)))
    assert len(found & {"d1", "d2", "d3", "d4", "d5"}) in (0, 5)


def test_a_u_stays_a_u_on_a_page_that_is_too_small_for_its_blocks() -> None:
    """Its iterations are not folded then, but the blocks in them are closed."""
    fit = fitted(load("unet"), Settings(page="column"))
    assert fit.least_text >= PAGES["column"].least
    tails = {arrow.arrow.tail for arrow in fit.drawing.arrows if arrow.curve[0][1] == pytest.approx(arrow.curve[-1][1])}
    assert len(tails) == 4
