"""Turning the boxes of a picture into volumes in perspective, as papers draw feature maps.

Height and depth of a volume are from the height and width of the map, its thickness from the channels: square roots, so
that a map of 7×7 is visible beside one of 224×224. Chains of operations whose maps have one size are one volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod, sqrt

from cnngraph.render.glued import glued
from cnngraph.render.layout.row_parts import levels_of, without_plain
from cnngraph.render.layout.ushape import skips_of
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, Shape, Slab, Slice, Volume, sign, without_shapes
from cnngraph.render.shared_boxes import FOLLOWERS
from cnngraph.render.traits import NOTHING
from cnngraph.tensor_type import CHANNELS, TensorType

TALLEST = 64.0  # the height of the largest map
FLATTEST = 3.0  # the depth of what has no width, such as tokens and vectors
OBLIQUE = 0.3  # how much smaller depth is drawn than height
LEAST = 5.0  # the height of a map of one pixel
SLICE = 2.0  # the thickness of an activation or normalization after another operation
POOL = 4.0  # … of a pooling, whose colour is important, not its channels
BAR = 5.0  # … of a vector, whose height is from its features
THICK, THICKEST = 0.9, 30.0  # … of one channel, and of the most
TALL_VECTOR = 4096  # features of a vector as high as the largest map
KEEPERS = FOLLOWERS | {"pool"}
MAX_REPEATED = 4  # iterations that are drawn as so many slices


def with_volumes(picture: Picture, *, shapes: bool = True, scale: float = 1.0, is_low: bool = False) -> Picture:
    """The picture with a volume for each box that computes a tensor, with labels of its size if `shapes`.

    `scale` makes the volumes smaller, but not their labels. With `is_low`, the rows of a U are lower: without frames
    that only have a name, and without texts of poolings above the next operation.
    """
    found = skips_of(picture)
    skips = set(map(id, levels_of(picture, found.skips))) if found else set()
    arrows = [arrow for arrow in picture.arrows if id(arrow) not in skips]  # those of a U go across its frames
    members = without_plain(picture.members) if skips and is_low else _without_crossed(picture.members, arrows)
    flat = replace(picture, members=tuple(members))
    return glued(_Volumes(flat, shapes, scale).picture(), pools=not (skips and is_low))


class _Volumes:
    def __init__(self, picture: Picture, shapes: bool, scale: float) -> None:
        self.source, self.shapes, self.scale = picture, shapes, scale
        self.types = {box.key: box.types[0] for box in picture.boxes() if box.types}
        self.tails: dict[str, list[str]] = {}
        for arrow in picture.arrows:
            self.tails.setdefault(arrow.head, []).append(arrow.tail)
        sides = [_sides(type_) for type_ in self.types.values() if type_.batched]
        maps = [max(side) for side in sides if len(side) > 1]
        lengths = [side[0] for side in sides if len(side) == 1]  # 56×56 positions are more than 224 pixels
        self.largest = {2: max(maps, default=1), 1: max([*maps, *lengths], default=1)}
        self.names_inputs = sum(box.shape is Shape.INPUT for box in picture.boxes()) > 1

    def picture(self) -> Picture:
        """The picture with volumes; shapes are labels of these, not of arrows."""
        return without_shapes(replace(self.source, members=tuple(map(self._member, self.source.members))))

    def _member(self, member: Box | Frame) -> Box | Frame:
        if isinstance(member, Frame):
            return replace(member, members=tuple(map(self._member, member.members)))
        if member.shape is Shape.OUTPUT or not member.types or sign(member) or member.look is Look.UNUSED:
            return member
        return replace(member, volume=self._volume(member, member.types[0]))

    def _volume(self, box: Box, type_: TensorType) -> Volume:
        height, depth = self._extent(type_)
        size, before = _size(type_), {_size(self.types[tail]) for tail in self.tails.get(box.key, ())}
        slices, title = list(_slices(box, type_, self.scale)), box.title
        is_counted = title.parallel or title.times > MAX_REPEATED or box.shape is Shape.SCOPE
        times = 1 if is_counted else title.times
        keeps, is_follower = self._keeps_channels(box), all(row.kind in FOLLOWERS for row in box.rows)
        label = str(_channels(type_)) if self.shapes and not (keeps and is_follower) else ""
        found = next((row.traits for row in box.rows if row.traits.window and self.shapes), NOTHING)
        name = title.name or title.block if box.shape is Shape.SCOPE or self._is_named(box) else ""
        count = title.count if times == 1 else ""
        return Volume(
            slabs=(Slab(tuple(slices * times), label, found.window, found.detail, "", times, keeps),),
            height=height,
            depth=depth,
            size=size if self.shapes and before != {size} else "",
            name=" ".join(filter(None, (name, count))),
        )

    def _keeps_channels(self, box: Box) -> bool:
        """Whether a box consists of operations which never change the channels, such as pooling."""
        if any(row.kind not in KEEPERS for row in box.rows):
            return False
        before = [self.types[tail] for tail in self.tails.get(box.key, ())]
        return {_channels(type_) for type_ in before} == {_channels(box.types[0])} and bool(_sides(box.types[0]))

    def _is_named(self, box: Box) -> bool:
        return box.shape is Shape.INPUT and self.names_inputs

    def _extent(self, type_: TensorType) -> tuple[float, float]:
        """The height and depth of a tensor."""
        tallest, found = TALLEST * self.scale, _sides(type_)
        if not found:
            return max(LEAST, tallest * sqrt(min(1.0, type_.count / TALL_VECTOR))), FLATTEST
        largest = self.largest[len(found)]
        sides = [max(LEAST, tallest * sqrt(min(1.0, side / largest))) for side in found]
        return sides[0], min(sides[0], sides[1] * OBLIQUE) if len(sides) > 1 else FLATTEST


def _slices(box: Box, type_: TensorType, scale: float) -> Iterator[Slice]:
    """The slices of the operations from left to right; those of followers are thin."""
    full = scale * min(THICKEST, THICK * sqrt(_channels(type_))) if _sides(type_) else BAR
    rows = box.rows[:1] if box.shape is Shape.SCOPE else box.rows  # those of a closed block are lines of text
    for row in rows:
        is_thin = row.kind in FOLLOWERS
        thickness = SLICE if is_thin else max(SLICE, min(full, POOL) if row.kind == "pool" else full)
        yield Slice(row.colour, thickness, max(row.traits.level, box.traits.level))


def _sides(type_: TensorType) -> tuple[int, ...]:
    """The height and width of a map, the length of a sequence, nothing for a vector."""
    if type_.rank < 2:
        return ()
    if type_.height is not None and type_.width is not None:
        return type_.height, type_.width
    return (prod(type_.sizes) // _channels(type_),)


def _size(type_: TensorType) -> str:
    """The height and width, or the length, as a text."""
    return "×".join(map(str, _sides(type_)))


def _channels(type_: TensorType) -> int:
    """The channels; of a tensor without named channels, the last axis; of one number per image, 1."""
    return type_.channels if CHANNELS in type_.axes else next(reversed(type_.sizes), 1)


def _without_crossed(members: Sequence[Box | Frame], arrows: Sequence[Arrow]) -> Iterator[Box | Frame]:
    """The members without the frames that several tensors enter or leave: skip connections run along the main path."""
    for member in members:
        if isinstance(member, Box):
            yield member
            continue
        inside = {box.key for box in Picture("", (member,), ()).boxes()}
        entering = {arrow.source for arrow in arrows if arrow.head in inside and arrow.tail not in inside}
        leaving = {arrow.source for arrow in arrows if arrow.tail in inside and arrow.head not in inside}
        inner = _without_crossed(member.members, arrows)
        if member.title.times == 1 and member.look is Look.PLAIN and max(len(entering), len(leaving)) > 1:
            yield from inner
        else:
            yield replace(member, members=tuple(inner))
