"""The drawings of a page: one of each group with everything in it closed, which the page puts into each other.

The layout of a group does not depend on what is around it, so the page only has to make room for one that is opened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import NodeError, Ref
from cnngraph.render.arrows import arrows
from cnngraph.render.compose import OpenGroup, open_group
from cnngraph.render.layout.boxes import frame_lines
from cnngraph.render.layout.drawing import Drawing, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.measures import MARGIN, TITLE_GAP
from cnngraph.render.layout.nest import lay_out
from cnngraph.render.layout.surroundings import entries
from cnngraph.render.marks import marks
from cnngraph.render.page.skips import Skip, ends_of, without_skips
from cnngraph.render.page.variables import VARIABLES
from cnngraph.render.parts import Group as Marks
from cnngraph.render.picture import Box, Frame, Picture, Row, Shape, Title
from cnngraph.render.settings import Settings
from cnngraph.render.svg import markup
from cnngraph.render.terminals import Terminals, terminals_of
from cnngraph.render.titles import merged
from cnngraph.render.traits import with_traits
from cnngraph.render.tree import READS_OUTSIDE, Group, Tree

MAX_BOXES = 8000  # on one page; groups beyond stay closed
FRAME = "frame"


@frozen
class Fragment:
    """The drawing of one group: its parts as SVG, and what the page needs to place them.

    All places are relative to the upper left corner of the frame. `entries` and `exits` are where tensors cross the
    frame, by `source`, as in arrows: across the flow. `groups` are the numbers of the groups in closed boxes, `errors`
    the nodes with errors that are boxes, `title` the room for the title beside and above what is inside, and `legend`
    the samples of a legend for each box.
    """

    width: float
    height: float
    parts: tuple[Marks, ...]
    boxes: Mapping[str, Rectangle]
    nodes: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, int]
    errors: Mapping[str, NodeError]
    arrows: tuple[PlacedArrow, ...]
    entries: Mapping[str, float]
    exits: Mapping[str, float]
    title: tuple[float, float]
    legend: Mapping[str, tuple[str, ...]]

    def svg(self) -> Iterator[tuple[Marks, str]]:
        """Each part with its SVG elements."""
        return ((part, "".join(map(markup, part.parts))) for part in self.parts)


@frozen(eq=False)
class Drawn:
    """A group of the page; `parent` is its number in the list, `fragment` None if it cannot be opened.

    A group whose only member is another group is opened together with it. `chain` is the drawing without the skips of a
    network in the shape of a U, if an end of one is inside.
    """

    group: Group
    inner: Group
    parent: int | None
    fragment: Fragment | None
    chain: Fragment | None = None


def fragments(tree: Tree, settings: Settings, skips: Sequence[Skip] = ()) -> list[Drawn]:
    """All groups that a page can open, beginning with the whole drawing. Raises SpecError (E501) if that is too big."""
    return _Fragments(tree, settings, skips).all()


@frozen(eq=False)
class _Part:
    """A group to draw, without those that contain nothing but it; the groups inside are numbered from `next_number`."""

    group: Group
    inner: Group
    opened: OpenGroup
    title: Title
    next_number: int
    is_root: bool


@dataclass(slots=True)
class _Fragments:
    tree: Tree
    settings: Settings
    skips: Sequence[Skip]
    found: list[Drawn] = field(default_factory=list)
    boxes: int = 0

    def all(self) -> list[Drawn]:
        root = self.tree.root
        waiting: deque[tuple[Group, Group | None, int | None]] = deque([(root, None, None)])
        number = 0
        bare, ends = without_skips(self.tree, self.skips), ends_of(self.skips)
        while waiting:  # breadth first, so that the numbers of groups are known before they are drawn
            group, around, parent = waiting.popleft()
            number += 1
            inner, chain = group, None
            try:
                inner, title = (root, Title()) if parent is None else self._innermost(group, around)
                opened = open_group(self.tree, inner)
                part = _Part(group, inner, opened, title, number + len(waiting), parent is None)
                fragment = None if self._is_full(opened) else self._fragment(part, self.tree)
                if fragment and any(node in opened.box_of for node in ends):
                    chain = self._fragment(part, bare)
            except SpecError:
                if parent is None:
                    raise
                fragment = None
            if fragment is None:
                self.found.append(Drawn(group, inner, parent, None))
                continue
            self.boxes += len(fragment.boxes)
            self.found.append(Drawn(group, inner, parent, fragment, chain))
            waiting += [(closed, inner, number - 1) for closed in opened.closed.values()]
        return self.found

    def _is_full(self, opened: OpenGroup) -> bool:
        """Whether the page has no room for the boxes of one more group."""
        return bool(self.found) and self.boxes + len(set(opened.box_of.values())) > MAX_BOXES

    def _innermost(self, group: Group, around: Group | None) -> tuple[Group, Title]:
        """The group without those that contain nothing but another one, and the title of all of them."""
        title = open_group(self.tree, group, around).title
        while len(group.members) == 1 and isinstance(only := group.members[0], Group):
            inner = open_group(self.tree, only).title
            if title.times > 1 and inner.times > 1:
                break
            title, group = merged(title, inner, only), only
        return group, title

    def _fragment(self, part: _Part, tree: Tree) -> Fragment:
        """The drawing of a group, with what the nodes of a tree read; boxes look as they do with all that they read."""
        opened = part.opened
        groups = {key: part.next_number + place for place, key in enumerate(opened.closed)}
        nodes: dict[str, list[int]] = {}
        for node, key in sorted(opened.box_of.items()):
            nodes.setdefault(key, []).append(node)
        picture = self._picture(part, tree)
        if tree is not self.tree:
            looks = {member.key: member for member in self._picture(part, self.tree).members}
            picture = replace(picture, members=tuple(looks.get(member.key, member) for member in picture.members))
        drawing = lay_out(picture, replace(self.settings, page=None)).strip()  # in which blocks can be opened
        is_down = self.settings.flow == "down"
        errors = {key: error for key, error in opened.errors if key not in opened.closed}
        return _fragment(drawing, part.group.level, nodes, groups, errors, is_down)

    def _picture(self, part: _Part, tree: Tree) -> Picture:
        opened = part.opened
        ends = terminals_of(tree, opened.box_of) if part.is_root else _ends(tree, part.group, opened.box_of)
        drawn = arrows(
            replace(tree, root=part.inner),
            opened.box_of,
            ends,
            opened.errors,
            {},
        )
        members: tuple[Box | Frame, ...] = opened.members
        if not part.is_root:
            members = (Frame(FRAME, part.title, members, "", opened.look),)
        return with_traits(Picture("", (*ends.inputs, *members, *ends.outputs), drawn), tree)


def _ends(tree: Tree, group: Group, box_of: Mapping[int, str]) -> Terminals:
    """Where tensors enter and leave a group: those of its value, and inner ones that are read outside."""
    entering: dict[Ref, Ref] = {}
    leaving = {tree.drawn_ref(ref): ref for ref in group.scope.value if tree.drawn(ref.node) in box_of}
    for node in sorted(box_of):
        for ref in tree.reads[node]:
            if ref.node < 0 or tree.drawn(ref.node) not in box_of:
                entering.setdefault(tree.drawn_ref(ref), ref)
        for copy in tree.copies.get(node, (node,)):
            for reader in tree.readers[copy]:
                if reader == READS_OUTSIDE or tree.drawn(reader) not in box_of:
                    for ref in _read(tree, reader, copy):
                        leaving.setdefault(tree.drawn_ref(ref), ref)
    for error in tree.graph.errors:
        is_inside = error.path.startswith(f"{group.scope.path}.")
        for ref in error.reads:
            if is_inside != (ref.node >= 0 and tree.drawn(ref.node) in box_of):
                (entering if is_inside else leaving).setdefault(tree.drawn_ref(ref), ref)
    inputs = {ref: _end(Shape.INPUT, place) for place, ref in enumerate(entering.values())}
    outputs = {ref: _end(Shape.OUTPUT, place) for place, ref in enumerate(leaving.values())}
    tails = {ref: box.key for ref, box in inputs.items()}
    for node in box_of:  # several iterations that are drawn as one can read different tensors
        for ref in tree.reads[node]:
            if tree.drawn_ref(ref) in entering:
                tails[ref] = tails[entering[tree.drawn_ref(ref)]]
    return Terminals(
        tuple(inputs.values()), tuple(outputs.values()), tails, {box.key: ref for ref, box in outputs.items()}
    )


def _read(tree: Tree, reader: int, node: int) -> Iterator[Ref]:
    refs = tree.graph.outputs.values() if reader == READS_OUTSIDE else tree.reads[reader]
    return (ref for ref in refs if ref.node == node)


def _end(shape: Shape, place: int) -> Box:
    return Box(f"{shape}{place}", shape, rows=(Row("", shape),))


def _fragment(
    drawing: Drawing,
    level: int,
    nodes: Mapping[str, list[int]],
    groups: Mapping[str, int],
    errors: Mapping[str, NodeError],
    is_down: bool,
) -> Fragment:
    frame = next(iter(drawing.frames), None)
    at = frame.at if frame else Rectangle(0, 0, drawing.width, drawing.height)
    boxes = tuple(
        replace(box, at=box.at.moved(-at.x, -at.y))
        for box in drawing.boxes
        if not (frame and box.box.shape in (Shape.INPUT, Shape.OUTPUT))
    )
    inside, entries, exits = _inside(drawing, at, is_down) if frame else (drawing.arrows, {}, {})
    notes = tuple(
        replace(note, x=note.x - at.x, y=note.y - at.y)
        for note in drawing.notes
        if not frame or (at.x <= note.x <= at.right and at.y <= note.y <= at.bottom)  # or it belongs to an input
    )
    frames = (PlacedFrame(frame.frame, at.moved(-at.x, -at.y), level - 1, is_down),) if frame else ()
    shown = replace(drawing, boxes=boxes, arrows=(), notes=notes, frames=frames)
    return Fragment(
        at.width,
        at.height,
        tuple(marks(shown, VARIABLES)),
        {box.box.key: box.at for box in boxes},
        {key: tuple(found) for key, found in nodes.items()},
        groups,
        errors,
        inside,
        entries,
        exits,
        _title_room(frame) if frame and is_down else (0.0, 0.0),
        {box.box.key: tuple(_legend(drawing, box)) for box in boxes},
    )


def _title_room(frame: PlacedFrame) -> tuple[float, float]:
    lines = frame_lines(frame.frame.title)
    return max((line.width + MARGIN + TITLE_GAP for line in lines), default=0.0), sum(line.height for line in lines)


def _legend(drawing: Drawing, box: PlacedBox) -> Iterator[str]:
    """The samples of a legend for one box."""
    return (sample for sample, _ in entries(replace(drawing, boxes=(box,), frames=(), arrows=())))


def _inside(
    drawing: Drawing, at: Rectangle, is_down: bool
) -> tuple[tuple[PlacedArrow, ...], dict[str, float], dict[str, float]]:
    """The parts of arrows inside a frame, and where tensors enter and leave it."""
    entries: dict[str, float] = {}
    exits: dict[str, float] = {}
    inside = []
    for placed in drawing.arrows:
        curve, source = placed.curve, placed.arrow.source
        if placed.arrow.tail.startswith(Shape.INPUT):
            curve = curve[_crossing(curve, at.y if is_down else at.x, is_down) :]
            entries[source] = curve[0][0] - at.x if is_down else curve[0][1] - at.y
        if placed.arrow.head.startswith(Shape.OUTPUT):
            curve = curve[: _crossing(curve, at.bottom if is_down else at.right, is_down) + 1]
            exits[source] = curve[-1][0] - at.x if is_down else curve[-1][1] - at.y
        inside.append(replace(placed, curve=tuple((x - at.x, y - at.y) for x, y in curve)))
    return tuple(inside), entries, exits


def _crossing(curve: Sequence[Point], border: float, is_down: bool) -> int:
    """The index of the point of a curve that is on the border of a frame: curves of two levels meet there."""
    return min(range(0, len(curve), 3), key=lambda index: abs(curve[index][is_down] - border))
