"""What a picture shows of a network, and which closed block to open so that it shows more.

A block is worth opening if something in it is shown nowhere else: an operation with its kernel, dilation and whether it
is grouped, in its block, or a block with other operations than those of its open uses. What is frequent in the network
counts more. So a picture has one example of each kind of block, beginning with the most usual one: an inverted residual
with its expansion and shortcut, not the first one, which has neither.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache, cached_property
from operator import itemgetter

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope
from cnngraph.render.companions import Companions
from cnngraph.render.compose import Composed, original, sharing
from cnngraph.render.picture import Shape
from cnngraph.render.titles import block_of
from cnngraph.render.tree import Group, Tree, groups_of

PARAMETERS = ("kernel", "dilation")
MOST = 400  # operations in a block that is tried
SIZES = 20.0  # the value of showing how maps of several sizes run side by side
LATER = 0.5  # the value of what can be opened next, relative to what is shown at once


class Coverage:
    """The words of a graph: what a picture of it can show. `tree` has all iterations."""

    def __init__(self, graph: Graph, tree: Tree) -> None:
        self.graph, self.tree = graph, tree
        self.inside = cache(self._inside)
        self.shared = sharing(graph)
        self.companions = Companions(tree, lambda: self.words)

    @cached_property
    def words(self) -> list[object]:
        """What each node shows: its op, with some of its parameters, and the block that it is in."""
        blocks = dict(_blocks(self.graph.root))
        return [(blocks.get(index, ""), *_word(node)) for index, node in enumerate(self.graph.nodes)]

    @cached_property
    def counts(self) -> Counter[object]:
        """How often each word occurs in the graph."""
        kinds = (self._kinds(group) for group in groups_of(self.tree.root))
        return Counter(self.words) + Counter(kind for found in kinds for kind in found)

    def gain(self, words: AbstractSet[object]) -> float:
        """How much it is worth to show some words; the same in every process, whatever the order of a set."""
        return math.fsum(SIZES if isinstance(word, _Sizes) else math.log2(1 + self.counts[word]) for word in words)

    def is_side(self, group: Group) -> bool:
        """Whether a group runs only in training mode, or never."""
        nodes = (self.graph.nodes[node] for node in group.indices())
        return all(node.training_only or node.unused for node in nodes)

    def shown(self, composed: Composed) -> frozenset[object]:
        """What a picture shows."""
        drawn = (box.nodes for box in composed.picture.boxes() if box.shape in (Shape.OPS, Shape.JOIN))
        words = {self.words[node] for nodes in drawn for node in nodes}
        return frozenset(words.union(*(self._kinds(group) for group in composed.opened)))

    def direct(self, group: Group) -> frozenset[object]:
        """What a group shows if the groups in it are closed."""
        return frozenset({self.words[node] for node in group.members if isinstance(node, int)} | self._kinds(group))

    def _inside(self, group: Group) -> frozenset[object]:
        """What a group shows if all of it is open."""
        words = {self.words[node] for node in group.indices()}
        return frozenset(words.union(*(self._kinds(inner) for inner in groups_of(group))))

    def _kinds(self, group: Group) -> set[object]:
        """The kind of block that a group is a use of: with the ops in it, but not their widths."""
        block = block_of(group)
        if not block:
            return set()
        types = map(self.graph.type_of, group.scope.value)
        several = len({type.sizes[1:] for type in types if type.is_map}) > 1
        words = frozenset(self.words[node] for node in group.indices())
        return {(block, group.scope.kind == "repeat", words), *([_Sizes(block)] if several else [])}


@frozen
class _Sizes:
    """That a block computes maps of several sizes."""

    block: str


def _word(node: Node) -> Iterator[object]:
    operation = node.operation
    yield operation.name
    yield from (repr(getattr(operation, name, None)) for name in PARAMETERS)
    yield getattr(operation, "groups", 1) != 1


def _blocks(root: Scope) -> Iterator[tuple[int, str]]:
    """Each node with the innermost block that it is in."""
    waiting = [(root, "")]
    while waiting:
        scope, block = waiting.pop()
        for child in scope.children:
            if isinstance(child, int):
                yield child, block
            else:
                waiting.append((child, child.block or block))


@frozen(eq=False)
class Opening:
    """A closed group of a picture to open: with everything in it, or its uppermost level only."""

    group: Group
    is_whole: bool
    words: frozenset[object]

    @property
    def leads_on(self) -> bool:
        """Whether there are only other groups in the group."""
        return not any(isinstance(member, int) for member in self.group.members)


def openings(coverage: Coverage, composed: Composed) -> list[Opening]:
    """What is worth opening in a picture, beginning with what shows most."""
    shown = coverage.shown(composed)
    found: list[tuple[bool, float, int, Opening]] = []
    known = {coverage.inside(group) for group in composed.opened}
    for group in composed.closed:
        size, whole, top = len(group.indices()), coverage.inside(group), coverage.direct(group)
        gain, own = coverage.gain(whole - shown), coverage.gain(top - shown)
        path = group.scope.path
        if not gain or size > MOST or original(path, coverage.shared) != path:
            continue
        found.append((coverage.is_side(group), -gain, size, Opening(group, True, whole)))
        if whole != top and whole not in known:
            found.append((coverage.is_side(group), -own - LATER * (gain - own), size, Opening(group, False, whole)))
    return [opening for *_, opening in sorted(found, key=itemgetter(0, 1, 2))]
