"""Finding a feature pyramid on a level: maps of several sizes that a top-down path merges with larger ones.

A map returns to a size if it depends on a map of this size by way of a smaller one. A merge is where one that returns
is joined with one that does not, as the top-down path and a lateral are. A U-Net merges maps in the same way, but all
of its decoder is one path. In a pyramid, a map from which the top-down path rises has other readers, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cnngraph.frozen import frozen
from cnngraph.render.layout.strip import OUTSIDE, Edge

MERGES = 2  # sizes at which maps are merged

Size = tuple[int, int]
NO_MAP = (0, 0)


@frozen
class Pyramid:
    """The sizes of the maps of a pyramid, and whether it has heads for several of them, as one in a U-Net has not."""

    sizes: frozenset[Size]
    has_heads: bool


def pyramid_of(edges: Iterable[Edge]) -> Pyramid | None:
    """The pyramid on a level, if there is one."""
    forward = [edge for edge in edges if edge.tail != OUTSIDE and not 0 <= edge.head <= edge.tail]
    sizes = {edge.tail: edge.size for edge in forward if edge.size and 1 not in edge.size}  # others are of gates
    merges = _merges(forward, sizes)
    if len(merges) < MERGES:
        return None
    forks = list(_forks(forward, sizes))
    levels = frozenset(size for size in sizes.values() if size <= max(merges))
    return Pyramid(levels, len({size for size, is_head in forks if is_head}) > 1) if forks else None


def _merges(forward: Sequence[Edge], sizes: Mapping[int, Size]) -> set[Size]:
    """The sizes at which maps that return are merged with others. Sets of nodes are bits of integers."""
    into: dict[int, list[Edge]] = {}
    for edge in forward:
        into.setdefault(edge.head, []).append(edge)
    larger, own = _sets(sizes)
    before: dict[int, int] = {}  # what each node depends on
    through: dict[int, int] = {}  # … by way of a map that is smaller
    for node in sorted(into.keys() - {OUTSIDE}):
        before[node] = through[node] = 0
        for edge in into[node]:
            depends = before.get(edge.tail, 0) | 1 << edge.tail
            before[node] |= depends
            through[node] |= through.get(edge.tail, 0)
            if edge.tail in sizes:
                through[node] |= depends & larger[sizes[edge.tail]]
    returns = {node for node, size in sizes.items() if through.get(node, 0) & own[size]}
    return {
        sizes[node]
        for node in returns
        if any(sizes.get(edge.tail) == sizes[node] and edge.tail not in returns for edge in into[node])
    }


def _sets(sizes: Mapping[int, Size]) -> tuple[dict[Size, int], dict[Size, int]]:
    """For each size, the nodes whose maps are larger, and those whose maps have it."""
    own: dict[Size, int] = {}
    for node, size in sizes.items():
        own[size] = own.get(size, 0) | 1 << node
    larger, above = {}, 0
    for size in sorted(own, reverse=True):
        larger[size] = above
        above |= own[size]
    return larger, own


def _forks(forward: Sequence[Edge], sizes: Mapping[int, Size]) -> Iterator[tuple[Size, bool]]:
    """The sizes of maps from which a path rises to larger ones and that have another reader; and if that is a head.

    No path from a head leads to a larger map.
    """
    readers: dict[str, set[int]] = {}
    largest: dict[int, Size] = {}  # of the maps that depend on each node
    for edge in sorted(forward, key=lambda edge: edge.tail, reverse=True):
        if edge.tail in sizes:
            readers.setdefault(edge.tensor, set()).add(edge.head)
        after = largest.get(edge.head, NO_MAP), sizes.get(edge.tail, NO_MAP)
        largest[edge.tail] = max(*after, largest.get(edge.tail, NO_MAP))
    tails = {edge.tensor: edge.tail for edge in forward if edge.tail in sizes}
    for tensor, heads in readers.items():
        size = sizes[tails[tensor]]
        if len(heads) > 1 and any(sizes.get(head, NO_MAP) > size for head in heads):
            yield size, any(largest.get(head, NO_MAP) <= size for head in heads)
