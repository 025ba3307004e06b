"""Random networks in every format and style: each is drawn, with every node and edge.

The default suite tries a hundred; `pytest -m fuzz` many, with the options of `test_specs.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import pytest

from cnngraph.graph.graph import Graph
from cnngraph.render import PAGES, Settings, draw
from cnngraph.render.compose import compose
from tests.fuzz import cases
from tests.fuzz.checks import MAIN, compiled
from tests.fuzz.spec_tree import spec_files
from tests.render.networks import graph_of
from tests.render.test_layout import assert_complete, from_dot, from_mermaid, from_svg

FORMATS: list[tuple[str, Literal["boxes", "volumes"]]] = [
    ("svg", "boxes"),
    ("svg", "volumes"),
    ("tikz", "volumes"),
    ("html", "boxes"),
    ("model-explorer", "boxes"),
]


ODD = {
    "one number per image": "input: [4]\nnodes: [{op: sum, dim: 1}]",
    "a closed block with only a title": """
        input: [1, 7, 1]
        nodes:
          x:
            repeat: 4
            op: concat
            from: in[0]
            carry: '[$q for $q in [1, 2, 4] if ($i + 1) % $q == 0]'
            gives: all
          y: {op: sub, from: ["x[2]", "x.1"]}
          z: {op: concat, from: [y, x]}
    """,
    "iterations without operations": """
        input: [6, 6, 5]
        nodes:
          x: {nodes: {k: {op: relu, when: false, else: ["in[0]", in.0]}}, repeat: 2, carry: concat}
    """,
}


def graphs(seeds: range, folder: Path) -> Iterator[tuple[int, Graph]]:
    """The valid networks of seeds."""
    for seed in seeds:
        result = compiled(spec_files(cases.draw(seed)[1], MAIN), folder)
        if result.ok and result.graph is not None:
            yield seed, result.graph


def check(seed: int, graph: Graph) -> None:
    """The pages, directions and levels take turns."""
    page = [*PAGES, None][seed % (len(PAGES) + 1)]
    for format, style in FORMATS:
        direction = (None, "down", "right")[seed % 3] if style == "boxes" else None
        chosen: dict[str, Any] = {} if format == "model-explorer" else {"page": page, "direction": direction}
        assert draw(graph, format, Settings(style=style, **chosen))
    picture = compose(graph, Settings(page=None, depth=seed % 4 + 1, fold=seed % 2 == 0))
    expected = Counter((arrow.tail, arrow.head) for arrow in picture.arrows)
    assert_complete(graph, picture, expected)
    keys = {box.key for box in picture.boxes()}
    assert [read(picture) for read in (from_svg, from_dot, from_mermaid)] == [(keys, expected)] * 3


def check_all(seeds: range, folder: Path) -> None:
    failures, count = [], 0
    for seed, graph in graphs(seeds, folder):
        count += 1
        try:
            check(seed, graph)
        except Exception as error:  # any exception is a failure
            failures.append(f"seed {seed}: {type(error).__name__}: {error}")
    assert not failures, "\n".join(failures)
    assert count > len(seeds) / 2


def test_random_networks_are_drawn(tmp_path: Path) -> None:
    check_all(range(cases.CHUNK), tmp_path)


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_are_drawn(name: str) -> None:
    graph = graph_of(f"cnngraph: 1\n{dedent(ODD[name])}")
    for seed in range(12):
        check(seed, graph)


@pytest.mark.fuzz
def test_many_random_networks_are_drawn(seeds: range, tmp_path: Path) -> None:
    check_all(seeds, tmp_path)
