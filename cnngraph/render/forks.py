"""Forks: a tensor that several boxes of a frame read enters the frame as one arrow, which splits inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnngraph.render.picture import Arrow, Box, Frame, Look, Picture, Row, Shape


def frames_of(members: Sequence[Box | Frame]) -> dict[str, tuple[str, ...]]:
    """The keys of the frames around each box, outermost first."""
    found: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[Box | Frame, tuple[str, ...]]] = [(member, ()) for member in members]
    while waiting:
        member, around = waiting.pop()
        if isinstance(member, Box):
            found[member.key] = around
        else:
            waiting += [(inner, (*around, member.key)) for inner in member.members]
    return found


def with_forks(picture: Picture) -> Picture:
    """Add a fork at the top of each frame that reads a tensor from outside more than once."""
    routing = _Routing(frames_of(picture.members))
    tensors: dict[str, list[Arrow]] = {}
    for arrow in picture.arrows:
        tensors.setdefault(arrow.tensor, []).append(arrow)
    for arrows in tensors.values():
        tail = routing.label(arrows)
        routing.route(tail, routing.frames[tail], [replace(arrow, label="") for arrow in arrows])
    members = (*(_with(member, routing.forks) for member in picture.members), *routing.forks.get("", ()))
    return replace(picture, members=members, arrows=tuple(routing.arrows))


def _with(member: Box | Frame, forks: Mapping[str, list[Box]]) -> Box | Frame:
    if isinstance(member, Box):
        return member
    inner = [_with(inner, forks) for inner in member.members]
    return replace(member, members=(*forks.get(member.key, ()), *inner))


def _look(arrows: Sequence[Arrow]) -> Look:
    looks = {arrow.look for arrow in arrows}
    return looks.pop() if len(looks) == 1 else Look.PLAIN


class _Routing:
    def __init__(self, frames: dict[str, tuple[str, ...]]) -> None:
        self.frames = frames
        self.forks: dict[str, list[Box]] = {}
        self.arrows: list[Arrow] = []
        self.count = 0

    def route(self, tail: str, around: tuple[str, ...], arrows: Sequence[Arrow]) -> None:
        """Add the arrows of one tensor from a box or fork; those into the same frame share one arrow up to it."""
        groups: dict[str, list[Arrow]] = {}
        for arrow in arrows:
            groups.setdefault(self._next(around, arrow.head), []).append(arrow)
        for group in groups.values():
            frame = self._next(around, group[0].head)
            if not frame or len(group) == 1:
                for arrow in group:
                    self._end(tail, arrow)
                continue
            inside = self._common(group)
            fork = self._add(Shape.FORK, inside, group)
            self.arrows.append(Arrow(tail, fork, group[0].tensor, look=_look(group)))
            self.route(fork, inside, group)

    def _end(self, tail: str, arrow: Arrow) -> None:
        """Add the last segment of an arrow, with the role of the tensor just before the op."""
        if arrow.role:
            role = self._add(Shape.LABEL, self.frames[arrow.head], [arrow], arrow.role)
            self.arrows.append(replace(arrow, tail=tail, head=role))
            tail = role
        self.arrows.append(replace(arrow, tail=tail))

    def label(self, arrows: Sequence[Arrow]) -> str:
        """The tail of the arrows of a tensor: its box, or a label with its shape below the box."""
        tail, text = arrows[0].tail, next((arrow.label for arrow in arrows if arrow.label), "")
        if not text:
            return tail
        inside = tuple(
            frame for frame in self.frames[tail] if any(frame in self.frames[arrow.head] for arrow in arrows)
        )
        label = self._add(Shape.LABEL, inside, arrows, text)
        self.arrows.append(Arrow(tail, label, arrows[0].tensor, look=_look(arrows)))
        return label

    def _add(self, shape: Shape, inside: tuple[str, ...], arrows: Sequence[Arrow], text: str = "") -> str:
        self.count += 1
        rows = (Row(text, shape),) if text else ()
        box = Box(f"{shape}{self.count}", shape, rows=rows, look=_look(arrows))
        self.forks.setdefault(inside[-1] if inside else "", []).append(box)
        self.frames[box.key] = inside
        return box.key

    def _common(self, arrows: Sequence[Arrow]) -> tuple[str, ...]:
        """The frames around all heads of the arrows."""
        around = [self.frames[arrow.head] for arrow in arrows]
        return tuple(frame for frame in around[0] if all(frame in frames for frames in around))

    def _next(self, around: tuple[str, ...], head: str) -> str:
        """The outermost frame that an arrow from here to a box enters, or an empty string."""
        outside = [frame for frame in self.frames[head] if frame not in around]
        return outside[0] if outside else ""
