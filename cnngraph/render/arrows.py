"""The arrows of a picture: one for each tensor that an operation reads, with each new shape shown once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import NodeError, Ref, Scope
from cnngraph.render.label import clean_name, shapes_label
from cnngraph.render.likeness import compared
from cnngraph.render.picture import SIZE_ONLY, Arrow, Look, Shape
from cnngraph.render.terminals import Terminals
from cnngraph.render.tree import Tree
from cnngraph.tensor_type import TensorType

MAX_ARROWS = 3000
MAX_BETWEEN = 4  # arrows between the same two boxes; more are drawn as one arrow with their number


class TooMuchError(SpecError):
    """A picture has more boxes or arrows than can be laid out, or than is allowed."""


def arrows(
    tree: Tree,
    box_of: Mapping[int, str],
    terminals: Terminals,
    errors: Iterable[tuple[str, NodeError]],
    closed: Mapping[str, Scope],
) -> tuple[Arrow, ...]:
    """The arrows between boxes, in order of execution of their heads.

    `errors` are those in boxes, and `closed` the scopes of closed boxes, by key. Raises SpecError (E501) if there are
    too many.
    """
    found = _Arrows(tree, box_of, terminals, closed)
    graph = tree.graph
    for index, node in enumerate(graph.nodes):
        if index in box_of and not node.unused:
            look = Look.TRAINING if node.training_only else Look.PLAIN
            is_concat = node.op == "concat"
            for place, ref in enumerate(tree.reads[index]):
                beside = place > 0 or (is_concat and index not in tree.joins)
                arrow = _distinguished(Arrow("", box_of[index], "", look=look, main=not beside), index, place, tree)
                found.add(ref, arrow, (index, place), is_concat)
    for key, error in errors:
        for place, ref in enumerate(error.reads):
            if found.is_drawn(ref):
                found.add(ref, Arrow("", key, "", main=place == 0), is_one_of_several=len(error.reads) > 1)
    for box in terminals.outputs:
        found.add(terminals.ends[box.key], Arrow("", box.key, "", look=box.look))
    return found.all()


def _distinguished(arrow: Arrow, index: int, place: int, tree: Tree) -> Arrow:
    """An arrow into an operation, with what tells its input from the others: a name, a sign, or its number."""
    operation, count = tree.graph.nodes[index].operation, len(tree.reads[index])
    names = operation.input_names if count > 1 else ()
    if place < len(names):
        return replace(arrow, role=names[place])
    is_alike = operation.is_commutative or index in tree.joins  # a join adds what is new to what comes from before
    if count < 2 or names or is_alike or arrow.head.startswith(Shape.SCOPE):
        return arrow
    if operation.second_sign:
        return replace(arrow, mark=operation.second_sign if place == 1 else "")
    return replace(arrow, places=(place + 1,))


@frozen
class _Entry:
    """A tensor that enters a box: where it comes from, and which input of which operation it is."""

    ref: Ref
    tail: str
    reader: tuple[int, int] | None


@dataclass(slots=True)
class _Line:
    """An arrow being built: the tensors it represents (several, if folding draws one node for all), and a count."""

    arrow: Arrow
    refs: dict[Ref, bool] = field(default_factory=dict)  # the tensors, and whether their shape is always shown
    roles: set[str] = field(default_factory=set)  # of the inputs that read them
    count: int = 1


class _Arrows:
    def __init__(
        self, tree: Tree, box_of: Mapping[int, str], terminals: Terminals, closed: Mapping[str, Scope]
    ) -> None:
        self.tree, self.graph, self.box_of, self.tails = tree, tree.graph, box_of, terminals.tails
        self.inputs = {key: self._inputs(scope) for key, scope in closed.items()}  # their names, if they are needed
        self.by_ends: dict[tuple[str, str], list[_Line]] = {}
        self.leaving: dict[str, set[TensorType]] = {}  # the types of outgoing tensors, by box
        self.entries: dict[str, list[_Entry]] = {}  # the incoming tensors, by box
        self.inside: dict[str, list[int]] = {}  # the operations, by box
        for node, key in sorted(box_of.items()):
            self.inside.setdefault(key, []).append(node)
        self.shown: set[Ref] = set()
        self.changing: set[object] = set()  # the likenesses of boxes whose output has another shape than their input
        self.count = 0

    def add(
        self, ref: Ref, arrow: Arrow, reader: tuple[int, int] | None = None, is_one_of_several: bool = False
    ) -> None:
        """Add the arrow of a tensor to a box, unless the tensor is computed in that box.

        `reader` is the operation that reads it, and which of its inputs it is.
        An operation that reads a tensor twice gets two arrows; a closed scope gets one, however often it reads it.
        """
        head = arrow.head
        tail = self.tails[ref] if ref in self.tails else self.box_of[self.tree.drawn(ref.node)]
        if tail == head:
            return
        self.entries.setdefault(head, []).append(_Entry(ref, tail, reader))
        self.leaving.setdefault(tail, set()).add(self.graph.type_of(ref))
        lines = self.by_ends.setdefault((tail, head), [])
        line = next(self._shared(lines, ref, head), None)
        if line is None:
            line = _Line(replace(arrow, tail=tail))
            lines.append(line)
            self.count += 1
        elif arrow.places:
            line.arrow = replace(line.arrow, places=(*line.arrow.places, *arrow.places))
        line.refs.setdefault(ref, is_one_of_several)
        line.roles.add(arrow.role)
        if self.count > MAX_ARROWS:
            message = f"the drawing would have more than {MAX_ARROWS:,} arrows, too many to lay out"
            span = self.graph.root.span
            raise TooMuchError([Diagnostic("E501", message, span, help="choose a smaller `--depth`")])

    def is_drawn(self, ref: Ref) -> bool:
        """Whether the picture shows where a tensor comes from."""
        return ref in self.tails or (ref.node >= 0 and self.tree.drawn(ref.node) in self.box_of)

    def _shared(self, lines: list[_Line], ref: Ref, head: str) -> Iterator[_Line]:
        """The arrows that this tensor can share: those of copies drawn as one node, or into a closed scope."""
        drawn = self.tree.drawn_ref(ref)
        closed = head.startswith(Shape.SCOPE)
        return (
            line
            for line in lines
            if self.tree.drawn_ref(next(iter(line.refs))) == drawn and (closed or ref not in line.refs)
        )

    def all(self) -> tuple[Arrow, ...]:
        """All arrows, with their tensors and shapes."""
        lines = [line for lines in self.by_ends.values() for line in _merged(lines)]
        self.changing = {
            self._likeness(line.arrow.tail)
            for line in lines
            for ref in line.refs
            if not line.arrow.tail.startswith(Shape.SCOPE) and ref.node >= 0 and self._changes(line.arrow.tail, ref)
        }
        return tuple(map(self._loaded, lines))

    def _inputs(self, scope: Scope) -> dict[Ref, str]:
        """The names of a block's inputs, if two of them have the same shape, so that the picture must tell them."""
        types = [tuple(map(self.graph.type_of, input.refs)) for input in scope.inputs]
        if len(set(types)) == len(types):
            return {}
        return {self.tree.drawn_ref(ref): clean_name(input.name) for input in scope.inputs for ref in input.refs}

    def _role(self, line: _Line) -> str:
        """The name beside an arrow; of a closed block only its own names, or that everything inside reads the size."""
        if not line.arrow.head.startswith(Shape.SCOPE) or line.roles == {SIZE_ONLY}:
            return line.arrow.role
        names = self.inputs.get(line.arrow.head, {})
        return names.get(self.tree.drawn_ref(next(iter(line.refs))), "")

    def _loaded(self, line: _Line) -> Arrow:
        refs = sorted(line.refs, key=lambda ref: (ref.node, ref.output))
        new = [ref for ref in refs if self._is_new_shape(ref, line.arrow, line.refs[ref])]
        self.shown.update(new)
        labelled = [ref for ref in (refs if new or line.count > 1 else []) if not self._varies(ref)]
        label = shapes_label(str(self.graph.type_of(ref)) for ref in labelled)
        if line.count > 1:
            label = f"{line.count} tensors of {label}" if label else f"{line.count} tensors"
            label += ", in another order" if line.arrow.places and refs != list(line.refs) else ""
        drawn = self.tree.drawn_ref(refs[0])
        return replace(
            line.arrow,
            tensor="+".join(f"{ref.node}.{ref.output}" for ref in refs),
            label=label,
            role=self._role(line),
            source=f"{drawn.node}.{drawn.output}",
            size=self._size(refs),
        )

    def _size(self, refs: Iterable[Ref]) -> tuple[int, int] | None:
        """The height and width of maps of the same size."""
        types = [self.graph.type_of(ref) for ref in refs]
        sizes = {(type.sizes[1], type.sizes[2]) if type.is_map else None for type in types}
        return sizes.pop() if len(sizes) == 1 else None

    def _is_new_shape(self, ref: Ref, arrow: Arrow, always: bool) -> bool:
        """Whether to show a shape: once, if it differs from the input of its box or is one of several."""
        if ref in self.tails or ref in self.shown or arrow.head.startswith(Shape.OUTPUT):
            return False
        several = len(self.leaving[arrow.tail]) > 1
        if arrow.tail.startswith(Shape.SCOPE) and not several:
            return False  # the shape is in the box
        return always or several or self._changes(arrow.tail, ref) or self._is_like_changing(arrow.tail)

    def _changes(self, box: str, ref: Ref) -> bool:
        """Whether a tensor has another shape than all inputs of its box, in any of the iterations drawn as one."""
        entries = [self._iterations(entry) for entry in self.entries.get(box, ())]
        copies = self.tree.copies.get(self.tree.drawn(ref.node), (ref.node,))
        for place, copy in enumerate(copies):
            before = {self.graph.type_of(refs[place]) for refs in entries if place < len(refs)}
            if self.graph.type_of(Ref(copy, ref.output)) not in before:
                return True
        return False

    def _iterations(self, entry: _Entry) -> list[Ref]:
        """The tensor that each of the iterations drawn as one reads here."""
        if entry.reader is None:
            return [entry.ref]
        node, place = entry.reader
        return [self.tree.reads[copy][place] for copy in self.tree.copies.get(node, (node,))]

    def _is_like_changing(self, box: str) -> bool:
        """Whether the equal operations elsewhere change the shape, so that it is shown here, too."""
        if box not in self.inside or (likeness := self._likeness(box)) not in self.changing:
            return False
        return all(self._likeness(entry.tail) != likeness for entry in self.entries.get(box, ()))

    def _likeness(self, box: str) -> object:
        """What equal boxes of several blocks have in common: their operations, and names without numbers."""
        nodes = [self.graph.nodes[index] for index in self.inside.get(box, ())]
        return tuple((re.sub(r"\d+", "", node.path), compared(node.operation)) for node in nodes)

    def _varies(self, ref: Ref) -> bool:
        """Whether iterations that are drawn as one have different shapes here."""
        copies = self.tree.copies.get(ref.node, ())
        return len({self.graph.type_of(Ref(copy, ref.output)) for copy in copies}) > 1


def _merged(lines: list[_Line]) -> list[_Line]:
    """The arrows between two boxes; if there are too many, one arrow with their number."""
    if len(lines) <= MAX_BETWEEN:
        return lines
    refs = {ref: always for line in lines for ref, always in line.refs.items()}
    places = tuple(sorted(place for line in lines for place in line.arrow.places))
    return [_Line(replace(lines[0].arrow, role="", mark="", places=places), refs, set(), len(lines))]
