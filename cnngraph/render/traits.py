"""What drawings mark, found in the graph: gates, dilation, groups, sizes that change, kinds of arrows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.conv import Conv, ConvTranspose
from cnngraph.render.label import window_label
from cnngraph.render.picture import (
    SIZE_ONLY,
    Arrow,
    Box,
    Change,
    Flow,
    Frame,
    Look,
    Picture,
    Shape,
    Trait,
    Traits,
    sign,
)
from cnngraph.render.tree import Tree
from cnngraph.tensor_type import TensorType

BOUNDED = frozenset({"sigmoid", "hardsigmoid", "tanh", "softmax"})  # what a gate is computed by
PASSING = frozenset({"reshape", "resize", "dropout", "arithmetic"})  # kinds after it that leave it a gate
LINEAR = frozenset({"conv", "linear", "norm", "pool", "reshape", "resize", "dropout"})  # kinds in a projection
RESIZING = frozenset({"conv", "pool", "resize", "reduction"})  # kinds that can change the size of a map
SHUFFLES = frozenset({"pixel_shuffle", "pixel_unshuffle"})  # ops of another kind that do
MUCH = 2  # how many times as many positions are a change of size
MAX_UNIT = 60  # boxes between a fork and the sum of a residual unit
COLOURS = {"conv_transpose": "transposed", "gate": "conv"}  # of ops with another colour than their kind's
NOTHING = Traits()


def traits_of(nodes: Iterable[int], graph: Graph) -> Traits:
    """The traits of operations that are drawn as one row or box. A small convolution among larger ones has no say."""
    found = [graph.nodes[node] for node in nodes]
    convs = [node for node in found if isinstance(node.operation, Conv | ConvTranspose)]
    wide = [node for node in convs if _is_wide(node)]
    dilation = max((_dilation(node) for node in wide), default=1)
    groups = {_grouping(node, graph) for node in wide or convs} - {None}
    marks = [
        *([Trait.GATE] if any(is_gate(node, graph) for node in found) else []),
        *([Trait.DILATED] if dilation > 1 else []),
        *(trait for trait in (Trait.DEPTHWISE, Trait.GROUPED) if trait in groups),
    ]
    return Traits(tuple(marks), dilation) if marks else NOTHING


def traits_of_row(index: int, graph: Graph) -> Traits:
    """The traits of one operation."""
    node = graph.nodes[index]
    window, detail = (
        ("", "") if node.op == "gate" else window_label(node.operation, tuple(map(graph.type_of, node.reads)))
    )
    return replace(traits_of([index], graph), window=window, detail=detail, colour=COLOURS.get(node.op, ""))


def is_gate(node: Node, graph: Graph) -> bool:
    """Whether a node multiplies a tensor by values that a sigmoid or another bounded function computes."""
    return node.op == "gate" or (node.op == "mul" and any(_is_bounded(ref, graph) for ref in node.reads))


def _is_bounded(ref: Ref, graph: Graph) -> bool:
    while ref.node >= 0:
        node = graph.nodes[ref.node]
        if node.op in BOUNDED:
            return True
        if node.operation.kind not in PASSING or len(node.reads) != 1:
            return False
        (ref,) = node.reads
    return False


def _is_wide(node: Node) -> bool:
    operation = node.operation
    assert isinstance(operation, Conv | ConvTranspose)
    return max(operation.kernel) > 1


def _dilation(node: Node) -> int:
    operation = node.operation
    assert isinstance(operation, Conv | ConvTranspose)
    return max(operation.dilation)


def _grouping(node: Node, graph: Graph) -> Trait | None:
    operation = node.operation
    assert isinstance(operation, Conv | ConvTranspose)
    if operation.groups == 1:
        return None
    channels = graph.type_of(node.reads[0]).channels if node.reads else 0
    return Trait.DEPTHWISE if operation.groups == channels else Trait.GROUPED


def with_traits(picture: Picture, tree: Tree) -> Picture:
    """The picture with what its boxes and arrows are marked with."""
    return _Marking(picture, tree).picture()


def _resizes(node: Node) -> bool:
    """Whether an operation changes the size of a map by more than its border."""
    if node.operation.kind not in RESIZING:
        return node.op in SHUFFLES
    stride = getattr(node.operation, "stride", None)
    return max(stride) > 1 if isinstance(stride, tuple) else stride != 1


def _change(before: TensorType, after: TensorType, *, pools: bool) -> Change:
    """Whether a map becomes much smaller or larger; pooling to a vector makes it smaller."""
    if not before.is_map or not (after.is_map or (pools and after.rank == 1)):
        return Change.NONE
    one, two = (prod(type.sizes[1:]) for type in (before, after))
    return Change.SMALLER if two * MUCH <= one else Change.LARGER if one * MUCH <= two else Change.NONE


class _Marking:
    def __init__(self, picture: Picture, tree: Tree) -> None:
        self.source, self.tree, self.graph = picture, tree, tree.graph
        self.boxes = {box.key: box for box in picture.boxes()}
        self.into: dict[str, list[Arrow]] = {}
        self.out: dict[str, list[Arrow]] = {}
        for arrow in picture.arrows:
            self.into.setdefault(arrow.head, []).append(arrow)
            self.out.setdefault(arrow.tail, []).append(arrow)
        self.projections = {id(arrow) for box in self.boxes.values() for arrow in self._projection(box)}

    def picture(self) -> Picture:
        """The marked picture."""
        members = tuple(map(self._member, self.source.members))
        return replace(self.source, members=members, arrows=tuple(map(self._arrow, self.source.arrows)))

    def _member(self, member: Box | Frame) -> Box | Frame:
        if isinstance(member, Frame):
            return replace(member, members=tuple(map(self._member, member.members)))
        if member.shape not in (Shape.OPS, Shape.SCOPE):
            return member
        is_whole = member.shape is Shape.SCOPE or bool(sign(member))
        traits = traits_of(member.nodes, self.graph) if is_whole else member.traits
        change = Change.NONE if sign(member) or member.look is Look.UNUSED else self._change_of(member)
        return replace(member, traits=traits, change=change)

    def _change_of(self, box: Box) -> Change:
        """How a box changes the size of the map that it reads."""
        nodes, is_closed = [self.graph.nodes[node] for node in box.nodes], box.shape is Shape.SCOPE
        data = [arrow for arrow in self.into.get(box.key, ()) if arrow.role != SIZE_ONLY]
        if len({arrow.source for arrow in data}) != 1 or not box.types:
            return Change.NONE
        if not is_closed and not any(map(_resizes, nodes)):
            return Change.NONE
        pools = not is_closed and any(node.operation.kind in ("pool", "reduction") for node in nodes)
        return _change(self._type(data[0]), box.types[0], pools=pools)

    def _type(self, arrow: Arrow) -> TensorType:
        number, output = map(int, arrow.source.rsplit(".", 1))
        return self.graph.type_of(Ref(number, output))

    def _arrow(self, arrow: Arrow) -> Arrow:
        if arrow.role == SIZE_ONLY:
            return replace(arrow, flow=Flow.SIZE)
        return replace(arrow, flow=Flow.PROJECTION) if id(arrow) in self.projections else arrow

    def _projection(self, box: Box) -> list[Arrow]:
        """The arrows of the shortcut of a residual unit that ends in this box, if it has operations of its own."""
        into = self.into.get(box.key, [])
        if len(into) != 2 or not box.nodes or self.graph.nodes[box.nodes[-1]].op not in ("add", "gate"):
            return []
        paths = [self._path(arrow) for arrow in into]
        found = [path for path in paths if len(path) > 1 and self._is_linear(path)]
        found = [path for path in found if self._is_unit(path[-1].tail, box.key)]
        has_identity = any(path[-1].tail == arrow.tail for path in found for arrow in into)
        return found[0] if len(found) == 1 and not has_identity else []

    def _path(self, arrow: Arrow) -> list[Arrow]:
        """An arrow and those before it, back to where the tensor is read elsewhere, too."""
        path = [arrow]
        while len(self.out[arrow.tail]) == 1 and len(before := self.into.get(arrow.tail, [])) == 1:
            arrow = before[0]
            path.append(arrow)
        return path

    def _is_linear(self, path: Sequence[Arrow]) -> bool:
        nodes = (node for arrow in path[:-1] for node in self.boxes[arrow.tail].nodes)
        return all(self.graph.nodes[node].operation.kind in LINEAR for node in nodes)

    def _is_unit(self, fork: str, end: str) -> bool:
        """Whether what is between two boxes is connected to nothing else."""
        inside: set[str] = set()
        waiting = [end]
        while waiting:
            for arrow in self.into.get(waiting.pop(), ()):
                if arrow.tail != fork and arrow.tail not in inside:
                    inside.add(arrow.tail)
                    waiting.append(arrow.tail)
            if len(inside) > MAX_UNIT:
                return False
        starts = (key for key in inside if not self.into.get(key))
        ends = (arrow.head for key in inside for arrow in self.out[key])
        return not any(starts) and all(head in inside or head == end for head in ends)


def noted(members: Iterable[Box | Frame], graph: Graph) -> Iterator[Box | Frame]:
    """The members, with a note on those with which a part begins that runs only in training mode."""
    for member in members:
        is_noted = isinstance(member, Frame) or member.shape is not Shape.JOIN
        if member.look is Look.TRAINING and is_noted and _starts_part(member, graph):
            yield replace(member, title=replace(member.title, note=member.title.note or "training only"))
        else:
            yield member


def _starts_part(member: Box | Frame, graph: Graph) -> bool:
    """Whether a member reads nothing that runs only in training mode."""
    inside = {node for box in Picture("", (member,), ()).boxes() for node in box.nodes}
    outside = {ref.node for node in inside for ref in graph.nodes[node].reads} - inside
    return not any(node >= 0 and graph.nodes[node].training_only for node in outside)
