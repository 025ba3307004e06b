"""The parts of a network in the shape of a U that are in one row: what computes maps of the size of a skip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.render.layout.boxes import title_line
from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture


def levels_of(picture: Picture, skips: Sequence[Arrow]) -> tuple[Arrow, ...]:
    """The skips around smaller maps than their own, without a shortcut inside of the innermost."""
    boxes = list(picture.boxes())
    place = {box.key: position for position, box in enumerate(boxes)}

    def is_level(skip: Arrow) -> bool:
        inside = (type_ for box in boxes[place[skip.tail] : place[skip.head]] for type_ in box.types)
        return skip.size is not None and any(type_.is_map and type_.sizes[1:] < skip.size for type_ in inside)

    return tuple(filter(is_level, skips))


def starts_of(picture: Picture, skips: Sequence[Arrow]) -> tuple[str, ...]:
    """The boxes with which the parts after the first one begin.

    After the start of a skip it is the first one whose map has another size, before its end the first one of its size.
    """
    boxes = list(picture.boxes())
    place = {box.key: position for position, box in enumerate(boxes)}
    tails, heads = [place[skip.tail] for skip in skips], [place[skip.head] for skip in skips]
    starts = []
    for skip, tail, after in zip(skips, tails, [*tails[1:], heads[-1]], strict=True):
        others = (position for position in range(tail + 1, after) if not _has_size(boxes[position], skip.size))
        starts.append(next(others, after))
    for skip, head, before in zip(reversed(skips), reversed(heads), [starts[-1], *reversed(heads[1:])], strict=True):
        while head - 1 > before and _has_size(boxes[head - 1], skip.size):
            head -= 1
        starts.append(head)
    return tuple(boxes[position].key for position in starts)


def _has_size(box: Box, size: tuple[int, int] | None) -> bool:
    """Whether a box computes a map of a size, or nothing that has one."""
    return not box.types or not box.types[0].is_map or box.types[0].sizes[1:] == size


def without_skips(picture: Picture, skips: Sequence[Arrow], starts: Sequence[str]) -> Picture:
    """The picture without some arrows, and without the frames that only have a name and are in several rows."""
    others = tuple(arrow for arrow in picture.arrows if all(arrow is not skip for skip in skips))
    part, parts = 0, {}
    for box in picture.boxes():
        part += box.key in starts
        parts[box.key] = part
    return replace(picture, members=tuple(_in_one_part(picture.members, parts)), arrows=others)


def _in_one_part(members: Sequence[Box | Frame], parts: dict[str, int]) -> Iterator[Box | Frame]:
    """The members without the plain frames around several parts. One around one volume becomes its name."""
    for member in members:
        if isinstance(member, Box):
            yield member
            continue
        inner = tuple(_in_one_part(member.members, parts))
        inside = {parts[box.key] for box in Picture("", inner, ()).boxes()}
        if _is_plain(member) and len(inside) > 1:
            yield from inner
        elif _is_plain(member) and len(inner) == 1 and isinstance(box := inner[0], Box) and _is_nameless(box):
            assert box.volume
            name = "".join(run.text for run in title_line(member.title).runs)
            yield replace(box, volume=replace(box.volume, name=name), tip=f"{member.tip}\n{box.tip}")
        else:
            yield replace(member, members=inner)


def without_plain(members: Sequence[Box | Frame]) -> Iterator[Box | Frame]:
    """The members without the frames that only have a name."""
    for member in members:
        if isinstance(member, Frame):
            inner = tuple(without_plain(member.members))
            yield from inner if _is_plain(member) else (replace(member, members=inner),)
        else:
            yield member


def _is_plain(frame: Frame) -> bool:
    return frame.title.times == 1 and frame.look is Look.PLAIN


def _is_nameless(box: Box) -> bool:
    return box.volume is not None and not box.volume.name and not box.volume.sign
