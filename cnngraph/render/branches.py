"""Equal branches of plain operations, such as forty convolutions of one tensor that a concat joins.

Each becomes a group like an iteration of a repeat, so that they can be folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref, Scope
from cnngraph.render.likeness import likeness
from cnngraph.render.tree import Group, Tree, start_of

BRANCH = "branch"  # the kind of scope of such a group, which no graph has
LEAST = 3  # equal branches, to be grouped


@frozen
class _Branch:
    """A chain of operations with consecutive indices, of which only the last is read by `reader`."""

    nodes: tuple[int, ...]
    reads: tuple[Ref, ...]
    reader: int
    likeness: object

    @property
    def kind(self) -> object:
        """What is equal for branches that can be folded."""
        return self.reads, self.reader, self.likeness


def with_branches(group: Group, tree: Tree) -> Group:
    """The group with equal parallel branches of its operations as groups, if there are at least three in a row."""
    found: dict[int, Group] = {}
    for run in _runs(group, tree):
        for branch in run:
            found |= dict.fromkeys(branch.nodes, _group(branch, group.level + 1, tree))
    if not found:
        return group
    members = [found.get(member, member) if isinstance(member, int) else member for member in group.members]
    return replace(group, members=tuple(sorted(dict.fromkeys(members), key=start_of)))


def _runs(group: Group, tree: Tree) -> Iterator[list[_Branch]]:
    branches = sorted(_branches(group, tree), key=lambda branch: branch.nodes)
    starts: list[int] = []  # of the run of adjacent branches that each belongs to
    for place, branch in enumerate(branches):
        before = branches[place - 1] if place else None
        follows = before is not None and before.kind == branch.kind and before.nodes[-1] + 1 == branch.nodes[0]
        starts.append(starts[-1] if follows else place)
    for _, pairs in groupby(zip(starts, branches, strict=True), lambda pair: pair[0]):
        run = [branch for _, branch in pairs]
        if len(run) >= LEAST:
            yield run


def _branches(group: Group, tree: Tree) -> Iterator[_Branch]:
    """The chains that end at an operation with several inputs."""
    here = {member for member in group.members if isinstance(member, int)} - tree.joins
    for last in here:
        readers = tree.readers[last]
        if len(readers) != 1 or readers[0] < 0 or len(tree.reads[readers[0]]) < LEAST:
            continue
        nodes = [last]
        while (before := _before(nodes[0], tree)) in here and before == nodes[0] - 1:
            nodes.insert(0, before)
        yield _Branch(
            tuple(nodes), tree.reads[nodes[0]], readers[0], tuple(likeness(tree.graph.nodes[node]) for node in nodes)
        )


def _before(node: int, tree: Tree) -> int:
    """The operation that only this one reads, if this one reads nothing else; otherwise -1."""
    reads = tree.reads[node]
    return reads[0].node if len(reads) == 1 and reads[0].node >= 0 and len(tree.readers[reads[0].node]) == 1 else -1


def _group(branch: _Branch, level: int, tree: Tree) -> Group:
    first, last = tree.graph.nodes[branch.nodes[0]], branch.nodes[-1]
    scope = Scope(
        path=first.path,
        kind=BRANCH,
        block=None,
        inputs=(),
        value=tuple(Ref(last, output) for output in range(len(tree.graph.nodes[last].types))),
        children=branch.nodes,
        start=branch.nodes[0],
        stop=last + 1,
        span=first.span,
    )
    return Group(scope, level, branch.nodes)
