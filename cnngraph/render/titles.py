"""The titles of frames and closed blocks."""

from __future__ import annotations

from collections.abc import Set

from cnngraph.graph.nodes import Scope
from cnngraph.render.label import clean
from cnngraph.render.likeness import stem
from cnngraph.render.names import beside, range_of, says_nothing, short_path
from cnngraph.render.picture import Title
from cnngraph.render.tree import SERIES, Group, Tree, without_series


def title_of(group: Group, tree: Tree, shared: Set[str]) -> Title:
    """The title of a group; `shared` are the paths of the scopes that share the modules of others."""
    scope, block = group.scope, block_of(group)
    name = "" if scope.block else stem(scope.name)
    if scope.kind == SERIES:
        name = range_of([short_path(path) for path in paths_of(group)])
    elif not group.folded:
        name = short_path(scope.path)
    owner, growth = _owner(group, shared), _growth(group, tree)
    notes = [f"shares {clean(owner)}"] if owner else []
    notes += [f"+{growth} each"] if growth else []
    if block and says_nothing(name):
        name = ""
    if name.replace("_", "").startswith(block.replace("_", "")):
        block = ""  # redundant for inception3a (inception) or denselayer1 (dense_layer)
    return Title(clean(name), clean(block), group.times, group.parallel, ", ".join(notes))


def paths_of(group: Group) -> list[str]:
    """The path of a group, or those of all iterations in a series that is repeated."""
    if group.scope.kind != SERIES:
        return [group.scope.path]
    scopes = (child for scope in (group.scope, *group.folded) for child in scope.children)
    return [scope.path for scope in scopes if isinstance(scope, Scope)]


def _owner(group: Group, shared: Set[str]) -> str:
    """The block whose module a group shares, if that is not clear from the group around."""
    owners = [scope.shares for scope in (group.scope, *group.folded)]
    if not owners[0] or group.scope.path.rpartition(".")[0] in shared:
        return ""
    return beside(group.scope.path, owners[0] if len(set(owners)) == 1 else owners[0].rpartition(".")[0])


def _growth(group: Group, tree: Tree) -> int:
    """The channels that each iteration of a folded dense block, or each series of them, adds."""
    if group.times == 1:
        return 0
    joins = (member for member in group.members if isinstance(member, int) and member in tree.joins)
    return sum(tree.graph.type_of(ref).channels for join in joins for ref in tree.reads[join][1:])


def block_of(group: Group) -> str:
    """The block that a group, or every iteration of a repeat, is a use of."""
    if group.scope.block or group.scope.kind != "repeat":
        return group.scope.block or ""
    blocks = {member.scope.block if isinstance(member, Group) else "" for member in without_series(group.members)}
    blocks = {block for block in blocks if block != ""}
    return blocks.pop() or "" if len(blocks) == 1 else ""


def merged(outer: Title, inner: Title) -> Title:
    """The combined title of a frame and its only member, whose number does not count uses of the frame's block."""
    return Title(
        name=(inner.name or outer.name) if says_nothing(outer.name) else outer.name,
        block=inner.block or (outer.block if inner.times == 1 else ""),
        times=outer.times * inner.times,
        parallel=outer.parallel or inner.parallel,
        note=", ".join(filter(None, (outer.note, inner.note))),
    )
