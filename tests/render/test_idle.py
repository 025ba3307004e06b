"""Operations that do nothing are part of the box that they read, wherever they are."""

from __future__ import annotations

from cnngraph.render.compose import compose
from cnngraph.render.picture import Picture, Shape
from tests.render.networks import graph_of

NETWORK = """
cnngraph: 1
name: idle
input: [8, 16, 16]
nodes:
  conv: {op: conv, out: 8, kernel: 3, padding: half}
  branch: {nodes: [{op: conv, out: 8, kernel: 1}, {op: conv, out: 8, kernel: 1}]}
  drop: {op: drop_path, p: RATE}
  kept: {op: identity, from: conv}
  again: identity
  add: {op: add, from: [drop, again]}
  last: {op: identity, from: START}
  sum: {op: add, from: [add, last]}
"""


def picture_of(rate: float, start: str = "in") -> Picture:
    """The picture of the network."""
    return compose(graph_of(NETWORK.replace("RATE", str(rate)).replace("START", start)))


def rows(picture: Picture) -> list[str]:
    """The texts of all operations."""
    return [row.text for box in picture.boxes() if box.shape is Shape.OPS for row in box.rows]


def test_what_does_nothing_is_not_drawn() -> None:
    assert rows(picture_of(0.0, "add")) == ["conv 3×3, 8", "conv 1×1, 8", "conv 1×1, 8", "add", "add"]
    assert "drop path 0.1" in rows(picture_of(0.1, "add"))


def test_every_node_is_in_a_box_and_its_readers_read_the_box_before_it() -> None:
    picture = picture_of(0.0, "add")
    graph = graph_of(NETWORK.replace("RATE", "0.0").replace("START", "add"))
    box_of = {graph.nodes[node].path: box for box in picture.boxes() for node in box.nodes}
    assert len(box_of) == len(graph.nodes)
    assert box_of["again"] == box_of["kept"] == box_of["conv"]
    assert box_of["drop"] == box_of["branch.1"]
    assert "drop: drop_path" in box_of["drop"].tip
    ends = [(arrow.tail, arrow.head) for arrow in picture.arrows]
    assert (box_of["conv"].key, box_of["add"].key) in ends
    assert (box_of["branch.1"].key, box_of["add"].key) in ends
    assert ends.count((box_of["add"].key, box_of["sum"].key)) == 2  # it is read twice
    assert {end for pair in ends for end in pair} == {box.key for box in picture.boxes()}


def test_an_identity_of_the_input_keeps_its_box() -> None:
    assert "identity" in rows(picture_of(0.0, "in"))
