"""The page of a network in the browser, and the selectors of what is on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnngraph.graph.graph import Graph
from cnngraph.render import Settings
from cnngraph.render.page import page
from tests.viewing.browser import Browser

BOXES = "document.querySelectorAll('.box').length"


def show(browser: Browser, folder: Path, graph: Graph, **settings: Any) -> None:
    file = folder / "net.html"
    file.write_text(page(graph, Settings(page=None, **settings)), encoding="utf-8")
    browser.open(file.as_uri(), fresh=True)
    assert [address for address in browser.requests() if not address.startswith(("file:", "data:"))] == []


def box(path: str) -> str:
    return f'.closed[aria-label^="closed block {path},"]'


def frame(path: str) -> str:
    return f'.frame[aria-label="block {path}, open"]'
