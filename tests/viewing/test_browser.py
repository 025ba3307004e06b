"""The page in a real browser: everything that a reader can do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.cli.options import Reading
from cnngraph.cli.reading import compile_file
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.render import Settings
from cnngraph.viewing.server import Server
from cnngraph.viewing.viewer import Viewer
from tests.render.networks import PARTS, RESIDUAL, graph_of
from tests.render.test_errors import BLOCK, valid_part
from tests.render.test_strangers import NASTY, renamed
from tests.viewing.browser import SHOWN, Browser
from tests.viewing.shown import BOXES, box, frame, show

DETAILS = "document.getElementById('details').textContent"
FOCUSED = "document.activeElement.getAttribute('aria-label')"


def is_inside(browser: Browser, inner: str, outer: str) -> bool:
    """Whether one element is within another one on the screen."""
    places = [f"document.querySelector('{selector}').getBoundingClientRect()" for selector in (inner, outer)]
    found = browser.js(
        f"((a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1)"
        f"({', '.join(places)})"
    )
    return bool(found)


def test_blocks_open_and_close_in_place(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    before = browser.js(BOXES)
    browser.click(box("layer2"))
    assert browser.js(BOXES) > before
    assert is_inside(browser, box("layer2.0"), frame("layer2"))
    browser.click(box("layer2.0"))
    assert is_inside(browser, frame("layer2.0"), frame("layer2"))
    browser.click(f"{frame('layer2.0')} .close")
    browser.click(f"{frame('layer2')} .close")
    assert browser.js(BOXES) == before


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("text", [RESIDUAL, PARTS])
def test_nothing_overlaps_when_everything_is_open(browser: Browser, tmp_path: Path, text: str, direction: str) -> None:
    show(browser, tmp_path, graph_of(text), direction=direction)
    browser.click("#all")
    assert browser.js("document.querySelectorAll('.closed').length") == 0
    overlaps = browser.js(
        """(() => {
          const shapes = [...document.querySelectorAll('.box')].map(box => box.querySelector('rect, circle, polygon'));
          const boxes = shapes.map(shape => shape.getBoundingClientRect());
          let found = 0;
          boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found++;
          }));
          return found;
        })()"""
    )
    assert overlaps == 0


def test_arrows_end_at_boxes_when_everything_is_open(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL))
    browser.click("#all")
    far = browser.js(
        """[...document.querySelectorAll('polygon.arrow')].filter(arrow => {
          const tip = arrow.getBoundingClientRect();
          return ![...document.querySelectorAll('.box')].some(box => {
            const b = box.querySelector('rect, circle, polygon').getBoundingClientRect();
            return tip.right > b.left - 2 && tip.left < b.right + 2 && tip.bottom > b.top - 2 && tip.top < b.bottom + 2;
          });
        }).length"""
    )
    assert far == 0


def test_an_operation_shows_its_details_and_its_line(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL))
    browser.click("#all")
    browser.js("document.querySelector('.box[aria-label*=\"layer2.0.relu\"]').focus()")
    browser.press("Enter")
    details = browser.js(DETAILS)
    for text in (
        "conv layer2.0.conv1",
        "kernel[3, 3]",
        "stride[2, 2]",
        "16×32×32",
        "32×16×16",
        "parameters4,608",
        "21×21",
    ):
        assert text in details, text
    browser.click("#details .place")
    assert browser.js("document.querySelector('#text li.marked').textContent").strip().startswith("conv1: {op: conv")
    browser.click("#files .hide")
    assert browser.js("document.getElementById('source').hidden")


def test_hovering_shows_a_summary(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.mouse("mouseMoved", *browser.place(box("layer1")))
    assert "layer1" in browser.js("document.getElementById('tip').textContent")
    assert browser.js("document.querySelectorAll('.arrow.lit').length") > 0
    browser.mouse("mouseMoved", 5, 790)
    assert browser.js("document.getElementById('tip').hidden")


@pytest.mark.parametrize("metric", ["params", "macs", "memory", "field"])
def test_overlays_colour_the_boxes(browser: Browser, tmp_path: Path, metric: str) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL))
    for _ in range(["", "params", "macs", "memory", "field"].index(metric)):
        browser.press("m")
    assert browser.js("document.getElementById('metric').value") == metric
    boxes = (
        "[...document.querySelectorAll('.box.ops, .box.scope')].map(box => box.querySelector('rect, circle, polygon'))"
    )
    colours = browser.js(f"{boxes}.map(shape => getComputedStyle(shape).fill)")
    assert len(set(colours)) > 2
    assert browser.js("document.querySelectorAll('#legend .ticks span').length") == 3


def times_of(graph: Graph) -> NodeTimes:
    """Invented times: 1, 2, 3, … ms."""
    return NodeTimes({node.path: (place + 1) / 1000 for place, node in enumerate(graph.nodes)}, "cpu, 2 threads", 7)


def test_measured_times_are_an_overlay_in_which_blocks_have_the_sum(browser: Browser, tmp_path: Path) -> None:
    graph = graph_of(RESIDUAL)
    times = times_of(graph)
    show(browser, tmp_path, graph, depth=1, times=times)
    browser.js("document.getElementById('metric').value = 'time'")
    browser.js("document.getElementById('metric').dispatchEvent(new Event('change'))")
    legend = browser.js("document.getElementById('legend').textContent")
    assert f"{times.total:.2f} s in total on cpu, 2 threads; medians of 7 forward passes" in legend
    browser.mouse("mouseMoved", *browser.place(box("layer1")))
    inside = sum(seconds for path, seconds in times.seconds.items() if path.startswith("layer1."))
    assert f"{inside * 1000:.0f} ms" in browser.js("document.getElementById('tip').textContent")
    browser.click(box("layer1"))
    assert f"time{inside * 1000:.0f} ms" in browser.js(DETAILS)
    assert f"({100 * inside / times.total:.0f} %)" in browser.js(DETAILS)
    browser.js("document.querySelector('.box[aria-label*=\"fc\"]').focus()")
    browser.press("Enter")
    assert f"time{times.seconds['fc'] * 1000:.0f}" in browser.js(DETAILS)


def test_without_measured_times_there_is_no_such_overlay(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL))
    assert browser.js("[...document.getElementById('metric').options].map(option => option.value)") == [
        *("", "params", "macs", "memory", "field")
    ]
    assert "time" not in browser.js(DETAILS)


def test_an_error_shows_its_message_and_its_line(browser: Browser, tmp_path: Path) -> None:
    graph = valid_part(BLOCK)
    show(browser, tmp_path, graph, open=("one",))
    browser.click(".box.error")
    details = browser.js(DETAILS)
    assert details.startswith("E204 one.pool")
    assert "input" in details
    assert "one.b 8×26×26" in details
    (error,) = (error for error in graph.errors if error.path == "one.pool")
    assert error.message.replace("`", "") in details
    browser.click("#details .place")
    assert "pool: {op: max_pool, kernel: 99}" in browser.js("document.querySelector('#text li.marked').textContent")
    browser.mouse("mouseMoved", *browser.place(".box.error"))
    assert "error E204 at one.pool: " in browser.js("document.getElementById('tip').textContent")
    browser.js("document.querySelector('.box.error').focus()")
    browser.press("ArrowUp")
    assert "one.b" in browser.js(FOCUSED)
    browser.press("ArrowDown")
    assert browser.js(FOCUSED).startswith("error E204 at one.pool: ")
    browser.press("Escape")
    assert "1 errorE204 one.poolnet.yaml:6" in browser.js(DETAILS)


def test_search(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.press("/", *"conv2")
    assert browser.js("document.getElementById('hits').textContent") == "8"
    assert browser.js("document.querySelectorAll('.box.match').length") == 2  # the closed blocks
    browser.press("Enter")
    assert browser.js("document.getElementById('hits').textContent") == "1/8"
    assert "layer1.0.conv2" in browser.js(DETAILS)
    assert browser.js("document.querySelectorAll('.frame').length") > 0
    browser.press("Enter")
    assert "layer1.1.conv2" in browser.js(DETAILS)  # an iteration that is drawn as another one
    browser.press("Escape")
    assert browser.js("document.querySelectorAll('.box.match').length") == 0


def test_keys(browser: Browser, tmp_path: Path) -> None:
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.press("Tab")
    browser.js("document.querySelector('.box').focus()")
    for _ in range(2):
        browser.press("ArrowDown")
    assert browser.js(FOCUSED).startswith("closed block layer1")
    browser.press("Enter")
    assert browser.js(FOCUSED) == "block layer1, open"
    browser.press("ArrowDown", "ArrowDown")
    assert "layer1." in browser.js(FOCUSED)
    browser.press("ArrowUp", "Escape")
    assert browser.js(FOCUSED).startswith("closed block layer1")
    browser.press("e")
    assert browser.js("document.querySelectorAll('.closed').length") == 0
    browser.press("c")
    assert browser.js("document.querySelectorAll('.frame').length") == 0
    browser.press("?")
    assert browser.js("document.getElementById('keys').open")
    browser.press("Escape")


def test_themes(browser: Browser, tmp_path: Path) -> None:
    ground = "getComputedStyle(document.getElementById('stage')).backgroundColor"
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 28)")):
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        show(browser, tmp_path, graph_of(RESIDUAL))
        assert browser.js(ground) == colour
    browser.press("t")
    assert browser.js(ground) == "rgb(255, 255, 255)"
    browser.send("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("name", NASTY)
def test_names_of_strangers_run_nothing(browser: Browser, tmp_path: Path, name: str) -> None:
    show(browser, tmp_path, renamed(graph_of(RESIDUAL), name), title=name)
    browser.press("e", "m", "/", "e", "Enter", "Escape")
    assert browser.js("document.querySelectorAll('script').length") == 2
    assert browser.js("document.querySelectorAll('img, iframe, object, embed, foreignObject').length") == 0


def test_the_view_is_kept_when_the_spec_is_saved(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(RESIDUAL)
    viewer = Viewer(file, lambda: compile_file(str(file), Reading()), Settings(page=None))
    server = Server(viewer)
    server.start()
    try:
        browser.open(server.address)
        browser.press("c")
        browser.click(box("layer2"))
        browser.press("m", "+")
        scale = browser.js("document.getElementById('world').getAttribute('transform')")
        file.write_text(RESIDUAL.replace("out: 10", "out: 11"))
        viewer.refresh()
        browser.wait(f"document.documentElement.dataset.version === '2' && {SHOWN}")
        assert browser.js("document.getElementById('world').getAttribute('transform')") == scale
        assert browser.js(f"Boolean(document.querySelector('{frame('layer2')}'))")
        assert not browser.js(f"Boolean(document.querySelector('{frame('layer1')}'))")
        assert browser.js("document.getElementById('metric').value") == "params"
        assert "linear 11" in browser.js("document.getElementById('canvas').textContent")

        file.write_text(RESIDUAL.replace("kernel: 3", "kernal: 3", 1))
        viewer.refresh()
        browser.wait("document.querySelector('#report.error article')")
        report = browser.js("document.getElementById('report').textContent")
        assert "`conv` has no parameter `kernal`" in report
        assert "fix: replace `kernal` with `kernel`" in report
        assert "last version without errors" in report
        browser.click("#report .place")
        assert "kernal: 3" in browser.js("document.querySelector('#text li.marked').textContent")

        file.write_text(RESIDUAL)
        viewer.refresh()
        browser.wait(f"document.getElementById('report').hidden && {SHOWN}")
    finally:
        server.stop()
