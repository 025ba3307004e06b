"""Closed blocks with several outputs, which are as wide or as high as their outputs need: their text should fit that.

Shapes that are beside the outputs are not repeated inside. If the flow is to the right, such a block is high, and has
its text in many short lines instead of a few long ones, so that it is short along the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnngraph.render.closed import FACTS
from cnngraph.render.label import SHAPES
from cnngraph.render.picture import Box, Frame, Picture, Row, Shape

Labels = Mapping[str, Mapping[str, str]]


def with_short_lines(picture: Picture, labels: Labels, *, is_down: bool) -> Picture:
    """The picture with the text of these blocks; `labels` are the tensors that leave each box, with their shapes."""
    if not any(_is_wide(key, labels) for key in labels):
        return picture
    return replace(picture, members=tuple(_shortened(member, labels, is_down) for member in picture.members))


def _is_wide(key: str, labels: Labels) -> bool:
    return key.startswith(Shape.SCOPE) and len(labels.get(key, ())) > 1


def _shortened(member: Box | Frame, labels: Labels, is_down: bool) -> Box | Frame:
    if isinstance(member, Frame):
        return replace(member, members=tuple(_shortened(inner, labels, is_down) for inner in member.members))
    if not _is_wide(member.key, labels):
        return member
    facts = _facts(member, all(labels[member.key].values()))
    lines = [row.text for row in member.rows[:-1]]
    title = member.title
    if is_down:
        lines += [FACTS.join(facts)] if facts else []
    else:
        lines = [*([title.block] if title.name and title.block else []), *lines]
        lines += [part for fact in facts for part in fact.split(SHAPES)]
        title = replace(title, block="") if title.name else title
    return replace(member, title=title, rows=tuple(Row(line, "scope") for line in lines))


def _facts(box: Box, has_shapes: bool) -> list[str]:
    """The parameters and the shapes of a closed block, without the shapes if they are beside its outputs."""
    facts = box.rows[-1].text.split(FACTS)
    return facts[:-1] if has_shapes and box.types else facts
