"""Laying out a picture: each frame by itself, from the innermost out, then all in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property

from cnngraph.frozen import frozen
from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import SMALL, frame_lines
from cnngraph.render.layout.breaks import Break, breaks_of
from cnngraph.render.layout.columns import fitting
from cnngraph.render.layout.curves import bridge
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle, turned
from cnngraph.render.layout.head_marks import unordered, with_marks
from cnngraph.render.layout.lanes import Lanes, Places, Size, by_lane, lanes_of, positions
from cnngraph.render.layout.level import arrange
from cnngraph.render.layout.measures import ENDS, MARGIN, NOTE, ROLE, TITLE_GAP, Measures, labels_of
from cnngraph.render.layout.moving import in_columns
from cnngraph.render.layout.routes import Arrangement
from cnngraph.render.layout.row_parts import levels_of, starts_of, without_skips
from cnngraph.render.layout.rows import in_rows
from cnngraph.render.layout.sides import in_order, sides_of, with_sides
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node
from cnngraph.render.layout.ushape import Skips, Space, bent, skips_of
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture
from cnngraph.render.settings import Settings
from cnngraph.render.short_lines import with_short_lines

BORDER = 6.0  # around the drawing
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
    labels, is_down = labels_of(picture.arrows, settings.shapes), settings.flow == "down"
    picture = with_short_lines(picture, labels, is_down=is_down)
    marked = {arrow.head for arrow in picture.arrows if arrow.mark}
    layout = Layout(picture, is_down, labels, marked, may_turn=settings.direction is None)
    numbered = unordered(layout._strip[0]) if any(arrow.places for arrow in picture.arrows) else set()
    return Layout(picture, is_down, labels, marked | numbered, may_turn=layout.may_turn) if numbered else layout


class Layout:
    """A picture with places on one long strip. With `may_turn`, a U may have another direction than a strip.

    Boxes in `marked` have room for numbers or signs of their inputs. With `has_pyramid`, outputs of several sizes have
    lanes, even if nothing else reads or computes so many.
    """

    def __init__(
        self,
        picture: Picture,
        is_down: bool,
        labels: Mapping[str, Mapping[str, str]],
        marked: AbstractSet[str] = frozenset(),
        *,
        may_turn: bool = False,
        has_pyramid: bool = True,
    ) -> None:
        self.picture, self.is_down, self.may_turn, self.has_pyramid = picture, is_down, may_turn, has_pyramid
        self.levels: dict[str, _Level] = {}
        self.index: dict[str, int] = {}  # the position of a box or frame among the members of its level
        self.around: dict[str, tuple[str, ...]] = {}  # the levels around a box or frame, outermost first
        self._enter(None, picture.members, ())
        self.measures = Measures(picture.arrows, is_down, labels, marked)
        self.chains = [self._chain(arrow) for arrow in picture.arrows]
        self.spans: dict[str, Node] = {}  # the boxes over several lanes
        self.laid: dict[str, _Laid] = {}
        self._lay_levels()

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
        level.edges.append(Edge(tail, head, tensor, arrow.main, self.measures.room(arrow.head), arrow.size))
        level.known[tail, head, tensor] = len(level.edges) - 1
        return key, len(level.edges) - 1

    def _lay_levels(self) -> None:
        """Arrange every level, from the innermost; those with lanes when it is known what the others need."""
        self._find_sides()
        order = list(reversed(self.levels))
        lanes = self.lanes
        if lanes is None:
            waiting: list[str] = []
        else:
            around = {outer for key in lanes.levels if key != ROOT for outer in self.around[key]}
            waiting = [key for key in order if key in lanes.levels or key in around]
            for key in set(order) - {ROOT}:
                member = self.around[key][-1], self.index[key]
                self.levels[key].edges[:] = [lanes.entering(edge, member) for edge in self.levels[key].edges]
        for key in order:
            if key not in waiting:
                self.laid[key] = self._lay_level(key, [self._node(member) for member in self.levels[key].members])
        if lanes is not None:
            at = dict(zip(lanes.sizes, positions(self._extents(lanes)), strict=True))
            for key in waiting:
                self._lay_in_lanes(key, lanes, at)

    def _find_sides(self) -> None:
        """Tell the levels from which side each tensor enters them."""
        for level in self.levels.values():
            for member, side in zip(level.members, sides_of(level.edges, len(level.members)), strict=True):
                if isinstance(member, Frame):
                    inner = self.levels[member.key].edges
                    inner[:] = with_sides(inner, side)

    @cached_property
    def lanes(self) -> Lanes | None:
        """The lanes of a multi-resolution network; volumes always follow each other to the right."""
        if any(box.volume for box in self.picture.boxes()):
            return None
        frames = {key: (self.around[key][-1], self.index[key]) for key in self.levels if key != ROOT}
        edges = {key: level.edges for key, level in self.levels.items()}
        return lanes_of(edges, frames, ROOT if self.has_pyramid else None)

    def _extents(self, lanes: Lanes) -> list[tuple[float, float]]:
        """What the members of each lane need, left and right."""
        found = [(0.0, 0.0)] * len(lanes.sizes)
        beside = {key for key in lanes.levels if self._runs_beside(key, lanes)}
        for (key, index), lane in lanes.lane.items():
            member = self.levels[key].members[index]
            if key in beside and (isinstance(member, Box) or member.key in self.laid):
                node = self._node(member)
                found[lane] = max(found[lane][0], node.left), max(found[lane][1], node.right)
        lane_of = {size: float(lane) for lane, size in enumerate(lanes.sizes)}
        for key, index in lanes.spanning:
            labels = self.measures.labels.get(self.levels[key].members[index].key, {})
            edges = [edge for edge in self.levels[key].edges if edge.size in lane_of and edge.tensor in labels]
            for place, tensors in by_lane(edges, "tail", index, lane_of).items():
                lane, ports = int(place), self.measures.exits({tensor: labels[tensor] for tensor in tensors})
                half = max(x + self.measures.width(labels[tensor]) / 2 for tensor, x in ports.items())
                found[lane] = max(found[lane][0], half), max(found[lane][1], half)
        return found

    def _runs_beside(self, key: str, lanes: Lanes) -> bool:
        """Whether other lanes run beside the members of a level, not only before or after them."""
        around = self.around[key][-1] if key != ROOT else None
        is_spanning = around is not None and (around, self.index[key]) in lanes.spanning
        return is_spanning or len({lane for (level, _), lane in lanes.lane.items() if level == key}) > 1

    def _lay_in_lanes(self, key: str, lanes: Lanes, at: Mapping[Size, float]) -> None:
        level, nodes, xs = self.levels[key], [], []
        for index, member in enumerate(level.members):
            is_spanning = (key, index) in lanes.spanning
            if is_spanning and isinstance(member, Box):
                reads, computes = (by_lane(level.edges, end, index, at) for end in ("head", "tail"))
                self.spans[member.key] = self.measures.spanning(member, reads, computes)
            nodes.append(self.spans.get(member.key) or self._node(member))
            lane = lanes.lane.get((key, index))
            is_over = is_spanning or member.key in lanes.levels
            xs.append(0.0 if is_over else None if lane is None else at[lanes.sizes[lane]])
        self.laid[key] = self._lay_level(key, nodes, Places(tuple(xs), at) if key in lanes.levels else None)

    def _lay_level(self, key: str, nodes: Sequence[Node], places: Places | None = None) -> _Laid:
        level = self.levels[key]
        placed = arrange(nodes, level.edges, places)
        turned = [self._reorder(level, index, placed) for index in range(len(nodes))] if places is None else []
        if any(turned):
            nodes = [self._node(member) for member in level.members]
            placed = arrange(nodes, level.edges, places)
        return self._framed(level, placed, sum(node.weight for node in nodes))

    def _reorder(self, level: _Level, index: int, placed: Arrangement) -> bool:
        """Lay out a frame again with its inputs in the order in which they come, if one box reads all of them."""
        member = level.members[index]
        if not isinstance(member, Frame):
            return False
        inner = self.levels[member.key]
        frames = {place for place, inside in enumerate(inner.members) if isinstance(inside, Frame)}
        curves = {edge.tensor: placed.curves[place] for place, edge in enumerate(level.edges) if edge.head == index}
        edges = in_order(inner.edges, frames, curves)
        if edges is not None:
            inner.edges[:] = edges
            self.laid[member.key] = self._lay_level(member.key, [self._node(inside) for inside in inner.members])
        return edges is not None

    def _node(self, member: Box | Frame) -> Node:
        return self.laid[member.key].node if isinstance(member, Frame) else self.measures.node(member)

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
        return with_marks(self._unmarked(page, most))

    def _unmarked(self, page: tuple[float, float] | None, most: float) -> Drawing:
        if bent := self._bent(page, most):
            return replace(bent, is_u=True)
        if page is None:
            return self.strip()
        strip, breaks = self._strip
        across, along = page if self.is_down else page[::-1]
        strip = in_columns(strip, fitting(strip, breaks, across, along, most))
        drawing = strip if self.is_down else turned(strip)
        if not (self.lanes and self.lanes.is_spare) or _room(drawing, page) >= 1:
            return drawing
        marked = self.measures.marked.keys()  # a chain can be broken anywhere
        chain = Layout(self.picture, self.is_down, self.measures.labels, marked, has_pyramid=False)
        return max(drawing, chain._unmarked(page, most), key=lambda drawing: _room(drawing, page))

    def strip(self) -> Drawing:
        """The layout as one long strip, also if the network has the shape of a U."""
        strip, _ = self._strip
        return strip if self.is_down else turned(strip)

    def _bent(self, page: tuple[float, float] | None, most: float) -> Drawing | None:
        """The drawing in the shape of a U, if the network has it; the rows of volumes are read from left to right."""
        if (found := skips_of(self.picture)) is None:
            return None
        if any(box.volume for box in self.picture.boxes()):
            return self._in_rows(levels_of(self.picture, found.skips))
        whole = self._largest(found, page, most, self.measures.labels)
        if whole is None or page is None or _room(whole, page) >= 1:
            return whole
        blank = {key: dict.fromkeys(labels, "") for key, labels in self.measures.labels.items()}
        small = self._largest(found, page, most, blank)  # shapes are left out if a U fits without them
        return small if small and _room(small, page) >= 1 else whole

    def _in_rows(self, skips: Sequence[Arrow]) -> Drawing | None:
        """The volumes in rows, with the skips across."""
        if not skips:
            return None
        starts = starts_of(self.picture, skips)
        chain = Layout(without_skips(self.picture, skips, starts), self.is_down, self.measures.labels)
        drawing = in_rows(*chain._strip, skips, starts)
        return turned(drawing) if drawing else None

    def _largest(
        self, found: Skips, page: tuple[float, float] | None, most: float, labels: Mapping[str, Mapping[str, str]]
    ) -> Drawing | None:
        """The U in the direction in which it is largest on a page."""
        drawings = []
        for is_down in (True, False) if self.may_turn and page else (self.is_down,):
            chain = Layout(replace(self.picture, arrows=found.others), is_down, labels)
            space = Space(*(page if is_down else page[::-1]), most) if page else None
            if drawing := bent(*chain._strip, found.skips, space):
                drawings.append(drawing if is_down else turned(drawing))
        return max(drawings, key=lambda drawing: _room(drawing, page or (1.0, 1.0)), default=None)

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
        measures = self.layout.measures
        across, along = measures.extents(box)
        node = self.layout.spans.get(box.key)
        left, right = (node.left, node.right) if node else (across / 2, across / 2)
        place = Rectangle(at[0] - left, at[1] + measures.lead(box), left + right, along)
        self.boxes.append(PlacedBox(box, place))
        labels = measures.labels.get(box.key, {})
        for tensor, x in (node.exits if node else measures.exits(labels)).items():
            if text := labels[tensor]:
                below = NOTE / 2 if self.is_down else 2 + text_width(text, SMALL) / 2
                self.notes.append(Note(text, at[0] + x, place.bottom + below, measures.width(text)))

    def _curve(self, chain: Sequence[tuple[str, int]]) -> tuple[Point, ...]:
        """The curves of an arrow on all levels, connected."""
        points: list[Point] = []
        for key, edge in chain:
            x, y = self.origin[key]
            curve = [(x + a, y + b) for a, b in self.layout.laid[key].arrangement.curves[edge]]
            if points:
                points += bridge(points[-1], curve[0])
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


def _room(drawing: Drawing, page: tuple[float, float]) -> float:
    """How large a drawing can be on a page."""
    return min(page[0] / drawing.width, page[1] / drawing.height)
