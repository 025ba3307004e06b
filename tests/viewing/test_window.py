"""The page in a real browser: what part of a drawing is in the window, and at what size."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.render.networks import RESIDUAL, graph_of
from tests.viewing.browser import Browser
from tests.viewing.shown import BOXES, box, frame, show

WHOLE = """(() => {
  const stage = document.getElementById('stage').getBoundingClientRect();
  return [...document.querySelectorAll('.box')].every(box => {
    const at = box.getBoundingClientRect();
    return at.top >= stage.top && at.bottom <= stage.bottom && at.left >= stage.left && at.right <= stage.right;
  });
})()"""
SCALE = "Number(/scale\\(([\\d.]+)/.exec(document.getElementById('world').getAttribute('transform'))[1])"


def test_zoom_and_pan(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL))
    width = "document.getElementById('world').getBoundingClientRect().width"
    before = browser.js(width)
    browser.press("+")
    assert browser.js(width) > 1.2 * before
    browser.press("0")
    x, y = browser.place(".box")
    scale = browser.js(SCALE)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-120, modifiers=2)  # with Ctrl
    after = browser.place(".box")
    assert browser.js(SCALE) > 1.2 * scale
    assert abs(after[0] - x) < 30, "the place under the pointer stays"
    browser.mouse("mousePressed", 20, 400, button="left", clickCount=1)
    for step in (10, 60, 110):
        browser.mouse("mouseMoved", 20 + step, 400, button="left", buttons=1)
    browser.mouse("mouseReleased", 130, 400, button="left")
    assert browser.place(".box")[0] == pytest.approx(after[0] + 110, abs=2)


def test_the_first_view_opens_what_can_be_read_at_once(browser: Browser, tmp_path: Path) -> None:
    counts = []
    for width, height in ((800, 400), (1400, 900)):
        browser.resize(width, height)
        show(browser, tmp_path, graph_of(RESIDUAL))
        assert browser.js(WHOLE), (width, height)
        assert browser.js(SCALE) >= 0.8
        counts.append(browser.js(BOXES))
    assert counts[0] < counts[1]


def chain(length: int) -> str:
    nodes = "\n".join(f"  r{place}: {{op: conv, out: {place + 1}, kernel: 1}}" for place in range(length))
    return f"cnngraph: 1\nname: long\ninput: [3, 8, 8]\nnodes:\n{nodes}\n"


PLACES = """JSON.stringify([...document.querySelectorAll('.box')].map(box => {
  const at = box.querySelector('rect, circle, polygon').getBoundingClientRect();
  return [box.dataset.id, Math.round(at.left + at.width / 2), at.top, at.bottom];
}))"""


def places_of(browser: Browser) -> dict[str, tuple[int, float, float]]:
    """The middle, top and bottom of every box on the screen."""
    return {key: (middle, top, bottom) for key, middle, top, bottom in json.loads(browser.js(PLACES))}


def test_a_long_drawing_is_broken_into_columns(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(chain(40)))
    assert browser.js(WHOLE)
    assert browser.js(SCALE) >= 0.8
    columns: dict[int, list[float]] = {}
    for middle, top, bottom in places_of(browser).values():
        columns.setdefault(middle, []).extend([top, bottom])
    assert len(columns) > 2
    assert all(tops == sorted(tops) for tops in columns.values())
    arrows = "document.querySelectorAll('path.arrow').length"
    assert browser.js(arrows) == 41
    heads = browser.js(
        """[...document.querySelectorAll('polygon.arrow')].filter(arrow => {
          const tip = arrow.getBoundingClientRect();
          return [...document.querySelectorAll('.box rect')].some(box => {
            const at = box.getBoundingClientRect();
            return Math.abs(at.top - tip.bottom) < 2 && at.left < tip.left && at.right > tip.right;
          });
        }).length"""
    )
    assert heads == 41
    browser.resize(1200, 2400)
    browser.wait(f"new Set(JSON.parse({PLACES}).map(place => place[1])).size === 1")


def test_a_long_block_has_columns_of_its_own(browser: Browser, tmp_path: Path) -> None:
    inside = ", ".join(f"{{op: conv, out: {place + 1}, kernel: 1}}" for place in range(40))
    head = "head: [global_avg_pool, {op: linear, out: 2}]"
    text = f"cnngraph: 1\nname: long\ninput: [3, 8, 8]\nnodes:\n  features: [{inside}]\n  {head}\n"
    show(browser, tmp_path, graph_of(text))
    assert browser.js(WHOLE)
    assert browser.js(SCALE) >= 0.8
    assert len({middle for middle, _, _ in places_of(browser).values()}) > 2
    border = browser.js(f"document.querySelector('{frame('features')} rect').getBoundingClientRect().bottom")
    lines = "[...document.querySelectorAll('path.arrow')].map(arrow => arrow.getBoundingClientRect())"
    leaving = browser.js(f"{lines}.filter(line => Math.abs(line.bottom - {border}) < 1).length")
    entering = browser.js(f"{lines}.filter(line => Math.abs(line.top - {border}) < 1).length")
    assert (leaving, entering) == (1, 1)


def test_blocks_stay_in_their_columns_when_one_is_opened(browser: Browser, tmp_path: Path) -> None:
    browser.resize(1400, 330)
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1, fold=False)
    before = places_of(browser)
    assert len({middle for middle, _, _ in before.values()}) > 1
    browser.click(box("layer2"))
    after = places_of(browser)
    order = sorted(before, key=lambda key: before[key][0])
    kept = [key for key in order if key in after]
    assert [after[key][0] for key in kept] == sorted(after[key][0] for key in kept)
    same = {key: middle for key, (middle, _, _) in before.items() if key in after}
    for one, other in pairwise(kept):
        assert (same[one] == same[other]) == (abs(after[one][0] - after[other][0]) <= 1)
    browser.press("0")
    assert browser.js(WHOLE)


def test_a_drawing_that_is_too_long_begins_at_its_start_and_is_moved_by_keys(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(chain(300)))
    boxes = "[...document.querySelectorAll('.box')]"
    first, last = (f"{boxes}.at({place}).getBoundingClientRect()" for place in (0, -1))
    top = "document.getElementById('stage').getBoundingClientRect().top"
    assert browser.js(SCALE) > 1
    start = browser.js(f"{first}.top")
    assert 0 < start - browser.js(top) < 40
    browser.press("PageDown")
    assert browser.js(f"{first}.bottom") < browser.js(top)
    browser.press("End")
    assert browser.js(
        f"document.getElementById('canvas').getBoundingClientRect().bottom - {last}.bottom"
    ) == pytest.approx(start - browser.js(top), abs=6)
    browser.press("PageUp", "Home")
    assert browser.js(f"{first}.top") == pytest.approx(start, abs=6)
    scale = browser.js(SCALE)
    for step, moved in ((300, 300), (200, 500), (-900, 0)):  # not beyond the start
        browser.mouse("mouseWheel", 500, 400, deltaX=0, deltaY=step)
        assert start - browser.js(f"{first}.top") == pytest.approx(moved, abs=6)
    assert browser.js(SCALE) == scale


def test_the_wheel_does_not_move_what_is_in_the_window_as_a_whole(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    before = browser.place(".box")
    browser.mouse("mouseWheel", 500, 400, deltaX=40, deltaY=120)
    assert browser.place(".box") == before


def test_a_phone(browser: Browser, tmp_path: Path) -> None:
    browser.resize(390, 780)
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    assert browser.js("document.documentElement.scrollWidth") <= 390
    browser.wait("document.getElementById('fold').offsetHeight > 0")
    for height in ("> 100", "=== 0"):
        browser.click("#fold")
        browser.wait(f"document.getElementById('details').offsetHeight {height}")
        browser.reload()  # keeps it; the size of the window is set a moment later
        browser.wait(f"document.getElementById('details').offsetHeight {height}")
