"""Arranging nodes in ranks (Sugiyama et al. 1981): for parts of a network in which paths cross.

A node is one rank below the lowest node that it reads; one that reads nothing is above the highest one that reads it.
An edge over several ranks passes a point in each. The order in a rank starts as the order of execution, and is changed
only if fewer edges cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from cnngraph.render.layout.strip import Edge, Node, Strip

GAP, SPREAD, MAX_SPREAD = 18.0, 0.12, 30.0
BESIDE, LANE = 14.0, 10.0
SWEEPS = 8
MAX_EDGES = 600  # in a part whose order is improved; counting crossings is quadratic


class _Item:
    """A node, or a point of an edge, in a rank."""

    __slots__ = ("above", "below", "edge", "left", "node", "right", "x")

    def __init__(self, node: int | None, edge: int | None, left: float, right: float) -> None:
        self.node, self.edge, self.left, self.right = node, edge, left, right
        self.above: list[_Item] = []
        self.below: list[_Item] = []
        self.x = 0.0


def ranked(nodes: Sequence[Node], edges: Sequence[Edge], members: Sequence[int], ids: Sequence[int]) -> Strip:
    """The strip of some nodes, in topological order, with the edges that have an end among them."""
    rank = _ranks(edges, members, ids)
    rows: list[list[_Item]] = [[] for _ in range(max(rank.values()) + 1)]
    items = {node: _Item(node, None, nodes[node].left, nodes[node].right) for node in members}
    for node, item in items.items():
        rows[rank[node]].append(item)
    for edge in ids:
        _thread(edge, edges[edge], rank, items, rows)
    _order(rows, len(ids))
    _align(rows)
    leaving: dict[int, list[int]] = {}
    for edge in ids:
        leaving.setdefault(edges[edge].tail, []).append(edge)
    return _strip(nodes, edges, rows, leaving)


def _ranks(edges: Sequence[Edge], members: Sequence[int], ids: Sequence[int]) -> dict[int, int]:
    rank = dict.fromkeys(members, 0)
    leaving: dict[int, list[int]] = {}
    for edge in ids:
        if edges[edge].tail in rank and edges[edge].head in rank:
            leaving.setdefault(edges[edge].tail, []).append(edges[edge].head)
    for node in members:
        for head in leaving.get(node, ()):
            rank[head] = max(rank[head], rank[node] + 1)
    entered = {edges[edge].head for edge in ids}
    for node in members:
        if node not in entered and node in leaving:
            rank[node] = min(rank[head] for head in leaving[node]) - 1
    return rank


def _thread(
    edge: int, ends: Edge, rank: Mapping[int, int], items: Mapping[int, _Item], rows: list[list[_Item]]
) -> None:
    """Add the points of an edge to the ranks that it passes, and connect all items along it."""
    before = items.get(ends.tail)
    start = rank[ends.tail] + 1 if before else 0
    stop = rank[ends.head] if ends.head in items else len(rows)
    chain = [] if before is None else [before]
    for row in range(start, stop):
        point = _Item(None, edge, LANE / 2, LANE / 2)
        rows[row].append(point)
        chain.append(point)
    chain += [items[ends.head]] if ends.head in items else []
    for one, two in pairwise(chain):
        one.below.append(two)
        two.above.append(one)


def _order(rows: list[list[_Item]], edges: int) -> None:
    """Reorder the items in the ranks, if fewer edges cross then."""
    if edges > MAX_EDGES:
        return
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for fixed, row in pairwise(rows if down else rows[::-1]):
            _sort(row, fixed, down)
        if (crossings := _crossings(rows)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _sort(row: list[_Item], fixed: Sequence[_Item], down: bool) -> None:
    """Sort a rank by the mean places of what its items are connected with in the rank before it."""
    places = {item: position for position, item in enumerate(fixed)}
    own = {item: position for position, item in enumerate(row)}

    def wanted(item: _Item) -> float:
        near = item.above if down else item.below
        return sum(places[other] for other in near) / len(near) if near else own[item]

    row.sort(key=wanted)


def _crossings(rows: Sequence[Sequence[_Item]]) -> int:
    count = 0
    for row, after in pairwise(rows):
        place = {item: position for position, item in enumerate(after)}
        ends = [place[below] for item in row for below in sorted(item.below, key=place.__getitem__)]
        count += sum(ends[i] > ends[j] for i in range(len(ends)) for j in range(i + 1, len(ends)))
    return count


def _align(rows: Sequence[Sequence[_Item]]) -> None:
    """Choose the x of all items: as near as possible to what they are connected with, in their order."""
    for row in rows:
        _settle(row, [0.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            nears = [item.above if down else item.below for item in row]
            _settle(
                row,
                [
                    sum(other.x for other in near) / len(near) if near else item.x
                    for item, near in zip(row, nears, strict=True)
                ],
            )
    if rows:
        middle = [item.x for item in rows[0]]
        shift = (min(middle) + max(middle)) / 2
        for row in rows:
            for item in row:
                item.x -= shift


def _settle(row: Sequence[_Item], wanted: Sequence[float]) -> None:
    """Places with the least squared distance from those wanted, without overlap: pool adjacent violators."""
    offsets, offset = [], 0.0
    for position, item in enumerate(row):
        if position:
            offset += row[position - 1].right + item.left + BESIDE
        offsets.append(offset)
    pools: list[tuple[float, int]] = []  # the mean of what is wanted, less the offsets, and how many items want it
    for target, start in zip(wanted, offsets, strict=True):
        mean, count = target - start, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for item, mean, start in zip(row, means, offsets, strict=True):
        item.x = mean + start


def _strip(
    nodes: Sequence[Node], edges: Sequence[Edge], rows: Sequence[Sequence[_Item]], leaving: Mapping[int, Sequence[int]]
) -> Strip:
    strip, y = Strip(), 0.0
    for position, row in enumerate(rows):
        if position:
            y += _gap(rows[position - 1])
        height = max((nodes[item.node].length for item in row if item.node is not None), default=0.0)
        for item in row:
            if item.node is not None:
                node = nodes[item.node]
                strip.put(item.node, node, item.x, y)
                for edge in leaving.get(item.node, ()):  # straight on, as far as there are longer nodes beside it
                    strip.pass_by(edge, (item.x + node.exits.get(edges[edge].tensor, 0.0), y + height))
            elif item.edge is not None:
                strip.pass_by(item.edge, (item.x, y), (item.x, y + height))
                strip.widen(item.x - LANE / 2, item.x + LANE / 2)
        y += height
        strip.length = y
    return strip


def _gap(row: Sequence[_Item]) -> float:
    across = max((abs(item.x - below.x) for item in row for below in item.below), default=0.0)
    return GAP + min(MAX_SPREAD, SPREAD * across)
