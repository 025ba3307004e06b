"""The module tree for drawing: without containers, and with dense blocks as ladders or arcs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref, Scope
from cnngraph.nearest import nearest
from cnngraph.render.dotted_repeats import DottedRepeats

MOST_LISTED = 8  # blocks in a message
MOST_ARCS = 9  # tensors that a join of a dense block reads, if it is drawn with arcs
SERIES = "series"  # the kind of scope of several iterations that are repeated as one, which no graph has
READS_OUTSIDE = -1  # a reader that is not a node: an output of the network, or a node with an error


@frozen(eq=False)
class Group:
    """A scope with its members in order of execution; it represents `times` equal scopes, others in `folded`.

    A member of a series that is repeated represents others, too, but its `times` is 1, since the series has the number.
    """

    scope: Scope
    level: int
    members: tuple[Group | int, ...]
    times: int = 1
    parallel: bool = False
    folded: tuple[Scope, ...] = ()

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


@frozen(eq=False)
class Tree:
    """The groups of a graph and its connections as they are drawn.

    `reads` are the input tensors of each node, `joins` the implicit concats, `stand_in` the drawn node for each node
    hidden by folding, `copies` all nodes that a drawn one represents. `is_part` is whether the root is
    a block that is drawn alone.
    """

    graph: Graph
    root: Group
    reads: tuple[tuple[Ref, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    joins: frozenset[int]
    stand_in: dict[int, int]
    copies: dict[int, tuple[int, ...]]
    is_part: bool = False

    def drawn(self, node: int) -> int:
        """The node that is drawn for this one."""
        return self.stand_in.get(node, node)

    def drawn_ref(self, ref: Ref) -> Ref:
        """The tensor that is drawn for this one."""
        return ref if ref.node < 0 else Ref(self.drawn(ref.node), ref.output)

    @property
    def height(self) -> int:
        """The deepest level of a group, 0 for a network of operations only."""
        return max(group.level for group in groups_of(self.root))


def build_tree(graph: Graph, part: str | None = None) -> Tree:
    """The tree of a graph, or of the block at a path, with all iterations. Raises ValueError if there is no such."""
    joins = frozenset(_joins(graph))
    reads = _ladders(graph, joins)
    root = _group(graph.root if part is None else _scope(graph, part), 0, DottedRepeats(graph))
    root = root if part else _with_strays(root, len(graph.nodes))
    return Tree(graph, root, reads, readers_of(graph, reads), joins, {}, {}, part is not None)


def readers_of(graph: Graph, reads: Sequence[Sequence[Ref]]) -> tuple[tuple[int, ...], ...]:
    """The nodes that read each node."""
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for index, refs in enumerate(reads):
        for ref in refs:
            if ref.node >= 0:
                readers[ref.node].append(index)
    for ref in (*graph.outputs.values(), *(ref for error in graph.errors for ref in error.reads)):
        if ref.node >= 0:
            readers[ref.node].append(READS_OUTSIDE)
    return tuple(tuple(indices) for indices in readers)


def with_arcs(tree: Tree) -> Tree:
    """The tree with small dense blocks as in the paper: each layer reads all earlier ones, not the ladder of joins."""
    graph = tree.graph
    sizes = {graph.nodes[index].reads[0]: len(graph.nodes[index].reads) for index in sorted(tree.joins)}
    arcs = {index for index in tree.joins if sizes[graph.nodes[index].reads[0]] <= MOST_ARCS}
    reads = tuple(graph.nodes[index].reads if index in arcs else refs for index, refs in enumerate(tree.reads))
    return replace(tree, reads=reads, readers=readers_of(graph, reads))


def _scope(graph: Graph, path: str) -> Scope:
    """The block, repeat or container at a path."""
    scopes = {scope.path: scope for scope in graph.scopes() if scope.path}
    if path in scopes:
        return scopes[path]
    raise ValueError(no_block(graph, path, "drawn alone", f"there is no block at the path {path!r}"))


def no_block(graph: Graph, path: str, done: str, message: str) -> str:
    """The message for a path, or a pattern of paths, at which there is no block, with the paths that may be meant."""
    if any(node.path == path for node in graph.nodes):
        return f"{path!r} is an operation; only a block, repeat or container can be {done}"
    paths = [scope.path for scope in graph.scopes() if scope.path]
    if near := nearest(path, paths):
        return f"{message}; did you mean {near!r}?"
    top = [path for path in paths if "." not in path] or paths
    more = ", …" if len(top) > MOST_LISTED else ""
    return (
        f"{message}; the blocks are {', '.join(top[:MOST_LISTED])}{more}"
        if top
        else f"{message}: the network has no blocks"
    )


def groups_of(root: Group) -> Iterator[Group]:
    """A group and all groups inside."""
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


def _group(scope: Scope, level: int, dotted: DottedRepeats) -> Group:
    return Group(scope, level, tuple(sorted(_members(scope, level, dotted), key=start_of)))


def _with_strays(root: Group, count: int) -> Group:
    """The root with the nodes that are in no scope, which exist if a scope of an invalid spec failed half-way."""
    strays = set(range(count)).difference(root.indices())
    return replace(root, members=tuple(sorted([*root.members, *strays], key=start_of))) if strays else root


def nodes_of(member: Group | int) -> list[int]:
    """All nodes of a member, in order of execution, including those hidden by folding inside."""
    if isinstance(member, int):
        return [member]
    return sorted({*range(member.scope.start, member.scope.stop), *member.indices()})


def without_series(members: Sequence[Group | int], times: int = 1) -> Iterator[Group | int]:
    """The members, with those of a series, as often as it is repeated, instead of the series."""
    for member in members:
        if isinstance(member, int):
            yield member
        elif member.scope.kind == SERIES:
            yield from without_series(member.members, times * member.times)
        else:
            yield member if times == 1 else replace(member, times=times * member.times)


def iterations_of(repeat: Group, tree: Tree) -> list[Group | int]:
    """The iterations of a repeat as they are drawn: one of several can stand for all."""
    members = without_series(repeat.members)
    return [member for member in members if isinstance(member, Group) or member not in tree.joins]


def start_of(member: Group | int) -> int:
    """The index of the first node of a member."""
    return member if isinstance(member, int) else min(member.indices())


def _members(scope: Scope, level: int, dotted: DottedRepeats) -> Iterator[Group | int]:
    """The children of a scope, with those of containers that are no repeats; empty scopes are left out."""
    for child in scope.children:
        if isinstance(child, int):
            yield child
            continue
        repeat = dotted.scope(child) if child.kind == "container" else child
        if repeat is None:
            yield from _members(child, level, dotted)
        else:
            group = _group(repeat, level + 1, dotted)
            if group.members:
                yield group
