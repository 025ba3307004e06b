"""Equal parallel branches of plain operations are folded to one."""

from __future__ import annotations

from collections import Counter

import pytest

from cnngraph.render.compose import compose
from cnngraph.render.fit import fitted
from cnngraph.render.picture import Picture
from cnngraph.render.settings import Settings
from tests.render.geometry import faults
from tests.render.networks import graph_of
from tests.render.pages import page_of
from tests.render.test_layout import assert_complete, from_dot, from_mermaid, from_svg

OUTPUTS = "outputs: {o: concat, m: b9}\n"
CONV = "b{i}: {{op: conv, from: relu, out: 4, kernel: 1}}"
FOLDED = {
    "convolutions": ([CONV], "b{i}", "concat", 1),
    "chains": ([CONV, "n{i}: batch_norm", "r{i}: relu"], "r{i}", "concat", 1),
    "chains of several boxes": ([CONV, "r{i}: relu", "c{i}: {{op: conv, out: 4, kernel: 1}}"], "c{i}", "add", 2),
    "different rates": (["d{i}: {{op: dropout, from: relu, p: 0.{i}}}"], "d{i}", "add", 1),
    "a sum of two tensors": (["s{i}: {{op: add, from: [relu, in]}}"], "s{i}", "concat", 1),
}
NOT_FOLDED = {
    "different widths": ["b{i}: {{op: conv, from: relu, out: 1{i}, kernel: 1}}"],
    "different names": ["{name}: {{op: conv, from: relu, out: 4, kernel: 1}}"],
    "different inputs": ["b{i}: {{op: conv, from: {source}, out: 4, kernel: 1}}"],
}


def spec(nodes: list[str], last: str, join: str, count: int) -> str:
    """Parallel chains that start at a node, and the operation that joins them."""
    fields = [{"i": i, "name": f"{chr(97 + i % 26)}x", "source": ("relu", "in")[i % 2]} for i in range(count)]
    lines = [node.format(**field) for field in fields for node in nodes]
    ends = ", ".join(last.format(**field) for field in fields)
    head = ["cnngraph: 1", "name: net", "input: [4, 8, 8]", "nodes:", "  relu: relu"]
    return "\n".join([*head, *(f"  {line}" for line in lines), f"  {join}: {{op: {join}, from: [{ends}]}}", ""])


def folds(picture: Picture) -> list[str]:
    """The counts of all boxes and frames that represent several."""
    titles = [box.title for box in picture.boxes()] + [frame.title for frame in picture.frames()]
    return [title.count for title in titles if title.count]


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize(("nodes", "last", "join", "boxes"), FOLDED.values(), ids=FOLDED)
def test_equal_branches_are_folded(nodes: list[str], last: str, join: str, boxes: int, count: int) -> None:
    graph = graph_of(spec(nodes, last, join, count))
    picture = compose(graph, Settings(page=None, fold=True))
    assert folds(picture) == [f"×{count} in parallel"]
    assert len(list(picture.boxes())) == boxes + 4  # the input, what the branches read, the join and the output
    assert not any(row.note for box in picture.boxes() for row in box.rows)
    expected = Counter((arrow.tail, arrow.head) for arrow in picture.arrows)
    assert_complete(graph, picture, expected)
    for _, edges in (from_svg(picture), from_dot(picture), from_mermaid(picture)):
        assert edges == expected


@pytest.mark.parametrize("nodes", NOT_FOLDED.values(), ids=NOT_FOLDED)
def test_different_branches_are_not_folded(nodes: list[str]) -> None:
    last = nodes[-1].partition(":")[0]
    picture = compose(graph_of(spec(nodes, last, "concat", 5)), Settings(page=None, fold=True))
    assert folds(picture) == []


SIX = spec([CONV], "b{i}", "concat", 6)
BROKEN = {
    "two": (spec([CONV], "b{i}", "concat", 2), []),
    "the output of one is read elsewhere": (
        SIX.replace("  concat:", "  b9: {op: relu, from: b2}\n  concat:") + OUTPUTS,
        ["×3"],
    ),
    "the join reads one twice": (SIX.replace("b2, ", "b2, b2, "), ["×3"]),
    "something else between them": (
        SIX.replace("  b3:", "  y: {op: sigmoid, from: relu}\n  b3:").replace("[b0", "[y, b0"),
        ["×3", "×3"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN)
def test_what_ends_a_run_of_equal_branches(text: str, expected: list[str]) -> None:
    graph = graph_of(text)
    picture = compose(graph, Settings(page=None, fold=True))
    assert folds(picture) == [f"{count} in parallel" for count in expected]
    assert_complete(graph, picture, Counter((arrow.tail, arrow.head) for arrow in picture.arrows))


def test_forty_branches_fit_a_page() -> None:
    graph = graph_of(spec([CONV, "r{i}: relu"], "r{i}", "concat", 40))
    drawn = fitted(graph, Settings())
    assert drawn.least_text >= 6
    assert list(faults(drawn.drawing)) == []
    assert folds(compose(graph, Settings(page=None, fold=False))) == []


def test_a_page_opens_branches_of_several_boxes() -> None:
    page = page_of(spec([CONV, "r{i}: relu", "c{i}: {{op: conv, out: 4, kernel: 1}}"], "c{i}", "concat", 5))
    _, branch = page.data["network"]["groups"]
    assert branch["paths"] == ["b0", "b1", "b2", "b3", "b4"]
    assert branch["drawing"]
