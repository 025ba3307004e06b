"""The page in a real browser: contrast and room of texts, arrows without detours, numbers of what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.networks import RESIDUAL, graph_of
from tests.viewing.browser import Browser
from tests.viewing.shown import box, frame, show

DETAILS = "document.getElementById('details').textContent"
LEGEND = "document.getElementById('legend').textContent"
TWO_OUTPUTS = """
cnngraph: 1
input: {left: [3, 32, 32], right: [1, 32, 32]}
blocks:
  pair:
    inputs: [a, b]
    nodes:
      one: {op: conv, from: a, out: 8, kernel: 3, padding: half}
      wide: {op: conv, from: b, out: 16, kernel: 3, padding: half, stride: 2}
      two: {op: conv, out: 16, kernel: 1}
nodes:
  first: {op: pair, from: [left, right]}
  second: {op: pair, from: [first.one, first.two]}
  low: {op: max_pool, from: second.one, kernel: 4}
  sum: {op: concat, from: [low, second.two]}
outputs: {first: sum, second: low}
"""
BESIDE = """
cnngraph: 1
input: [3, 32, 32]
nodes:
  start: {op: conv, out: 4, kernel: 3, padding: half}
  block:
    repeat: 5
    nodes: [{op: conv, out: $i + 5, kernel: 3, padding: half}]
  side: {op: conv, from: start, out: 8, kernel: 3, padding: half}
  wide: {op: conv, out: 16, kernel: 3, padding: half}
  both: {op: concat, from: [block, wide]}
"""
CONTRASTS = """(() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = colour => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map(part => part / 255)
      .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  return [...document.querySelectorAll('.box.coloured')].flatMap(box => {
    const ground = luminance(getComputedStyle(box.querySelector('rect, circle, polygon')).fill);
    return [...box.querySelectorAll('tspan')].map(text => {
      const [low, high] = [ground, luminance(getComputedStyle(text).fill)].sort((a, b) => a - b);
      return (high + .05) / (low + .05);
    });
  });
})()"""


def colour_by(browser: Browser, metric: str) -> None:
    browser.js(f"document.getElementById('metric').value = '{metric}'")
    browser.js("document.getElementById('metric').dispatchEvent(new Event('change'))")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_on_coloured_boxes_have_contrast(browser: Browser, tmp_path: Path, theme: str) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), theme=theme, depth=2)
    for metric in ("params", "macs", "memory", "field"):
        colour_by(browser, metric)
        assert browser.js("document.documentElement.dataset.theme") == theme
        found = browser.js(CONTRASTS)
        assert len(found) > 20
        assert min(found) >= 4.4, metric


@pytest.mark.parametrize("width", [800, 1000, 1400])
def test_the_drawing_has_most_of_the_window(browser: Browser, tmp_path: Path, width: int) -> None:
    browser.resize(width, 700)
    show(browser, tmp_path, graph_of(RESIDUAL), title="a network with a long name, " * 5)
    sizes = browser.js(
        "['bar', 'stage'].map(id => document.getElementById(id)).map(e => [e.offsetWidth, e.offsetHeight])"
    )
    assert sizes[0][1] < 60
    assert sizes[1][0] >= 0.65 * width
    assert browser.js("document.documentElement.scrollWidth") <= width


def test_what_a_single_block_has_is_not_called_each(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.js(f"document.querySelector('{box('layer2')}').focus()")
    browser.press("Enter")
    assert "each" not in browser.js(DETAILS)
    show(browser, tmp_path, graph_of(RESIDUAL), depth=3, fold=True)
    repeated = "[...document.querySelectorAll('.frame, .closed')].find(one => one.textContent.includes('×'))"
    browser.js(f"{repeated}.dispatchEvent(new MouseEvent('click', {{bubbles: true, shiftKey: true}}))")
    assert "each)" in browser.js(DETAILS)


def test_the_overview_has_inputs_outputs_and_counts(browser: Browser, tmp_path: Path) -> None:
    graph = graph_of(TWO_OUTPUTS)
    show(browser, tmp_path, graph)
    details = browser.js(DETAILS)
    assert "inputsleft 3×32×32right 1×32×32" in details
    assert "outputsfirst 24×8×8second 8×8×8" in details
    assert f"operations{len(graph.nodes)}" in details


def test_the_legend_of_a_colouring_explains_what_is_visible(browser: Browser, tmp_path: Path) -> None:
    for fold, is_explained in ((True, True), (False, False)):
        show(browser, tmp_path, graph_of(RESIDUAL), fold=fold, depth=2)
        colour_by(browser, "macs")
        assert ("×n" in browser.js(LEGEND)) == is_explained


def test_tensors_between_open_blocks_take_no_detour(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(TWO_OUTPUTS), depth=2)
    assert all(browser.js(f"Boolean(document.querySelector('{frame(path)}'))") for path in ("first", "second"))
    lines = browser.js(
        """[...document.querySelectorAll('path.arrow')]
          .filter(arrow => arrow.dataset.tail.startsWith('scope') && arrow.dataset.head.startsWith('scope'))
          .map(arrow => {
            const length = arrow.getTotalLength();
            const points = [...Array(50).keys()].map(part => arrow.getPointAtLength(length * part / 49).x);
            return points.slice(1).map((x, place) => Math.sign(Math.round(10 * (x - points[place]))));
          })"""
    )
    assert len(lines) == 2
    for turns in lines:
        assert len({turn for turn in turns if turn}) <= 1, "it goes to one side only"


def test_shapes_stay_at_their_boxes_beside_an_open_block(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(BESIDE), depth=3)
    browser.js(f"document.querySelector('{frame('block')}').focus()")
    far = browser.js(
        """(() => {
          const rect = element => element.getBoundingClientRect();
          const boxes = [...document.querySelectorAll('.box')].map(box => rect(box.firstElementChild));
          const notes = [...document.querySelectorAll('.note')].filter(note => note.textContent);
          const isAt = (at, box) => at.left < box.right && at.right > box.left && Math.abs(at.top - box.bottom) < 8;
          return notes.filter(note => !boxes.some(box => isAt(rect(note), box))).map(note => note.textContent);
        })()"""
    )
    assert far == []
