"""The page in a real browser: everything that a reader can do with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cnngraph.cli.options import Reading
from cnngraph.cli.reading import compile_file
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.render import Settings
from cnngraph.render.page import page
from cnngraph.viewing.server import Server
from cnngraph.viewing.viewer import Viewer
from tests.render.networks import PARTS, RESIDUAL, graph_of
from tests.render.test_errors import BLOCK, valid_part
from tests.render.test_strangers import NASTY, renamed
from tests.viewing.browser import Browser

BOXES = "document.querySelectorAll('.box').length"
DETAILS = "document.getElementById('details').textContent"
FOCUSED = "document.activeElement.getAttribute('aria-label')"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, which must have no problem at the end of a test."""
    chromium.events.clear()
    chromium.resize(1200, 800)
    yield chromium
    assert chromium.problems() == []


def show(browser: Browser, folder: Path, graph: Graph, **settings: Any) -> None:
    file = folder / "net.html"
    file.write_text(page(graph, Settings(page=None, **settings)), encoding="utf-8")
    browser.open(file.as_uri())
    assert [address for address in browser.requests() if not address.startswith(("file:", "data:"))] == []


def box(path: str) -> str:
    return f'.closed[aria-label^="closed block {path},"]'


def frame(path: str) -> str:
    return f'.frame[aria-label="block {path}, open"]'


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


WHOLE = """(() => {
  const stage = document.getElementById('stage').getBoundingClientRect();
  return [...document.querySelectorAll('.box')].every(box => {
    const at = box.getBoundingClientRect();
    return at.top >= stage.top && at.bottom <= stage.bottom && at.left >= stage.left && at.right <= stage.right;
  });
})()"""
SCALE = "Number(/scale\\(([\\d.]+)/.exec(document.getElementById('world').getAttribute('transform'))[1])"


def test_the_first_view_opens_what_can_be_read_at_once(browser: Browser, tmp_path: Path) -> None:
    counts = []
    for width, height in ((800, 400), (1400, 900)):
        browser.resize(width, height)
        show(browser, tmp_path, graph_of(RESIDUAL))
        browser.js("sessionStorage.clear()")
        browser.open((tmp_path / "net.html").as_uri())
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
    browser.js("sessionStorage.clear()")
    browser.open((tmp_path / "net.html").as_uri())
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


def test_themes(browser: Browser, tmp_path: Path) -> None:
    ground = "getComputedStyle(document.getElementById('stage')).backgroundColor"
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 28)")):
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        show(browser, tmp_path, graph_of(RESIDUAL))
        browser.js("sessionStorage.clear()")
        assert browser.js(ground) == colour
    browser.press("t")
    assert browser.js(ground) == "rgb(255, 255, 255)"
    browser.send("Emulation.setEmulatedMedia", features=[])


def test_a_phone(browser: Browser, tmp_path: Path) -> None:
    browser.resize(390, 780)
    show(browser, tmp_path, graph_of(RESIDUAL), depth=1)
    browser.js("sessionStorage.clear()")
    browser.open((tmp_path / "net.html").as_uri())
    assert browser.js("document.documentElement.scrollWidth") <= 390
    browser.wait("document.getElementById('fold').offsetHeight > 0")
    browser.click("#fold")
    browser.wait("document.getElementById('details').offsetHeight > 100")


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
        browser.wait("document.documentElement.dataset.version === '2' && document.documentElement.dataset.ready")
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
        browser.wait("document.getElementById('report').hidden && document.documentElement.dataset.ready")
    finally:
        server.stop()
