"""Moving the parts of a drawing that is broken into columns to their places.

A line continues at the head of the next column; a frame that is cut has a part in each. Coordinates are abstract: y is
along the flow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from cnngraph.render.layout.columns import BORDER, GUTTER, TURN, Columns
from cnngraph.render.layout.curves import around, split
from cnngraph.render.layout.drawing import Drawing, Note, PlacedArrow, PlacedBox, PlacedFrame, Point, Rectangle
from cnngraph.render.layout.pieces import OUTER, Pieces


def in_columns(drawing: Drawing, columns: Columns) -> Drawing:
    """The drawing in columns."""
    return _Moving(drawing, columns).drawing() if columns.breaks else drawing


class _Moving:
    """Moves everything into its column."""

    def __init__(self, drawing: Drawing, columns: Columns) -> None:
        self.old, self.columns, self.breaks = drawing, columns, columns.breaks
        self.pieces = pieces = Pieces(drawing, self.breaks)
        self.stops = pieces.ys[1:]
        self.spans = [pieces.spans(column, column + 1) for column in range(len(self.stops))]
        self.moves: list[Point] = []
        x = BORDER
        for column, spans in enumerate(self.spans):
            left, right = spans[OUTER]
            self.moves.append((x - left, BORDER + TURN + pieces.heads[column] - pieces.ys[column]))
            x += right - left + GUTTER

    def drawing(self) -> Drawing:
        return replace(
            self.old,
            width=self.columns.across,
            height=self.columns.along,
            columns=len(self.spans),
            torn=self.columns.torn,
            is_lone=self.columns.is_lone,
            boxes=tuple(self._box(box) for box in self.old.boxes),
            frames=tuple(part for frame in self.old.frames for part in self._parts(frame)),
            arrows=tuple(self._arrow(arrow) for arrow in self.old.arrows),
            notes=tuple(self._note(note) for note in self.old.notes),
        )

    def _column(self, y: float) -> int:
        return min(bisect_right(self.stops, y), len(self.stops) - 1)

    def _moved(self, point: Point, column: int) -> Point:
        x, y = self.moves[column]
        return point[0] + x, point[1] + y

    def _box(self, placed: PlacedBox) -> PlacedBox:
        return replace(placed, at=placed.at.moved(*self.moves[self._column(placed.at.y)]))

    def _note(self, note: Note) -> Note:
        x, y = self.moves[self._column(note.y)]
        return replace(note, x=note.x + x, y=note.y + y)

    def _parts(self, placed: PlacedFrame) -> Iterator[PlacedFrame]:
        """The parts of a frame, one in each of its columns; all but the first are continuations."""
        at, first, last = placed.at, self._column(placed.at.y), self._column(placed.at.bottom)
        for column in range(first, last + 1):
            left, right = self.spans[column][placed.frame.key] if first < last else (at.x, at.right)
            top = at.y if column == first else self.pieces.top(placed, column)
            bottom = at.bottom if column == last else self.pieces.bottom(placed, column + 1)
            part = Rectangle(left, top, right - left, bottom - top)
            yield replace(placed, at=part.moved(*self.moves[column]), continues=column > first)

    def _arrow(self, placed: PlacedArrow) -> PlacedArrow:
        curve, column = list(placed.curve), self._column(placed.curve[0][1])
        done: list[Point] = []
        last = self._column(placed.curve[-1][1] - 0.01)
        while column < last:
            before, curve = split(curve, self.breaks[column].y)
            done += [self._moved(point, column) for point in before][bool(done) :]
            done += self._turn(done[-1], self._moved(curve[0], column + 1), column)[1:]
            column += 1
        return replace(placed, curve=(*done, *[self._moved(point, column) for point in curve][bool(done) :]))

    def _turn(self, end: Point, start: Point, column: int) -> tuple[Point, ...]:
        """The way from the end of a column to the start of the next."""
        low = self.stops[column] + self.moves[column][1] + self.pieces.feet[column + 1] + TURN
        high = BORDER
        gutter = self.spans[column][OUTER][1] + self.moves[column][0] + GUTTER / 2
        return around([end, (end[0], low), (gutter, low), (gutter, high), (start[0], high), start])
