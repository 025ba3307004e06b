"""Composing the picture of a graph: which scopes are open, and which operations share a box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter

from cnngraph.diagnostics import Diagnostic
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, NodeError
from cnngraph.graph.path_patterns import matches_path
from cnngraph.ops.op import Op
from cnngraph.render.arrows import TooMuchError, arrows
from cnngraph.render.axes import text_of
from cnngraph.render.branches import BRANCH
from cnngraph.render.closed import closed_rows, closed_title
from cnngraph.render.folding import fold_tree
from cnngraph.render.idle import without_idle
from cnngraph.render.label import MAX_TIP, clean, clean_name, error_lines, is_nothing, tip_label
from cnngraph.render.likeness import stem
from cnngraph.render.names import beside, repeats_op
from cnngraph.render.picture import Box, Frame, Look, Picture, Row, Shape, Title
from cnngraph.render.settings import UNLIMITED, Settings
from cnngraph.render.shared_boxes import MAX_ROWS, is_one_stack, stacks
from cnngraph.render.terminals import terminals_of
from cnngraph.render.titles import block_of, merged, tip_of, title_of
from cnngraph.render.traits import noted, traits_of_row, with_traits
from cnngraph.render.tree import SERIES, Group, Tree, build_tree, no_block, nodes_of, start_of, with_arcs

UNROLLED = 25  # the maximum number of boxes of a picture in which every iteration of a repeat is drawn
READABLE = 90  # … of a picture in which every block is open
OVERVIEW = 60  # … of a picture with closed blocks
MAX_ON_PAGE = 250  # … of a picture that has to fit a page
MAX_BOXES = 1500  # more boxes cannot be laid out in reasonable time


@frozen
class Detail:
    """How much of a tree is drawn open, and the maximum number of boxes.

    Groups at level `depth` and below are closed, except those that `open` matches. With `opens_inline`, inline nodes in
    an open scope are always opened. `shown` are the paths of further groups that are drawn open, and `whole` of those
    with everything in them. With `own_errors`, nodes with errors are drawn in their own group only, not beside the
    closed box of one.
    """

    depth: int
    most: int = MAX_BOXES
    open: tuple[str, ...] = ()
    opens_inline: bool = False
    shown: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    own_errors: bool = False

    def opens(self, path: str) -> bool:
        """Whether the group at a path is one of those that are drawn open."""
        inside = f"{path}."
        if path in self.shown or path in self.whole or any(opens(pattern, path) for pattern in self.open):
            return True
        leads = any(name.startswith(inside) for name in (*self.shown, *self.whole))
        return leads or any(path.startswith(f"{name}.") for name in self.whole)


@frozen
class Composed:
    """A picture of a tree with some detail; `opened` are its open groups, `closed` those in boxes.

    `known` are all boxes so far: they are the same in every picture of the tree.
    """

    tree: Tree
    detail: Detail
    picture: Picture
    opened: tuple[Group, ...]
    closed: tuple[Group, ...]
    known: dict[object, Box]


def compose(graph: Graph, settings: Settings = UNLIMITED) -> Picture:
    """The picture of a graph; of several with different detail, the first that has few enough boxes to be read.

    Raises SpecError (E501) if the picture has more boxes or arrows than can be laid out, and ValueError for a path at
    which there is no block.
    """
    return next(iter(candidates(graph, settings))).picture


def candidates(graph: Graph, settings: Settings) -> Iterator[Composed]:
    """The pictures of a graph from the most detailed one, without those with too many boxes. See `compose`."""
    check_open(graph, settings.open)
    choices = list(_choices(graph, settings))
    known: dict[int, dict[object, Box]] = {}
    for position, (tree, detail) in enumerate(choices, 1):
        try:
            yield composed(tree, detail, known.setdefault(id(tree), {}))
        except TooMuchError:
            if position == len(choices):
                raise


def composed(tree: Tree, detail: Detail, known: dict[object, Box]) -> Composed:
    """The picture of a tree; boxes that are not known yet are added. Raises TooMuchError."""
    drawing = _Drawing(tree, detail, known)
    picture = drawing.picture()
    return Composed(tree, detail, picture, tuple(drawing.opened), tuple(drawing.closed), known)


def check_open(graph: Graph, patterns: Iterable[str]) -> None:
    """Raise ValueError for a pattern that matches no block."""
    paths = [scope.path for scope in graph.scopes() if scope.path]
    for pattern in patterns:
        if not any(matches_path(pattern, path) for path in paths):
            raise ValueError(no_block(graph, pattern, "opened", f"no block matches {pattern!r}"))


def _choices(graph: Graph, settings: Settings) -> Iterator[tuple[Tree, Detail]]:
    """Candidates from full detail down to the top level."""
    whole, fold, opened = build_tree(graph, settings.node), settings.fold, settings.open
    tree = whole if fold is False else fold_tree(whole)
    on_page = settings.page is not None
    trees = [with_arcs(tree), tree] if on_page and fold is False else [tree]
    if settings.depth is not None or opened:
        yield from ((drawn, Detail(settings.depth or 1, MAX_BOXES, opened)) for drawn in trees)
        return
    opened = tuple(error.path.rpartition(".")[0] for error in graph.errors)
    full, most = whole.height + 2, MAX_ON_PAGE if on_page else READABLE
    if fold is None and len(graph.nodes) <= (MAX_ON_PAGE if on_page else UNROLLED) * MAX_ROWS:
        for drawn in [with_arcs(whole), whole] if on_page else [whole]:
            yield drawn, Detail(full, MAX_ON_PAGE if on_page else UNROLLED, opened, opens_inline=True)
    yield from ((drawn, Detail(full, most, opened, opens_inline=True)) for drawn in trees)
    for level in range(full - 1, 0, -1):
        most = MAX_ON_PAGE if on_page else OVERVIEW
        for drawn in trees:
            yield drawn, Detail(level, most if level > 1 else MAX_BOXES, opened, opens_inline=True)


@frozen
class OpenGroup:
    """The contents of one group, with all groups inside closed: its members, and the box of each node.

    `closed` are the groups in closed boxes, by the key of the box; `title` is that of the group's frame. `errors` are
    the nodes with errors, with the key of the box that they are, or that they are in.
    """

    title: Title
    members: tuple[Box | Frame, ...]
    box_of: Mapping[int, str]
    closed: Mapping[str, Group]
    look: Look
    errors: tuple[tuple[str, NodeError], ...]


def open_group(tree: Tree, group: Group, around: Group | None = None) -> OpenGroup:
    """The contents of a group of a tree, whose parent is `around`. Raises SpecError (E501) if it has too many boxes."""
    drawing = _Drawing(tree, Detail(group.level + 1, own_errors=True))
    members = tuple(drawing._members(group))
    look = _common([member.look for member in members])
    title = title_of(group, tree, drawing.shared.keys())
    if around and title.name and block_of(group) == block_of(around):
        title = replace(title, block="")
    keys = set(drawing.box_of.values())
    inner = {_closed_key(member): member for member in group.members if isinstance(member, Group)}
    closed = {key: member for key, member in inner.items() if key in keys}
    heads = {id(member): key for key, member in closed.items()}
    inside = ((heads.get(id(_around(error, group))), error) for error in tree.graph.errors)
    errors = (*drawing.errors.items(), *((key, error) for key, error in inside if key))
    return OpenGroup(
        title,
        tuple(noted(members, tree.graph)) if look is Look.PLAIN else members,
        drawing.box_of,
        closed,
        look,
        errors,
    )


@dataclass(slots=True)
class _Drawing:
    """One walk over a tree with one amount of detail."""

    tree: Tree
    detail: Detail
    known: dict[object, Box] = field(default_factory=dict)
    count: int = 0
    opened: list[Group] = field(default_factory=list)
    closed: list[Group] = field(default_factory=list)
    box_of: dict[int, str] = field(default_factory=dict)
    errors: dict[str, NodeError] = field(default_factory=dict)  # by the key of their box
    shared: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.shared = sharing(self.tree.graph)

    @property
    def graph(self) -> Graph:
        return self.tree.graph

    def picture(self) -> Picture:
        """The picture with inputs, outputs and arrows."""
        members = tuple(noted(self._members(self.tree.root), self.graph))
        terminals = terminals_of(self.tree, self.box_of)
        closed = {_closed_key(group): group.scope for group in self.closed}
        picture = Picture(
            name=clean_name(self.graph.name),
            members=(*terminals.inputs, *members, *terminals.outputs),
            arrows=arrows(self.tree, self.box_of, terminals, self.errors.items(), closed),
        )
        return with_traits(without_idle(picture, self.graph), self.tree)

    def _members(self, group: Group) -> Iterator[Box | Frame]:
        """The members of an open group: chains of operations, inner groups, open or closed, and nodes with errors."""
        first = {stack[0]: stack for stack in stacks(group, self.tree)}
        around = block_of(group) if len(group.members) > 1 else ""  # an only member has the title for both
        found: list[tuple[int, Box | Frame]] = []
        for member in group.members:
            if isinstance(member, Group):
                found.append((start_of(member), self._group(member, around)))
            elif member in first:
                found.append((member, self._ops(first[member])))
        if self.graph.errors:  # after the inner groups, which show their own
            errors = [(error.position, self._error(error)) for error in self._errors_in(group)]
            found = sorted([*errors, *found], key=itemgetter(0))
        return (member for _, member in found)

    def _errors_in(self, group: Group) -> list[NodeError]:
        """The nodes with errors inside a group that are not shown yet."""
        inside, shown = f"{group.scope.path}." if group.scope.path else "", set(self.errors.values())
        found = [error for error in self.graph.errors if error.path.startswith(inside) and error not in shown]
        return [error for error in found if not (self.detail.own_errors and _around(error, group))]

    def _error(self, error: NodeError) -> Box:
        key = f"{Shape.ERROR}{len(self.errors)}"
        self.errors[key] = error
        rows = tuple(Row(line, "error") for line in error_lines(error))
        place = f"{clean_name(error.path, MAX_TIP)} at {clean_name(str(error.span), MAX_TIP)}"
        tip = f"{place}: {error.code} {clean(error.message, 400)}"
        return Box(key, Shape.ERROR, Title(clean_name(error.path)), rows, tip)

    def _group(self, group: Group, around: str = "") -> Box | Frame:
        """A closed box, a frame, or the only member of the group."""
        title = title_of(group, self.tree, self.shared.keys())
        if block_of(group) == around and title.name:
            title = replace(title, block="")  # an iteration of a repeat; the frame of the repeat names the block
        if self._is_closed(group):
            self.closed.append(group)
            return self._closed(group, title)
        self.opened.append(group)
        members = tuple(self._members(group))
        if len(members) == 1:
            only = members[0]
            if isinstance(only, Box) and only.shape is Shape.OPS:
                is_unnamed = stem(group.scope.name) == "" and 1 == title.times == only.title.times
                name = "" if is_unnamed else title.name
                return replace(only, title=merged(replace(title, name=name, block=""), only.title))
            inner = group.members[0]
            if isinstance(inner, Group) and 1 in (title.times, only.title.times):
                return replace(only, title=merged(title, only.title, inner), tip=tip_of(group, self.tree))
        look = _common([member.look for member in members])
        members = tuple(noted(members, self.graph)) if look is Look.PLAIN else members
        series = SERIES if group.scope.kind == SERIES else ""
        return Frame(f"frame{group.scope.start}_{group.level}{series}", title, members, tip_of(group, self.tree), look)

    def _is_closed(self, group: Group) -> bool:
        detail, scope = self.detail, group.scope
        if is_one_stack(group, self.tree):
            return detail.own_errors and any(_is_inside(error, group) for error in self.graph.errors)
        if scope.kind in (BRANCH, SERIES):
            return detail.own_errors
        if group.level < detail.depth:
            return False
        path = original(scope.path, self.shared)  # a block is drawn like the one whose weights it shares
        if detail.opens(path) or detail.opens(scope.path):
            return False
        return not (detail.opens_inline and scope.kind == "nodes" and group.level > 1)

    def _closed(self, group: Group, title: Title) -> Box:
        """A scope that is not opened, with its totals, or those of each of the equal scopes that it represents."""
        return self._box(group.indices(), (id(group), title), partial(self._new_closed, group, title))

    def _new_closed(self, group: Group, title: Title) -> Box:
        return Box(
            key=_closed_key(group),
            shape=Shape.SCOPE,
            title=closed_title(title, group, self.tree),
            rows=closed_rows(group, self.tree),
            tip=tip_of(group, self.tree),
            look=_common([_look(node) for node in self._inside(group)]),
            types=tuple(self.graph.type_of(ref) for ref in group.scope.value),
        )

    def _ops(self, stack: tuple[int, ...]) -> Box:
        return self._box(stack, stack, partial(self._new_ops, stack))

    def _new_ops(self, stack: tuple[int, ...]) -> Box:
        nodes = [self.graph.nodes[index] for index in stack]
        key, look = f"node{stack[0]}", _common([_look(node) for node in nodes])
        tip, types = "\n".join(_node_tip(node) for node in nodes), nodes[-1].types
        if stack[0] in self.tree.joins:
            return Box(key, Shape.JOIN, Title(), (Row("concat", "merge"),), tip, look, types=types)
        return Box(key, Shape.OPS, Title(), self._rows(stack), tip, look, types=types)

    def _box(self, nodes: Sequence[int], name: object, make: Callable[[], Box]) -> Box:
        """The box of some nodes, which is made if it is not known yet under its name."""
        self.count += 1
        if self.count > self.detail.most:
            help = "choose a smaller `--depth`" if self.detail.depth > 1 else "group the nodes in blocks or repeats"
            message = f"the drawing would have more than {self.detail.most:,} boxes, too many to lay out"
            raise TooMuchError([Diagnostic("E501", message, self.graph.root.span, help=help)])
        if name not in self.known:
            copies = self.tree.copies
            every = tuple(sorted(copy for node in nodes for copy in copies.get(node, (node,))))
            self.known[name] = replace(make(), nodes=every)
        box = self.known[name]
        self.box_of.update(dict.fromkeys(nodes, box.key))
        return box

    def _rows(self, stack: Sequence[int]) -> tuple[Row, ...]:
        """One row per operation; one that does nothing is left out unless it is the only one."""
        rows = tuple(self._row(index) for index in stack if not all(map(is_nothing, self._operations(index))))
        return rows or (self._row(stack[0]),)

    def _copies(self, index: int) -> tuple[int, ...]:
        """The nodes that are drawn as one."""
        return self.tree.copies.get(index, (index,))

    def _operations(self, index: int) -> list[Op]:
        """The operations that are drawn as one."""
        return [self.graph.nodes[copy].operation for copy in self._copies(index)]

    def _row(self, index: int) -> Row:
        """One operation; if folded iterations have different rates or factors, the range from the first to the last."""
        node = self.graph.nodes[index]
        text, last = (text_of(operation, index, self.tree) for operation in itemgetter(0, -1)(self._operations(index)))
        if text != last:
            text = f"{text} … {last.rpartition(' ')[2]}"
        names = {self.graph.nodes[copy].path.rpartition(".")[2] for copy in self._copies(index)}
        is_unnamed = len(names) > 1 or repeats_op(node, text) or is_nothing(node.operation)
        notes = [] if is_unnamed else [clean_name(names.pop())]
        if node.shares and not self._is_shared_whole(node):
            notes.append(f"shares {clean_name(beside(node.path, node.shares))}")
        notes += ["unused"] if node.unused else []
        return Row(text, node.operation.kind, ", ".join(notes), traits_of_row(index, self.graph))

    def _is_shared_whole(self, node: Node) -> bool:
        """Whether the scope around a shared node is shared, and has the note."""
        return node.path.rpartition(".")[0] in self.shared

    def _inside(self, group: Group) -> list[Node]:
        """All nodes of a group, including hidden ones."""
        return [self.graph.nodes[index] for index in nodes_of(group)]


def _closed_key(group: Group) -> str:
    return f"scope{group.scope.start}"


def _around(error: NodeError, group: Group) -> Group | None:
    """The inner group of a group that contains a node with an error."""
    groups = (member for member in group.members if isinstance(member, Group))
    return next((inner for inner in groups if _is_inside(error, inner)), None)


def _is_inside(error: NodeError, group: Group) -> bool:
    return error.path.startswith(f"{group.scope.path}.")


def sharing(graph: Graph) -> dict[str, str]:
    """The paths of the scopes that share weights, with those of the scopes they share them with."""
    return {scope.path: scope.shares for scope in graph.scopes() if scope.shares}


def original(path: str, shared: Mapping[str, str]) -> str:
    """The path whose weights the scope at a path has: its own, or that in the scope which is shared."""
    for prefix, other in shared.items():
        if path == prefix or path.startswith(f"{prefix}."):
            return f"{other}{path[len(prefix) :]}"
    return path


def opens(pattern: str, path: str) -> bool:
    """Whether a pattern matches a path, or a path inside it."""
    depth = path.count(".") + 1
    return matches_path(pattern, path) or matches_path(".".join(pattern.split(".")[:depth]), path)


def _common(looks: Sequence[Look]) -> Look:
    return looks[0] if len(set(looks)) == 1 else Look.PLAIN


def _look(node: Node) -> Look:
    return Look.UNUSED if node.unused else Look.TRAINING if node.training_only else Look.PLAIN


def _node_tip(node: Node) -> str:
    shape = ", ".join(map(str, node.types))
    params = f", {node.num_params:,} parameters" if node.num_params else ""
    return f"{clean_name(node.path, MAX_TIP)}: {tip_label(node.operation)} → {shape}{params}"
