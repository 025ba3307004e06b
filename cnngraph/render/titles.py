"""The titles of frames and closed blocks."""

from __future__ import annotations

from collections.abc import Set

from cnngraph.graph.nodes import Scope
from cnngraph.render.label import MAX_TIP, clean_name
from cnngraph.render.names import beside, range_of, short_path
from cnngraph.render.picture import Title
from cnngraph.render.tree import SERIES, Group, Tree, nodes_of, without_series


def title_of(group: Group, tree: Tree, shared: Set[str]) -> Title:
    """The title of a group; `shared` are the paths of the scopes that share the modules of others."""
    name, block = range_of([short_path(path) for path in paths_of(group)]), block_of(group)
    owner, growth = _owner(group, shared), _growth(group, tree)
    notes = [f"shares {clean_name(owner)}"] if owner else []
    notes += [f"+{growth} each"] if growth else []
    if name.replace("_", "").startswith(block.replace("_", "")):
        block = ""  # redundant for inception3a (inception) or denselayer1 (dense_layer)
    return Title(clean_name(name), clean_name(block), group.times, group.parallel, ", ".join(notes))


def paths_of(group: Group) -> list[str]:
    """The paths of all scopes that a group represents; of a series that is repeated, those of its iterations."""
    scopes = group.scope, *group.folded
    if group.scope.kind != SERIES:
        return [scope.path for scope in scopes]
    return [child.path for scope in scopes for child in scope.children if isinstance(child, Scope)]


def tip_of(group: Group, tree: Tree) -> str:
    """The tooltip of a group: its path and totals, of each one if it represents several."""
    nodes = [tree.graph.nodes[index] for index in nodes_of(group)]
    block = f" ({clean_name(group.scope.block)})" if group.scope.block else ""
    params, each = sum(node.num_params for node in nodes), " each" if group.folded else ""
    path = clean_name(range_of(paths_of(group)), MAX_TIP)
    return f"{path}{block}: {len(nodes):,} operations, {params:,} parameters{each}"


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


def merged(outer: Title, inner: Title, only: Group | None = None) -> Title:
    """The combined title of a frame and its only member. The number of a series does not count uses of a block."""
    is_series = only is not None and only.scope.kind == SERIES
    is_range = inner.times > 1 and bool(outer.name) and inner.name.startswith(outer.name)  # of all its iterations
    counted = inner.name if inner.times > 1 and not is_range else ""  # as denselayer1–6 in denseblock1
    return Title(
        name=outer.name,
        block=inner.block or counted or ("" if is_series else outer.block),
        times=outer.times * inner.times,
        parallel=outer.parallel or inner.parallel,
        note=", ".join(filter(None, (outer.note, inner.note))),
    )
