"""Writing a picture as DOT, the language of Graphviz: boxes as HTML-like tables, frames as clusters."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import ceil

from cnngraph.render.colours import THEMES
from cnngraph.render.dot_order import MAIN, orders, weights
from cnngraph.render.fonts import text_width
from cnngraph.render.forks import frames_of, with_forks
from cnngraph.render.layout.surroundings import HEADING
from cnngraph.render.picture import Arrow, Box, Flow, Frame, Look, Picture, Row, Shape, Title, Trait, Traits, sign
from cnngraph.render.settings import DEFAULT, Settings
from cnngraph.text import one_line

FONT = "Helvetica,Arial,sans-serif"
TITLE = 9  # the size of the title of a frame
MARGIN, WIDE_MARGIN = 10, 17  # points around the members of a frame; wide if arrows pass beside them
PORT = 9  # points between the ports of inputs
CLEAR = 22  # points between a title and the middle of its frame


def dot(picture: Picture, settings: Settings = DEFAULT) -> str:
    """The DOT text of a picture, with the title, the colours and the font of the settings."""
    flow, theme = "TB" if settings.flow == "down" else "LR", THEMES[settings.theme]
    font = FONT if settings.font is None else _inner(f"{settings.font},{FONT}")
    text = f'fontname="{font}", fontsize=10, fontcolor="{theme.ink}"'
    title = f"labelloc=t, label=<{_heading(settings.title)}>, " if settings.title else ""
    ground = "" if settings.theme == DEFAULT.theme else f'bgcolor="{theme.ground}", '
    edges = f'fontsize=8, fontcolor="{theme.grey}", color="{theme.line}", penwidth=0.8, arrowsize=0.5'
    lines = [
        "digraph cnngraph {",
        f"  graph [rankdir={flow}, {text}, nodesep=0.22, ranksep=0.16, {title}{ground}tooltip={_quoted(picture.name)}]",
        f"  node [shape=plain, {text}]",
        f'  edge [fontname="{font}", {edges}]',
        *_Writer(with_forks(picture), settings).lines(),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> str:
    return f'<FONT POINT-SIZE="{HEADING:g}"><B>{escape(one_line(title))}</B></FONT>'


class _Writer:
    """Writes members, and arrows in the innermost frame that contains them, so that their labels stay inside it."""

    def __init__(self, picture: Picture, settings: Settings) -> None:
        self.members, self.direction, self.theme = picture.members, settings.flow, THEMES[settings.theme]
        self.weights = {id(arrow): weight for arrow, weight in zip(picture.arrows, weights(picture), strict=True)}
        self.ports: dict[str, set[int]] = {}  # of boxes whose inputs are in order, from left to right or top to bottom
        for arrow in picture.arrows:
            if _has_port(arrow):
                self.ports.setdefault(arrow.head, set()).add(arrow.places[0])
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
                yield indent + self._box(member)
            else:
                yield f"{indent}subgraph cluster_{member.key} {{"
                yield f"{indent}  graph [{_attributes(self._frame(member, level))}]"
                yield from self._inside(member.key, member.members, level + 1)
                yield f"{indent}}}"
        for arrow in self.arrows.get(key, ()):
            yield indent + self._arrow(arrow, self.weights[id(arrow)])
        yield from (indent + order for order in self.orders.get(key, ()))

    def _frame(self, frame: Frame, level: int) -> dict[str, str]:
        plain = frame.look is Look.PLAIN
        beside = any(self.weights[id(arrow)] < MAIN for arrow in self.arrows.get(frame.key, ()))
        title = self._title(frame.title)
        return {
            "label": f"<{_at_left(title, _width(frame.title)) if self.direction == 'down' and title else title}>",
            "labeljust": "l",
            "style": '"rounded,filled"' if plain else '"rounded,filled,dashed"',
            "fillcolor": f'"{self.theme.frame_fills[level % 2]}"',
            "color": f'"{self.theme.frame_line if plain else self.theme.pale}"',
            "margin": str(WIDE_MARGIN if beside else MARGIN),
            "tooltip": _quoted(frame.tip),
        }

    def _box(self, box: Box) -> str:
        attributes = {"tooltip": _quoted(box.tip)} if box.tip else {}
        if box.shape is Shape.FORK:
            attributes |= {"shape": "point", "width": "0.04", "color": f'"{self.theme.line}"'}
        elif box.shape is Shape.LABEL:
            attributes["label"] = f"<{self._small(box.rows[0].text)}>"
        elif box.shape in (Shape.INPUT, Shape.OUTPUT):
            attributes |= self._terminal(box)
        elif mark := sign(box):
            attributes |= self._circle(mark, box)
        else:
            attributes["label"] = f"<{self._with_ports(box.key, self._table(box))}>"
        return f"{box.key} [{_attributes(attributes)}]"

    def _terminal(self, box: Box) -> dict[str, str]:
        """A dark box with name and shape; white if it exists only in training mode."""
        plain = box.look is Look.PLAIN
        return {
            "label": f"<<B>{escape(box.title.name)}</B> {escape(box.rows[0].text)}>",
            "shape": "box",
            "height": "0.28",
            "margin": '"0.12,0.04"',
            "style": '"rounded,filled"' if plain else '"rounded,filled,dashed"',
            "fillcolor": f'"{self.theme.terminal if plain else self.theme.box}"',
            "color": f'"{self.theme.terminal}"',
            "fontcolor": f'"{self.theme.terminal_ink if plain else self.theme.ink}"',
        }

    def _circle(self, mark: str, box: Box) -> dict[str, str]:
        """The circle of a sum or product; dark if it is a gate."""
        is_gate = Trait.GATE in box.traits.marks and box.look is Look.PLAIN
        return {
            "label": f'"{mark}"',
            "shape": "circle",
            "fixedsize": "true",
            "width": "0.22",
            "margin": "0",
            "style": "filled" if box.look is Look.PLAIN else '"filled,dashed"',
            "fillcolor": f'"{self.theme.terminal}"' if is_gate else f'"{self.theme.box}"',
            **({"fontcolor": f'"{self.theme.terminal_ink}"'} if is_gate else {}),
            "color": f'"{self.theme.line if box.look is not Look.UNUSED else self.theme.pale}"',
        }

    def _small(self, text: str) -> str:
        """A small grey label on an arrow."""
        return (
            '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"><TR><TD>'
            f'<FONT POINT-SIZE="8" COLOR="{self.theme.grey}">{escape(text)}</FONT></TD></TR></TABLE>'
        )

    def _table(self, box: Box) -> str:
        """An HTML-like label: one coloured box, or a white one with a coloured row for each operation."""
        unused = box.look is Look.UNUSED
        border = self.theme.pale if unused else self.theme.edge(box.rows[0].colour) if box.is_one else self.theme.line
        style = "ROUNDED" if box.look is Look.PLAIN else "ROUNDED,DASHED"
        one, padding = box.is_one, 4 if box.shape is Shape.SCOPE else 3
        ground = self._fill(box.rows[0], box.traits.level) if one and not unused else self.theme.box
        cells = []
        if box.title:
            cells.append(
                f"<TR><TD>{_gate(box.traits)}{self._title(box.title, 9 if box.shape is Shape.SCOPE else 8)}</TD></TR>"
            )
        for row in box.rows:
            paint = "" if one or unused else f' BGCOLOR="{self._fill(row)}" STYLE="ROUNDED"'
            cells.append(f"<TR><TD{paint}>{self._row(row, unused)}</TD></TR>")
        return (
            f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="{0 if one else 2}" CELLPADDING="{padding}" STYLE="{style}" '
            f'COLOR="{border}" BGCOLOR="{ground}">{"".join(cells)}</TABLE>'
        )

    def _with_ports(self, key: str, table: str) -> str:
        """A box with a port above, or left of it, for each of its inputs whose order matters."""
        ports = [
            f'<TD PORT="in{place}" WIDTH="{PORT}" HEIGHT="{PORT}"></TD>' for place in sorted(self.ports.get(key, ()))
        ]
        if not ports:
            return table
        start = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
        if self.direction == "down":
            cells = "".join(ports).replace(f'HEIGHT="{PORT}"', 'HEIGHT="1"')
            return f"{start}<TR><TD>{start}<TR>{cells}</TR></TABLE></TD></TR><TR><TD>{table}</TD></TR></TABLE>"
        cells = "".join(f"<TR>{port}</TR>" for port in ports).replace(f'WIDTH="{PORT}"', 'WIDTH="1"')
        return f"{start}<TR><TD>{start}{cells}</TABLE></TD><TD>{table}</TD></TR></TABLE>"

    def _fill(self, row: Row, level: int = 0) -> str:
        """The background colour of a row or closed block, deeper if it is dilated."""
        return self.theme.tint(row.colour, max(row.traits.level, level))

    def _row(self, row: Row, unused: bool) -> str:
        text = _gate(row.traits) + escape(row.text)
        if row.kind == "scope":
            return f'<FONT POINT-SIZE="8" COLOR="{self.theme.grey}">{text}</FONT>'
        if unused:
            text = f'<FONT COLOR="{self.theme.pale}">{text}</FONT>'
        return text + (f' <FONT POINT-SIZE="8" COLOR="{self.theme.grey}">{escape(row.note)}</FONT>' if row.note else "")

    def _title(self, title: Title, size: int = TITLE, *, leads: bool = True) -> str:
        """A title on one line; the name of the block is bold if there is no other name."""
        parts = [f"<B>{escape(title.name)}</B>"] if title.name else []
        if title.block:
            block = escape(title.block)
            parts.append(
                f"<B>{block}</B>" if leads and not parts else f'<FONT COLOR="{self.theme.grey}">{block}</FONT>'
            )
        parts += [f"<B>{title.count}</B>"] if title.count else []
        parts += [f'<FONT COLOR="{self.theme.grey}">{escape(title.note)}</FONT>'] if title.note else []
        return f'<FONT POINT-SIZE="{size}">{" ".join(parts)}</FONT>' if parts else ""

    def _arrow(self, arrow: Arrow, weight: int) -> str:
        attributes = {}
        if arrow.look is not Look.PLAIN:
            attributes["style"] = "dashed"
        elif arrow.flow is Flow.PROJECTION:
            attributes["style"] = "dotted"
        elif arrow.flow is Flow.SIZE:
            attributes |= {"color": f'"{self.theme.pale}"', "arrowhead": "empty"}
        if weight > 1:
            attributes["weight"] = str(weight)
        if arrow.head.startswith((Shape.FORK, Shape.LABEL)):
            attributes["dir"] = "none"
        side = "n" if self.direction == "down" else "w"
        port = f":in{arrow.places[0]}:{side}" if _has_port(arrow) else ""
        return f"{arrow.tail} -> {arrow.head}{port}" + (f" [{_attributes(attributes)}]" if attributes else "")


def _has_port(arrow: Arrow) -> bool:
    """Whether an arrow enters its box at a port of its own, instead of having a number."""
    return bool(arrow.places) and not arrow.role


def _gate(traits: Traits) -> str:
    """The sign of a gate before a text."""
    return "⊗ " if Trait.GATE in traits.marks else ""


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


def _attributes(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


def _quoted(text: str) -> str:
    return f'"{_inner(text)}"'


def _inner(text: str) -> str:
    """Text for DOT's quotes, in which Graphviz interprets escapes like \\N and entities like &lt;."""
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\n", "\\n")
