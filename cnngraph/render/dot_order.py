"""What Graphviz cannot know of a picture: which arrows are the main path, and where constants belong.

Graphviz keeps long arrows straight, which are the shortcuts, and places a constant as early as possible, so that what
reads it moves away from the main path, more so in every block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from cnngraph.render.picture import Picture, Shape

MAIN = 8  # the weight of the main path


def weights(picture: Picture) -> Iterator[int]:
    """How much each arrow should be short and straight: MAIN if no longer path passes by.

    An arrow of a branch that is shorter than another one has 2, so that the branch begins where the others do, and a
    shortcut 1. Paths from constants do not count, since they begin at any place.
    """
    ends = [(arrow.tail, arrow.head) for arrow in picture.arrows]
    inputs = {box.key for box in picture.boxes() if box.shape is Shape.INPUT}
    before = _longest(ends, inputs)
    fed = [(tail, head) for tail, head in ends if tail in before]
    after = _longest([(head, tail) for tail, head in fed], {head for _, head in fed} - {tail for tail, _ in fed})
    for tail, head in ends:
        if tail not in before or before[head] > before[tail] + 1:
            yield 1
        else:
            yield MAIN if after[tail] == after[head] + 1 else 2


def _longest(ends: Sequence[tuple[str, str]], starts: AbstractSet[str]) -> dict[str, int]:
    """The length of the longest path from any start to each box that can be reached."""
    out: dict[str, list[str]] = {}
    missing: dict[str, int] = {}  # the arrows that a box still waits for
    for tail, head in ends:
        out.setdefault(tail, []).append(head)
        missing[head] = missing.get(head, 0) + 1
    ready = [tail for tail in out if tail not in missing]
    length = dict.fromkeys(starts, 0)
    while ready:
        tail = ready.pop()
        for head in out.get(tail, ()):
            if tail in length:
                length[head] = max(length.get(head, 0), length[tail] + 1)
            missing[head] -= 1
            if not missing[head]:
                ready.append(head)
    return length


def orders(picture: Picture, frames: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Pairs of boxes of which the second is below the first: a constant is below what enters its frame.

    `frames` are the keys of the frames around each box, outermost first.
    """
    computed = {arrow.head for arrow in picture.arrows}
    entering: dict[str, str] = {}
    for arrow in picture.arrows:
        if arrow.tail in computed:
            for frame in frames[arrow.head]:
                if frame not in frames[arrow.tail]:
                    entering.setdefault(frame, arrow.tail)
    for box in picture.boxes():
        if box.key not in computed and box.shape is not Shape.INPUT:
            above = next((entering[frame] for frame in reversed(frames[box.key]) if frame in entering), None)
            if above is not None:
                yield above, box.key
