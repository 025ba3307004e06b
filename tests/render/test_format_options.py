"""What the options of `render` do in each format: each has an effect, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph.render import FORMATS, WITHOUT_EFFECT, Settings, draw
from tests.render.networks import DENSE, RESIDUAL, dot_of, graph_of, mermaid_of
from tests.render.test_errors import valid_part

OPTIONS: dict[str, Any] = {
    "depth": 1,
    "open": ("units",),
    "node": "units",
    "fold": False,
    "direction": "right",
    "shapes": False,
    "legend": True,
    "title": "A title",
    "scale": 2.0,
    "theme": "dark",
    "font": "Courier",
}
ALWAYS = {("html", "legend"), ("model-explorer", "fold")}  # so in every drawing of the format
UNITS = """
cnngraph: 1
input: [4, 16, 16]
blocks:
  unit:
    nodes:
      conv: {op: conv, out: 8, kernel: 3, padding: half}
      add: {op: add, from: [conv, in]}
nodes:
  first: {op: conv, out: 8, kernel: 1}
  units: {repeat: 60, op: unit}
  last: {op: conv, out: 16, kernel: 1}
"""


@pytest.mark.parametrize("format", dict.fromkeys(FORMATS.values()))
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_has_an_effect_or_is_refused(name: str, format: str) -> None:
    graph = graph_of(UNITS)
    plain = draw(graph, format)
    settings = Settings(**{name: OPTIONS[name]})
    if name in WITHOUT_EFFECT.get(format, ()) and (format, name) not in ALWAYS:
        with pytest.raises(ValueError, match=rf"\b{name}\b.*omit"):
            draw(graph, format, settings)
    else:
        assert (draw(graph, format, settings) == plain) == ((format, name) in ALWAYS)


@pytest.mark.parametrize("format", ["dot", "mermaid"])
def test_no_legend_is_accepted_where_there_is_none(format: str) -> None:
    assert draw(graph_of(RESIDUAL), format, Settings(legend=False)) == draw(graph_of(RESIDUAL), format)


def kept(text: str) -> int:
    """How many convolutions a text format shows."""
    return text.count("conv 3×3")


BRANCHES = "".join(f"  b{n}: {{op: conv, from: in, out: 8, kernel: 3, padding: half}}\n" for n in range(5))
WIDE = f"cnngraph: 1\ninput: [8, 16, 16]\nnodes:\n{BRANCHES}  all: {{op: concat, from: [b0, b1, b2, b3, b4]}}\n"


@pytest.mark.parametrize("page", ["a4", None])
@pytest.mark.parametrize("format", ["dot", "mermaid"])
@pytest.mark.parametrize("text", [WIDE, UNITS.replace("60", "3")], ids=["branches", "repeat"])
def test_what_is_equal_is_drawn_once(text: str, format: str, page: Any) -> None:
    graph = graph_of(text)
    assert kept(draw(graph, format, Settings(page=page)).decode()) == 1
    assert kept(draw(graph, format, Settings(page=page, fold=False)).decode()) == (5 if text == WIDE else 3)


@pytest.mark.parametrize("format", ["dot", "mermaid"])
def test_equal_iterations_before_an_error_are_drawn_once(format: str) -> None:
    broken = UNITS.replace("repeat: 60", "repeat: 3").replace("out: 16, kernel: 1", "out: 16, kernel: 99")
    text = draw(valid_part(broken), format).decode()
    assert kept(text) == 1
    assert "error0" in text


def test_a_title_is_only_text() -> None:
    title = 'A "b" & <c>\n%: $d'
    assert r"label=<<FONT POINT-SIZE=" in dot_of(graph_of(DENSE), title=title)
    assert r"<B>A &quot;b&quot; &amp; &lt;c&gt;\n%: $d</B>" in dot_of(graph_of(DENSE), title=title)
    head = mermaid_of(graph_of(DENSE), title=title).splitlines()[:4]
    assert head == ["---", r'title: "A \"b\" & <c>\\n%: $d"', "---", "flowchart TB"]
