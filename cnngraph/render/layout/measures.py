"""The sizes of the boxes of a picture, with the shapes and names of inputs beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from cnngraph.render.fonts import text_width
from cnngraph.render.layout import boxes
from cnngraph.render.layout.boxes import SLANT, SMALL
from cnngraph.render.layout.strip import Node
from cnngraph.render.picture import Arrow, Box, Change, Look, sign

NOTE = SMALL * 1.2  # the height of the shape below a box
ROLE = 11.0  # the height of the name of an input, and of the line below it
IN_GAP = 6.0  # of the room for the names of inputs along the flow, what is in the gap before a box
PORTS = 9.0  # between the ports of a box
MARKED = 13.0  # … if its arrows have numbers or signs
CORNER = 3.0  # between the end of a side of a box and the nearest port
MARGIN = 7.0  # between a frame and what is in it, across the flow
ENDS = 5.5  # … and along it
TITLE_GAP = 4.0  # between a title and the arrow beside it


class Measures:
    """What each box needs, across and along the flow.

    `labels` are the shapes below a box, by tensor, and `marked` the boxes whose arrows have numbers or signs.
    """

    def __init__(
        self,
        arrows: Sequence[Arrow],
        is_down: bool,
        labels: Mapping[str, Mapping[str, str]],
        marked: AbstractSet[str] = frozenset(),
    ) -> None:
        self.is_down, self.labels = is_down, labels
        self.roles = _roles_of(arrows)
        self.marked = Counter(arrow.head for arrow in arrows if arrow.head in marked)

    def node(self, box: Box) -> Node:
        """A box on its level."""
        across, along = self.extents(box)
        labels = self.labels.get(box.key, {})
        exits = self.exits(labels)
        half = max(across / 2, *(abs(x) + self.width(labels[tensor]) / 2 for tensor, x in exits.items()), 0)
        right = half
        if self.is_down and box.key in self.roles:  # the last name is beside its arrow, right of the box
            right = max(half, across / 2 + max(map(_role_width, self.roles[box.key])))
        lead, is_side = self.lead(box), box.look is not Look.PLAIN
        length = lead + along + self._below(labels)
        radius = across / 2 - self._narrower(box)
        return Node(half, right, length, None, exits, sign(box), 1, is_side, radius, lead, along / 2)

    def spanning(self, box: Box, reads: Mapping[float, Sequence[str]], computes: Mapping[float, Sequence[str]]) -> Node:
        """A box over several lanes, with the tensors that it reads and computes by the places of their lanes."""
        across, along = self.extents(box)
        labels, room = self.labels.get(box.key, {}), self.room(box.key)
        lanes: dict[str, float] = {}
        for x, tensors in reads.items():
            lanes |= {tensor: x + (place - (len(tensors) - 1) / 2) * room for place, tensor in enumerate(tensors)}
        for x, tensors in computes.items():
            ports = self.exits({tensor: labels.get(tensor, "") for tensor in tensors})
            lanes |= {tensor: x + port for tensor, port in ports.items()}
        halves = {tensor: max(PORTS, self.width(labels.get(tensor, "")) / 2) for tensor in lanes}
        first = min(x - halves[tensor] for tensor, x in lanes.items())
        last = max(x + halves[tensor] for tensor, x in lanes.items())
        more = max(0.0, across - (last - first)) / 2
        left, right = more - first, more + last
        exits = {tensor: lanes.get(tensor, 0.0) for tensor in labels}
        length = self.lead(box) + along + self._below(labels)
        return Node(left, right, length, lanes, exits, is_side=box.look is not Look.PLAIN, lead=self.lead(box))

    def extents(self, box: Box) -> tuple[float, float]:
        """The size of a box across and along the flow, wide enough for several inputs and outputs, and the names."""
        width, height = boxes.size(box)
        slant = 2 * SLANT * (box.change is not Change.NONE and not box.volume)
        width, height = (width + slant, height) if self.is_down else (width, height + slant)
        roles, ports = self.roles.get(box.key, ()), list(self.exits(self.labels.get(box.key, {})).values())
        outputs = ports[-1] - ports[0] + 2 * PORTS if len(ports) > 1 else 0.0
        ends = 0.0 if sign(box) or box.volume else max(outputs, self.marked[box.key] * MARKED)
        across, along = (width, height) if self.is_down else (height, width)
        room = self.room(box.key) if roles else 0.0
        inputs = max(len(roles) * room, (len(roles) - 1) * room + 2 * (CORNER + self._narrower(box))) if roles else 0.0
        return max(across, ends, inputs), along

    def _narrower(self, box: Box) -> float:
        """How much nearer to the middle of a box the end is at which arrows enter, because its side is slanted."""
        return SLANT * (box.change is Change.LARGER and not box.volume)

    def lead(self, box: Box) -> float:
        """The room for the names of inputs along the flow."""
        roles = () if self.is_down else self.roles.get(box.key, ())
        return max(map(_role_width, roles), default=IN_GAP) - IN_GAP

    def room(self, head: str) -> float:
        """What each arrow into a box needs across the flow."""
        widths = [_role_width(role) if self.is_down else ROLE for role in self.roles.get(head, ())]
        return max(widths, default=MARKED if head in self.marked else PORTS)

    def exits(self, labels: Mapping[str, str]) -> dict[str, float]:
        """The ports of a box: one for each tensor that leaves it, with room for their shapes."""
        widths = [max(self.width(text) + 8, 9.0) for text in labels.values()]
        start = -sum(widths) / 2
        found = {}
        for tensor, width in zip(labels, widths, strict=True):
            found[tensor] = start + width / 2
            start += width
        return found

    def width(self, text: str) -> float:
        """The extent of a shape across the flow."""
        return 0.0 if not text else text_width(text, SMALL) if self.is_down else NOTE

    def _below(self, labels: Mapping[str, str]) -> float:
        """The extent of the shapes below a box along the flow."""
        lengths = (NOTE if self.is_down else text_width(text, SMALL) + 4 for text in labels.values() if text)
        return max(lengths, default=0.0)


def _role_width(role: str) -> float:
    """What an arrow needs across the flow, if the name of its input is beside it."""
    return text_width(role, SMALL) + 10


def _roles_of(arrows: Sequence[Arrow]) -> dict[str, list[str]]:
    """The names of the inputs that are shown beside the arrows into each box."""
    found: dict[str, list[str]] = {}
    for arrow in arrows:
        if arrow.role:
            found.setdefault(arrow.head, []).append(arrow.role)
    return found


def labels_of(arrows: Sequence[Arrow], shapes: bool) -> dict[str, dict[str, str]]:
    """The tensors that leave each box, in order, with the shapes to show, or empty texts."""
    found: dict[str, dict[str, str]] = {}
    for arrow in arrows:
        tensors = found.setdefault(arrow.tail, {})
        tensors[arrow.source] = tensors.get(arrow.source) or (arrow.label if shapes else "")
    return {tail: dict(sorted(tensors.items(), key=_position)) for tail, tensors in found.items()}


def _position(item: tuple[str, str]) -> tuple[int, ...]:
    """The node and the output of a tensor."""
    return tuple(map(int, item[0].split(".")))
