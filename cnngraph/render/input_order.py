"""The order of the inputs of an operation, where it matters: numbers at its arrows if a drawing does not show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnngraph.render.picture import Arrow, Picture


def with_marks_as_roles(picture: Picture) -> Picture:
    """The picture for a format without a layout: inputs are numbered, unless they come side by side and in order.

    Whoever makes the layout puts boxes side by side in the order in which they are written.
    """
    position = {box.key: place for place, box in enumerate(picture.boxes())}
    before = _before(picture, position)
    arrows = list(picture.arrows)
    for indices in _ordered_inputs(arrows).values():
        seen = sorted(indices, key=lambda index: (position[arrows[index].tail], _output(arrows[index])))
        tails = {arrows[index].tail for index in indices}
        follow = any(before[tail] >> position[other] & 1 for tail in tails for other in tails)
        if follow or not _is_order(arrows, seen):
            for index in indices:
                arrows[index] = replace(arrows[index], mark=_text(arrows[index].places))
    return replace(picture, arrows=tuple(replace(arrow, role=arrow.mark or arrow.role) for arrow in arrows))


def _before(picture: Picture, position: Mapping[str, int]) -> dict[str, int]:
    """For each box those from which a path leads to it, as bits at their positions."""
    entering: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        entering.setdefault(arrow.head, []).append(arrow.tail)
    found: dict[str, int] = {}
    for key in position:  # in order of execution
        found[key] = 0
        for tail in entering.get(key, ()):
            found[key] |= found.get(tail, 0) | 1 << position[tail]
    return found


def _output(arrow: Arrow) -> int:
    """Which output of its node an arrow carries."""
    return int(arrow.source.rpartition(".")[2])


def numbers_of(arrows: Sequence[Arrow], places: Sequence[float]) -> dict[int, str]:
    """The numbers of arrows by index, for the boxes that they do not enter in order; `places` are where they do."""
    found: dict[int, str] = {}
    for indices in _ordered_inputs(arrows).values():
        if not _is_order(arrows, sorted(indices, key=places.__getitem__)):
            found |= {index: _text(arrows[index].places) for index in indices}
    return found


def _ordered_inputs(arrows: Sequence[Arrow]) -> dict[str, list[int]]:
    """The indices of the arrows into each box, of those whose order matters."""
    into: dict[str, list[int]] = {}
    for index, arrow in enumerate(arrows):
        if arrow.places:
            into.setdefault(arrow.head, []).append(index)
    return into


def _is_order(arrows: Sequence[Arrow], seen: Sequence[int]) -> bool:
    """Whether arrows, as they are seen, are in the order of the inputs."""
    ordered = sorted((place, arrows[index].source) for index in seen for place in arrows[index].places)
    return [source for _, source in ordered] == [arrows[index].source for index in seen for _ in arrows[index].places]


def _text(places: Sequence[int]) -> str:
    """`2`, or `1, 3–5` for an arrow that stands for several inputs."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
