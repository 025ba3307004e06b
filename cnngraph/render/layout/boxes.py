"""The text in a box, line by line, and the size that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.render.fonts import text_width
from cnngraph.render.picture import Box, Row, Shape, Slab, Title, Traits, Volume, sign

TEXT, SMALL, TITLE = 9.0, 8.0, 8.5  # font sizes in points: rows, notes and shapes, titles
LEADING = 1.3  # the height of a line in font sizes
PAD_X, PAD_Y = 4.5, 2.5  # between the text and the border of a box
BETWEEN = 1.5  # between the rows of a box
CIRCLE = 13.0  # the diameter of the circle of a sum
MARK = 11.0  # the room for a sign before a text
MAX_TITLE = 64.0  # the width of a title with a count that is not broken
SLANT = 4.5  # the room for a slanted side of a box that changes the size of a map


@frozen
class Run:
    """A part of a line with one style; `grey` text is secondary."""

    text: str
    size: float = TEXT
    bold: bool = False
    grey: bool = False

    @property
    def width(self) -> float:
        """The width in points."""
        return text_width(self.text, self.size, bold=self.bold)


@frozen
class Line:
    """A line of text. `kind` is the kind of op whose colour is behind it, if any, `traits` what is marked on it."""

    runs: tuple[Run, ...]
    kind: str = ""
    traits: Traits = Traits()

    @property
    def width(self) -> float:
        """The width in points."""
        return sum(run.width for run in self.runs)

    @property
    def height(self) -> float:
        """The height in points."""
        return max(run.size for run in self.runs) * LEADING


def lines(box: Box) -> tuple[Line, ...]:
    """The text of a box: its title, then its rows; a volume has labels instead."""
    if box.volume:
        return ()
    if box.shape in (Shape.INPUT, Shape.OUTPUT):
        return (Line((Run(box.title.name, bold=True), Run(f" {box.rows[0].text}".rstrip()))),)
    titled = [replace(title_line(box.title), traits=box.traits)] if box.title else []
    return (*titled, *(_row(row) for row in box.rows))


def size(box: Box) -> tuple[float, float]:
    """The width and height of a box."""
    if box.volume:
        return volume_size(box.volume)
    if sign(box):
        return CIRCLE, CIRCLE
    texts = lines(box)
    rows = len(box.rows)
    inset = 0.0 if box.is_one else BETWEEN
    width = max(line.width + MARK * len(line.traits.marks) for line in texts) + 2 * PAD_X + 2 * inset
    height = sum(line.height for line in texts) + 2 * PAD_Y + (rows - 1 + 2 * bool(inset)) * inset
    return width, height


def volume_size(volume: Volume) -> tuple[float, float]:
    """The width and height of a volume with its labels, such that the middle is at half of both."""
    whole = volume.thickness + volume.depth
    whole = CIRCLE + 2 * whole if volume.sign else whole
    widths = [whole, *(text_width(text, SMALL) for text in (volume.size, volume.name))]
    labels = [(start, text) for start, slab in labels_of(volume) for text in slab.texts]
    for start, text in (*labels, *poolings_of(volume)):
        widths.append(2 * abs(start - whole / 2) + text_width(text, SMALL))
    return max(widths), volume.height + volume.depth + 2 * max(label_lines(volume)) * SMALL * LEADING


def label_lines(volume: Volume) -> tuple[int, int]:
    """How many lines of labels are above and below a volume."""
    below = sum(any(texts) for texts in zip(*(slab.texts for slab in volume.slabs), strict=True))
    return bool(volume.size) + any(poolings_of(volume)), below + bool(volume.name)


def unused_label_room(volume: Volume) -> tuple[float, float]:
    """The room for labels above and below a volume that is empty, since there is as much on both sides."""
    above, below = label_lines(volume)
    most = max(above, below)
    return (most - above) * SMALL * LEADING, (most - below) * SMALL * LEADING


def labels_of(volume: Volume) -> Iterator[tuple[float, Slab]]:
    """The middles of the labels below a volume, from its left side; that of a single one is below the whole."""
    if len(volume.slabs) == 1:
        yield (volume.thickness + volume.depth) / 2, volume.slabs[0]
        return
    x = 0.0
    for slab in volume.slabs:
        yield x + slab.thickness / 2, slab
        x += slab.thickness


def poolings_of(volume: Volume) -> Iterator[tuple[float, str]]:
    """The texts of poolings, with their middles from the left side: above their slices, but not beside the volume.

    That of a pooling at the start, which makes the map of the whole volume, is in the middle.
    """
    x, whole = 0.0, volume.thickness + volume.depth
    for slab in volume.slabs:
        if text := slab.above:
            half = text_width(text, SMALL) / 2
            near = max(half, min(whole - half, x + (slab.thickness + volume.depth) / 2))
            yield near if x and 2 * half < whole else whole / 2, text
        x += slab.thickness


def title_line(title: Title, *, leads: bool = True) -> Line:
    """A title on one line; the name of the block is bold if there is no other name."""
    runs = [Run(title.name, TITLE, bold=True)] if title.name else []
    if title.block:
        bold = leads and not runs
        runs.append(Run(title.block, TITLE, bold=bold, grey=not bold))
    runs += [Run(title.count, TITLE, bold=True)] if title.count else []
    runs += [Run(title.note, TITLE, grey=True)] if title.note else []
    return Line(tuple(replace(run, text=f" {run.text}") if place else run for place, run in enumerate(runs)))


def frame_lines(title: Title, is_down: bool = True, continues: bool = False) -> tuple[Line, ...]:
    """The title of a frame: beside the arrow into it, the name has a line of its own; not in a continuation."""
    if continues:
        count = (Run(f" {title.count}", TITLE, bold=True, grey=True),) if title.count else ()
        return (Line((Run(f"{title.name or title.block} …".strip(), TITLE, grey=True), *count)),) if title else ()
    rest = replace(title, name="")
    whole = title_line(title)
    is_short = not title.block and not title.note and whole.width <= MAX_TITLE
    if is_down and title.name and rest and not is_short:
        return title_line(Title(title.name)), title_line(rest, leads=False)
    return (whole,) if title else ()


def _row(row: Row) -> Line:
    if row.kind == "scope":
        return Line((Run(row.text, SMALL, grey=True),))
    note = (Run(f" {row.note}", SMALL, grey=True),) if row.note else ()
    return Line((Run(row.text), *note), row.colour, row.traits)
