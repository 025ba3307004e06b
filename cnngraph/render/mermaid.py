"""Writing a picture as Mermaid, which GitHub, GitLab and many editors render in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnngraph.render.colours import FILLS, FRAME_FILLS, FRAME_LINE, INK, LINE, PALE, TERMINAL, edge, fill
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, Shape, Title, sign
from cnngraph.render.settings import Direction

MAIN = ("conv", "linear")  # kinds that determine the colour of a box with several operations
SAFE = re.compile(r"[^\w .,:·×−–…/+()=→-]")


def mermaid(picture: Picture, direction: Direction = "down") -> str:
    """The Mermaid text of a picture."""
    flow = "TB" if direction == "down" else "LR"
    lines = [
        f"flowchart {flow}",
        *(f"  {line}" for line in _members(picture.members, flow, 0)),
        *(f"  {_arrow(arrow)}" for arrow in picture.arrows),
        *(f"  {line}" for line in _classes(picture)),
    ]
    return "\n".join(lines) + "\n"


def _members(members: tuple[Box | Frame, ...], flow: str, level: int) -> Iterator[str]:
    for member in members:
        if isinstance(member, Box):
            yield _box(member)
            continue
        yield f'subgraph {member.key}["{_title(member.title)}"]'
        yield f"  direction {flow}"
        yield from (f"  {line}" for line in _members(member.members, flow, level + 1))
        yield "end"
        yield f"style {member.key} fill:{FRAME_FILLS[(level + 1) % 2]},stroke:{FRAME_LINE},color:{INK}"


def _box(box: Box) -> str:
    rows = [f"{_text(row.text)} ({_text(row.note)})" if row.note else _text(row.text) for row in box.rows]
    text = "<br/>".join([_title(box.title), *rows] if box.title else rows)
    opening, closing = "(", ")"
    if box.shape in (Shape.INPUT, Shape.OUTPUT):
        opening, closing = "([", "])"
    elif mark := sign(box):
        opening, text, closing = "((", mark, "))"
    return f'{box.key}{opening}"{text}"{closing}:::{_class(box)}'


def _class(box: Box) -> str:
    if box.shape in (Shape.INPUT, Shape.OUTPUT):
        kind = "terminal"
    else:
        kinds = [row.kind for row in box.rows]
        kind = next((candidate for candidate in kinds if candidate in MAIN), kinds[0])
        kind = kind if kind in FILLS else "other"
    return kind if box.look is Look.PLAIN else box.look


def _classes(picture: Picture) -> Iterator[str]:
    """The styles of the classes in use."""
    for name in sorted({_class(box) for box in picture.boxes()}):
        match name:
            case "terminal":
                yield f"classDef {name} fill:{TERMINAL},stroke:{TERMINAL},color:white"
            case Look.TRAINING:
                yield f"classDef {name} fill:white,stroke:{LINE},color:{INK},stroke-dasharray:4"
            case Look.UNUSED:
                yield f"classDef {name} fill:white,stroke:{PALE},color:{PALE},stroke-dasharray:4"
            case kind:
                yield f"classDef {name} fill:{fill(kind)},stroke:{edge(kind)},color:{INK}"


def _title(title: Title) -> str:
    parts = [f"<b>{_text(title.name)}</b>"] if title.name else []
    parts += [_text(text) for text in (title.block, title.count, title.note) if text]
    return " ".join(parts)


def _arrow(arrow: Arrow) -> str:
    line = "-->" if arrow.look is Look.PLAIN else "-.->"
    text = " ".join(filter(None, (arrow.role, arrow.label)))
    return f'{arrow.tail} {line}|"{_text(text)}"| {arrow.head}' if text else f"{arrow.tail} {line} {arrow.head}"


def _text(text: str) -> str:
    """Text for Mermaid's quotes: special characters become numeric entities."""
    return SAFE.sub(lambda found: f"#{ord(found[0])};", text)
