"""Layouts: nothing overlaps, arrows reach their boxes, and every network fits its page with text that can be read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import _afm, get_data_path

from cnngraph import load
from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.render import PAGES, Settings, draw
from cnngraph.render.compose import compose
from cnngraph.render.dot import dot
from cnngraph.render.fit import fitted
from cnngraph.render.fonts import text_width
from cnngraph.render.layout.drawing import Drawing
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.mermaid import mermaid
from cnngraph.render.picture import Frame, Picture, Shape
from cnngraph.render.svg import svg
from cnngraph.render.tree import build_tree
from tests.library import networks
from tests.render.geometry import crossings, faults
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of

SMALL = {"inception": INCEPTION, "residual": RESIDUAL, "dense": DENSE, "parts": PARTS, "skips": SKIPS}
CROSSINGS = {"parts": 3, "skips": 1}  # arrows to outputs beside the main one cross others
SVG = "{http://www.w3.org/2000/svg}"


def laid(text: str, **options: Any) -> Drawing:
    """The drawing of a small network."""
    return fitted(graph_of(text), Settings(**options)).drawing


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_have_no_faults(name: str, fold: bool, direction: str) -> None:
    for page in (None, *PAGES):
        drawing = laid(SMALL[name], fold=fold, direction=direction, page=page)
        assert list(faults(drawing)) == []
        assert crossings(drawing) <= CROSSINGS.get(name, 0)


@given(reads=st.lists(st.lists(st.integers(0, 40), max_size=3), min_size=2, max_size=25), direction=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_graph_has_no_faults(reads: list[list[int]], direction: bool) -> None:
    """Each node reads the one before it, and any others."""
    nodes = ["  a0: relu"]
    for index, others in enumerate(reads, 1):
        sources = [f"a{index - 1}", *(f"a{other % index}" for other in others)]
        op = "add" if len(sources) > 1 else "sigmoid"
        nodes.append(f"  a{index}: {{op: {op}, from: [{', '.join(sources)}]}}")
    text = "cnngraph: 1\nname: any\ninput: [4, 8, 8]\nnodes:\n" + "\n".join(nodes) + "\n"
    for page in (None, "a4"):
        assert list(faults(laid(text, page=page, direction="right" if direction else "down"))) == []


SEVERAL_OUTPUTS = {
    "a later node reads the main path twice": """
nodes: {a: relu, b: relu, c: {op: avg_pool, kernel: 2}, d: relu, e: {op: add, from: [a, b]}}
outputs: {one: d, two: e}
""",
    "beside a longer part": """
nodes:
  a: relu
  b: {op: relu, from: in}
  c: {op: conv, out: 4, kernel: 1}
  d: {op: add, from: [in, a]}
  e: {op: add, from: [a, c]}
  f: {op: add, from: [c, d]}
  g: {op: add, from: [f, c]}
outputs: {one: e, two: g}
""",
    "a shortcut enters a sum from the side": """
nodes:
  a: relu
  b: {op: add, from: [in, a]}
  c: relu
  d: {op: add, from: [a, c]}
  e: {op: relu, from: c}
  f: {op: conv, out: 4, kernel: 1}
outputs: {one: d, two: f}
""",
}


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("name", SEVERAL_OUTPUTS)
def test_no_arrow_passes_a_box_on_the_way_to_a_part_beside_the_main_one(name: str, direction: str) -> None:
    text = f"cnngraph: 1\ninput: [4, 8, 8]\n{SEVERAL_OUTPUTS[name]}"
    for page in (None, "a4"):
        assert list(faults(laid(text, page=page, direction=direction))) == []


def test_arrows_beside_the_spine_have_room_in_their_column() -> None:
    for direction in ("down", "right"):
        drawing = laid(DENSE, fold=False, page="slide", direction=direction)
        assert drawing.width < 900
        assert list(faults(drawing)) == []


@pytest.mark.parametrize("path", networks())
def test_networks_fit_their_page_and_have_no_faults(path: Path) -> None:
    graph = load(path)
    for name, page in PAGES.items():
        drawn = fitted(graph, Settings(page=name))
        size = drawn.drawing.width * drawn.scale, drawn.drawing.height * drawn.scale
        assert size[0] <= page.width + 0.1
        assert size[1] <= page.height + 0.1
        assert list(faults(drawn.drawing)) == []
        if name == "a4":
            assert drawn.least_text >= page.least - 0.01
    assert list(faults(fitted(graph, Settings(page=None)).drawing)) == []


@pytest.mark.parametrize("path", networks())
def test_every_node_and_edge_is_drawn_or_folded(path: Path) -> None:
    """Reads back the files of a network at every depth, and compares them with the graph."""
    graph = load(path)
    height = build_tree(graph).height
    for fold, depth in [(True, level) for level in range(1, height + 2)] + [(False, height + 1)]:
        try:
            picture = compose(graph, Settings(page=None, depth=depth, fold=fold))
        except SpecError:
            assert not fold
            continue
        expected = Counter((arrow.tail, arrow.head) for arrow in picture.arrows)
        assert_complete(graph, picture, expected)
        keys = {box.key for box in picture.boxes()}
        for boxes, edges in (from_svg(picture), from_dot(picture), from_mermaid(picture)):
            assert boxes == keys
            assert edges == expected


def assert_complete(graph: Graph, picture: Picture, drawn: Counter[tuple[str, str]]) -> None:
    """Every node is in one box, and every edge between two boxes is an arrow, or both ends are in one fold."""
    box_of = {node: box.key for box in picture.boxes() for node in box.nodes}
    assert sum(len(box.nodes) for box in picture.boxes()) == len(box_of)
    assert set(range(len(graph.nodes))) - set(box_of) == set()
    folds = folds_of(picture)
    for index, refs in enumerate(build_tree(graph).reads):
        head = box_of[index]
        for ref in refs:
            tail = f"input{-1 - ref.node}" if ref.node < 0 else box_of[ref.node]
            is_folded = bool(folds.get(tail, set()) & folds.get(head, set()))
            assert tail == head or is_folded or drawn[tail, head], (graph.nodes[index].path, tail, head)


def folds_of(picture: Picture) -> dict[str, set[str]]:
    """For each box, the frames around it and the box itself that stand for several iterations."""
    found: dict[str, set[str]] = {}
    waiting: list[tuple[Any, frozenset[str]]] = [(member, frozenset()) for member in picture.members]
    while waiting:
        member, around = waiting.pop()
        folds = around | ({member.key} if member.title.times > 1 else frozenset())
        if isinstance(member, Frame):
            waiting += [(inner, folds) for inner in member.members]
        else:
            found[member.key] = set(folds)
    return found


def from_svg(picture: Picture) -> tuple[set[str], Counter[tuple[str, str]]]:
    drawing = lay_out(picture, Settings()).drawing()
    root = ElementTree.fromstring(svg(drawing).encode())
    groups = [(group.get("class", ""), group.get("id", "")) for group in root.iter(f"{SVG}g")]
    arrows = [name.split("-") for kind, name in groups if kind == "arrow"]
    boxes = {name for kind, name in groups if kind.startswith("box")}
    return boxes, Counter((tail, head) for _, tail, head in arrows)


def from_mermaid(picture: Picture) -> tuple[set[str], Counter[tuple[str, str]]]:
    text = mermaid(picture)
    edges = re.findall(r"^ +(\w+) -\.?->(?:\|.*\|)? (\w+)$", text, re.MULTILINE)
    return set(re.findall(r"^ +(\w+)[(\[].*:::\w+$", text, re.MULTILINE)), Counter(edges)


def from_dot(picture: Picture) -> tuple[set[str], Counter[tuple[str, str]]]:
    """The boxes and arrows of a DOT file, in which labels and forks are nodes, too."""
    text = dot(picture)
    nodes = set(re.findall(r"^ +(\w+) \[", text, re.MULTILINE)) - {"graph", "node", "edge"}
    after: dict[str, list[str]] = {}
    for tail, head in re.findall(r"^ +(\w+) -> (\w+)\b(?! \[style=invis)", text, re.MULTILINE):
        after.setdefault(tail, []).append(head)
    boxes = {node for node in nodes if not node.startswith((Shape.LABEL, Shape.FORK))}
    edges: Counter[tuple[str, str]] = Counter()
    for box in boxes:
        waiting = list(after.get(box, ()))
        while waiting:
            head = waiting.pop()
            if head in boxes:
                edges[box, head] += 1
            else:
                waiting += after.get(head, ())
    return boxes, edges


def test_the_main_path_is_one_straight_line() -> None:
    drawing = laid(RESIDUAL, fold=True, page=None)
    main = [box for box in drawing.boxes if box.box.title.name != "downsample"]
    assert len({round(box.at.middle[0], 1) for box in main}) == 1


def test_equal_blocks_are_laid_out_equally() -> None:
    drawing = laid(RESIDUAL, fold=False, page=None)
    places: dict[int, set[tuple[float, float, float]]] = {}
    at = {box.box.key: box.at for box in drawing.boxes}
    for frame in drawing.frames:
        inner = [at[member.key] for member in frame.frame.members if member.key in at]
        if len(inner) == len(frame.frame.members) == 4:  # an identity unit
            for position, box in enumerate(inner):
                offset = round(box.x - frame.at.x, 3), round(box.y - frame.at.y, 3), round(box.width, 3)
                places.setdefault(position, set()).add(offset)
    assert len(places) == 4
    assert all(len(found) <= 2 for found in places.values())  # 16 and 32 channels have texts of different width


def test_a_long_network_is_broken_into_columns_that_continue() -> None:
    one, several = laid(RESIDUAL, fold=False, page=None), laid(RESIDUAL, fold=False, page="a4")
    assert several.height < one.height / 2
    assert any(frame.continues for frame in several.frames)
    assert len(several.boxes) == len(one.boxes)
    assert len(several.arrows) == len(one.arrows)


@pytest.mark.parametrize("page", PAGES)
def test_a_u_net_is_drawn_as_a_u(page: str) -> None:
    """Down on the left, up on the right, with the skips across, each level at the same height on both sides."""
    drawing = fitted(load("unet"), Settings(page=page)).drawing
    at = {box.box.key: box.at for box in drawing.boxes}
    skips = [arrow for arrow in drawing.arrows if arrow.curve[-1][0] == at[arrow.arrow.head].x]
    assert len(skips) == 4
    for arrow in skips:
        assert len({round(y, 1) for _, y in arrow.curve}) == 1
        assert at[arrow.arrow.tail].middle[1] == pytest.approx(at[arrow.arrow.head].middle[1])
    assert at["output0"].x > at["input0"].right
    assert at["output0"].bottom < min(at[arrow.arrow.head].y for arrow in skips)
    assert crossings(drawing) == 0
    assert list(faults(drawing)) == []


@pytest.mark.parametrize("page", [None, *PAGES])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_u_net_has_no_faults_at_any_depth(depth: int, page: str | None) -> None:
    for direction in (None, "down", "right"):
        drawing = fitted(load("unet"), Settings(page=page, depth=depth, direction=direction)).drawing
        assert crossings(drawing) == 0
        assert list(faults(drawing)) == []


def test_one_block_alone_has_its_inputs_and_outputs() -> None:
    drawing = laid(RESIDUAL, node="layer2.0", page=None)
    titles = {box.box.key: box.box.title.name for box in drawing.boxes}
    assert titles["input0"] == "layer1.3.act"
    assert titles["output0"] == "out"
    assert {row.text for box in drawing.boxes for row in box.box.rows} >= {"conv 1×1, 32, /2", "add"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("layer9", "no block at the path 'layer9'; did you mean 'layer"),
        ("rubbish", "no block at the path 'rubbish'; the blocks are stem, layer1, layer2$"),
        ("stem.0", "'stem.0' is an operation; only a block, repeat or container can be drawn alone$"),
    ],
)
def test_a_node_that_is_no_block(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laid(RESIDUAL, node=path)


def test_a_pattern_that_opens_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no block matches 'layer9'; did you mean 'layer"):
        laid(RESIDUAL, open=("layer2.0", "layer9"))
    with pytest.raises(ValueError, match=r"no block matches 'rubbish'; the blocks are stem, layer1, layer2$"):
        laid(RESIDUAL, open=("rubbish",))
    with pytest.raises(ValueError, match=r"'stem.0' is an operation; only a block, repeat or container can be opened$"):
        laid(RESIDUAL, open=("stem.0",))
    with pytest.raises(ValueError, match=r"no block matches 'a': the network has no blocks$"):
        laid("cnngraph: 1\ninput: [4]\nnodes: {b: relu}\n", open=("a",))
    with pytest.raises(ValueError, match="no block matches 'layer9'"):
        draw(graph_of(RESIDUAL), "html", Settings(open=("layer9",)))


def test_open_draws_the_named_blocks_open_and_others_closed() -> None:
    drawing = laid(RESIDUAL, open=("layer2.0",))
    assert [frame.frame.title.name for frame in drawing.frames] == ["layer2", "layer2.0"]
    assert {box.box.title.name for box in drawing.boxes if box.box.shape is Shape.SCOPE} == {"layer1", "layer2.1–3"}


def test_title_legend_and_shapes() -> None:
    plain, full = laid(PARTS, shapes=False), laid(PARTS, title="A title", legend=True)
    assert not [note for note in plain.notes if "×" in note.text]
    assert [note for note in full.notes if "×" in note.text]
    assert full.title == "A title"
    assert {"convolution", "only in training mode", "never runs", "difference"} <= {key.text for key in full.legend}
    assert list(faults(full)) == []


def test_texts_have_the_widths_of_helvetica() -> None:
    for name, bold in (("Helvetica", False), ("Helvetica-Bold", True)):
        with open(Path(get_data_path(), f"fonts/pdfcorefonts/{name}.afm"), "rb") as file:
            font = _afm.AFM(file)
        for code in range(ord(" "), ord("~") + 1):
            if chr(code) not in "'`":  # Adobe's encoding has curly quotes there
                assert text_width(chr(code), 1000, bold=bold) == font.get_width_char(code)


def test_the_name_of_an_input_needs_room_on_one_side_of_its_box_only() -> None:
    picture = compose(load("resnet50_fpn"), Settings(depth=1, page=None))
    box = next(box for box in picture.boxes() if box.rows and box.rows[0].text.startswith("upsample"))
    measures = lay_out(picture, Settings(page=None)).measures
    node, (across, _) = measures.node(box), measures.extents(box)
    assert node.left == across / 2
    assert node.right > across / 2 + text_width("map", 8.0)
