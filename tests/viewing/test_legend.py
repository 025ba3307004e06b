"""The legend of the page in a real browser: what is visible, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.render.networks import RESIDUAL, graph_of
from tests.viewing.browser import Browser
from tests.viewing.shown import box, show

ENTRIES = "[...document.querySelectorAll('#legend [data-name]')].map(entry => entry.dataset.name)"
NESTED = """
cnngraph: 1
input: [3, 16, 16]
nodes:
  start: {op: conv, out: 8, kernel: 3, padding: half}
  body:
    nodes:
      pool: {op: max_pool, kernel: 2}
      gate: [{op: adaptive_avg_pool, output: 1}, {op: conv, out: 8, kernel: 1}, sigmoid]
      mul: {op: mul, from: [pool, gate]}
  up: {op: upsample, scale_factor: 2}
"""


def test_the_legend_follows_what_is_open(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    closed = browser.js(ENTRIES)
    assert "scope" in closed
    assert "sum" not in closed
    browser.click("#all")
    opened = browser.js(ENTRIES)
    assert "scope" not in opened
    assert {"conv", "norm", "activation", "sum", "projection"} <= set(opened)
    browser.click("#none")
    assert browser.js(ENTRIES) == closed


def test_a_mark_of_one_block_is_explained_while_it_is_open(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(NESTED), depth=1)
    closed = set(browser.js(ENTRIES))
    assert "pool" not in closed
    browser.click(box("body"))
    opened = set(browser.js(ENTRIES))
    assert "pool" in opened
    browser.click("#none")
    assert set(browser.js(ENTRIES)) == closed
