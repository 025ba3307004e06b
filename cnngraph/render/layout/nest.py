"""Laying out a picture: each frame by itself, from the innermost out; then all are placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property

from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.breaks import Break
from cnngraph.render.layout.columns import fitting
from cnngraph.render.layout.drawing import Drawing, turned
from cnngraph.render.layout.head_marks import unordered, with_marks
from cnngraph.render.layout.heads import heads_beside
from cnngraph.render.layout.lanes import Lanes, Places, by_lane, lanes_of
from cnngraph.render.layout.level import arrange
from cnngraph.render.layout.measures import ENDS, MARGIN, TITLE_GAP, Measures, labels_of
from cnngraph.render.layout.moving import in_columns
from cnngraph.render.layout.packing import LaidLevel, packed
from cnngraph.render.layout.placing import Laid, Level, Placing
from cnngraph.render.layout.pyramid import Size
from cnngraph.render.layout.routes import Arrangement
from cnngraph.render.layout.row_parts import levels_of, starts_of, without_skips
from cnngraph.render.layout.rows import in_rows
from cnngraph.render.layout.series import BESIDE
from cnngraph.render.layout.sides import in_order, sides_of, with_sides
from cnngraph.render.layout.strip import OUTSIDE, ROOT, Edge, Node
from cnngraph.render.layout.ushape import Skips, Space, bent, skips_of
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture
from cnngraph.render.settings import Settings
from cnngraph.render.short_lines import with_short_lines


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

    Boxes in `marked` have room for numbers or signs of their inputs. With `heads_beside`, heads in one lane are side by
    side, otherwise one after the other. With `output_lanes`, outputs of several sizes have lanes, even if nothing else
    reads, computes or merges so many.
    """

    def __init__(
        self,
        picture: Picture,
        is_down: bool,
        labels: Mapping[str, Mapping[str, str]],
        marked: AbstractSet[str] = frozenset(),
        *,
        may_turn: bool = False,
        heads_beside: bool = True,
        output_lanes: bool = True,
    ) -> None:
        self.picture, self.is_down, self.may_turn = picture, is_down, may_turn
        self.heads_beside, self.output_lanes = heads_beside, output_lanes
        self.levels: dict[str, Level] = {}
        self.index: dict[str, int] = {}  # the position of a box or frame among the members of its level
        self.around: dict[str, tuple[str, ...]] = {}  # the levels around a box or frame, outermost first
        self._enter(None, picture.members, ())
        self.measures = Measures(picture.arrows, is_down, labels, marked)
        self.chains = [self._chain(arrow) for arrow in picture.arrows]
        self.spans: dict[str, Node] = {}  # the boxes over several lanes
        self.aside: dict[str, dict[int, float]] = {}  # how far the members of a level are from their lanes
        self.laid: dict[str, Laid] = {}
        self._lay_levels()

    def _enter(self, frame: Frame | None, members: tuple[Box | Frame, ...], around: tuple[str, ...]) -> None:
        waiting = [(frame, members, around)]
        while waiting:
            frame, members, around = waiting.pop()
            key = frame.key if frame else ROOT
            self.levels[key] = Level(frame, members)
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
            self._lay_lanes(lanes, waiting)

    def _find_sides(self) -> None:
        """Tell the levels from which side each tensor enters them."""
        for level in self.levels.values():
            for member, side in zip(level.members, sides_of(level.edges, len(level.members)), strict=True):
                if isinstance(member, Frame):
                    inner = self.levels[member.key].edges
                    inner[:] = with_sides(inner, side)

    @cached_property
    def lanes(self) -> Lanes | None:
        """The lanes of a multi-resolution network."""
        frames = {key: (self.around[key][-1], self.index[key]) for key in self.levels if key != ROOT}
        edges = {key: level.edges for key, level in self.levels.items()}
        return lanes_of(edges, frames, ROOT if self.output_lanes else None)

    def _lay_lanes(self, lanes: Lanes, waiting: Sequence[str]) -> None:
        """Lay out the levels with lanes that are wide apart, and then as near to each other as is possible."""
        inside = {key: self._known(key) for key in lanes.levels}
        if self.heads_beside:
            self.aside = {
                key: heads_beside(inside[key], self.levels[key].edges, lanes.lane.get(key, {})) for key in inside
            }
        most = max((max(node.left, node.right) for nodes in inside.values() for node in nodes if node), default=0.0)
        most += max((abs(x) for xs in self.aside.values() for x in xs.values()), default=0.0) + BESIDE
        at = {size: 2 * most * place for place, size in enumerate(lanes.sizes)}
        laid = [self._lay_in_lanes(key, lanes, at) for key in waiting]
        at = dict(zip(lanes.sizes, packed(filter(None, laid), len(at)), strict=True))
        for key in waiting:
            self._lay_in_lanes(key, lanes, at)

    def _known(self, key: str) -> list[Node | None]:
        """The members of a level, as far as they are laid out."""
        members = self.levels[key].members
        return [self._node(one) if isinstance(one, Box) or one.key in self.laid else None for one in members]

    def _lay_in_lanes(self, key: str, lanes: Lanes, at: Mapping[Size, float]) -> LaidLevel | None:
        """Lay out a level with lanes, or around one."""
        level, nodes, xs = self.levels[key], [], []
        lane, aside = lanes.lane.get(key, {}), self.aside.get(key, {})
        for index, member in enumerate(level.members):
            is_spanning = (key, index) in lanes.spanning
            if is_spanning and isinstance(member, Box):
                reads, computes = (by_lane(level.edges, end, index, at) for end in ("head", "tail"))
                self.spans[member.key] = self.measures.spanning(member, reads, computes)
            nodes.append(self.spans.get(member.key) or self._node(member))
            is_over = is_spanning or member.key in lanes.levels
            place = None if is_over else lane.get(index)
            xs.append(0.0 if is_over else None if place is None else at[lanes.sizes[place]] + aside.get(index, 0.0))
        if key not in lanes.levels:
            self.laid[key] = self._lay_level(key, nodes)
            return None
        self.laid[key] = self._lay_level(key, nodes, Places(tuple(xs), at))
        at_nodes = self.laid[key].arrangement.at
        spanning = [index for index, member in enumerate(level.members) if member.key in self.spans]
        labels = {index: dict(self._labels(level, index, lanes)) for index in spanning}
        return LaidLevel(nodes, level.edges, at_nodes, lane, aside, lanes.sizes, labels)

    def _labels(self, level: Level, index: int, lanes: Lanes) -> Iterator[tuple[int, float]]:
        """The lanes of the shapes below a box over several lanes, and half of what they need there."""
        lane_of = {size: float(lane) for lane, size in enumerate(lanes.sizes)}
        labels = self.measures.labels.get(level.members[index].key, {})
        edges = [edge for edge in level.edges if edge.size in lane_of and edge.tensor in labels]
        for place, tensors in by_lane(edges, "tail", index, lane_of).items():
            ports = self.measures.exits({tensor: labels[tensor] for tensor in tensors})
            yield int(place), max(x + self.measures.width(labels[tensor]) / 2 for tensor, x in ports.items())

    def _lay_level(self, key: str, nodes: Sequence[Node], places: Places | None = None) -> Laid:
        level = self.levels[key]
        placed = arrange(nodes, level.edges, places)
        turned = [self._reorder(level, index, placed) for index in range(len(nodes))] if places is None else []
        if any(turned):
            nodes = [self._node(member) for member in level.members]
            placed = arrange(nodes, level.edges, places)
        return self._framed(level, placed, sum(node.weight for node in nodes))

    def _reorder(self, level: Level, index: int, placed: Arrangement) -> bool:
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

    def _framed(self, level: Level, placed: Arrangement, weight: int) -> Laid:
        if level.frame is None:
            return Laid(Node(placed.left, placed.right, placed.length, weight=weight), placed, (0.0, 0.0))
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
        return Laid(node, placed, (0.0, start))

    def drawing(self, page: tuple[float, float] | None = None, most: float = 1.0) -> Drawing:
        """The layout as a drawing: on one long strip, or in columns, on a page (width, height)."""
        return with_marks(self._unmarked(page, most))

    def _unmarked(self, page: tuple[float, float] | None, most: float) -> Drawing:
        if bent := self._bent(page, most):
            return replace(bent, is_u=True)
        if page is None:
            return self._unbroken
        drawing = self._in_columns(page, most)
        if self.lanes is None or _room(drawing, page) >= 1:
            return drawing
        found, labels, marked = [drawing], self.measures.labels, self.measures.marked.keys()
        if any(self.aside.values()):
            found.append(Layout(self.picture, self.is_down, labels, marked, heads_beside=False)._in_columns(page, most))
        if self.lanes.is_spare:  # a chain can be broken anywhere
            found.append(Layout(self.picture, self.is_down, labels, marked, output_lanes=False)._unmarked(page, most))
        return max(found, key=lambda drawing: _room(drawing, page))

    def _in_columns(self, page: tuple[float, float], most: float) -> Drawing:
        strip, breaks = self._strip
        across, along = page if self.is_down else page[::-1]
        strip = in_columns(strip, fitting(strip, breaks, across, along, most))
        return strip if self.is_down else turned(strip)

    def strip(self) -> Drawing:
        """The layout as one long strip, also if the network has the shape of a U."""
        return with_marks(self._unbroken)

    @property
    def _unbroken(self) -> Drawing:
        strip, _ = self._strip
        return strip if self.is_down else turned(strip)

    def _bent(self, page: tuple[float, float] | None, most: float) -> Drawing | None:
        """The drawing in the shape of a U, if the network has it; the rows of volumes are read from left to right."""
        if (self.lanes and self.lanes.has_heads) or (found := skips_of(self.picture)) is None:
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
        return Placing(self.picture, self.measures, self.levels, self.laid, self.chains, self.spans).strip()


def _room(drawing: Drawing, page: tuple[float, float]) -> float:
    """How large a drawing can be on a page."""
    return min(page[0] / drawing.width, page[1] / drawing.height)
