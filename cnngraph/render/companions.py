"""Blocks that are opened together, because a reader takes them for equals: one open and one closed seem to differ.

Blocks of one parent are equal if the same operations have the same names in them, whatever their widths. They are
beside each other if they are equally far from where the parent begins, like the encoders of two inputs. In a network in
the shape of a U, all equals of a parent are opened together, so that its levels stay evenly spaced.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property

from cnngraph.render.tree import Group, Tree, groups_of


class Companions:
    """The companions of the groups of a tree with all iterations; `words` are what each node shows."""

    def __init__(self, tree: Tree, words: Callable[[], Sequence[Hashable]]) -> None:
        self.tree, self.words = tree, words

    def of(self, path: str, *, is_u: bool) -> frozenset[str]:
        """The path of a group, and those of the groups that are opened with it: equals beside it, or inside of such."""
        known, found = self._equals if is_u else self._beside, {path}
        around = path
        while around:
            others = known.get(around, ())
            found |= {f"{other}{name[len(around) :]}" for other in others for name in found}
            around = around.rpartition(".")[0]
        return frozenset(found)

    @cached_property
    def _beside(self) -> dict[str, tuple[str, ...]]:
        """The paths of the equals beside each group that has any."""
        return _sets((equals, self._depths(parent)) for parent, equals in self._all)

    @cached_property
    def _equals(self) -> dict[str, tuple[str, ...]]:
        """The paths of the equals of each group that has any in its parent."""
        return _sets((equals, {}) for _, equals in self._all)

    @cached_property
    def _all(self) -> list[tuple[Group, list[list[Group]]]]:
        """The parents with equals, and the sets of two or more of these."""
        found = []
        for parent in groups_of(self.tree.root):
            equals: dict[object, list[Group]] = {}
            for member in parent.members:
                if isinstance(member, Group) and member.scope.block:
                    equals.setdefault(self._signature(member), []).append(member)
            if several := [groups for groups in equals.values() if len(groups) > 1]:
                found.append((parent, several))
        return found

    def _signature(self, group: Group) -> object:
        """What equal groups have in common."""
        words, start = self.words(), len(group.scope.path) + 1
        nodes = ((self.tree.graph.nodes[index].path[start:], words[index]) for index in group.indices())
        return group.scope.block, tuple(nodes)

    def _depths(self, parent: Group) -> dict[str, int]:
        """How many members of a group at most are on a path from its begin to each group in it."""
        owner: dict[int, int] = {}
        depths: list[int] = []
        found = {}
        for place, member in enumerate(parent.members):
            inside = member.indices() if isinstance(member, Group) else [member]
            tails = {owner[ref.node] for node in inside for ref in self.tree.reads[node] if ref.node in owner}
            depths.append(1 + max((depths[tail] for tail in tails), default=0))
            owner |= dict.fromkeys(inside, place)
            if isinstance(member, Group):
                found[member.scope.path] = depths[-1]
        return found


def _sets(every: Iterable[tuple[list[list[Group]], Mapping[str, int]]]) -> dict[str, tuple[str, ...]]:
    """The paths in each set of equals with one depth, by each of these paths."""
    found: dict[str, tuple[str, ...]] = {}
    for sets, depths in every:
        for equals in sets:
            levels: dict[int, list[str]] = {}
            for group in equals:
                levels.setdefault(depths.get(group.scope.path, 0), []).append(group.scope.path)
            found |= {path: tuple(paths) for paths in levels.values() if len(paths) > 1 for path in paths}
    return found
