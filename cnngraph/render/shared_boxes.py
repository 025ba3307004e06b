"""Operations that share a box: chains such as `conv, batch_norm, relu` whose inner tensors are not read elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnngraph.render.tree import Group, Tree

FOLLOWERS = frozenset({"norm", "activation", "dropout"})  # kinds drawn in the box of the operation before them
LEADERS = frozenset({"conv", "linear"})  # kinds that end the box of a chain that starts with followers
MAX_ROWS = 6


def stacks(group: Group, tree: Tree) -> list[tuple[int, ...]]:
    """The operations directly in a group, grouped by box."""
    here = [member for member in group.members if isinstance(member, int)]
    after = {node: reader for node in here if (reader := _sole_reader(node, tree)) is not None}
    inside = set(here)
    after = {node: reader for node, reader in after.items() if reader in inside}
    followed = set(after.values())
    found = []
    for node in here:
        if node in followed:
            continue
        chain = [node]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        found += list(_cut(chain, tree))
    return found


def is_one_stack(group: Group, tree: Tree) -> bool:
    """Whether all operations of a group share one box."""
    while len(group.members) == 1 and isinstance(group.members[0], Group):
        group = group.members[0]
    return all(isinstance(member, int) for member in group.members) and len(stacks(group, tree)) == 1


def _sole_reader(node: int, tree: Tree) -> int | None:
    """The only reader of a node, if it reads nothing else and both can share a box."""
    readers = tree.readers[node]
    if len(readers) != 1 or readers[0] < 0:
        return None
    reader, nodes = readers[0], tree.graph.nodes
    one, two = nodes[node], nodes[reader]
    alike = one.training_only == two.training_only and not (one.is_list or two.is_list)
    special = tree.joins & {node, reader} or "merge" in (one.operation.kind, two.operation.kind)
    return reader if alike and not special and len(tree.reads[reader]) == 1 else None


def _cut(chain: Sequence[int], tree: Tree) -> Iterator[tuple[int, ...]]:
    """Split a chain into boxes that start with a main operation, or with the followers before it: pre-activation."""
    nodes = [tree.graph.nodes[node] for node in chain]
    kinds = ["activation" if node.op == "identity" else node.operation.kind for node in nodes]
    starts = {0, *_starts(kinds)}
    box: list[int] = []
    for position, node in enumerate(chain):
        if box and (position in starts or len(box) == MAX_ROWS):
            yield tuple(box)
            box = []
        box.append(node)
    yield tuple(box)


def _starts(kinds: Sequence[str]) -> Iterator[int]:
    """The positions in a chain at which boxes start.

    The followers between two main operations belong to the first, as in `conv, norm, activation`. If the chain starts
    with followers of a kind that does not come after its last main operation, the followers from the first of this kind
    on belong to the next one, as in `norm, activation, conv` or `dropout, linear`.
    """
    mains = [position for position, kind in enumerate(kinds) if kind not in FOLLOWERS]
    leads = [position for position in mains if kinds[position] in LEADERS]
    first = kinds[0] if mains and mains[0] > 0 and leads and kinds[0] not in kinds[mains[-1] + 1 :] else ""
    end = 0
    for position in mains:
        before = [place for place in range(end, position) if kinds[place] == first]
        yield before[0] if before and kinds[position] in LEADERS else position
        end = position + 1
