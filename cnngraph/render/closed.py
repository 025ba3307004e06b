"""The text of a closed block: what it contains, its totals, and how many iterations a repeat has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnngraph.numbers import show_count
from cnngraph.render.contents import branches_lines, contents_lines, outline
from cnngraph.render.label import BARE, params_label, shapes_label
from cnngraph.render.likeness import compared
from cnngraph.render.picture import Row, Title
from cnngraph.render.tree import SERIES, Group, Tree, iterations_of, nodes_of, without_series

FACTS = " · "  # between the parameters and the shapes


def closed_rows(group: Group, tree: Tree) -> tuple[Row, ...]:
    """The layers of a block or its params, then its parameters and shapes, or those of each of several equal blocks."""
    lines = contents_lines(group, tree) or _given(group, tree)
    params = _params(group, tree)
    facts = [params] if params else []
    facts += [shapes_label(str(tree.graph.type_of(ref)) for ref in group.scope.value)] if group.scope.value else []
    return tuple(Row(text, "scope") for text in (*lines, FACTS.join(facts)))


def _params(group: Group, tree: Tree) -> str:
    """The number of parameters: of each of several equal blocks, which may read maps with more channels each time."""
    nodes = tree.graph.nodes
    if not group.folded:
        total = sum(nodes[node].num_params for node in nodes_of(group))
        return f"{show_count(total)} params" if total else ""
    scopes = group.scope, *group.folded
    each = [sum(node.num_params for node in nodes[scope.start : scope.stop]) for scope in scopes]
    counts = dict.fromkeys(show_count(count) for count in (min(each), max(each)))
    return f"{'…'.join(counts)} params{' each' if group.times > 1 else ''}" if any(each) else ""


def closed_title(title: Title, group: Group, tree: Tree) -> Title:
    """The title with the number of iterations of a repeat: `basic ×4`, or `layer, 16 iterations` if they differ.

    If two kinds of iterations alternate, it is `block, 2 alternating ×3`.
    """
    units = iterations_of(group, tree)
    count = sum(unit.times if isinstance(unit, Group) else 1 for unit in units)
    if group.scope.kind != "repeat" or count < 2:
        return title
    parallel = _are_parallel(units, tree)
    series = [member for member in group.members if isinstance(member, Group) and member.scope.kind == SERIES]
    if not series and _are_equal(units, tree):
        text = Title(times=count, parallel=parallel).count
        return replace(title, block=f"{title.block} {text}".strip())
    text = f"{count} {'in parallel' if parallel else 'iterations'}"
    if len(group.members) == len(series) == 1:
        text = f"{len(units)} alternating {Title(times=series[0].times).count}"
    return replace(title, block=", ".join(filter(None, (title.block, text))))


def _given(group: Group, tree: Tree) -> list[str]:
    """The params of a block whose layers do not fit, and if possible what blocks or branches it contains."""
    uses, line = _uses(group), outline(group, tree)
    lines = [line] if line else branches_lines(group, tree)
    if lines:
        uses = [{name: value for name, value in use.items() if name not in (*BARE, "stride")} for use in uses]
    return [text for text in (*lines, params_label(uses)) if text]


def _uses(group: Group) -> list[Mapping[str, object]]:
    """The params of the uses of a block, or of the iterations of a repeat."""
    groups = [group]
    if group.scope.kind == "repeat":
        groups = [member for member in without_series(group.members) if isinstance(member, Group)]
    return [scope.params or {} for group in groups for scope in (group.scope, *group.folded)]


def _are_equal(units: Sequence[Group | int], tree: Tree) -> bool:
    """Whether iterations have equal operations. The first one of a block can differ: often it changes the shape."""
    first, *others = [[compared(tree.graph.nodes[node].operation) for node in nodes_of(unit)] for unit in units]
    if any(other != others[0] for other in others):
        return False
    blocks = {unit.scope.block if isinstance(unit, Group) else None for unit in units}
    return not others or first == others[0] or (len(blocks) == 1 and None not in blocks)


def _are_parallel(units: Sequence[Group | int], tree: Tree) -> bool:
    """Whether no iteration reads another one."""
    folded = [unit.parallel for unit in units if isinstance(unit, Group) and unit.times > 1]
    if folded:
        return all(folded)
    inside = [set(nodes_of(unit)) for unit in units]
    every = set().union(*inside)
    return not any(
        ref.node in every and ref.node not in nodes for nodes in inside for node in nodes for ref in tree.reads[node]
    )
