"""The last step of a layout: all levels, which were laid out by themselves, in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cnngraph.frozen import frozen
from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.breaks import Break, breaks_of
from cnngraph.render.layout.curves import bridge
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.measures import NOTE, ROLE, Measures
from cnngraph.render.layout.routes import Arrangement
from cnngraph.render.layout.strip import ROOT, Edge, Node
from cnngraph.render.picture import Box, Frame, Picture

BORDER = 6.0  # around the drawing


@dataclass(slots=True)
class Level:
    """A frame or the whole picture: its members, and the edges between them with the arrows that each stands for."""

    frame: Frame | None
    members: tuple[Box | Frame, ...]
    edges: list[Edge] = field(default_factory=list)
    known: dict[tuple[int, int, str], int] = field(default_factory=dict)


@frozen
class Laid:
    """A level with its arrangement. `inset` is where the arrangement starts in its frame, across and along."""

    node: Node
    arrangement: Arrangement
    inset: Point


class Placing:
    """Gives every box, frame and arrow its final place, in abstract coordinates.

    `levels` and `laid` are the levels by their keys, `chains` the edges of each arrow of the picture, level by level,
    and `spans` the boxes over several lanes.
    """

    def __init__(
        self,
        picture: Picture,
        measures: Measures,
        levels: Mapping[str, Level],
        laid: Mapping[str, Laid],
        chains: Sequence[Sequence[tuple[str, int]]],
        spans: Mapping[str, Node],
    ) -> None:
        self.picture, self.measures, self.is_down = picture, measures, measures.is_down
        self.levels, self.laid, self.chains, self.spans = levels, laid, chains, spans
        self.boxes: list[PlacedBox] = []
        self.frames: list[PlacedFrame] = []
        self.notes: list[Note] = []
        self.candidates: list[Break] = []
        self.origin: dict[str, Point] = {}  # where the arrangement of each level starts

    def strip(self) -> tuple[Drawing, list[Break]]:
        """Everything on one long strip, and where it can be broken."""
        root = self.laid[ROOT].arrangement
        self._place_levels((root.left + BORDER, BORDER))
        arrows = tuple(
            PlacedArrow(arrow, self._curve(chain))
            for arrow, chain in zip(self.picture.arrows, self.chains, strict=True)
        )
        across, along = root.left + root.right + 2 * BORDER, root.length + 2 * BORDER
        notes = (*self.notes, *self._roles(arrows))
        drawing = Drawing(self.picture.name, across, along, tuple(self.boxes), tuple(self.frames), arrows, notes)
        return drawing, breaks_of(drawing, self.candidates)

    def _place_levels(self, origin: Point) -> None:
        waiting: list[tuple[str, Point, int]] = [(ROOT, origin, 0)]
        while waiting:
            key, origin, depth = waiting.pop()
            self.origin[key] = origin
            level, laid = self.levels[key], self.laid[key]
            for cut in laid.arrangement.cuts:
                self.candidates.append(Break(origin[1] + cut, origin[0], depth))
            for position, member in enumerate(level.members):
                x, y = laid.arrangement.at[position]
                at = origin[0] + x, origin[1] + y
                if isinstance(member, Frame):
                    inner = self.laid[member.key]
                    place = Rectangle(
                        at[0] - inner.node.left, at[1], inner.node.left + inner.node.right, inner.node.length
                    )
                    self.frames.append(PlacedFrame(member, place, depth, self.is_down))
                    waiting.append((member.key, (at[0], at[1] + inner.inset[1]), depth + 1))
                else:
                    self._box(member, at)

    def _box(self, box: Box, at: Point) -> None:
        measures = self.measures
        across, along = measures.extents(box)
        node = self.spans.get(box.key)
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
            curve = [(x + a, y + b) for a, b in self.laid[key].arrangement.curves[edge]]
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
