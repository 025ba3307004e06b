"""The page of a network in the shape of a U in a real browser: it is a U, whatever is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.render.networks import graph_of
from tests.viewing.browser import Browser
from tests.viewing.shown import BOXES, box, frame, show

BLOCKS = """
cnngraph: 1
name: u
input: [3, 64, 64]
blocks:
  down:
    params: {out: }
    nodes: {pool: {op: max_pool, kernel: 2}, conv: {op: conv, out: $out, kernel: 3, padding: half}, act: relu}
  up:
    inputs: [x, skip]
    nodes:
      up: {op: conv_transpose, from: x, out: $skip.channels, kernel: 2, stride: 2}
      concat: {op: concat, from: [skip, up]}
      conv: {op: conv, out: $skip.channels, kernel: 3, padding: half}
nodes:
  first: {op: conv, out: 4, kernel: 3, padding: half}
  encoder:
    nodes: {one: {op: down, out: 8}, two: {op: down, out: 16}, three: {op: down, out: 32}}
  low: {op: down, out: 64}
  decoder:
    op: up
    repeat: 4
    from: [low, "${['encoder.three', 'encoder.two', 'encoder.one', 'first'][$i]}"]
  head: {op: conv, out: 2, kernel: 1}
"""
GATED = BLOCKS.replace(
    "concat: {op: concat, from: [skip, up]}",
    """key: {op: conv, from: skip, out: $skip.channels, kernel: 1}
      query: {op: conv, from: up, out: $skip.channels, kernel: 1}
      sum: {op: add, from: [query, key]}
      gate: sigmoid
      gated: {op: mul, from: [skip, gate]}
      concat: {op: concat, from: [gated, up]}""",
)
SKIPS = "document.querySelectorAll('path.skip').length"
PLACES = """Object.fromEntries([...document.querySelectorAll('.box')].map(box => {
  const at = box.querySelector('rect, circle, polygon').getBoundingClientRect();
  return [box.dataset.id, [at.left, at.top, at.right, at.bottom]];
}))"""
LINES = """[...document.querySelectorAll('path.skip')].map(line => {
  const at = line.getBoundingClientRect();
  return [line.dataset.tail, line.dataset.head, at.width, at.height];
})"""
LOST = """[...document.querySelectorAll('polygon.arrow')].filter(arrow => {
  const tip = arrow.getBoundingClientRect();
  return ![...document.querySelectorAll('.box')].some(box => {
    const at = box.querySelector('rect, circle, polygon').getBoundingClientRect();
    return tip.right > at.left - 2 && tip.left < at.right + 2 && tip.bottom > at.top - 2 && tip.top < at.bottom + 2;
  });
}).length"""


def check_shape(browser: Browser, skips: int, direction: str) -> None:
    """The decoder is beside the encoder, nothing overlaps, and every skip ends at two boxes on opposite sides."""
    places: dict[str, list[float]] = browser.js(PLACES)
    lines: list[list[Any]] = browser.js(LINES)
    assert len(lines) == skips
    across = 0 if direction == "down" else 1
    for tail, head, *size in lines:
        assert places[tail][across + 2] < places[head][across]
        between = places[head][across] - places[tail][across + 2]
        assert size[across] == pytest.approx(between, abs=20)  # an arrowhead and slanted sides
    boxes = list(places.values())
    for number, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            is_apart = other[0] > right - 1 or other[2] < left + 1 or other[1] > bottom - 1 or other[3] < top + 1
            assert is_apart
    assert browser.js(LOST) == 0


@pytest.mark.parametrize("direction", ["down", "right"])
def test_a_network_in_the_shape_of_a_u_is_a_u_whatever_is_open(
    browser: Browser, tmp_path: Path, direction: str
) -> None:
    show(browser, tmp_path, graph_of(BLOCKS), direction=direction)
    browser.click("#all")
    check_shape(browser, 4, direction)
    assert [size[1 if direction == "down" else 0] for _, _, *size in browser.js(LINES)] == pytest.approx([0] * 4, abs=1)
    browser.click("#none")
    check_shape(browser, 4, direction)
    for path in ("encoder", "encoder.two", "low", "decoder", "decoder.1"):
        browser.js(f"document.querySelector('{box(path)}').focus()")
        browser.press("Enter")
        check_shape(browser, 4, direction)
    browser.js(f"document.querySelector('{frame('encoder')}').focus()")
    browser.press("Escape")
    check_shape(browser, 4, direction)


def test_a_skip_that_a_block_reads_twice(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(GATED), depth=2)
    assert browser.js(SKIPS) == 4
    browser.js(f"document.querySelector('{box('decoder.1')}').focus()")
    browser.press("Enter")
    check_shape(browser, 5, "down")


def test_boxes_that_change_the_size_of_maps_are_slanted_along_the_flow(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(BLOCKS))
    browser.click("#all")
    widths = """(text => {
      const box = [...document.querySelectorAll('.box')].find(box => box.textContent.includes(text));
      const shape = box.firstElementChild;
      const points = [...shape.points].map(point => [point.x, point.y]);
      const [top, bottom] = [Math.min, Math.max].map(side => side(...points.map(point => point[1])));
      return [top, bottom].map(y => {
        const xs = points.filter(point => point[1] === y).map(point => point[0]);
        return Math.max(...xs) - Math.min(...xs);
      });
    })"""
    for text in ("max pool", "conv transpose"):
        above, below = browser.js(f"{widths}('{text}')")
        assert above > below, text


def test_keys_follow_the_flow_and_the_skips(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(BLOCKS), depth=2)
    focused = "document.activeElement.getAttribute('aria-label')"
    browser.js(f"document.querySelector('{box('encoder.two')}').focus()")
    browser.press("ArrowRight")
    assert "decoder.1" in browser.js(focused)
    browser.press("ArrowUp")
    assert "decoder.2" in browser.js(focused)
    browser.press("ArrowDown", "ArrowDown")
    assert "decoder.0" in browser.js(focused)
    browser.press("ArrowLeft")
    assert "encoder.three" in browser.js(focused)
    assert browser.js("document.querySelectorAll('path.skip.near').length") == 1
    assert browser.js(BOXES) > 8


LOOSE = """(() => {
  const lines = [...document.querySelectorAll('path.arrow, path.skip')];
  const ends = lines.flatMap(line => [0, line.getTotalLength()].map(length => {
    const at = line.getPointAtLength(length).matrixTransform(line.getScreenCTM());
    return [at.x, at.y, line];
  }));
  const boxes = [...document.querySelectorAll('.box')]
    .map(box => box.querySelector('rect, circle, polygon').getBoundingClientRect());
  const near = 10 * document.getElementById('world').getScreenCTM().a;  // an arrowhead
  const isAt = ([x, y], at) => x > at.left - near && x < at.right + near && y > at.top - near && y < at.bottom + near;
  const loose = ends.filter(end => !boxes.some(at => isAt(end, at))
    && !ends.some(other => other[2] !== end[2] && Math.hypot(other[0] - end[0], other[1] - end[1]) < 3));
  return [lines.length, loose.length];
})()"""
PYRAMID = """
cnngraph: 1
name: pyramid
input: [3, 64, 64]
blocks:
  stage: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 3, stride: 2, padding: 1}, relu]}
  merge:
    inputs: [top, lateral]
    nodes:
      lat: {op: conv, from: lateral, out: 8, kernel: 1}
      up: {op: upsample, from: top, scale_factor: 2}
      add: {op: add, from: [up, lat]}
nodes:
  c1: {op: stage, out: 8}
  c2: {op: stage, out: 16}
  c3: {op: stage, out: 32}
  c4: {op: stage, out: 64}
  p4: {op: conv, out: 8, kernel: 1}
  p3: {op: merge, from: [p4, c3]}
  p2: {op: merge, from: [p3, c2]}
  p1: {op: merge, from: [p2, c1]}
  h4: {op: conv, from: p4, out: 9, kernel: 3, padding: 1}
  h3: {op: conv, from: p3, out: 9, kernel: 3, padding: 1}
  h2: {op: conv, from: p2, out: 9, kernel: 3, padding: 1}
  h1: {op: conv, from: p1, out: 9, kernel: 3, padding: 1}
outputs: {h1: h1, h2: h2, h3: h3, h4: h4}
"""


@pytest.mark.parametrize("text", [BLOCKS, GATED, PYRAMID], ids=["u", "gated", "pyramid"])
def test_no_line_is_torn_when_blocks_are_opened(browser: Browser, tmp_path: Path, text: str) -> None:
    show(browser, tmp_path, graph_of(text), depth=1)
    for _ in range(12):
        count, loose = browser.js(LOOSE)
        assert count > 8
        assert loose == 0
        if not browser.js("document.querySelectorAll('.closed').length"):
            return
        browser.js("document.querySelector('.closed').focus()")
        browser.press("Enter")
