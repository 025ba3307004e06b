"""Operations that do nothing, such as a dropout of rate 0: they are drawn as part of the box that they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cnngraph.graph.graph import Graph
from cnngraph.render.label import is_nothing
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, Shape


def without_idle(picture: Picture, graph: Graph) -> Picture:
    """The picture without boxes that do nothing: what reads one is read from the box before it.

    One that reads an input of the picture, or several tensors, keeps its box.
    """
    idle = {box.key: box for box in picture.boxes() if _is_idle(box, graph)}
    if not idle:
        return picture
    ends = {box.key for box in picture.boxes() if box.shape is Shape.INPUT}
    into: dict[str, list[Arrow]] = {}
    for arrow in picture.arrows:
        into.setdefault(arrow.head, []).append(arrow)
    read: dict[str, Arrow] = {}  # the tensor that each idle box passes on
    for key in idle:
        arrows = into.get(key, ())
        if len(arrows) == 1 and (first := read.get(arrows[0].tail, arrows[0])).tail not in ends:
            read[key] = first
    parts: dict[str, list[Box]] = {}
    for key, arrow in read.items():
        parts.setdefault(arrow.tail, []).append(idle[key])
    members = tuple(_with_parts(picture.members, parts, read))
    return replace(picture, members=members, arrows=tuple(_passed(picture.arrows, read)))


def _is_idle(box: Box, graph: Graph) -> bool:
    is_plain = box.shape is Shape.OPS and box.look is Look.PLAIN and not box.title and len(box.types) == 1
    return is_plain and all(is_nothing(graph.nodes[node].operation) for node in box.nodes)


def _passed(arrows: Sequence[Arrow], read: Mapping[str, Arrow]) -> Iterator[Arrow]:
    for arrow in arrows:
        if arrow.head in read:
            continue
        first = read.get(arrow.tail)
        if first is None:
            yield arrow
        else:
            label = first.label or arrow.label
            yield replace(arrow, tail=first.tail, tensor=first.tensor, source=first.source, label=label)


def _with_parts(
    members: Sequence[Box | Frame], parts: Mapping[str, Sequence[Box]], gone: Mapping[str, Arrow]
) -> Iterator[Box | Frame]:
    """The members with the nodes of idle boxes in those that they read."""
    for member in members:
        if isinstance(member, Frame):
            if inner := tuple(_with_parts(member.members, parts, gone)):
                yield replace(member, members=inner)
        elif member.key not in gone:
            every = [member, *parts.get(member.key, ())]
            nodes = tuple(sorted(node for box in every for node in box.nodes))
            yield replace(member, nodes=nodes, tip="\n".join(box.tip for box in every)) if len(every) > 1 else member
