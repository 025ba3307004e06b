"""The page by keyboard in a real browser: the focus is never lost, and it follows the flow through everything."""

from __future__ import annotations

from pathlib import Path

from tests.render.networks import RESIDUAL, graph_of
from tests.viewing.browser import Browser
from tests.viewing.shown import box, show
from tests.viewing.test_window import chain

FOCUSED = "document.activeElement.getAttribute('aria-label') || ''"
IN_VIEW = """(() => {
  const at = document.activeElement.getBoundingClientRect();
  const stage = document.getElementById('canvas').getBoundingClientRect();
  return at.bottom > stage.top && at.top < stage.bottom && at.right > stage.left && at.left < stage.right;
})()"""
REPEATED = """
cnngraph: 1
input: [3, 16, 16]
nodes:
  first: {op: conv, out: 8, kernel: 3, padding: half}
  many: {repeat: 6, nodes: [{op: conv, out: 8, kernel: 3, padding: half}, relu]}
  last: {op: max_pool, kernel: 2}
"""


def walk(browser: Browser, key: str, steps: int) -> list[str]:
    """The labels of what has the focus, step by step."""
    labels = []
    for _ in range(steps):
        browser.press(key)
        labels.append(browser.js(FOCUSED))
    return labels


def test_the_way_through_a_network_passes_boxes_that_stand_for_several(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(REPEATED), fold=True)
    down = walk(browser, "ArrowDown", 5)
    assert "many" in down[2]
    assert "last" in down[3]
    assert down[4].startswith("output")
    assert walk(browser, "ArrowUp", 4) == down[3::-1]


def test_the_focus_stays_when_all_blocks_are_opened_or_closed(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.js(f"document.querySelector('{box('layer2')}').focus()")
    browser.press("e")
    assert browser.js(FOCUSED) == "block layer2, open"
    assert browser.js(IN_VIEW)
    browser.press("ArrowDown")
    assert "layer2.0" in browser.js(FOCUSED)
    browser.press("c")
    assert browser.js(FOCUSED).startswith("closed block layer2,")
    assert browser.js("document.querySelectorAll('.selected').length") == 1


def test_the_focus_stays_in_view_when_the_drawing_is_fitted(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(chain(300)))
    browser.js("[...document.querySelectorAll('.box')].at(-2).focus()")
    for key in "e1c0":
        browser.press(key)
        assert browser.js(IN_VIEW), key


def test_after_a_search_the_keys_go_on_from_the_match(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.press("/", *"fc", "Enter", "Escape")
    assert "fc" in browser.js(FOCUSED)
    browser.press("ArrowDown")
    assert browser.js(FOCUSED).startswith("output")


def test_what_is_selected_stays_in_view_beside_the_panels_of_a_phone(browser: Browser, tmp_path: Path) -> None:
    browser.resize(390, 780)
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.js("[...document.querySelectorAll('.box.ops')].at(-1).focus()")
    browser.press("Enter")
    browser.click("#details .place")
    browser.wait(IN_VIEW.replace("document.activeElement", "document.querySelector('.selected')"))
