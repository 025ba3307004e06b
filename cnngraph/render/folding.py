"""Folding: runs of equal iterations are drawn as one box with their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref
from cnngraph.render.branches import BRANCH, with_branches
from cnngraph.render.likeness import compared, stem
from cnngraph.render.tree import Group, Tree


def fold_tree(tree: Tree) -> Tree:
    """The tree with runs of equal iterations merged into one group each."""
    return _Folding(tree).run()


@frozen(eq=False)
class _Unit:
    """One iteration: its group, and in a dense block the join after it. `slots` are its inputs from outside."""

    group: Group
    join: int | None
    nodes: tuple[int, ...]
    slots: tuple[Ref, ...]
    value: tuple[Ref, ...]
    signature: object

    def merged(self, others: Sequence[_Unit], parallel: bool) -> Group:
        """The group that represents this unit and others."""
        members = self.group.members if self.join is None else (*self.group.members, self.join)
        scopes = tuple(unit.group.scope for unit in others)
        return replace(self.group, members=members, times=1 + len(others), parallel=parallel, folded=scopes)


class _Folding:
    """Folds a tree from the root down, so that hidden groups need not be visited."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.parameters = [compared(node.operation) for node in tree.graph.nodes]
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
        if group.scope.kind != BRANCH:
            group = with_branches(group, self.tree)
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
        return first.merged(run[1:], parallel)

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
            facts.append(
                (self._name(node, group, join), self.parameters[node], tuple(wires), *self._flags(node, group))
            )
        value = (Ref(join),) if join is not None else group.scope.value
        ends = tuple((inside.get(ref.node, -1), ref.output) for ref in value)
        owner = stem(group.scope.shares or "")
        signature = (stem(group.scope.name), group.scope.block, owner, join is None, ends, tuple(facts))
        return _Unit(group, join, nodes, tuple(slots), value, signature)

    def _name(self, node: int, group: Group, join: int | None) -> str:
        path, above = self.tree.graph.nodes[node].path, f"{group.scope.path}."
        if group.scope.kind == BRANCH:
            return stem(path.rpartition(".")[2])
        return "" if node == join else path.removeprefix(above)

    def _flags(self, node: int, group: Group) -> tuple[object, ...]:
        facts, scope = self.tree.graph.nodes[node], group.scope
        owner = (facts.shares or "").removeprefix(f"{scope.path}.")
        if scope.shares:  # the other iterations share the module of another one, too
            owner = owner.removeprefix(f"{scope.shares}.")
        return owner, facts.training_only, facts.unused, len(facts.types)

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
