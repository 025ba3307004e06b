"""The arrows of a picture: one for each pair of boxes, and each new shape said once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.ir.graph import Ref
from cnngraph.render.picture import Arrow, Look, Shape
from cnngraph.render.tree import Tree

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
                found.add(ref, Arrow("", box_of[index], _key(ref), "", role, look, not beside), always=is_concat)
    for place, (name, ref) in enumerate(graph.outputs.items()):
        look = Look.TRAINING if name in graph.training_only else Look.PLAIN
        found.add(ref, Arrow("", f"{Shape.OUTPUT}{place}", _key(ref), look=look))
    return tuple(found.by_ends.values())


class _Arrows:
    def __init__(self, tree: Tree, box_of: Mapping[int, str]) -> None:
        self.tree, self.graph, self.box_of = tree, tree.graph, box_of
        self.by_ends: dict[tuple[str, str], Arrow] = {}
        self.said: set[Ref] = set()
        self.entry: dict[str, Ref] = {}  # by box the first tensor that comes in

    def add(self, ref: Ref, arrow: Arrow, *, always: bool = False) -> None:
        """The arrow of one tensor to one box, unless it stays inside the box or has been drawn."""
        head = arrow.head
        tail = f"{Shape.INPUT}{-1 - ref.node}" if ref.node < 0 else self.box_of[self.tree.drawn(ref.node)]
        if tail == head:
            return
        self.entry.setdefault(head, ref)
        if (tail, head) in self.by_ends:
            return
        if len(self.by_ends) == MOST_ARROWS:
            message = f"the drawing would have more than {MOST_ARROWS:,} arrows, too many to lay out"
            span = self.graph.root.span
            raise TooMuchError([Diagnostic("E501", message, span, help="choose a smaller --depth")])
        label = "" if head.startswith(Shape.OUTPUT) else self._shape(ref, tail, always)
        self.by_ends[tail, head] = replace(arrow, tail=tail, label=label)

    def _shape(self, ref: Ref, tail: str, always: bool) -> str:
        """The tensor's shape, once, where it differs from what its box read."""
        if ref.node < 0 or ref in self.said:
            return ""
        entry, own = self.entry.get(tail), self.graph.type_of(ref)
        if not always and entry is not None and self.graph.type_of(entry) == own:
            return ""
        self.said.add(ref)
        copies = self.tree.copies.get(ref.node, ())
        differ = {self.graph.type_of(Ref(copy, ref.part)) for copy in copies}
        return "" if len(differ) > 1 else str(own)


def _key(ref: Ref) -> str:
    return f"{ref.node}.{ref.part}"
