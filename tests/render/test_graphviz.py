"""DOT files in Graphviz, where there is one: no warnings, and a straight main path."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from cnngraph.render.compose import compose
from cnngraph.render.dot_order import MAIN, orders, weights
from cnngraph.render.forks import frames_of
from cnngraph.render.settings import UNLIMITED, Direction
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, dot_of, graph_of
from tests.render.test_strangers import NASTY, renamed

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="there is no Graphviz")
SMALL = {"inception": INCEPTION, "residual": RESIDUAL, "dense": DENSE, "parts": PARTS, "skips": SKIPS}
BIASED = """
cnngraph: 1
name: biased
input: [8, 16, 16]
blocks:
  unit:
    nodes:
      norm: batch_norm
      branch:
        from: norm
        nodes:
          bias: {op: parameter, shape: [8, 1, 1], axes: CHW}
          wide: {op: reshape, from: bias, shape: [1, 8]}
          narrow: {op: reshape, shape: [8, 1]}
          back: {op: reshape, shape: [8, 1, 1]}
          conv: {op: conv, from: in, out: 8, kernel: 1}
          sum: {op: add, from: [conv, back]}
      add: {op: add, from: [branch, in]}
nodes:
  units: {repeat: 4, op: unit}
"""


def laid_out(text: str) -> tuple[dict[str, Any], str]:
    """The layout of a DOT file, and what Graphviz complains about."""
    ran = subprocess.run(["dot", "-Tjson"], input=text, capture_output=True, text=True, encoding="utf-8", timeout=60)
    return json.loads(ran.stdout), ran.stderr


@needs_dot
@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", SMALL)
def test_graphviz_has_no_warnings(name: str, direction: Direction) -> None:
    _, warnings = laid_out(dot_of(graph_of(SMALL[name]), direction=direction))
    assert warnings == ""


@needs_dot
def test_graphviz_reads_any_name() -> None:
    graph = graph_of(INCEPTION)
    boxes = len(laid_out(dot_of(graph))[0]["objects"])
    for name in NASTY:
        layout, warnings = laid_out(dot_of(renamed(graph, name)))
        assert warnings == ""
        assert len(layout["objects"]) == boxes


@needs_dot
@pytest.mark.parametrize("text", [RESIDUAL, BIASED], ids=["residual", "biased"])
def test_the_main_path_is_straight_in_graphviz(text: str) -> None:
    """The input and the output have the same x, however many blocks are between them."""
    layout, _ = laid_out(dot_of(graph_of(text), fold=False))
    middle = {part["name"]: float(part["pos"].split(",")[0]) for part in layout["objects"] if "pos" in part}
    assert middle["output0"] == pytest.approx(middle["input0"], abs=20)


def test_shortcuts_are_not_the_main_path() -> None:
    picture = compose(graph_of(RESIDUAL), UNLIMITED)
    found = list(zip(picture.arrows, weights(picture), strict=True))
    titles = {box.key: box.title.name for box in picture.boxes()}
    for arrow, weight in found:
        if titles[arrow.tail] == "downsample":
            assert weight == 1
        elif titles[arrow.head] == "downsample":
            assert weight == 2
    main = [arrow.head for arrow, weight in found if weight == MAIN]
    assert sorted(main) == sorted(box.key for box in picture.boxes() if titles[box.key] != "downsample")[1:]


def test_constants_are_below_what_enters_their_frame() -> None:
    picture = compose(graph_of(BIASED), UNLIMITED)
    frames = frames_of(picture.members)
    titles = {box.key: box.rows[0].text for box in picture.boxes()}
    found = [(titles[above], titles[below].split()[0]) for above, below in orders(picture, frames)]
    assert found == [("batch norm", "parameter")] * len(found) != []
