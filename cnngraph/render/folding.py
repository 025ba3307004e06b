"""Folding: runs of equal iterations are drawn as one box with their number.

If iterations alternate, as windows and shifted windows in a Swin transformer, those of one period are in a frame with
the number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref, Scope
from cnngraph.render.branches import BRANCH, with_branches
from cnngraph.render.likeness import compared, stem
from cnngraph.render.tree import SERIES, Group, Tree

LONGEST = 4  # iterations that are repeated as one


def fold_tree(tree: Tree) -> Tree:
    """The tree with runs of equal iterations merged into one group each."""
    return _Folding(tree).run()


@frozen
class _Part:
    """One iteration: its group, and in a dense block the join after it."""

    group: Group
    joins: tuple[int, ...]

    @property
    def value(self) -> tuple[Ref, ...]:
        """What the next iteration reads."""
        return tuple(map(Ref, self.joins)) or self.group.scope.value

    def with_copies(self, others: Sequence[_Part]) -> _Part:
        """The iteration with the scopes of others that it represents, and of those that they represent."""
        found = (*self.group.folded, *(scope for other in others for scope in (other.group.scope, *other.group.folded)))
        return replace(self, group=replace(self.group, folded=found))


@frozen(eq=False)
class _Unit:
    """What can be repeated: one iteration, or several different ones in a row. `slots` are its inputs from outside."""

    parts: tuple[_Part, ...]
    nodes: tuple[int, ...]
    slots: tuple[Ref, ...]
    signature: object

    @property
    def value(self) -> tuple[Ref, ...]:
        """What the next unit reads."""
        return self.parts[-1].value

    def merged(self, others: Sequence[_Unit], parallel: bool) -> Group:
        """The group that represents this unit and others."""
        times, copies = 1 + len(others), zip(*(unit.parts for unit in others), strict=True)
        parts = [part.with_copies(others) for part, others in zip(self.parts, copies, strict=True)]
        group = parts[0].group
        if len(parts) == 1:
            return replace(group, members=(*group.members, *parts[0].joins), times=times, parallel=parallel)
        members: list[Group | int] = []
        for part in parts:
            members += [part.group, *part.joins]
        folded = tuple(_series(unit.parts) for unit in others)
        return Group(_series(parts), group.level - 1, tuple(members), times, folded=folded)


def _series(parts: Sequence[_Part]) -> Scope:
    """The scope of several iterations in a row."""
    last = parts[-1]
    return replace(
        parts[0].group.scope,
        kind=SERIES,
        block=None,
        value=last.value,
        children=tuple(part.group.scope for part in parts),
        stop=max(last.group.scope.stop, *(join + 1 for join in last.joins), 0),
        shares=None,
        params=None,
    )


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
        if group.scope.kind not in (BRANCH, SERIES):
            group = with_branches(group, self.tree)
        members: list[Group | int] = []
        for run in self._runs(group):
            if isinstance(run, int):
                members.append(run)
            elif len(run) > 1:
                members.append(self._fold(self._merge(run)))
            else:
                (part,) = run[0].parts
                members += [self._fold(part.group), *part.joins]
        return replace(group, members=tuple(members))

    def _merge(self, run: list[_Unit]) -> Group:
        first = run[0]
        for other in run[1:]:
            self.stand_in.update(zip(other.nodes, first.nodes, strict=True))
        return first.merged(run[1:], _is_parallel(run))

    def _runs(self, group: Group) -> Iterator[list[_Unit] | int]:
        """The members of a group, with runs of equal units that are connected in the same way as lists."""
        waiting: list[_Unit] = []
        for member in self._parts(group):
            if isinstance(member, _Part):
                waiting.append(self._unit([member]))
                continue
            yield from self._runs_of(waiting)
            yield member
            waiting = []
        yield from self._runs_of(waiting)

    def _runs_of(self, units: list[_Unit]) -> Iterator[list[_Unit]]:
        """The runs of neighbours, from the first one on."""
        is_first = True
        while units:
            run = self._longest(units)
            size = sum(len(unit.parts) for unit in run)
            more, period = len(units) - size, len(run[0].parts)
            if not is_first and 0 < more < period and _are_alike(units[:more], units[size:]):
                yield from ([unit] for unit in units[:more])  # a, b, (c, b) ×2 rather than a, (b, c) ×2, b
                run, units = self._longest(units[more:]), units[more:]
            yield run
            units = units[sum(len(unit.parts) for unit in run) :]
            is_first = False

    def _longest(self, units: Sequence[_Unit]) -> list[_Unit]:
        """The run that begins with the first unit and has the most iterations."""
        best = self._run(units, 1)
        size = len(best)
        for period in range(size + 1, LONGEST + 1):
            run = self._run(units, period)
            if len(run) * period > size and not _is_parallel(run):
                best, size = run, len(run) * period
        return best

    def _run(self, units: Sequence[_Unit], period: int) -> list[_Unit]:
        """The run of equal units of so many iterations each; one unit is no run unless it is a single iteration."""
        most = len(units) // period
        if period > 1 and not _are_alike(units[:period], units[period : 2 * period]):
            return []
        run: list[_Unit] = []
        step: object = None
        for start in range(0, most * period, period):
            unit = self._joined(units[start : start + period])
            new_step = self._step(run[-1], unit) if run else None
            if run and (new_step is None or (len(run) > 1 and new_step != step)):
                break
            run.append(unit)
            step = new_step
        return run if period == 1 or len(run) > 1 else []

    def _joined(self, units: Sequence[_Unit]) -> _Unit:
        """Several iterations as one unit."""
        return units[0] if len(units) == 1 else self._unit([part for unit in units for part in unit.parts])

    def _parts(self, group: Group) -> Iterator[_Part | int]:
        position, members = 0, group.members
        while position < len(members):
            member = members[position]
            position += 1
            if isinstance(member, int):
                yield member
                continue
            after = members[position] if position < len(members) else None
            joins = (after,) if isinstance(after, int) and self._joins(member, after) else ()
            position += len(joins)
            yield _Part(member, joins)

    def _joins(self, group: Group, node: int) -> bool:
        return node in self.tree.joins and self.tree.reads[node][1:] == group.scope.value

    def _unit(self, parts: Sequence[_Part]) -> _Unit:
        owners = [(node, part) for part in parts for node in (*part.group.indices(), *part.joins)]
        inside = {node: place for place, (node, _) in enumerate(owners)}
        slots: dict[Ref, int] = {}
        facts: list[object] = []
        for node, part in owners:
            wires = []
            for ref in self.tree.reads[node]:
                place = inside.get(ref.node)
                wires.append((place, ref.output) if place is not None else (-1, slots.setdefault(ref, len(slots))))
            facts.append((self._name(node, part), self.parameters[node], tuple(wires), *self._flags(node, part.group)))
        ends = tuple(tuple((inside.get(ref.node, -1), ref.output) for ref in part.value) for part in parts)
        kinds = ((part.group.scope, len(part.joins)) for part in parts)
        names = tuple((stem(scope.name), scope.block, stem(scope.shares or ""), joins) for scope, joins in kinds)
        return _Unit(tuple(parts), tuple(inside), tuple(slots), (names, ends, tuple(facts)))

    def _name(self, node: int, part: _Part) -> str:
        path, scope = self.tree.graph.nodes[node].path, part.group.scope
        if scope.kind == BRANCH:
            return stem(path.rpartition(".")[2])
        return "" if node in part.joins else path.removeprefix(f"{scope.path}.")

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


def _are_alike(units: Sequence[_Unit], others: Sequence[_Unit]) -> bool:
    """Whether there are as many units as others, and each is equal to the other one at its place."""
    pairs = zip(units, others, strict=False)
    return len(units) == len(others) and all(one.signature == two.signature for one, two in pairs)


def _is_parallel(run: Sequence[_Unit]) -> bool:
    """Whether no unit of a run reads another one."""
    return run[1].slots == run[0].slots
