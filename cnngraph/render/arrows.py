"""The arrows of a picture: one for each tensor that an operation reads, and each new shape said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.graph.nodes import Ref
from cnngraph.render.label import shapes_label
from cnngraph.render.picture import Arrow, Look, Shape
from cnngraph.render.tree import Tree
from cnngraph.tensor_type import TensorType

MOST_ARROWS = 3000
MOST_BETWEEN = 4  # arrows between the same two boxes; more are one arrow that states their number


class TooMuchError(SpecError):
    """A picture has more boxes or arrows than can be laid out, or than it may have."""


def arrows(tree: Tree, box_of: Mapping[int, str]) -> tuple[Arrow, ...]:
    """The arrows between boxes, in order of execution of what they lead to. Raises SpecError (E501) for too many."""
    found = _Arrows(tree, box_of)
    graph = tree.graph
    for index, node in enumerate(graph.nodes):
        if index not in tree.stand_in and not node.unused:
            look = Look.TRAINING if node.training_only else Look.PLAIN
            names, is_concat = node.operation.input_names, node.op == "concat"
            for place, ref in enumerate(tree.reads[index]):
                role = names[place] if place < len(names) else ""
                beside = place > 0 or (is_concat and index not in tree.joins)
                found.add(ref, Arrow("", box_of[index], "", "", role, look, not beside), always=is_concat)
    for place, (name, ref) in enumerate(graph.outputs.items()):
        look = Look.TRAINING if name in graph.training_only else Look.PLAIN
        found.add(ref, Arrow("", f"{Shape.OUTPUT}{place}", "", look=look))
    return found.all()


@dataclass(slots=True)
class _Line:
    """An arrow to be: the tensors it stands for (several where folding draws one node for all), and how often."""

    arrow: Arrow
    refs: dict[Ref, bool] = field(default_factory=dict)  # each with whether its shape is always stated
    count: int = 1


class _Arrows:
    def __init__(self, tree: Tree, box_of: Mapping[int, str]) -> None:
        self.tree, self.graph, self.box_of = tree, tree.graph, box_of
        self.by_ends: dict[tuple[str, str], list[_Line]] = {}
        self.leaving: dict[str, set[TensorType]] = {}  # by box the shapes that go out
        self.entry: dict[str, Ref] = {}  # by box the first tensor that comes in
        self.said: set[Ref] = set()
        self.count = 0

    def add(self, ref: Ref, arrow: Arrow, *, always: bool = False) -> None:
        """The arrow of one tensor to one box, unless it stays inside the box.

        An operation that reads a tensor twice gets two arrows; a closed scope gets one, however often it is read there.
        """
        head = arrow.head
        tail = f"{Shape.INPUT}{-1 - ref.node}" if ref.node < 0 else self.box_of[self.tree.drawn(ref.node)]
        if tail == head:
            return
        self.entry.setdefault(head, ref)
        self.leaving.setdefault(tail, set()).add(self.graph.type_of(ref))
        lines = self.by_ends.setdefault((tail, head), [])
        line = next(self._shared(lines, ref, head), None)
        if line is None:
            line = _Line(replace(arrow, tail=tail))
            lines.append(line)
            self.count += 1
        line.refs.setdefault(ref, always)
        if self.count > MOST_ARROWS:
            message = f"the drawing would have more than {MOST_ARROWS:,} arrows, too many to lay out"
            span = self.graph.root.span
            raise TooMuchError([Diagnostic("E501", message, span, help="choose a smaller --depth")])

    def _shared(self, lines: list[_Line], ref: Ref, head: str) -> Iterator[_Line]:
        """The lines that this tensor may share: of the copies that are drawn as one node, or into a closed scope."""
        drawn = self._drawn(ref)
        closed = head.startswith(Shape.SCOPE)
        return (
            line for line in lines if self._drawn(next(iter(line.refs))) == drawn and (closed or ref not in line.refs)
        )

    def _drawn(self, ref: Ref) -> Ref:
        return ref if ref.node < 0 else Ref(self.tree.drawn(ref.node), ref.part)

    def all(self) -> tuple[Arrow, ...]:
        """The arrows, each with the tensor it carries and its shape."""
        return tuple(self._loaded(line) for lines in self.by_ends.values() for line in _merged(lines))

    def _loaded(self, line: _Line) -> Arrow:
        refs = sorted(line.refs, key=lambda ref: (ref.node, ref.part))
        said = [ref for ref in refs if self._is_news(ref, line.arrow, line.refs[ref])]
        self.said.update(said)
        said = [ref for ref in (refs if said or line.count > 1 else []) if not self._varies(ref)]
        label = shapes_label(str(self.graph.type_of(ref)) for ref in said)
        if line.count > 1:
            label = f"{line.count} tensors of {label}" if label else f"{line.count} tensors"
        return replace(line.arrow, tensor="+".join(f"{ref.node}.{ref.part}" for ref in refs), label=label)

    def _is_news(self, ref: Ref, arrow: Arrow, always: bool) -> bool:
        """Whether to say a shape: once, where it differs from what its box read, or is one of several."""
        if ref.node < 0 or ref in self.said or arrow.head.startswith(Shape.OUTPUT):
            return False
        entry = self.entry.get(arrow.tail)
        several = len(self.leaving[arrow.tail]) > 1
        return always or several or entry is None or self.graph.type_of(entry) != self.graph.type_of(ref)

    def _varies(self, ref: Ref) -> bool:
        """Whether rounds that are drawn as one give different shapes here."""
        copies = self.tree.copies.get(ref.node, ())
        return len({self.graph.type_of(Ref(copy, ref.part)) for copy in copies}) > 1


def _merged(lines: list[_Line]) -> list[_Line]:
    """The lines between two boxes; too many to follow are one, which counts them."""
    if len(lines) <= MOST_BETWEEN:
        return lines
    refs = {ref: always for line in lines for ref, always in line.refs.items()}
    return [_Line(replace(lines[0].arrow, role=""), refs, len(lines))]
