"""Columns: where a drawing is broken, and how what is cut continues."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph import load
from cnngraph.render import PAGES, Settings
from cnngraph.render.fit import fitted
from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.drawing import Drawing, PlacedBox, PlacedFrame, Rectangle
from cnngraph.render.picture import Box, sign
from tests.render.geometry import faults, title_of
from tests.render.networks import RESIDUAL, graph_of

GROUPS = """
cnngraph: 1
name: groups
input: [3, 64, 64]
nodes:
  features:
    repeat: 5
    nodes:
      - {op: conv, out: 16, kernel: 3, padding: half}
      - relu
      - {op: conv, out: 16, kernel: 3, padding: half}
      - relu
      - {op: max_pool, kernel: 2}
  head: [flatten, {op: linear, out: 10}]
"""

WIDE = """
cnngraph: 1
name: wide
input: [3, 32, 32]
nodes:
  stem: {op: conv, out: 8, kernel: 3, padding: half}
  units:
    repeat: 8
    nodes:
      unit:
        nodes:
          change: {repeat: 4, nodes: [{op: conv, out: 8, kernel: 3, padding: half}, batch_norm, relu]}
          add: {op: add, from: [change, in]}
  head: [global_avg_pool, {op: linear, out: 10}]
"""

SIDES = """
cnngraph: 1
name: sides
input: [8, 32, 32]
nodes:
  a: {op: conv, out: 8, kernel: 3, padding: half}
  b: {op: conv, out: 8, kernel: 3, stride: 2, padding: half}
  c: {op: conv, out: 8, kernel: 3, padding: half}
  d: {op: conv, out: 8, kernel: 3, padding: half}
  e: {op: conv, out: 8, kernel: 3, padding: half}
  f: {op: conv, out: 8, kernel: 3, padding: half}
  g: {op: conv, out: 8, kernel: 3, padding: half}
  up: {op: upsample, from: [g, in]}
"""

LARGE = """
cnngraph: 1
name: large
input: [8, 32, 32]
nodes:
  stem: {op: conv, out: 8, kernel: 3, padding: half}
  unit:
    nodes:
      change: {repeat: 11, nodes: [{op: conv, out: 8, kernel: 3, padding: half}, batch_norm, relu]}
      add: {op: add, from: [change, in]}
  relu: relu
"""

LONG = """
cnngraph: 1
name: long
input: [8, 32, 32]
nodes:
  units:
    repeat: 3
    nodes:
CONVS
  head: [global_avg_pool, {op: linear, out: 10}]
""".replace("CONVS", "\n".join(["      - {op: conv, out: 8, kernel: 3, padding: half}", "      - relu"] * 25))

CLOSE = 22.0  # points: the margin of a frame, and its title if that is beside the flow


def laid(text: str, **options: Any) -> Drawing:
    return fitted(graph_of(text), Settings(**options)).drawing


def parts_of(drawing: Drawing) -> dict[str, list[PlacedFrame]]:
    """The parts of each frame, in order."""
    found: dict[str, list[PlacedFrame]] = {}
    for frame in drawing.frames:
        found.setdefault(frame.frame.key, []).append(frame)
    return found


def turns_of(drawing: Drawing) -> list[tuple[PlacedBox, PlacedBox]]:
    """The boxes at the end of each column and at the head of the next, in order of execution."""
    at = {placed.box.key: placed for placed in drawing.boxes}
    ends = [(at[arrow.arrow.tail], at[arrow.arrow.head]) for arrow in drawing.arrows]
    return [(tail, head) for tail, head in ends if head.at.y < tail.at.y]


def last_row(placed: PlacedBox) -> str:
    return placed.box.rows[-1].text


@pytest.mark.parametrize("page", ["a4", "column"])
def test_a_group_of_convolutions_is_not_broken_before_its_pooling(page: str) -> None:
    turns = turns_of(laid(GROUPS, page=page))
    assert turns
    assert all(last_row(tail).startswith("max pool") for tail, _ in turns)


@pytest.mark.parametrize(
    ("text", "page"), [(WIDE, "a4"), (WIDE, "slide"), (RESIDUAL, "a4"), (RESIDUAL, "column"), (RESIDUAL, "slide")]
)
def test_units_that_fit_one_column_are_whole(text: str, page: str) -> None:
    fit = fitted(graph_of(text), Settings(page=page, fold=False, direction="down"))
    units = {
        key: parts
        for key, parts in parts_of(fit.drawing).items()
        if any(isinstance(member, Box) and sign(member) == "+" for member in parts[0].frame.members)
    }
    assert fit.drawing.columns > 1
    assert units
    assert all(len(parts) == 1 for parts in units.values())


def test_no_column_has_only_one_box_if_smaller_text_avoids_it() -> None:
    fit = fitted(graph_of(LARGE), Settings(fold=False))
    assert fit.drawing.columns == 1
    assert PAGES["a4"].least < fit.least_text < 8


@pytest.mark.parametrize("channels", [4, 8, 128, 1024])
def test_no_column_ends_between_a_line_and_the_shape_before_it(channels: int) -> None:
    """Two towers, of which the boxes and shapes of one are longer."""
    tower = "[" + ", ".join(["{op: conv, out: %d, kernel: 1}", "{op: max_pool, kernel: 1}"] * 9) + "]"
    towers = f"  a: {tower % ((4,) * 9)}\n  b: {{from: in, nodes: {tower % ((channels,) * 9)}}}\n"
    text = f"cnngraph: 1\ninput: [4, 8, 8]\nnodes:\n{towers}  c: {{op: concat, from: [a, b]}}\n"
    for page in ("slide", "column"):
        assert list(faults(laid(text, page=page, direction="right"))) == []


@pytest.mark.parametrize("page", ["a4", "slide"])
def test_a_part_of_a_frame_is_as_wide_as_its_contents(page: str) -> None:
    drawing = laid(RESIDUAL, page=page, fold=False)
    cut = [part for parts in parts_of(drawing).values() for part in parts if len(parts) > 1]
    assert cut
    for part in cut:
        inside = [at for at in contents(drawing, part) if at.width]
        if part.is_down:
            assert min(at.x for at in inside) - part.at.x <= CLOSE
            assert part.at.right - max(at.right for at in inside) <= CLOSE
        else:
            assert min(at.y for at in inside) - part.at.y <= CLOSE
            assert part.at.bottom - max(at.bottom for at in inside) <= CLOSE


def contents(drawing: Drawing, part: PlacedFrame) -> list[Rectangle]:
    """Where the boxes, frames and arrows in a part of a frame are, and its title."""
    places = [box.at for box in drawing.boxes] + [frame.at for frame in drawing.frames if frame.level > part.level]
    xs = [(x, y) for arrow in drawing.arrows for x, y in arrow.curve]
    places += [Rectangle(x, y, 0.1, 0.1) for x, y in xs]
    return [title_of(part), *(at for at in places if is_inside(at, part.at))]


def is_inside(at: Rectangle, outer: Rectangle) -> bool:
    return outer.x < at.x and at.right < outer.right and outer.y < at.y and at.bottom < outer.bottom


def test_the_title_of_a_continued_frame_has_its_count_and_is_beside_the_line() -> None:
    drawing = laid(LONG, page="a4", fold=True)
    (whole, *others) = next(parts for parts in parts_of(drawing).values() if len(parts) > 1)
    assert others
    for part in others:
        (line,) = frame_lines(part.frame.title, part.is_down, part.continues)
        assert "".join(run.text for run in line.runs) == "units … ×3"
    assert whole.frame.title.times == 3
    assert list(faults(drawing)) == []


@pytest.mark.parametrize("name", ["resnet34", "vgg16", "efficientnet_v2_s", "mixer_s32", "vit_tiny"])
def test_blocks_of_networks_that_fit_one_column_are_whole(name: str) -> None:
    """Stages and units are cut only if they are longer than a page."""
    fit = fitted(load(name), Settings())
    page = PAGES["a4"].height / fit.scale
    for parts in parts_of(fit.drawing).values():
        length = sum(part.at.height for part in parts)
        assert len(parts) == 1 or length > page * 0.9


def test_rows_of_a_chain_are_about_equally_long() -> None:
    """Not a row of 4 boxes before six of 10."""
    nodes = "\n".join(["  - {op: conv, out: 8, kernel: 3, padding: half}"] * 60)
    drawing = laid(f"cnngraph: 1\nname: chain\ninput: [8, 32, 32]\nnodes:\n{nodes}\n", page="slide", fold=False)
    rows: dict[float, list[PlacedBox]] = {}
    for box in drawing.boxes:
        rows.setdefault(round(box.at.middle[1]), []).append(box)
    assert len(rows) > 3
    lengths = [row[-1].at.right - row[0].at.x for row in rows.values()]
    assert min(lengths) > 0.6 * max(lengths)


def test_no_row_has_only_an_input_or_an_output_if_less_detail_avoids_it() -> None:
    for name in ("resnet18", "unet"):
        assert not fitted(load(name), Settings(page="slide")).drawing.is_lone
    fit = fitted(graph_of(SIDES), Settings(page="slide"))
    assert fit.least_text >= PAGES["slide"].least
    assert not fit.drawing.is_lone


def test_the_flow_turns_if_its_text_would_be_too_small() -> None:
    inner = "{op: conv, out: %s, kernel: 1}, relu, {op: conv, out: 8, kernel: 1}"
    branches = "\n".join(f"  b{place}: {{from: stem, nodes: [{inner % (place + 4)}]}}" for place in range(16))
    join = ", ".join(f"b{place}" for place in range(16))
    text = (
        "cnngraph: 1\nname: wide\ninput: [3, 8, 8]\nnodes:\n  stem: {op: conv, out: 8, kernel: 1}\n"
        f"{branches}\n  join: {{op: concat, from: [{join}]}}\n"
    )
    graph = graph_of(text)
    free, down = (fitted(graph, Settings(direction=direction)) for direction in (None, "down"))
    assert (free.drawing.is_down, down.drawing.is_down) == (False, True)
    assert down.least_text < 4
    assert free.least_text >= 6
