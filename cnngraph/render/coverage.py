"""What a picture shows of a network, and which closed block to open so that it shows more.

A block is worth opening if something in it is shown nowhere else: an operation with its kernel, dilation and whether it
is grouped, in its block, or a block with other operations than those of its open uses. What is frequent in the network
counts more. So a picture has one example of each kind of block, beginning with the most usual one: an inverted residual
with its expansion and shortcut, not the first one, which has neither. What a closed box says counts less, and branches
which none says are opened first: an attention before a chain of convolutions.
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
from cnngraph.render.contents import PARALLEL, branches_lines, contents_lines
from cnngraph.render.picture import Shape
from cnngraph.render.titles import block_of
from cnngraph.render.tree import Group, Tree, groups_of

PARAMETERS = ("kernel", "dilation")
MOST = 400  # operations in a block that is tried
SIZES = 20.0  # the value of showing how maps of several sizes run side by side
BRANCHES = 20.0  # … or the branches of a block whose closed box does not say what is in it
SHORTCUT = 2  # tensors that the end of a residual unit reads, which closed boxes do not mention
LATER = 0.5  # the value of what can be opened next, relative to what is shown at once
TOLD = 0.7  # the value of an operation in a block whose closed box says what is in it
RESHAPED = 0.25  # … of one that only moves values, which papers leave out


class Coverage:
    """The words of a graph: what a picture of it can show. `tree` has all iterations."""

    def __init__(self, graph: Graph, tree: Tree) -> None:
        self.graph, self.tree = graph, tree
        self.inside, self.reads, self._kinds = cache(self._inside), cache(self._reads), cache(self._kinds_of)
        self.shared = sharing(graph)
        self.companions = Companions(tree, lambda: self.words)
        self.known: dict[object, bool] = {}  # whether kinds of blocks are told

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
        return math.fsum(map(self._value, words))

    def _value(self, word: object) -> float:
        if isinstance(word, _Sizes | _Branches):
            return SIZES if isinstance(word, _Sizes) else BRANCHES
        told = TOLD if word in self.told else 1.0
        return math.log2(1 + self.counts[word]) * (RESHAPED if word in self.reshaping else told)

    @cached_property
    def reshaping(self) -> frozenset[object]:
        """The words of operations that only move values."""
        nodes = enumerate(self.graph.nodes)
        return frozenset(self.words[index] for index, node in nodes if node.operation.kind == "reshape")

    @cached_property
    def told(self) -> frozenset[object]:
        """The words of nodes that are all in blocks whose closed boxes say what is in them."""
        found: set[int] = set()
        for group in groups_of(self.tree.root):
            found.update(group.indices() if self._is_told(group) else ())
        words = {self.words[node] for node in found}
        return frozenset(words.difference(word for node, word in enumerate(self.words) if node not in found))

    def _is_told(self, group: Group) -> bool:
        """Whether the closed box of a block says what is in it: its branches, too, if it has more than a shortcut."""
        if not group.scope.block or group.scope.kind == "repeat":
            return False
        reads = self.reads(group)
        kind = block_of(group), reads, frozenset(self.words[node] for node in group.indices())
        if kind not in self.known:
            text = "  ".join(contents_lines(group, self.tree) or branches_lines(group, self.tree))
            self.known[kind] = bool(text) and (reads <= SHORTCUT or PARALLEL in text)
        return self.known[kind]

    def _reads(self, group: Group) -> int:
        """The most tensors that one member of a group reads, if several other members compute them; otherwise 0."""
        nodes = [[member] if isinstance(member, int) else member.indices() for member in group.members]
        owner = {node: place for place, indices in enumerate(nodes) for node in indices}
        most = 0
        for place, indices in enumerate(nodes):
            refs = {ref for node in indices for ref in self.tree.reads[node] if owner.get(ref.node) != place}
            if len({owner[ref.node] for ref in refs if ref.node in owner}) > 1:
                most = max(most, len(refs))
        return most

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

    def _kinds_of(self, group: Group) -> set[object]:
        """The kind of block that a group is a use of: with the ops in it, but not their widths."""
        block = block_of(group)
        if not block:
            return set()
        types = map(self.graph.type_of, group.scope.value)
        several = len({type.sizes[1:] for type in types if type.is_map}) > 1
        words = frozenset(self.words[node] for node in group.indices())
        has_branches = group.scope.kind != "repeat" and not self._is_told(group) and self.reads(group)
        more = [_Sizes(block)] if several else [_Branches(block, self.reads(group))] if has_branches else []
        return {(block, group.scope.kind == "repeat", words), *more}


@frozen
class _Sizes:
    """That a block computes maps of several sizes."""

    block: str


@frozen
class _Branches:
    """That a block has branches, of which one member reads so many: its closed box does not say this."""

    block: str
    reads: int


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
    """A closed group of a picture to open: with everything in it, or its uppermost level only.

    It can be inside of a closed group, whose uppermost level is opened, too, with that of those between.
    """

    group: Group
    is_whole: bool
    words: frozenset[object]

    @property
    def leads_on(self) -> bool:
        """Whether there are only other groups in the group."""
        return not any(isinstance(member, int) for member in self.group.members)


def openings(coverage: Coverage, composed: Composed) -> list[Opening]:
    """What is worth opening in a picture, beginning with what shows most.

    Before these, the smallest parts that show branches which no closed box tells of.
    """
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
    return [*_with_branches(coverage, composed), *(one for *_, one in sorted(found, key=itemgetter(0, 1, 2)))]


def _with_branches(coverage: Coverage, composed: Composed) -> list[Opening]:
    """The groups inside of closed ones with branches that are not shown, first those with the most kinds of them.

    Of these, those with the fewest operations are the first.
    """
    shown = coverage.shown(composed)
    found: list[tuple[int, int, Opening]] = []
    waiting = [(group, frozenset[object](), 0) for group in reversed(composed.closed) if not coverage.is_side(group)]
    while waiting:
        group, around, count = waiting.pop()
        if not _branches(coverage.inside(group) - shown):
            continue
        own, top = coverage.direct(group), around | coverage.direct(group)
        count += sum(isinstance(member, int) for member in group.members)
        waiting += [(inner, top, count) for inner in reversed(group.members) if isinstance(inner, Group)]
        if _branches(own - shown) and original(group.scope.path, coverage.shared) == group.scope.path:
            found.append((-_branches(top - shown), count, Opening(group, False, top)))
    return [opening for *_, opening in sorted(found, key=itemgetter(0, 1))]


def _branches(words: AbstractSet[object]) -> int:
    """Of how many kinds of blocks some words tell the branches."""
    return sum(isinstance(word, _Branches) for word in words)
