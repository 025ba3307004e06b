"""Laying out a picture: each frame by itself, from the innermost out, then all in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cnngraph.frozen import frozen
from cnngraph.render.fonts import text_width
from cnngraph.render.layout import boxes
from cnngraph.render.layout.boxes import SMALL, frame_lines
from cnngraph.render.layout.columns import Break, breaks_of, fitting, in_columns
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.level import arrange
from cnngraph.render.layout.routes import PORTS, Arrangement
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node
from cnngraph.render.layout.ushape import bent, skips_of
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, sign
from cnngraph.render.settings import Settings

MARGIN = 7.0  # between a frame and what is in it, across the flow
ENDS = 5.5  # … and along it
TITLE_GAP = 4.0  # between a title and the arrow beside it
BORDER = 6.0  # around the drawing
NOTE = SMALL * 1.2  # the height of the shape below a box
ROLE = 11.0  # the height of the name of an input, and of the line below it
ROOT = ""


@dataclass(slots=True)
class _Level:
    """A frame or the whole picture: its members, and the edges between them with the arrows that each stands for."""

    frame: Frame | None
    members: tuple[Box | Frame, ...]
    edges: list[Edge] = field(default_factory=list)
    known: dict[tuple[int, int, str], int] = field(default_factory=dict)


@frozen
class _Laid:
    """A level with its arrangement. `inset` is where the arrangement starts in its frame, across and along."""

    node: Node
    arrangement: Arrangement
    inset: Point


def lay_out(picture: Picture, settings: Settings) -> Layout:
    """The layout of a picture."""
    return Layout(picture, settings.flow == "down", _labels(picture.arrows, settings.shapes))


class Layout:
    """A picture with places on one long strip."""

    def __init__(self, picture: Picture, is_down: bool, labels: Mapping[str, Mapping[str, str]]) -> None:
        self.picture, self.is_down, self.labels = picture, is_down, labels
        self.levels: dict[str, _Level] = {}
        self.index: dict[str, int] = {}  # the position of a box or frame among the members of its level
        self.around: dict[str, tuple[str, ...]] = {}  # the levels around a box or frame, outermost first
        self._enter(None, picture.members, ())
        self.roles = _roles_of(picture.arrows)
        self.chains = [self._chain(arrow) for arrow in picture.arrows]
        self.laid: dict[str, _Laid] = {}
        for key in reversed(list(self.levels)):
            self.laid[key] = self._lay_level(key)

    def _enter(self, frame: Frame | None, members: tuple[Box | Frame, ...], around: tuple[str, ...]) -> None:
        waiting = [(frame, members, around)]
        while waiting:
            frame, members, around = waiting.pop()
            key = frame.key if frame else ROOT
            self.levels[key] = _Level(frame, members)
            for position, member in enumerate(members):
                self.index[member.key] = position
                self.around[member.key] = (*around, key)
                if isinstance(member, Frame):
                    waiting.append((member, member.members, (*around, key)))

    def _chain(self, arrow: Arrow) -> list[tuple[str, int]]:
        """The edges of an arrow, level by level from its tail to its head."""
        tails, heads = self.around[arrow.tail], self.around[arrow.head]
        common = 0
        while common < min(len(tails), len(heads)) and tails[common] == heads[common]:
            common += 1
        tail, head = [*tails[1:], arrow.tail], [*heads[1:], arrow.head]  # the member in each level
        chain = []
        for depth in range(len(tails) - 1, common - 1, -1):
            chain.append(self._edge(tails[depth], self.index[tail[depth]], OUTSIDE, arrow))
        chain.append(self._edge(tails[common - 1], self.index[tail[common - 1]], self.index[head[common - 1]], arrow))
        for depth in range(common, len(heads)):
            chain.append(self._edge(heads[depth], OUTSIDE, self.index[head[depth]], arrow))
        return chain

    def _edge(self, key: str, tail: int, head: int, arrow: Arrow) -> tuple[str, int]:
        """The edge of a level that an arrow follows. Into a box, every arrow has its own."""
        level, tensor = self.levels[key], arrow.source
        is_shared = head == OUTSIDE or isinstance(level.members[head], Frame)
        if is_shared and (tail, head, tensor) in level.known:
            return key, level.known[tail, head, tensor]
        widths = [_role_width(role) if self.is_down else ROLE for role in self.roles.get(arrow.head, ())]
        room = max(widths, default=PORTS)
        level.edges.append(Edge(tail, head, tensor, arrow.main, room))
        level.known[tail, head, tensor] = len(level.edges) - 1
        return key, len(level.edges) - 1

    def _lay_level(self, key: str) -> _Laid:
        level = self.levels[key]
        nodes = [self._node(member) for member in level.members]
        placed = arrange(nodes, level.edges)
        return self._framed(level, placed, sum(node.weight for node in nodes))

    def _node(self, member: Box | Frame) -> Node:
        if isinstance(member, Frame):
            return self.laid[member.key].node
        width, height = self.size(member)
        labels = self.labels.get(member.key, {})
        below = max((self._length(text) for text in labels.values() if text), default=0.0)
        across, along = (width, height) if self.is_down else (height, width)
        exits = self.exits(labels)
        half = max(across / 2, *(abs(x) + self.width(labels[tensor]) / 2 for tensor, x in exits.items()), 0)
        if self.is_down and member.key in self.roles:  # the last name is beside its arrow, right of the box
            half = max(half, across / 2 + max(map(_role_width, self.roles[member.key])))
        join = sign(member)
        is_side = member.look is not Look.PLAIN
        lead = self.lead(member)
        return Node(half, half, lead + along + below, None, exits, join, 1, is_side, across / 2, lead)

    def size(self, box: Box) -> tuple[float, float]:
        """The width and height of a box, wide enough for the names of its inputs."""
        width, height = boxes.size(box)
        roles = self.roles.get(box.key, ())
        if self.is_down:
            return max(width, len(roles) * max(map(_role_width, roles), default=0.0)), height
        return width, max(height, len(roles) * ROLE)

    def lead(self, box: Box) -> float:
        """The room for the names of inputs along the flow."""
        roles = () if self.is_down else self.roles.get(box.key, ())
        return max(map(_role_width, roles), default=0.0)

    def exits(self, labels: Mapping[str, str]) -> dict[str, float]:
        """The ports of a box: one for each tensor that leaves it, with room for their shapes."""
        widths = [max(self.width(text) + 8, 9.0) for text in labels.values()]
        start = -sum(widths) / 2
        found = {}
        for tensor, width in zip(labels, widths, strict=True):
            found[tensor] = start + width / 2
            start += width
        return found

    def width(self, text: str) -> float:
        """The extent of a shape across the flow."""
        return 0.0 if not text else text_width(text, SMALL) if self.is_down else NOTE

    def _length(self, text: str) -> float:
        """The extent of a shape along the flow."""
        return NOTE if self.is_down else text_width(text, SMALL) + 4

    def _framed(self, level: _Level, placed: Arrangement, weight: int) -> _Laid:
        if level.frame is None:
            return _Laid(Node(placed.left, placed.right, placed.length, weight=weight), placed, (0.0, 0.0))
        title = frame_lines(level.frame.title, self.is_down)
        width, height = max((line.width for line in title), default=0.0), sum(line.height for line in title)
        left, right = placed.left + MARGIN, placed.right + MARGIN
        if self.is_down:
            start, length = ENDS + height, placed.length + 2 * ENDS + height
            entry = min(placed.entries.values(), default=0.0)
            left = max(left, width + MARGIN + TITLE_GAP - entry) if placed.entries else left
            right = max(right, width + 2 * MARGIN - left)
        else:
            start, length = ENDS, max(placed.length + 2 * ENDS, width + 2 * MARGIN)
            left += height
        side = level.frame.look is not Look.PLAIN
        node = Node(left, right, length, placed.entries, placed.exits, weight=weight, is_side=side)
        return _Laid(node, placed, (0.0, start))

    def drawing(self, page: tuple[float, float] | None = None, most: float = 1.0) -> Drawing:
        """The layout as a drawing: on one long strip, or in columns, on a page (width, height)."""
        strip, breaks = self._strip
        if self._bent is not None:
            strip = self._bent
        elif page is not None:
            across, along = page if self.is_down else page[::-1]
            strip = in_columns(strip, fitting(strip, breaks, across, along, most))
        return strip if self.is_down else _turned(strip)

    @cached_property
    def _bent(self) -> Drawing | None:
        """The drawing in the shape of a U, if the network has it; volumes always follow each other to the right."""
        if any(box.volume for box in self.picture.boxes()):
            return None
        found = skips_of(self.picture)
        if found is None:
            return None
        chain = Layout(replace(self.picture, arrows=found.others), self.is_down, self.labels)
        return bent(*chain._strip, found.skips)

    @cached_property
    def _strip(self) -> tuple[Drawing, list[Break]]:
        return _Placing(self).strip()


class _Placing:
    """Gives everything in a layout its final place, in abstract coordinates."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.is_down = layout, layout.is_down
        self.boxes: list[PlacedBox] = []
        self.frames: list[PlacedFrame] = []
        self.notes: list[Note] = []
        self.candidates: list[Break] = []
        self.origin: dict[str, Point] = {}  # where the arrangement of each level starts

    def strip(self) -> tuple[Drawing, list[Break]]:
        """Everything on one long strip, and where it can be broken."""
        root = self.layout.laid[ROOT].arrangement
        self._levels((root.left + BORDER, BORDER))
        picture = self.layout.picture
        arrows = tuple(
            PlacedArrow(arrow, self._curve(chain))
            for arrow, chain in zip(picture.arrows, self.layout.chains, strict=True)
        )
        across, along = root.left + root.right + 2 * BORDER, root.length + 2 * BORDER
        notes = (*self.notes, *self._roles(arrows))
        drawing = Drawing(picture.name, across, along, tuple(self.boxes), tuple(self.frames), arrows, notes)
        return drawing, breaks_of(drawing, self.candidates)

    def _levels(self, origin: Point) -> None:
        waiting: list[tuple[str, Point, int]] = [(ROOT, origin, 0)]
        while waiting:
            key, origin, depth = waiting.pop()
            self.origin[key] = origin
            level, laid = self.layout.levels[key], self.layout.laid[key]
            for cut in laid.arrangement.cuts:
                self.candidates.append(Break(origin[1] + cut, origin[0], depth))
            for position, member in enumerate(level.members):
                x, y = laid.arrangement.at[position]
                at = origin[0] + x, origin[1] + y
                if isinstance(member, Frame):
                    inner = self.layout.laid[member.key]
                    place = Rectangle(
                        at[0] - inner.node.left, at[1], inner.node.left + inner.node.right, inner.node.length
                    )
                    self.frames.append(PlacedFrame(member, place, depth, self.is_down))
                    waiting.append((member.key, (at[0], at[1] + inner.inset[1]), depth + 1))
                else:
                    self._box(member, at)

    def _box(self, box: Box, at: Point) -> None:
        width, height = self.layout.size(box)
        across, along = (width, height) if self.is_down else (height, width)
        place = Rectangle(at[0] - across / 2, at[1] + self.layout.lead(box), across, along)
        self.boxes.append(PlacedBox(box, place))
        labels = self.layout.labels.get(box.key, {})
        for tensor, x in self.layout.exits(labels).items():
            if text := labels[tensor]:
                below = NOTE / 2 if self.is_down else 2 + text_width(text, SMALL) / 2
                self.notes.append(Note(text, at[0] + x, place.bottom + below, self.layout.width(text)))

    def _curve(self, chain: Sequence[tuple[str, int]]) -> tuple[Point, ...]:
        """The curves of an arrow on all levels, connected."""
        points: list[Point] = []
        for key, edge in chain:
            x, y = self.origin[key]
            curve = [(x + a, y + b) for a, b in self.layout.laid[key].arrangement.curves[edge]]
            if points:
                points += _bridge(points[-1], curve[0])
            points += curve[1:] if points else curve
        return tuple(points)

    def _roles(self, arrows: Sequence[PlacedArrow]) -> Iterator[Note]:
        """The names of inputs, beside the arrowheads."""
        for arrow in arrows:
            if text := arrow.arrow.role:
                x, y = arrow.curve[-1]
                half = text_width(text, SMALL) / 2
                yield (
                    Note(text, x + 3 + half, y - 8, 2 * half)
                    if self.is_down
                    else Note(text, x - ROLE / 2, y - 7 - half)
                )


def _turned(drawing: Drawing) -> Drawing:
    """The drawing with x and y exchanged."""
    return replace(
        drawing,
        width=drawing.height,
        height=drawing.width,
        boxes=tuple(replace(box, at=box.at.turned) for box in drawing.boxes),
        frames=tuple(replace(frame, at=frame.at.turned) for frame in drawing.frames),
        arrows=tuple(replace(arrow, curve=tuple((y, x) for x, y in arrow.curve)) for arrow in drawing.arrows),
        notes=tuple(replace(note, x=note.y, y=note.x) for note in drawing.notes),
    )


def _bridge(end: Point, start: Point) -> list[Point]:
    """A straight line between the curves of two levels: through the margin of a frame."""
    return [(end[0] + (start[0] - end[0]) * part, end[1] + (start[1] - end[1]) * part) for part in (1 / 3, 2 / 3)] + [
        start
    ]


def _role_width(role: str) -> float:
    """What an arrow needs across the flow, if the name of its input is beside it."""
    return text_width(role, SMALL) + 10


def _roles_of(arrows: Sequence[Arrow]) -> dict[str, list[str]]:
    """The names of the inputs that are shown beside the arrows into each box."""
    found: dict[str, list[str]] = {}
    for arrow in arrows:
        if arrow.role:
            found.setdefault(arrow.head, []).append(arrow.role)
    return found


def _labels(arrows: Sequence[Arrow], shapes: bool) -> dict[str, dict[str, str]]:
    """The tensors that leave each box, in order, with the shapes to show, or empty texts."""
    found: dict[str, dict[str, str]] = {}
    for arrow in arrows:
        tensors = found.setdefault(arrow.tail, {})
        tensors[arrow.source] = tensors.get(arrow.source) or (arrow.label if shapes else "")
    return {tail: dict(sorted(tensors.items(), key=_position)) for tail, tensors in found.items()}


def _position(item: tuple[str, str]) -> tuple[int, ...]:
    """The node and the output of a tensor."""
    return tuple(map(int, item[0].split(".")))
