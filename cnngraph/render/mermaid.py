"""Writing a picture as Mermaid, which GitHub, GitLab and many editors render in Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from string import ascii_lowercase

from cnngraph.render.colours import FILLS, THEMES, Theme
from cnngraph.render.picture import Arrow, Box, Change, Flow, Frame, Look, Picture, Shape, Title, Trait, Traits, sign
from cnngraph.render.settings import DEFAULT, Settings
from cnngraph.text import one_line

MAIN = ("conv", "linear")  # kinds that determine the colour of a box with several operations
SHAPES = {Change.NONE: ("(", ")"), Change.SMALLER: ("[\\", "/]"), Change.LARGER: ("[/", "\\]")}
LOOKS = {"dark": "dark", "print": "neutral"}  # Mermaid's own themes, for lines and the text on them
# Mermaid 11 reads texts as Markdown: a list (`+`, `1. x`) is not drawn, and the ends of `_x_` are lost.
SPECIAL = re.compile(r"[^\w .,:·×−–…/+()=→↑-]|^[+-]|^\d(?=\d*[.)](?:\s|$))|(?<![^\W_])_|_(?![^\W_])")


def mermaid(picture: Picture, settings: Settings = DEFAULT) -> str:
    """The Mermaid text of a picture, with the title and the colours of the settings."""
    flow, theme = "TB" if settings.flow == "down" else "LR", THEMES[settings.theme]
    lines = [
        *_front(settings),
        f"flowchart {flow}",
        *(f"  {line}" for line in _members(picture.members, flow, theme, 0)),
        *(f"  {_arrow(arrow)}" for arrow in picture.arrows),
        *(f"  {line}" for line in _classes(picture, theme)),
        *(f"  {line}" for line in _styles(picture.arrows, theme)),
    ]
    return "\n".join(lines) + "\n"


def _front(settings: Settings) -> Iterator[str]:
    """The title and Mermaid's theme, in YAML before the flowchart."""
    title, look = settings.title, LOOKS.get(settings.theme)
    if title or look:
        yield "---"
        yield from [f"title: {json.dumps(one_line(title), ensure_ascii=False)}"] if title else []
        yield from ["config:", f"  theme: {look}"] if look else []
        yield "---"


def _members(members: tuple[Box | Frame, ...], flow: str, theme: Theme, level: int) -> Iterator[str]:
    for member in members:
        if isinstance(member, Box):
            yield _box(member)
            continue
        fill = theme.frame_fills[(level + 1) % 2]
        yield f'subgraph {member.key}["{_title(member.title)}"]'
        yield f"  direction {flow}"
        yield from (f"  {line}" for line in _members(member.members, flow, theme, level + 1))
        yield "end"
        yield f"style {member.key} fill:{fill},stroke:{theme.frame_line},color:{theme.ink}"


def _box(box: Box) -> str:
    notes = (f" ({_text(row.note)})" if row.note else "" for row in box.rows)
    rows = [_gate(row.traits) + _text(row.text) + note for row, note in zip(box.rows, notes, strict=True)]
    text = "<br/>".join([_gate(box.traits) + _title(box.title), *rows] if box.title else rows)
    opening, closing = SHAPES[box.change]
    if box.shape in (Shape.INPUT, Shape.OUTPUT):
        opening, closing = "([", "])"
    elif mark := sign(box):
        opening, text, closing = "((", _text(mark), "))"
    return f'{box.key}{opening}"{text}"{closing}:::{_class(box)}'


def _class(box: Box) -> str:
    if box.shape in (Shape.INPUT, Shape.OUTPUT):
        kind = "terminal"
    else:
        kinds = [row.colour for row in box.rows]
        kind = next((candidate for candidate in kinds if candidate in MAIN), kinds[0])
        kind = kind if kind in FILLS else "other"
        level = max(box.traits.level, *(row.traits.level for row in box.rows))
        kind = "gate" if sign(box) and Trait.GATE in box.traits.marks else f"{kind}{level or ''}"
    return kind if box.look is Look.PLAIN else box.look


def _classes(picture: Picture, theme: Theme) -> Iterator[str]:
    """The styles of the classes in use."""
    for name in sorted({_class(box) for box in picture.boxes()}):
        match name:
            case "terminal":
                yield f"classDef {name} fill:{theme.terminal},stroke:{theme.terminal},color:{theme.terminal_ink}"
            case Look.TRAINING:
                yield f"classDef {name} fill:{theme.box},stroke:{theme.line},color:{theme.ink},stroke-dasharray:4"
            case Look.UNUSED:
                yield f"classDef {name} fill:{theme.box},stroke:{theme.pale},color:{theme.pale},stroke-dasharray:4"
            case "gate":
                yield f"classDef {name} fill:{theme.terminal},stroke:{theme.line},color:{theme.terminal_ink}"
            case _:
                kind, level = name.rstrip("123"), int("0" + name.lstrip(ascii_lowercase))
                yield f"classDef {name} fill:{theme.tint(kind, level)},stroke:{theme.edge(kind)},color:{theme.ink}"


def _styles(arrows: Sequence[Arrow], theme: Theme) -> Iterator[str]:
    """The styles of the arrows that are not ordinary data, by their numbers."""
    plain = [(number, arrow.flow) for number, arrow in enumerate(arrows) if arrow.look is Look.PLAIN]
    for flow, style in ((Flow.PROJECTION, "stroke-dasharray:1 3"), (Flow.SIZE, f"stroke:{theme.pale}")):
        if numbers := [str(number) for number, other in plain if other is flow]:
            yield f"linkStyle {','.join(numbers)} {style}"


def _gate(traits: Traits) -> str:
    """The sign of a gate before a text."""
    return "⊗ " if Trait.GATE in traits.marks else ""


def _title(title: Title) -> str:
    parts = [f"<b>{_text(title.name)}</b>"] if title.name else []
    parts += [_text(text) for text in (title.block, title.count, title.note) if text]
    return " ".join(parts)


def _arrow(arrow: Arrow) -> str:
    line = "-->" if arrow.look is Look.PLAIN else "-.->"
    colon = ":" if arrow.label and arrow.role[-1:].isdigit() else ""  # of a number before a shape
    text = " ".join(filter(None, (arrow.role + colon, arrow.label)))
    return f'{arrow.tail} {line}|"{_text(text)}"| {arrow.head}' if text else f"{arrow.tail} {line} {arrow.head}"


def _text(text: str) -> str:
    """Text for Mermaid's quotes: special characters become numeric entities."""
    return SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)
