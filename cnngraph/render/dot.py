"""Writing a picture as DOT, the language of Graphviz: boxes as HTML-like tables, frames as clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from html import escape

from cnngraph.frozen import frozen
from cnngraph.render.colours import (
    FRAME_FILLS,
    FRAME_LINE,
    GREY,
    INK,
    LINE,
    PALE,
    TERMINAL,
    edge,
    fill,
)
from cnngraph.render.forks import frames_of, with_forks
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, Row, Shape, Title, sign

FONT = "Helvetica,Arial,sans-serif"
MARGIN, WIDE_MARGIN = 10, 17  # points around the members of a frame; wide if arrows pass beside them


class At(Enum):
    """The corner of a frame that contains its title."""

    LEFT = "l"
    RIGHT = "r"


@frozen
class TitlePlace:
    """The corner of a frame's title, whether it has two lines, and how many points are kept free next to it."""

    at: At = At.LEFT
    broken: bool = False
    room: float = 0


def dot(
    picture: Picture, direction: str = "TB", places: Mapping[str, TitlePlace] | None = None, dpi: int | None = None
) -> str:
    """The DOT text of a picture that flows from top to bottom (TB) or from left to right (LR).

    `places` are the places of the titles by frame key.
    """
    lines = [
        "digraph cnngraph {",
        f'  graph [rankdir={direction}, fontname="{FONT}", fontsize=10, fontcolor="{INK}", nodesep=0.22, ranksep=0.16, '
        f"tooltip={_quoted(picture.name)}]",
        f'  node [shape=plain, fontname="{FONT}", fontsize=10, fontcolor="{INK}"]',
        f'  edge [fontname="{FONT}", fontsize=8, fontcolor="{GREY}", color="{LINE}", penwidth=0.8, arrowsize=0.5]',
        *([f"  graph [dpi={dpi}]"] if dpi else []),
        *_Writer(with_forks(picture), places or {}).lines(),
        "}",
    ]
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes members, and arrows in the innermost frame that contains them, so that their labels stay inside it."""

    def __init__(self, picture: Picture, places: Mapping[str, TitlePlace]) -> None:
        self.members, self.places = picture.members, places
        frames = frames_of(picture.members)
        self.arrows: dict[str, list[Arrow]] = {}
        for arrow in picture.arrows:
            common = "", *(frame for frame in frames[arrow.tail] if frame in frames[arrow.head])
            self.arrows.setdefault(common[-1], []).append(arrow)

    def lines(self) -> Iterator[str]:
        """All members and arrows."""
        return self._inside("", self.members, 1)

    def _inside(self, key: str, members: tuple[Box | Frame, ...], level: int) -> Iterator[str]:
        indent = "  " * level
        for member in members:
            if isinstance(member, Box):
                yield indent + _box(member)
            else:
                yield f"{indent}subgraph cluster_{member.key} {{"
                yield f"{indent}  graph [{_attributes(self._frame(member, level))}]"
                yield from self._inside(member.key, member.members, level + 1)
                yield f"{indent}}}"
        yield from (indent + _arrow(arrow) for arrow in self.arrows.get(key, ()))

    def _frame(self, frame: Frame, level: int) -> dict[str, str]:
        plain, place = frame.look is Look.PLAIN, self.places.get(frame.key, TitlePlace())
        beside = any(not arrow.main for arrow in self.arrows.get(frame.key, ()))
        return {
            "label": f"<{_placed(frame.title, place)}>",
            "labeljust": place.at.value,
            "style": '"rounded,filled"' if plain else '"rounded,filled,dashed"',
            "fillcolor": f'"{FRAME_FILLS[level % 2]}"',
            "color": f'"{FRAME_LINE if plain else PALE}"',
            "margin": str(WIDE_MARGIN if beside else MARGIN),
            "tooltip": _quoted(frame.tip),
        }


def _placed(title: Title, place: TitlePlace) -> str:
    """The label of a frame: its title at a place."""
    lines = [_title(title)]
    if place.broken and can_break(title):
        lines = [_title(Title(title.name)), _title(replace(title, name=""), leads=False)]
    if len(lines) == 1 and not place.room:
        return lines[0]
    side = "LEFT" if place.at is At.LEFT else "RIGHT"
    rows = [[f'<TD ALIGN="{side}">{line}</TD>'] for line in lines]
    if place.room:
        rows[0].insert(1 if place.at is At.LEFT else 0, f'<TD ROWSPAN="{len(rows)}" WIDTH="{place.room:.0f}"></TD>')
    cells = "".join(f"<TR>{''.join(row)}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{cells}</TABLE>'


def can_break(title: Title) -> bool:
    """Whether a title has a name and something after it, so that it can have two lines."""
    return bool(title.name and replace(title, name=""))


def _box(box: Box) -> str:
    attributes = {"tooltip": _quoted(box.tip)} if box.tip else {}
    if box.shape is Shape.FORK:
        attributes |= {"shape": "point", "width": "0.04", "color": f'"{LINE}"'}
    elif box.shape is Shape.LABEL:
        attributes["label"] = f"<{_small(box.rows[0].text)}>"
    elif box.shape in (Shape.INPUT, Shape.OUTPUT):
        attributes |= _terminal(box)
    elif mark := sign(box):
        attributes |= _circle(mark, box.look)
    else:
        attributes["label"] = f"<{_table(box)}>"
    return f"{box.key} [{_attributes(attributes)}]"


def _terminal(box: Box) -> dict[str, str]:
    """A dark box with name and shape; white if it exists only in training mode."""
    plain = box.look is Look.PLAIN
    return {
        "label": f"<<B>{escape(box.title.name)}</B> {escape(box.rows[0].text)}>",
        "shape": "box",
        "height": "0.28",
        "margin": '"0.12,0.04"',
        "style": '"rounded,filled"' if plain else '"rounded,filled,dashed"',
        "fillcolor": f'"{TERMINAL if plain else "white"}"',
        "color": f'"{TERMINAL}"',
        "fontcolor": '"white"' if plain else f'"{INK}"',
    }


def _circle(mark: str, look: Look) -> dict[str, str]:
    return {
        "label": f'"{mark}"',
        "shape": "circle",
        "fixedsize": "true",
        "width": "0.22",
        "margin": "0",
        "style": "filled" if look is Look.PLAIN else '"filled,dashed"',
        "fillcolor": '"white"',
        "color": f'"{LINE if look is not Look.UNUSED else PALE}"',
    }


def _small(text: str) -> str:
    """A small grey label on an arrow."""
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"><TR><TD>'
        f'<FONT POINT-SIZE="8" COLOR="{GREY}">{escape(text)}</FONT></TD></TR></TABLE>'
    )


def _table(box: Box) -> str:
    """An HTML-like label: one coloured box, or a white one with a coloured row for each operation."""
    unused = box.look is Look.UNUSED
    border = PALE if unused else edge(box.rows[0].kind) if len(box.rows) == 1 else LINE
    style = "ROUNDED" if box.look is Look.PLAIN else "ROUNDED,DASHED"
    one, padding = len(box.rows) == 1, 4 if box.shape is Shape.SCOPE else 3
    ground = ("#ffffff" if unused else fill(box.rows[0].kind)) if one else "#ffffff"
    cells = []
    if box.title:
        cells.append(f"<TR><TD>{_title(box.title, 9 if box.shape is Shape.SCOPE else 8)}</TD></TR>")
    for row in box.rows:
        paint = "" if one or unused else f' BGCOLOR="{fill(row.kind)}" STYLE="ROUNDED"'
        cells.append(f"<TR><TD{paint}>{_row(row, unused)}</TD></TR>")
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="{0 if one else 2}" CELLPADDING="{padding}" STYLE="{style}" '
        f'COLOR="{border}" BGCOLOR="{ground}">{"".join(cells)}</TABLE>'
    )


def _row(row: Row, unused: bool) -> str:
    text = escape(row.text)
    if row.kind == "scope":
        return f'<FONT POINT-SIZE="8" COLOR="{GREY}">{text}</FONT>'
    if unused:
        text = f'<FONT COLOR="{PALE}">{text}</FONT>'
    return text + (f' <FONT POINT-SIZE="8" COLOR="{GREY}">{escape(row.note)}</FONT>' if row.note else "")


def _title(title: Title, size: int = 9, *, leads: bool = True) -> str:
    """A title on one line; the name of the block is bold if there is no other name."""
    parts = [f"<B>{escape(title.name)}</B>"] if title.name else []
    if title.block:
        block = escape(title.block)
        parts.append(f"<B>{block}</B>" if leads and not parts else f'<FONT COLOR="{GREY}">{block}</FONT>')
    parts += [f"<B>{title.count}</B>"] if title.count else []
    parts += [f'<FONT COLOR="{GREY}">{escape(title.note)}</FONT>'] if title.note else []
    return f'<FONT POINT-SIZE="{size}">{" ".join(parts)}</FONT>' if parts else ""


def _arrow(arrow: Arrow) -> str:
    attributes = {}
    if arrow.look is not Look.PLAIN:
        attributes["style"] = "dashed"
    if arrow.main:
        attributes["weight"] = "4"
    if arrow.head.startswith((Shape.FORK, Shape.LABEL)):
        attributes["dir"] = "none"
    return (
        f"{arrow.tail} -> {arrow.head} [{_attributes(attributes)}]" if attributes else f"{arrow.tail} -> {arrow.head}"
    )


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _quoted(text: str) -> str:
    return f'"{_inner(text)}"'


def _inner(text: str) -> str:
    """Text for DOT's quotes, in which Graphviz interprets escapes like \\N and entities like &lt;."""
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\n", "\\n")
