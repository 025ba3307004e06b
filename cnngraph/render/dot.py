"""Writing a picture as DOT, the language of Graphviz: boxes as HTML-like tables, frames as clusters."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import ceil

from cnngraph.render.colours import (
    FRAME_FILLS,
    FRAME_LINE,
    GREY,
    INK,
    LINE,
    PALE,
    TERMINAL,
    THEMES,
    edge,
)
from cnngraph.render.dot_order import MAIN, orders, weights
from cnngraph.render.fonts import text_width
from cnngraph.render.forks import frames_of, with_forks
from cnngraph.render.picture import Arrow, Box, Flow, Frame, Look, Picture, Row, Shape, Title, Trait, Traits, sign
from cnngraph.render.settings import Direction

FONT = "Helvetica,Arial,sans-serif"
TITLE = 9  # the size of the title of a frame
MARGIN, WIDE_MARGIN = 10, 17  # points around the members of a frame; wide if arrows pass beside them
CLEAR = 22  # points between a title and the middle of its frame


def dot(picture: Picture, direction: Direction = "down") -> str:
    """The DOT text of a picture."""
    flow = "TB" if direction == "down" else "LR"
    lines = [
        "digraph cnngraph {",
        f'  graph [rankdir={flow}, fontname="{FONT}", fontsize=10, fontcolor="{INK}", nodesep=0.22, ranksep=0.16, '
        f"tooltip={_quoted(picture.name)}]",
        f'  node [shape=plain, fontname="{FONT}", fontsize=10, fontcolor="{INK}"]',
        f'  edge [fontname="{FONT}", fontsize=8, fontcolor="{GREY}", color="{LINE}", penwidth=0.8, arrowsize=0.5]',
        *_Writer(with_forks(picture), direction).lines(),
        "}",
    ]
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes members, and arrows in the innermost frame that contains them, so that their labels stay inside it."""

    def __init__(self, picture: Picture, direction: Direction) -> None:
        self.members, self.direction = picture.members, direction
        self.weights = {id(arrow): weight for arrow, weight in zip(picture.arrows, weights(picture), strict=True)}
        frames = frames_of(picture.members)
        self.arrows: dict[str, list[Arrow]] = {}
        for arrow in picture.arrows:
            common = "", *(frame for frame in frames[arrow.tail] if frame in frames[arrow.head])
            self.arrows.setdefault(common[-1], []).append(arrow)
        self.orders: dict[str, list[str]] = {}
        for tail, head in orders(picture, frames):
            common = "", *(frame for frame in frames[tail] if frame in frames[head])
            self.orders.setdefault(common[-1], []).append(f"{tail} -> {head} [style=invis]")

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
        for arrow in self.arrows.get(key, ()):
            yield indent + _arrow(arrow, self.weights[id(arrow)])
        yield from (indent + order for order in self.orders.get(key, ()))

    def _frame(self, frame: Frame, level: int) -> dict[str, str]:
        plain = frame.look is Look.PLAIN
        beside = any(self.weights[id(arrow)] < MAIN for arrow in self.arrows.get(frame.key, ()))
        title = _title(frame.title)
        return {
            "label": f"<{_at_left(title, _width(frame.title)) if self.direction == 'down' and title else title}>",
            "labeljust": "l",
            "style": '"rounded,filled"' if plain else '"rounded,filled,dashed"',
            "fillcolor": f'"{FRAME_FILLS[level % 2]}"',
            "color": f'"{FRAME_LINE if plain else PALE}"',
            "margin": str(WIDE_MARGIN if beside else MARGIN),
            "tooltip": _quoted(frame.tip),
        }


def _box(box: Box) -> str:
    attributes = {"tooltip": _quoted(box.tip)} if box.tip else {}
    if box.shape is Shape.FORK:
        attributes |= {"shape": "point", "width": "0.04", "color": f'"{LINE}"'}
    elif box.shape is Shape.LABEL:
        attributes["label"] = f"<{_small(box.rows[0].text)}>"
    elif box.shape in (Shape.INPUT, Shape.OUTPUT):
        attributes |= _terminal(box)
    elif mark := sign(box):
        attributes |= _circle(mark, box)
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


def _circle(mark: str, box: Box) -> dict[str, str]:
    """The circle of a sum or product; dark if it is a gate."""
    is_gate = Trait.GATE in box.traits.marks and box.look is Look.PLAIN
    return {
        "label": f'"{mark}"',
        "shape": "circle",
        "fixedsize": "true",
        "width": "0.22",
        "margin": "0",
        "style": "filled" if box.look is Look.PLAIN else '"filled,dashed"',
        "fillcolor": f'"{TERMINAL}"' if is_gate else '"white"',
        **({"fontcolor": '"white"'} if is_gate else {}),
        "color": f'"{LINE if box.look is not Look.UNUSED else PALE}"',
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
    border = PALE if unused else edge(box.rows[0].colour) if box.is_one else LINE
    style = "ROUNDED" if box.look is Look.PLAIN else "ROUNDED,DASHED"
    one, padding = box.is_one, 4 if box.shape is Shape.SCOPE else 3
    ground = ("#ffffff" if unused else _fill(box.rows[0], box.traits.level)) if one else "#ffffff"
    cells = []
    if box.title:
        cells.append(f"<TR><TD>{_gate(box.traits)}{_title(box.title, 9 if box.shape is Shape.SCOPE else 8)}</TD></TR>")
    for row in box.rows:
        paint = "" if one or unused else f' BGCOLOR="{_fill(row)}" STYLE="ROUNDED"'
        cells.append(f"<TR><TD{paint}>{_row(row, unused)}</TD></TR>")
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="{0 if one else 2}" CELLPADDING="{padding}" STYLE="{style}" '
        f'COLOR="{border}" BGCOLOR="{ground}">{"".join(cells)}</TABLE>'
    )


def _fill(row: Row, level: int = 0) -> str:
    """The background colour of a row or closed block, deeper if it is dilated."""
    return THEMES["light"].tint(row.colour, max(row.traits.level, level))


def _gate(traits: Traits) -> str:
    """The sign of a gate before a text."""
    return "⊗ " if Trait.GATE in traits.marks else ""


def _row(row: Row, unused: bool) -> str:
    text = _gate(row.traits) + escape(row.text)
    if row.kind == "scope":
        return f'<FONT POINT-SIZE="8" COLOR="{GREY}">{text}</FONT>'
    if unused:
        text = f'<FONT COLOR="{PALE}">{text}</FONT>'
    return text + (f' <FONT POINT-SIZE="8" COLOR="{GREY}">{escape(row.note)}</FONT>' if row.note else "")


def _title(title: Title, size: int = TITLE, *, leads: bool = True) -> str:
    """A title on one line; the name of the block is bold if there is no other name."""
    parts = [f"<B>{escape(title.name)}</B>"] if title.name else []
    if title.block:
        block = escape(title.block)
        parts.append(f"<B>{block}</B>" if leads and not parts else f'<FONT COLOR="{GREY}">{block}</FONT>')
    parts += [f"<B>{title.count}</B>"] if title.count else []
    parts += [f'<FONT COLOR="{GREY}">{escape(title.note)}</FONT>'] if title.note else []
    return f'<FONT POINT-SIZE="{size}">{" ".join(parts)}</FONT>' if parts else ""


def _width(title: Title) -> float:
    """The width of the title of a frame in points."""
    texts = title.name, title.block, title.count, title.note
    return text_width(" ".join(filter(None, texts)), TITLE, bold=True)


def _at_left(title: str, width: float) -> str:
    """The title of a frame in its left half, so that an arrow that enters in the middle does not cross it."""
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
        f'<TR><TD>{title}</TD><TD WIDTH="{ceil(width) + CLEAR}"></TD></TR></TABLE>'
    )


def _arrow(arrow: Arrow, weight: int) -> str:
    attributes = {}
    if arrow.look is not Look.PLAIN:
        attributes["style"] = "dashed"
    elif arrow.flow is Flow.PROJECTION:
        attributes["style"] = "dotted"
    elif arrow.flow is Flow.SIZE:
        attributes |= {"color": f'"{PALE}"', "arrowhead": "empty"}
    if weight > 1:
        attributes["weight"] = str(weight)
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
