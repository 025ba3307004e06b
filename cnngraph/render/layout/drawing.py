"""A picture with places: what all formats draw. Coordinates are in points, with y downwards."""

from __future__ import annotations

from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.render.picture import Arrow, Box, Frame

Point = tuple[float, float]


@frozen
class Rectangle:
    """A rectangle by its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower side."""
        return self.y + self.height

    @property
    def turned(self) -> Rectangle:
        """The rectangle with x and y exchanged."""
        return Rectangle(self.y, self.x, self.height, self.width)

    @property
    def middle(self) -> Point:
        """The centre."""
        return self.x + self.width / 2, self.y + self.height / 2

    def moved(self, x: float, y: float) -> Rectangle:
        """The rectangle, moved."""
        return Rectangle(self.x + x, self.y + y, self.width, self.height)


@frozen
class PlacedBox:
    """A box and its place."""

    box: Box
    at: Rectangle


@frozen
class PlacedFrame:
    """A frame and its place.

    `level` counts the frames around it, `is_down` is whether its flow is vertical, `continues` whether it is the part
    of a frame that begins in another column.
    """

    frame: Frame
    at: Rectangle
    level: int
    is_down: bool = True
    continues: bool = False


@frozen
class PlacedArrow:
    """An arrow and its curve: a start, then three points for each cubic Bézier segment. It ends in an arrowhead."""

    arrow: Arrow
    curve: tuple[Point, ...]


@frozen
class Note:
    """A small text beside an arrow: the shape of a tensor, or the role of an input. `x` and `y` are its middle."""

    text: str
    x: float
    y: float
    across: float = 0.0


@frozen
class Key:
    """An entry of the legend: a sample (a kind of op, a sign, a look, or a text) and what it means."""

    sample: str
    text: str
    x: float
    y: float


@frozen
class Drawing:
    """A complete layout. Frames are in order from the outermost, so that inner ones are drawn above them.

    `torn` is how many frames are cut that would fit one column, and how many columns have less than two boxes.
    `is_u` is whether it has the shape of a U, `is_lone` whether a column has only an input, an output or a sign.
    """

    name: str
    width: float
    height: float
    boxes: tuple[PlacedBox, ...]
    frames: tuple[PlacedFrame, ...]
    arrows: tuple[PlacedArrow, ...]
    notes: tuple[Note, ...]
    title: str = ""
    legend: tuple[Key, ...] = ()
    columns: int = 1
    torn: int = 0
    is_down: bool = True
    is_u: bool = False
    is_lone: bool = False


def turned(drawing: Drawing) -> Drawing:
    """The drawing with x and y exchanged."""
    return replace(
        drawing,
        is_down=False,
        width=drawing.height,
        height=drawing.width,
        boxes=tuple(replace(box, at=box.at.turned) for box in drawing.boxes),
        frames=tuple(replace(frame, at=frame.at.turned) for frame in drawing.frames),
        arrows=tuple(replace(arrow, curve=tuple((y, x) for x, y in arrow.curve)) for arrow in drawing.arrows),
        notes=tuple(replace(note, x=note.y, y=note.x) for note in drawing.notes),
    )
