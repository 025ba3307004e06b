"""Arranging a level: what lies on every path is the spine, and what lies between is placed side by side.

Networks are nearly series-parallel, and are read that way: a chain of units, each of which splits and joins again. A
node that every path from the start to the end passes is placed on the spine, so that the main path is a straight line.
What is between two such nodes falls into branches without edges between them, which are arranged in the same way. A
part that does not decompose is arranged in ranks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from cnngraph.render.layout.chain import chained
from cnngraph.render.layout.ranks import ranked
from cnngraph.render.layout.strip import OUTSIDE, Edge, Node, Strip

GAP = 13.0  # along the flow, between two boxes
SPREAD, MAX_SPREAD = 0.08, 16.0  # more of it where branches spread, by how far
BESIDE = 10.0  # across the flow, between two branches
LANE = 9.0  # between a branch and an edge that passes it
SIDE = 9.0  # the radius of a sum with room for an arrowhead
STEM = 0.2  # where edges that spread are still one line
MAX_DEPTH = 60  # of branches in branches; deeper ones are arranged in ranks


def series(nodes: Sequence[Node], edges: Sequence[Edge], members: Sequence[int], ids: Sequence[int]) -> Strip:
    """The strip of some nodes of a level, in topological order, with the edges that have an end among them."""
    return _Series(nodes, edges).strip(members, ids, 0)


class _Series:
    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.nodes, self.edges = nodes, edges

    def strip(self, members: Sequence[int], ids: Sequence[int], depth: int) -> Strip:
        place = {node: position for position, node in enumerate(members, 1)}
        ends = len(members) + 1
        spans = {edge: (place.get(self.edges[edge].tail, 0), place.get(self.edges[edge].head, ends)) for edge in ids}
        entered = {stop for _, stop in spans.values()}
        first = next((position for position in range(1, ends) if position in entered), ends)
        beside = [(0, first)] if first > 2 else []  # of several nodes that read nothing, none is above the others
        spine = _spine([*spans.values(), *beside], ends)
        if len(spine) == 2 and len(members) > 1 and (depth > MAX_DEPTH or len(self._branches(members, ids)) == 1):
            return chained(self.nodes, self.edges, members, ids) or self._ranked(members, ids, depth)
        between: list[list[int]] = [[] for _ in spine]
        for edge, (start, _) in spans.items():
            between[bisect_right(spine, start) - 1].append(edge)
        strip, y = Strip(), 0.0
        for position, (start, stop) in enumerate(pairwise(spine)):
            is_inner = start > 0 and stop < ends
            part = self._between(members[start : stop - 1], between[position], is_inner, depth)
            strip.include(part, 0, y)
            leaving = {self.edges[edge].tensor for edge in between[position] if spans[edge][0] == start}
            if is_inner and len(leaving) == 1:
                strip.cuts.append(y + (part.length / 2 - 2 if stop == start + 1 else STEM))
            y += part.length
            if stop < ends:
                node = self.nodes[members[stop - 1]]
                strip.put(members[stop - 1], node, 0, y)
                y += node.length
        strip.length = y
        return strip

    def _ranked(self, members: Sequence[int], ids: Sequence[int], depth: int) -> Strip:
        """Nodes in ranks, with room above for the edges that spread from a port of the level."""
        strip = ranked(self.nodes, self.edges, members, ids)
        if depth:
            return strip
        xs: dict[str, list[float]] = {}
        for edge in ids:
            if self.edges[edge].tail == OUTSIDE:
                xs.setdefault(self.edges[edge].tensor, []).append(strip.entry(edge, self.edges[edge], self.nodes)[0])
        ports = {tensor: 0.0 if len(xs) == 1 else places[0] for tensor, places in xs.items()}
        across = max((abs(x - ports[tensor]) for tensor, places in xs.items() for x in places), default=0.0)
        lower = Strip()
        lower.include(strip, 0, GAP + min(MAX_SPREAD, SPREAD * across) if across else 0.0)
        return lower

    def _between(self, inner: Sequence[int], ids: Sequence[int], is_inner: bool, depth: int) -> Strip:
        """What is between two nodes of the spine."""
        tails = {self.edges[edge].tail for edge in ids}
        if not inner and (len(ids) <= 1 or (len(tails) == 1 and OUTSIDE not in tails)):
            across = self._across(ids) if len(ids) > 1 else 0.0
            return Strip(length=GAP + min(MAX_SPREAD, SPREAD * across) if is_inner else 0.0)
        inside, groups = set(inner), self._branches(inner, ids)
        bare = [edge for edge in ids if self.edges[edge].tail not in inside and self.edges[edge].head not in inside]
        if bare and len(groups) == 1 and (whole := self._chain(inner, ids, bare)):
            return whole
        branches = [self._branch(group, ids, depth) for group in groups]
        head = next((self.edges[edge].head for edge in ids if self.edges[edge].head not in inside), OUTSIDE)
        return _Parallel(branches, bare, self.nodes, self.edges, head).strip()

    def _chain(self, inner: Sequence[int], ids: Sequence[int], bare: Sequence[int]) -> Strip | None:
        """A chain with arcs, with those around all of it, if it is none of units that split and join again."""
        place = {node: position for position, node in enumerate(inner, 1)}
        ends = len(inner) + 1
        edges = (self.edges[edge] for edge in ids if edge not in bare)
        spine = _spine(((place.get(edge.tail, 0), place.get(edge.head, ends)) for edge in edges), ends)
        return chained(self.nodes, self.edges, inner, ids) if len(spine) == 2 and len(inner) > 1 else None

    def _across(self, ids: Sequence[int]) -> float:
        """How far from the spine the ports are at which several edges start, all at one node."""
        exits = self.nodes[self.edges[ids[0]].tail].exits
        return max(abs(exits.get(self.edges[edge].tensor, 0.0)) for edge in ids)

    def _branch(self, members: Sequence[int], ids: Sequence[int], depth: int) -> Branch:
        inside = set(members)
        touching = [edge for edge in ids if self.edges[edge].tail in inside or self.edges[edge].head in inside]
        entering = [edge for edge in touching if self.edges[edge].tail not in inside]
        leaving = [edge for edge in touching if self.edges[edge].head not in inside]
        weight = sum(self.nodes[member].weight for member in members)
        is_side = all(self.nodes[member].is_side for member in members)
        return Branch(self.strip(members, touching, depth + 1), entering, leaving, weight, is_side)

    def _branches(self, inner: Sequence[int], ids: Iterable[int]) -> list[list[int]]:
        """The nodes in groups without edges between them."""
        return branches(inner, ((self.edges[edge].tail, self.edges[edge].head) for edge in ids))


def branches(inner: Sequence[int], pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Nodes in connected groups, in order of their first nodes; ends of pairs that are not among them do not count."""
    parent = {node: node for node in inner}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for one, two in pairs:
        if one in parent and two in parent:
            parent[root(two)] = root(one)
    groups: dict[int, list[int]] = {}
    for node in inner:
        groups.setdefault(root(node), []).append(node)
    return list(groups.values())


def _spine(spans: Iterable[tuple[int, int]], ends: int) -> list[int]:
    """The positions that every path passes: those that no edge passes by."""
    furthest = [0] * (ends + 1)
    for start, stop in spans:
        furthest[start] = max(furthest[start], stop)
    found, reached = [0], furthest[0]
    for position in range(1, ends):
        if reached <= position:
            found.append(position)
        reached = max(reached, furthest[position])
    return [*found, ends]


class Branch:
    """One of several strips side by side, and the edges that enter and leave it."""

    def __init__(
        self, strip: Strip, entering: Sequence[int], leaving: Sequence[int], weight: int, is_side: bool
    ) -> None:
        self.strip, self.entering, self.leaving, self.weight, self.is_side = strip, entering, leaving, weight, is_side
        self.x = 0.0

    @property
    def reach(self) -> float:
        """How far from the spine edges enter or leave it."""
        several = len(self.entering) > 1 or len(self.leaving) > 1
        return abs(self.x) + several * max(self.strip.left, self.strip.right)


class _Parallel:
    """Branches and bare edges between two nodes of the spine."""

    def __init__(
        self, branches: list[Branch], bare: list[int], nodes: Sequence[Node], edges: Sequence[Edge], head: int
    ) -> None:
        self.branches, self.bare, self.nodes, self.edges = branches, bare, nodes, edges
        self.node = nodes[head] if head != OUTSIDE else None
        self.lanes: dict[int, float] = {}
        self.left = self.right = 0.0

    def strip(self) -> Strip:
        spine = self._spine()
        self._place(spine)
        strip = Strip(self.left, self.right)
        ways = len(self.branches) + len(self.bare)
        longest = max((branch.strip.length for branch in self.branches), default=0.0)
        across = max((branch.reach for branch in self.branches), default=0.0)
        across = max(across, *self.lanes.values(), 0.0)
        spread = GAP + min(MAX_SPREAD, SPREAD * across)
        gap = 0.0 if self._ports(ways, enter=True) else spread
        end = gap + longest
        for branch in self.branches:
            single = len(branch.entering) == len(branch.leaving) == 1
            centred = single and (spine is not None or bool(self.bare))
            strip.include(branch.strip, branch.x, gap + (longest - branch.strip.length) / 2 * centred)
            ends = (branch.x, gap), (branch.x, end)
            strip.pass_ends((branch.entering, branch.leaving), ends, self.edges, self.nodes)
        for edge, x in self.lanes.items():
            strip.pass_by(edge, (x, gap), (x, end))
        if not self._ports(ways, enter=False):
            end += GAP if self.node and self.node.join else spread
        strip.length = end
        return strip

    def _ports(self, ways: int, *, enter: bool) -> bool:
        """Whether each way comes from its own port of the level, or leads to one: then none has to turn."""
        sides = [branch.entering if enter else branch.leaving for branch in self.branches]
        outer = [self.edges[edge] for edge in (*self.bare, *(edge for side in sides for edge in side))]
        ends = [edge.tail if enter else edge.head for edge in outer]
        return len(outer) == ways == len({edge.tensor for edge in outer}) > 1 and set(ends) == {OUTSIDE}

    def _spine(self) -> Branch | int | None:
        """The branch or bare edge that stays on the spine, or None if all branches are of equal rank."""
        join = self.node.join if self.node else ""
        if not self.branches:
            return min(self.bare, key=lambda edge: (self.edges[edge].side, not self.edges[edge].main))
        heaviest = max(self.branches, key=lambda branch: (not branch.is_side, branch.weight))
        if self.bare:
            if len(self.branches) == 1 and (join == "×" or (join and self._is_beside(heaviest))):
                return min(self.bare, key=lambda edge: self.edges[edge].side)
            return heaviest if len(self.branches) == 1 or join else None
        if len(self.branches) == 1:
            return heaviest
        return heaviest if join and any(branch.weight < heaviest.weight for branch in self.branches) else None

    def _is_beside(self, branch: Branch) -> bool:
        """Whether a branch is a single box on an edge that comes from the side, such as a convolution on a shortcut."""
        nearest = min(self.edges[edge].side for edge in self.bare)
        return branch.weight == 1 and all(self.edges[edge].side > nearest for edge in branch.entering)

    def _place(self, spine: Branch | int | None) -> None:
        if isinstance(spine, Branch):
            self.left, self.right = spine.strip.left, spine.strip.right
        elif spine is not None:
            self.lanes[spine] = 0.0
        if spine is None:
            self._spread()
        entering = spine.entering if isinstance(spine, Branch) else ()
        least = 2 * SIDE if self.node and self.node.join else 0.0  # enough to enter a circle from the side
        for edge in sorted(self.bare, key=lambda edge: self.edges[edge].side):
            if edge in self.lanes:
                continue
            if any(self._is_left_of(edge, other) for other in entering):
                self.left = max(self.left + LANE, least)
                self.lanes[edge] = -self.left
            else:
                self.right = max(self.right + LANE, least)
                self.lanes[edge] = self.right
        if spine is not None:
            sides = [branch for branch in self.branches if branch is not spine]
            for position, branch in enumerate(sides):
                self._add(branch, position % 2 == 1)
        if any(self.lanes.values()):
            self.right += 2

    def _is_left_of(self, edge: int, other: int) -> bool:
        """Whether an edge comes from further left than another one."""
        one, two = self.edges[edge], self.edges[other]
        if one.tail != OUTSIDE and one.tail == two.tail:
            exits = self.nodes[one.tail].exits
            return exits.get(one.tensor, 0.0) < exits.get(two.tensor, 0.0)
        return one.side < two.side

    def _spread(self) -> None:
        """Place branches of equal rank on both sides of the spine; of an odd number, the middle one is on it."""
        half, odd = divmod(len(self.branches), 2)
        if odd:
            middle = self.branches[half]
            self.left, self.right = middle.strip.left, middle.strip.right
        else:
            self.left = self.right = -BESIDE / 2
        for branch in self.branches[half + odd :]:
            self._add(branch, False)
        for branch in reversed(self.branches[:half]):
            self._add(branch, True)

    def _add(self, branch: Branch, to_left: bool) -> None:
        """Place a branch beside what is there."""
        if to_left:
            branch.x = -(self.left + BESIDE + branch.strip.right)
            self.left = -branch.x + branch.strip.left
        else:
            branch.x = self.right + BESIDE + branch.strip.left
            self.right = branch.x + branch.strip.right
