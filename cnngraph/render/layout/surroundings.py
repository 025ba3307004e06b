"""The title above a drawing and the legend below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.drawing import Drawing, Key
from cnngraph.render.picture import Look, Shape, sign

HEADING = 13.0  # the font size of a title
ABOVE = 26.0  # the room for a title
SWATCH, SPACE, LINE = 11.0, 12.0, 15.0  # of a legend: the width of a sample, between entries, the height of a line
BORDER = 8.0

KINDS = {
    "conv": "convolution",
    "linear": "linear",
    "attention": "attention",
    "pool": "pooling",
    "norm": "normalization",
    "activation": "activation",
    "reduction": "reduction",
    "arithmetic": "arithmetic",
    "dropout": "dropout",
    "reshape": "reshape",
    "resize": "resize",
    "scope": "closed block",
    "error": "error",
}
SIGNS = {"+": "sum", "−": "difference", "×": "product", "c": "concat with what enters the block"}
LOOKS = {Look.TRAINING: "only in training mode", Look.UNUSED: "never runs"}


def surrounded(drawing: Drawing, title: str | None, legend: bool) -> Drawing:
    """The drawing with a title and, if wanted, a legend of the colours, signs and lines that occur in it."""
    if title:
        width = max(drawing.width, text_width(title, HEADING, bold=True) + 2 * BORDER)
        drawing = replace(_moved(drawing, (width - drawing.width) / 2, ABOVE), title=title, width=width)
    return _with_legend(drawing) if legend else drawing


def _moved(drawing: Drawing, x: float, y: float) -> Drawing:
    return replace(
        drawing,
        width=drawing.width + x,
        height=drawing.height + y,
        boxes=tuple(replace(box, at=box.at.moved(x, y)) for box in drawing.boxes),
        frames=tuple(replace(frame, at=frame.at.moved(x, y)) for frame in drawing.frames),
        arrows=tuple(replace(arrow, curve=tuple((a + x, b + y) for a, b in arrow.curve)) for arrow in drawing.arrows),
        notes=tuple(replace(note, x=note.x + x, y=note.y + y) for note in drawing.notes),
    )


def _with_legend(drawing: Drawing) -> Drawing:
    keys, x, y = [], BORDER, drawing.height + LINE / 2
    for sample, text in _entries(drawing):
        width = SWATCH + 4 + text_width(text, SMALL)
        if x > BORDER and x + width > drawing.width - BORDER:
            x, y = BORDER, y + LINE
        keys.append(Key(sample, text, x, y))
        x += width + SPACE
    return replace(drawing, legend=tuple(keys), height=y + LINE / 2 + 2) if keys else drawing


def _entries(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """The samples and texts of a legend, for what occurs."""
    boxes = [placed.box for placed in drawing.boxes]
    drawn = {
        row.kind
        for box in boxes
        for row in box.rows
        if not sign(box) and box.shape in (Shape.OPS, Shape.SCOPE, Shape.ERROR)
    }
    yield from ((kind, text) for kind, text in KINDS.items() if kind in drawn)
    signs = {sign(box) for box in boxes}
    yield from ((mark, text) for mark, text in SIGNS.items() if mark in signs)
    looks = {box.look for box in boxes}
    yield from ((look.value, text) for look, text in LOOKS.items() if look in looks)
    titles = [box.title for box in boxes] + [frame.frame.title for frame in drawing.frames]
    if any(title.times > 1 for title in titles):
        yield "×n", "n equal iterations, drawn once"
