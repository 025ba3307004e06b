"""The title above a drawing and the legend below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cnngraph.render.fonts import text_width
from cnngraph.render.label import ENLARGED
from cnngraph.render.layout.boxes import SMALL
from cnngraph.render.layout.drawing import Drawing, Key
from cnngraph.render.picture import Box, Change, Flow, Look, Shape, Trait, sign

HEADING = 13.0  # the font size of a title
ABOVE = 26.0  # the room for a title
SWATCH, SPACE, LINE = 11.0, 12.0, 15.0  # of a legend: the width of a sample, between entries, the height of a line
BORDER = 8.0

KINDS = {
    "conv": "convolution",
    "transposed": "transposed convolution",
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
    "merge": "concat",
    "scope": "closed block",
    "error": "error",
}
TIMES, UPSCALED = "×n", f"{ENLARGED}n"  # entries whose sample is a text
FACTOR = re.compile(rf"(?<!\w){ENLARGED}\d")
SIGNS = {"sum": "+", "difference": "−", "product": "×", "concat with what enters the block": "c"}
TRAITS = {
    Trait.GATE: "gate: scales what passes",
    Trait.DILATED: "dilated; larger: stronger colour",
    Trait.DEPTHWISE: "depthwise",
    Trait.GROUPED: "in groups",
}
CHANGES = {Change.SMALLER: "smaller map", Change.LARGER: "larger map"}
FLOWS = {Flow.PROJECTION: "shortcut with a projection", Flow.SIZE: "gives only its size"}
LOOKS = {Look.TRAINING: "only in training mode", Look.UNUSED: "never runs"}
SIGN_NAMES = {mark: name for name, mark in SIGNS.items()}
TEXTS = {TIMES: "n equal iterations, drawn once", UPSCALED: "n times as high and wide"}
ALL: tuple[Mapping[Any, str], ...] = (KINDS, TRAITS, CHANGES, {name: name for name in SIGNS}, FLOWS, LOOKS, TEXTS)
ENTRIES = {str(sample): text for texts in ALL for sample, text in texts.items()}  # of a legend, in order


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
    for sample, text in entries(drawing):
        width = SWATCH + 4 + text_width(text, SMALL)
        if x > BORDER and x + width > drawing.width - BORDER:
            x, y = BORDER, y + LINE
        keys.append(Key(sample, text, x, y))
        x += width + SPACE
    return replace(drawing, legend=tuple(keys), height=y + LINE / 2 + 2) if keys else drawing


def entries(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """The samples and texts of a legend, for what occurs."""
    found = set(_occurring(drawing))
    return ((sample, text) for sample, text in ENTRIES.items() if sample in found)


def _occurring(drawing: Drawing) -> Iterator[str]:
    """The samples of what occurs in a drawing."""
    for box in (placed.box for placed in drawing.boxes):
        yield from _kinds(box)
        yield from _traits(box)
        yield box.look
        if not box.volume:
            yield box.change
        if Trait.GATE not in box.traits.marks:
            yield SIGN_NAMES.get(sign(box), "")
        if _has_count(box):
            yield TIMES
        if any(map(FACTOR.search, _texts(box))):
            yield UPSCALED
    yield from (placed.arrow.flow for placed in drawing.arrows if placed.arrow.look is Look.PLAIN)
    yield from (TIMES for placed in drawing.frames if placed.frame.title.times > 1)


def _kinds(box: Box) -> Iterator[str]:
    """The kinds of op whose colours a box shows."""
    if box.volume:
        yield from (slice.kind for slab in box.volume.slabs for slice in slab.slices if slice.kind != Shape.INPUT)
    elif not sign(box) and box.shape in (Shape.OPS, Shape.SCOPE, Shape.ERROR):
        yield from (row.colour for row in box.rows if row.colour != "merge")


def _traits(box: Box) -> Iterator[Trait]:
    """The traits that a box is marked with: in volumes, gates and dilated slices; groups are in their texts."""
    if box.volume:
        if Trait.GATE in box.marks:
            yield Trait.GATE
        yield from (Trait.DILATED for slab in box.volume.slabs for slice in slab.slices if slice.level)
        return
    yield from box.marks


def _texts(box: Box) -> Iterator[str]:
    """The texts about operations that a box shows."""
    if box.volume:
        yield from (slab.window for slab in box.volume.slabs)
    else:
        yield from (row.text for row in box.rows)


def _has_count(box: Box) -> bool:
    return box.volume.name.endswith(box.title.count) if box.volume and box.title.times > 1 else box.title.times > 1
