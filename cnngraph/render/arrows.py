"""The arrows of a picture: one for each pair of boxes, and each new shape said once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.ir.graph import Ref
from cnngraph.render.label import shapes_label
from cnngraph.render.picture import Arrow, Look, Shape
from cnngraph.render.tree import Tree
from cnngraph.tensor_type import TensorType

MOST_ARROWS = 3000


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


class _Arrows:
    def __init__(self, tree: Tree, box_of: Mapping[int, str]) -> None:
        self.tree, self.graph, self.box_of = tree, tree.graph, box_of
        self.by_ends: dict[tuple[str, str], Arrow] = {}
        self.carried: dict[tuple[str, str], dict[Ref, bool]] = {}  # by ends the tensors, and whether to say their shape
        self.leaving: dict[str, set[TensorType]] = {}  # by box the shapes that go out
        self.entry: dict[str, Ref] = {}  # by box the first tensor that comes in
        self.said: set[Ref] = set()

    def add(self, ref: Ref, arrow: Arrow, *, always: bool = False) -> None:
        """The arrow of one tensor to one box, unless it stays inside the box or has been drawn."""
        head = arrow.head
        tail = f"{Shape.INPUT}{-1 - ref.node}" if ref.node < 0 else self.box_of[self.tree.drawn(ref.node)]
        if tail == head:
            return
        self.entry.setdefault(head, ref)
        self.leaving.setdefault(tail, set()).add(self.graph.type_of(ref))
        if (tail, head) in self.by_ends:
            self.carried[tail, head].setdefault(ref, always)
            return
        if len(self.by_ends) == MOST_ARROWS:
            message = f"the drawing would have more than {MOST_ARROWS:,} arrows, too many to lay out"
            span = self.graph.root.span
            raise TooMuchError([Diagnostic("E501", message, span, help="choose a smaller --depth")])
        self.by_ends[tail, head] = replace(arrow, tail=tail)
        self.carried[tail, head] = {ref: always}

    def all(self) -> tuple[Arrow, ...]:
        """The arrows, each with what it carries and its shape; several tensors between two boxes share one."""
        return tuple(self._loaded(arrow, self.carried[ends]) for ends, arrow in self.by_ends.items())

    def _loaded(self, arrow: Arrow, carried: Mapping[Ref, bool]) -> Arrow:
        refs = sorted(carried, key=lambda ref: (ref.node, ref.part))
        said = [ref for ref in refs if self._is_news(ref, arrow, carried[ref])]
        self.said.update(said)
        said = [ref for ref in (refs if said else []) if not self._varies(ref)]
        label = shapes_label(str(self.graph.type_of(ref)) for ref in said)
        return replace(arrow, tensor="+".join(f"{ref.node}.{ref.part}" for ref in refs), label=label)

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
