"""The module tree for drawing: without containers, with dense blocks as ladders, and equal iterations folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from cnngraph.fields import fields_of
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref, Scope
from cnngraph.ops.op import Op

READS_OUTSIDE = -1  # a reader that is not a node: an output of the network


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A scope with its members in order of execution; it represents `times` equal scopes."""

    scope: Scope
    level: int
    members: tuple[Group | int, ...]
    times: int = 1
    parallel: bool = False

    def indices(self) -> list[int]:
        """All nodes inside, in order of execution, except those hidden by folding."""
        found: list[int] = []
        waiting: list[Group | int] = [self]
        while waiting:
            member = waiting.pop()
            if isinstance(member, Group):
                waiting += member.members
            else:
                found.append(member)
        return sorted(found)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The groups of a graph and its connections as they are drawn.

    `reads` are the input tensors of each node, `joins` the implicit concats, `stand_in` the drawn node for each node
    hidden by folding, `copies` all nodes that a drawn one represents.
    """

    graph: Graph
    root: Group
    reads: tuple[tuple[Ref, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    joins: frozenset[int]
    stand_in: dict[int, int]
    copies: dict[int, tuple[int, ...]]

    def drawn(self, node: int) -> int:
        """The node that is drawn for this one."""
        return self.stand_in.get(node, node)

    @property
    def height(self) -> int:
        """The deepest level of a group, 0 for a network of operations only."""
        return max(group.level for group in _groups(self.root))


def grow(graph: Graph, *, fold: bool) -> Tree:
    """The tree of a graph; with `fold`, runs of equal iterations become one."""
    joins = frozenset(_joins(graph))
    reads = _ladders(graph, joins)
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for index, refs in enumerate(reads):
        for ref in refs:
            if ref.node >= 0:
                readers[ref.node].append(index)
    for ref in graph.outputs.values():
        if ref.node >= 0:
            readers[ref.node].append(READS_OUTSIDE)
    frozen = tuple(tuple(indices) for indices in readers)
    root = _with_strays(_group(graph.root, 0), len(graph.nodes))
    tree = Tree(graph, root, reads, frozen, joins, {}, {})
    return _Folding(tree).run() if fold else tree


def _groups(root: Group) -> Iterator[Group]:
    waiting = [root]
    while waiting:
        group = waiting.pop()
        yield group
        waiting += [member for member in group.members if isinstance(member, Group)]


def _joins(graph: Graph) -> Iterator[int]:
    """The implicit concats that `carry: concat` inserts between iterations (a node cannot be named `in`)."""
    repeats = {scope.path for scope in graph.scopes() if scope.kind == "repeat"}
    grown: dict[Ref, tuple[Ref, ...]] = {}
    for index, node in enumerate(graph.nodes):
        if node.op != "concat" or not node.reads:
            continue
        above, _, name = node.path.rpartition(".")
        before = grown.get(node.reads[0], ())
        is_last = name == "concat" and (above in repeats or (before and node.reads[: len(before)] == before))
        if name == "in" or is_last:
            grown[node.reads[0]] = node.reads
            yield index


def _ladders(graph: Graph, joins: frozenset[int]) -> tuple[tuple[Ref, ...], ...]:
    """The inputs of each node; a join reads the previous join and the new tensors, which is equivalent."""
    reads = [() if node.unused else node.reads for node in graph.nodes]
    last: dict[Ref, int] = {}
    for index in sorted(joins):
        refs = graph.nodes[index].reads
        before = last.get(refs[0])
        if before is not None:
            known = graph.nodes[before].reads
            if len(known) < len(refs) and refs[: len(known)] == known:
                reads[index] = (Ref(before), *refs[len(known) :])
        last[refs[0]] = index
    return tuple(reads)


def _group(scope: Scope, level: int) -> Group:
    return Group(scope, level, tuple(sorted(_members(scope, level), key=_start)))


def _with_strays(root: Group, count: int) -> Group:
    """The root with the nodes that are in no scope, which exist if a scope of an invalid spec failed half-way."""
    strays = set(range(count)).difference(root.indices())
    return replace(root, members=tuple(sorted([*root.members, *strays], key=_start))) if strays else root


def _start(member: Group | int) -> int:
    """The index of the first node of a member."""
    return member if isinstance(member, int) else min(member.indices())


def _members(scope: Scope, level: int) -> Iterator[Group | int]:
    """The children of a scope; those of containers are included, empty scopes are left out."""
    for child in scope.children:
        if isinstance(child, int):
            yield child
        elif child.kind == "container":
            yield from _members(child, level)
        else:
            group = _group(child, level + 1)
            if group.members:
                yield group


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """One iteration: its group, and in a dense block the join after it. `slots` are its inputs from outside."""

    group: Group
    join: int | None
    nodes: tuple[int, ...]
    slots: tuple[Ref, ...]
    value: tuple[Ref, ...]
    signature: object

    def merged(self, times: int, parallel: bool) -> Group:
        """The group that represents a run of units."""
        members = self.group.members if self.join is None else (*self.group.members, self.join)
        return replace(self.group, members=members, times=times, parallel=parallel)


class _Folding:
    """Folds a tree from the root down, so that hidden groups need not be visited."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.parameters = [_parameters(node.operation) for node in tree.graph.nodes]
        self.stand_in: dict[int, int] = {}

    def run(self) -> Tree:
        root = self._fold(self.tree.root)
        drawn = {node: self._resolve(node) for node in self.stand_in}
        copies: dict[int, list[int]] = {}
        for node, shown in sorted(drawn.items()):
            copies.setdefault(shown, [shown]).append(node)
        return replace(
            self.tree, root=root, stand_in=drawn, copies={node: tuple(indices) for node, indices in copies.items()}
        )

    def _resolve(self, node: int) -> int:
        while node in self.stand_in:
            node = self.stand_in[node]
        return node

    def _fold(self, group: Group) -> Group:
        """Merge runs of equal neighbours, then fold the inside of each remaining group."""
        members: list[Group | int] = []
        for run in self._runs(group):
            if isinstance(run, int):
                members.append(run)
            elif len(run) > 1:
                members.append(self._fold(self._merge(run)))
            else:
                members.append(self._fold(run[0].group))
                members += [] if run[0].join is None else [run[0].join]
        return replace(group, members=tuple(members))

    def _merge(self, run: list[_Unit]) -> Group:
        first = run[0]
        for other in run[1:]:
            self.stand_in.update(zip(other.nodes, first.nodes, strict=True))
        parallel = run[1].slots == first.slots
        return first.merged(len(run), parallel)

    def _runs(self, group: Group) -> Iterator[list[_Unit] | int]:
        """The members of a group, with runs of equal units that are connected in the same way as lists."""
        run: list[_Unit] = []
        step: object = None
        for unit in self._units(group):
            new_step = self._step(run[-1], unit) if run and isinstance(unit, _Unit) else None
            if isinstance(unit, _Unit) and new_step is not None and (len(run) == 1 or new_step == step):
                run.append(unit)
                step = new_step
                continue
            if run:
                yield run
            run = [unit] if isinstance(unit, _Unit) else []
            if isinstance(unit, int):
                yield unit
        if run:
            yield run

    def _units(self, group: Group) -> Iterator[_Unit | int]:
        position, members = 0, group.members
        while position < len(members):
            member = members[position]
            position += 1
            if isinstance(member, int):
                yield member
                continue
            after = members[position] if position < len(members) else None
            join = after if isinstance(after, int) and self._joins(member, after) else None
            position += join is not None
            yield self._unit(member, join)

    def _joins(self, group: Group, node: int) -> bool:
        return node in self.tree.joins and self.tree.reads[node][1:] == group.scope.value

    def _unit(self, group: Group, join: int | None) -> _Unit:
        nodes = (*group.indices(), *([] if join is None else [join]))
        inside = {node: place for place, node in enumerate(nodes)}
        slots: dict[Ref, int] = {}
        facts: list[object] = []
        for node in nodes:
            wires = []
            for ref in self.tree.reads[node]:
                place = inside.get(ref.node)
                wires.append((place, ref.output) if place is not None else (-1, slots.setdefault(ref, len(slots))))
            facts.append((self._name(node, group, join), self.parameters[node], tuple(wires), *self._flags(node)))
        value = (Ref(join),) if join is not None else group.scope.value
        ends = tuple((inside.get(ref.node, -1), ref.output) for ref in value)
        signature = (stem(group.scope.name), group.scope.block, join is None, ends, tuple(facts))
        return _Unit(group, join, nodes, tuple(slots), value, signature)

    def _name(self, node: int, group: Group, join: int | None) -> str:
        path, above = self.tree.graph.nodes[node].path, f"{group.scope.path}."
        return "" if node == join else path.removeprefix(above)

    def _flags(self, node: int) -> tuple[object, ...]:
        facts = self.tree.graph.nodes[node]
        return facts.shares, facts.training_only, facts.unused, len(facts.types)

    def _step(self, one: _Unit, two: _Unit) -> object:
        """How two units are connected, or None if they are not equal or other nodes read their inner tensors."""
        if one.signature != two.signature or len(one.slots) != len(two.slots):
            return None
        step: list[int] = []
        for before, after in zip(one.slots, two.slots, strict=True):
            if before != after and after not in one.value:
                return None
            step.append(-1 if before == after else one.value.index(after))
        if any(place >= 0 for place in step):
            near = {*one.nodes, *two.nodes}
            if any(reader not in near for node in one.nodes for reader in self.tree.readers[node]):
                return None
        return tuple(step)


def _parameters(operation: Op) -> tuple[object, ...]:
    """What must be equal for two operations to be drawn as one. Drop rates may differ between iterations."""
    cls = type(operation)
    return (cls, *[repr(getattr(operation, name)) for name in _compared(cls)])


@cache
def _compared(cls: type[Op]) -> tuple[str, ...]:
    return tuple(name for name in fields_of(cls) if not (cls.kind == "dropout" and name == "p"))


def stem(name: str) -> str:
    """A name without the number at its end; an empty string for an index."""
    return re.sub("[0-9]+$", "", name)
