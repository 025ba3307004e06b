"""Heads in lanes: what reads one map, and only leads to outputs of its own, is side by side in the lane of this map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnngraph.render.layout.series import BESIDE
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node


def heads_beside(nodes: Sequence[Node | None], edges: Sequence[Edge], lane: Mapping[int, int]) -> dict[int, float]:
    """How far the nodes of a level are from their lanes, as far as they are; None is a node whose extents are unknown.

    Heads are trees: each node reads one other, and everything that reads it is in the tree.
    """
    return _Heads(nodes, edges, lane).offsets()


class _Heads:
    def __init__(self, nodes: Sequence[Node | None], edges: Sequence[Edge], lane: Mapping[int, int]) -> None:
        self.nodes, self.lane = nodes, lane
        self.readers: dict[int, dict[int, None]] = {}  # of each node, in order
        self.read: dict[int, set[int]] = {}
        for edge in edges:
            self.readers.setdefault(edge.tail, {})[edge.head] = None
            self.read.setdefault(edge.head, set()).add(edge.tail)
        self.spans: dict[int, tuple[float, float]] = {}  # what each head needs to both sides, with what follows
        self.moves: dict[int, float] = {}  # how far it is from what it reads, or from its lane if that is another one

    def offsets(self) -> dict[int, float]:
        """The distances from the lanes, from what is read on."""
        order = range(len(self.nodes))
        for node in [*reversed(order), OUTSIDE]:
            own = self.nodes[node] if node != OUTSIDE else None
            left, right = (own.left, own.right) if own else (0.0, 0.0)
            for place in {self.lane[reader]: None for reader in self.readers.get(node, ()) if reader in self.lane}:
                start, stop = self._put_beside([head for head in self.readers[node] if self.lane.get(head) == place])
                if place == self.lane.get(node):
                    left, right = max(left, start), max(right, stop)
            if own and len(self.read.get(node, ())) == 1 and self.readers.get(node, {}).keys() <= self.spans.keys():
                self.spans[node] = left, right
        found: dict[int, float] = {}
        for node in (node for node in order if node in self.lane):
            tails = [tail for tail in self.read.get(node, ()) if self.lane.get(tail) == self.lane[node]]
            follows = node in self.spans and len(tails) == 1
            if offset := self.moves.get(node, 0.0) + (found.get(tails[0], 0.0) if follows else 0.0):
                found[node] = offset
        return found

    def _put_beside(self, readers: Sequence[int]) -> tuple[float, float]:
        """Place the heads among the readers of a map in a lane side by side; what they need to both sides."""
        heads = [reader for reader in readers if reader in self.spans]
        others = [reader for reader in readers if reader not in self.spans]
        widths = [sum(self.spans[head]) for head in heads]
        x = -(sum(widths) + BESIDE * (len(heads) - 1)) / 2
        if others:
            inner = (self.nodes[other] for other in others)
            x = max(node.right if node else 0.0 for node in inner) + BESIDE
        elif len(heads) == 1:
            return self.spans[heads[0]]
        start = min(x, 0.0)
        for head, width in zip(heads, widths, strict=True):
            self.moves[head] = x + self.spans[head][0]
            x += width + BESIDE
        return -start, x - BESIDE
