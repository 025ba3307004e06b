"""What notebooks show: drawings, messages and tables, escaped, bounded and readable on light and dark pages."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from safetensors.torch import save_file

import cnngraph
from cnngraph.markup import COLOURS, MAX_ROWS, table

HOSTILE = '<script>alert("1")</script>'


class Checked(HTMLParser):
    """The elements and the text of HTML, which must be balanced and contain no script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in ("script", "iframe")
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open) - {"style"}:
            self.texts.setdefault(tag, []).append(data)


def html_of(value: Any) -> Checked:
    return Checked(value._repr_html_())


def write(text: str, name: str = "net.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_graphs_and_built_networks_show_their_drawing() -> None:
    graph = cnngraph.load("resnet18")
    svg = graph._repr_svg_()
    assert svg is not None
    root = ElementTree.fromstring(svg)
    assert float(root.get("width", "")[:-2]) <= 482  # the text of an A4 page, in points
    model: Any = cnngraph.build(graph)
    assert model._repr_svg_() == svg == copy.deepcopy(model)._repr_svg_()
    assert repr(model).startswith("Resnet18(\n  (conv1): Conv2d(3, 64")
    assert not hasattr(model, "_repr_html_")  # it would be shown instead


def test_a_graph_that_is_too_large_is_not_drawn() -> None:
    nodes = ", ".join(["{op: max_pool, kernel: 1, from: in}", "{op: relu, from: in}"] * 800)  # nothing to fold
    text = (
        f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: [{nodes}, {{op: concat, from: [{', '.join(map(str, range(1600)))}]}}]\n"
    )
    assert cnngraph.load(write(text))._repr_svg_() is None


def test_messages_underline_the_source_and_show_fixes() -> None:
    write("cnngraph: 1\ninput: [3, 8, 8]\nnodes: {a: {op: conv, out: 4, kernal: 3}, b: {op: convv}}\n")
    result = cnngraph.check("net.yaml")
    shown = html_of(result)
    assert shown.texts["u"] == ["kernal", "convv"]
    assert "".join(shown.texts["pre"]).startswith("3 | nodes: {a: {op: conv, out: 4, kernal: 3}")
    assert shown.texts["b"].count("fix") + shown.texts["b"].count("help") == 2
    assert "kernel" in shown.texts["code"]
    assert html_of(result.diagnostics[0]).texts["u"] == ["kernal"]
    assert "ok" in "".join(html_of(cnngraph.check("resnet18")).texts["p"])


def test_an_error_shows_the_network_up_to_it() -> None:
    write(
        "cnngraph: 1\ninput: [3, 8, 8]\nnodes: {a: {op: conv, out: 4, kernel: 3}, b: {op: conv, out: 4, kernel: 9}}\n"
    )
    for function in (cnngraph.load, cnngraph.build, cnngraph.render):
        with pytest.raises(cnngraph.SpecError) as caught:
            function("net.yaml")
        html = caught.value._repr_html_()
        assert html.count("<svg") == html.count('class="box error"') == 1
        lines = caught.value._render_traceback_()
        assert lines[0].endswith('function("net.yaml")')
        assert lines[1:] == ["", str(caught.value)]
    with pytest.raises(cnngraph.SpecError) as caught:
        cnngraph.load("resnet18", clases=4)
    assert "<svg" not in caught.value._repr_html_()  # it would ignore the argument


@pytest.mark.parametrize(
    "text",
    [
        f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: {{a: {{op: '{HOSTILE}'}}}}\n",
        f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: {{a: {{op: conv, from: '{HOSTILE}', '{HOSTILE}': 3}}}}\n",
        f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: {{a: {{op: relu, '`{HOSTILE}': \u202e}}}}\n",
        f"cnngraph: 1\n{'x' * 100_000}: 3\n" + "".join(f"y{number}: {HOSTILE}\n" for number in range(300)),
    ],
)
def test_messages_are_escaped_and_bounded(text: str) -> None:
    result = cnngraph.check(write(text))
    assert not result.ok
    html = result._repr_html_()
    assert "<script" not in html
    assert "\u202e" not in html
    assert len(html) < 60_000
    Checked(html)


def test_plans_and_reports_are_tables() -> None:
    nodes = "{conv: {op: conv, out: 4, kernel: 3}, flat: flatten, fc: {op: linear, out: 9}}"
    old = f"cnngraph: 1\ninput: [3, 8, 8]\nnodes: {nodes}\n"
    write(old, "old.yaml")
    write(old.replace("out: 9", "out: 5"), "new.yaml")
    save_file(cnngraph.build("old.yaml").state_dict(), "old.safetensors")
    migrated = cnngraph.migrate("old.yaml", "new.yaml", "old.safetensors")
    for value in (migrated, migrated.plan):
        shown = html_of(value)
        assert {"fc.weight", "fresh", "5×144"} <= set(shown.texts["td"])
        assert "conv.weight" not in shown.texts["td"]  # it is copied
    report = cnngraph.load_weights(cnngraph.build("new.yaml"), "old.safetensors", strict=False)
    assert {"fc.weight", "9×144", "5×144"} <= set(html_of(report).texts["td"])


def test_results_of_runs_are_tables(result: cnngraph.TrainResult) -> None:
    shown = html_of(result)
    assert shown.texts["th"][:4] == ["epoch", "learning rate", "loss", "accuracy"]
    assert shown.texts["td"].count("best") == 1
    assert 'src="data:image/png;base64,' in result._repr_html_()
    (result.folder / "curves.png").unlink()
    assert "<img" not in result._repr_html_()
    measured = html_of(cnngraph.evaluate(result, "test"))
    assert measured.texts["th"] == ["class", "images", "precision", "recall"]
    (prediction,) = cnngraph.predict(result, ["missing.png"], strict=False)
    assert "missing.png" in "".join(html_of(prediction).texts["p"])


def test_long_tables_are_cut() -> None:
    html = table("title", ["name", "number"], ([f"row {number}", number] for number in range(10**9)), 10**9)
    assert html.count("<tr>") == MAX_ROWS + 1
    assert f"{10**9 - MAX_ROWS:,} more" in html


@pytest.mark.parametrize(("place", "ground"), [(0, "#ffffff"), (1, "#1e1e1e")])
def test_texts_have_enough_contrast(place: int, ground: str) -> None:
    for name, colours in COLOURS.items():
        if name != "rule":
            light, dark = sorted((luminance(colours[place]), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_importing_and_loading_does_not_import_drawing() -> None:
    code = "import sys, cnngraph; cnngraph.load('resnet18'); print('cnngraph.render' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
