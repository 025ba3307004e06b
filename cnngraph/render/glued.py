"""Chains of volumes of one height and depth become one volume, in which they touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from cnngraph.render.fonts import text_width
from cnngraph.render.layout.boxes import SMALL, labels_of, poolings_of
from cnngraph.render.picture import Arrow, Box, Frame, Picture, Shape, Slab, Volume, sign
from cnngraph.render.shared_boxes import FOLLOWERS

APART = 2.0  # between two labels


def glued(picture: Picture, *, pools: bool = True) -> Picture:
    """The picture with chains of volumes as one; a chain ends where another tensor enters or leaves.

    Without `pools`, poolings have volumes of their own.
    """
    gluing = _Gluing(picture.arrows, pools)
    members = gluing.members(picture.members)
    return replace(picture, members=members, arrows=tuple(filter(None, map(gluing.arrow, picture.arrows))))


class _Gluing:
    def __init__(self, arrows: Sequence[Arrow], pools: bool) -> None:
        self.pools = pools
        self.out: dict[str, list[Arrow]] = {}
        self.into: dict[str, list[Arrow]] = {}
        for arrow in arrows:
            self.out.setdefault(arrow.tail, []).append(arrow)
            self.into.setdefault(arrow.head, []).append(arrow)
        self.stands: dict[str, str] = {}  # the box that a box is part of

    def members(self, members: Sequence[Box | Frame]) -> tuple[Box | Frame, ...]:
        """The members of a level, with chains as one box at the place of the first."""
        found: dict[str, Box | Frame] = {}
        for member in members:
            if isinstance(member, Frame):
                found[member.key] = replace(member, members=self.members(member.members))
                continue
            key = self._before(member)
            before = found.get(key)
            box = _both(before, member, self.pools) if isinstance(before, Box) else None
            if box:
                found[key] = box
                self.stands[member.key] = key
            else:
                found[member.key] = member
        return tuple(found.values())

    def _before(self, box: Box) -> str:
        """The box of which this one is the only reader, if it reads nothing else."""
        into = self.into.get(box.key, [])
        tail = into[0].tail if len(into) == 1 else ""
        return self.stands.get(tail, tail) if len(self.out.get(tail, ())) == 1 else ""

    def arrow(self, arrow: Arrow) -> Arrow | None:
        """The arrow between the boxes that are drawn."""
        tail, head = (self.stands.get(key, key) for key in (arrow.tail, arrow.head))
        return replace(arrow, tail=tail, head=head) if tail != head else None


def _both(one: Box, two: Box, pools: bool) -> Box | None:
    """Two boxes as one, if their volumes can touch, or the second is the activation of a sum."""
    first, second = one.volume, two.volume
    if (
        first is None
        and second
        and sign(one)
        and one.look is two.look
        and all(row.kind in FOLLOWERS for row in two.rows)
    ):
        return replace(_joined(one, two), volume=replace(second, sign=sign(one)))
    if first is None or first.sign or second is None or second.name or first.name or one.look is not two.look:
        return None
    if (first.height, first.depth) != (second.height, second.depth) or one.types[0].rank < 2:
        return None
    if not one.shape is two.shape is Shape.OPS:
        return None
    if not pools and any(slab.is_spare for slab in (*first.slabs, *second.slabs)):
        return None
    fitting = next(filter(_fit, (replace(first, slabs=slabs) for slabs in _slabs(first.slabs, two))), None)
    if fitting is None:
        return None
    return replace(_joined(one, two), volume=fitting)


def _joined(one: Box, two: Box) -> Box:
    """Two boxes as one, apart from the volume."""
    rows, nodes = one.rows + two.rows, one.nodes + two.nodes
    return replace(one, rows=rows, tip=f"{one.tip}\n{two.tip}", nodes=nodes, types=two.types)


def _slabs(slabs: tuple[Slab, ...], box: Box) -> Iterator[tuple[Slab, ...]]:
    """The slabs with those of another box: first with all texts, then with fewer."""
    assert box.volume
    *before, last = slabs
    (slab,) = box.volume.slabs
    if all(row.kind in FOLLOWERS for row in box.rows):
        yield (*before, replace(last, slices=last.slices + slab.slices))
        return
    full = tuple(map(_raised, (*slabs, slab)))
    short = tuple(replace(slab, label="") if slab.is_spare else slab for slab in full)
    if last.times == 1 or last.words != full[-1].words:
        yield full
        yield short
    yield _merged(short)


def _raised(slab: Slab) -> Slab:
    """A slab among others; the text of a pooling is above it, since the slab is too thin for a text below."""
    return replace(slab, window="", pool=slab.pool or slab.window) if slab.is_spare else slab


def _merged(slabs: Sequence[Slab]) -> tuple[Slab, ...]:
    """The slabs with equal neighbours as one."""
    found: list[Slab] = []
    for slab in slabs:
        if found and found[-1].words == slab.words:
            before = found[-1]
            found[-1] = replace(before, slices=before.slices + slab.slices, times=before.times + slab.times)
        else:
            found.append(slab)
    return tuple(found)


def _fit(volume: Volume) -> bool:
    """Whether the texts of neighbours do not touch."""
    below = [(middle, max(text_width(text, SMALL) for text in slab.texts)) for middle, slab in labels_of(volume)]
    above = [(middle, text_width(text, SMALL)) for middle, text in poolings_of(volume)]
    rows = [[(middle, width) for middle, width in labels if width] for labels in (below, above)]
    return all(x + width / 2 + APART <= y - other / 2 for row in rows for (x, width), (y, other) in pairwise(row))
