"""A graph as the rows of a table: a tree of scopes, each row with its operation, shape and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.numbers import show_count, show_sizes
from cnngraph.render.label import op_label

LONGEST_LIST = 4  # shapes that are written out
MOST_READ = 4  # names that are written out
TRAINING_ONLY = "training only"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: `guide` draws the tree, `reads` names what is read where that is not the row above."""

    guide: str
    name: str
    operation: str
    reads: str
    shape: str
    num_params: int
    macs: int
    is_scope: bool
    notes: str = ""


@dataclass(slots=True)
class Tabulation:
    """One walk over the tree of modules, down to `depth` levels (None: all)."""

    graph: Graph
    depth: int | None = None
    totals: dict[int, tuple[int, int]] = field(default_factory=dict)  # parameters and MACs by a scope's id

    def rows(self) -> Iterator[Row]:
        """The inputs, then every node and scope in the order of the spec, then the outputs."""
        graph = self.graph
        for name, each in graph.inputs.items():
            yield Row("", name, "input", "", show_sizes(each.sizes), 0, 0, is_scope=False)
        yield from self.children(graph.root, "", 1)
        above = Above(graph, graph.root)
        for name, ref in graph.outputs.items():
            notes = TRAINING_ONLY if name in graph.training_only else ""
            shape = show_sizes(graph.type_of(ref).sizes)
            yield Row("", name, "output", above.name_of(ref), shape, 0, 0, is_scope=False, notes=notes)

    def children(self, scope: Scope, guide: str, level: int, around: Above | None = None) -> Iterator[Row]:
        """The rows inside a scope; those of a container read what stands around it."""
        above = around if around and scope.kind == "container" else Above(self.graph, scope)
        last = len(scope.children) - 1
        for number, child in enumerate(scope.children):
            branch, below = ("", "") if level == 1 else ("└─ ", "   ") if number == last else ("├─ ", "│  ")
            reads = above.reads(child)
            if isinstance(child, Scope):
                yield self.scope_row(child, guide + branch, reads)
                if self.depth is None or level < self.depth:
                    yield from self.children(child, guide + below, level + 1, above)
                elif child.kind == "container":
                    above.pass_over(child)
            else:
                yield self.node_row(self.graph.nodes[child], scope, guide + branch, reads)
            above.pass_by(child)

    def node_row(self, node: Node, scope: Scope, guide: str, reads: str) -> Row:
        """An operation's row; its name is what the scope around it calls it."""
        name = node.path.removeprefix(f"{scope.path}.") if scope.path else node.path
        label = op_label(node.operation, tuple(map(self.graph.type_of, node.reads)))
        label = label.replace(node.op.replace("_", " "), node.op, 1)  # a drawing's words, but the op's name as written
        marks = [(TRAINING_ONLY, node.training_only), ("unused", node.unused), (f"shares {node.shares}", node.shares)]
        notes = ", ".join(mark for mark, holds in marks if holds)
        return Row(guide, name, label, reads, self.shapes(node.types), node.num_params, node.macs, False, notes)

    def scope_row(self, scope: Scope, guide: str, reads: str) -> Row:
        """A scope's row, with the sums of what is inside."""
        shape = self.shapes([self.graph.type_of(ref) for ref in scope.value])
        num_params, macs = self.total(scope)
        notes = f"shares {scope.shares}" if scope.shares else ""
        return Row(guide, scope.name, self.what(scope), reads, shape, num_params, macs, True, notes)

    def what(self, scope: Scope) -> str:
        """The block's name; of a repeat, what is repeated and how often."""
        if scope.kind != "repeat":
            return scope.block or ""
        rounds = [
            each.block or "" if isinstance(each, Scope) else self.graph.nodes[each].op
            for each in scope.children
            if isinstance(each, Scope) or not self.is_implicit(each)
        ]
        return f"{rounds[0] if len(set(rounds)) == 1 else ''} ×{len(rounds)}".strip()

    def is_implicit(self, index: int) -> bool:
        """Whether a node of a repeat is a concat that `carry: concat` brings: the names of rounds end in a number."""
        return not self.graph.nodes[index].path[-1].isdigit()

    def total(self, scope: Scope) -> tuple[int, int]:
        """Parameters and MACs of all that is inside, as the graph counts them."""
        if id(scope) not in self.totals:
            parts = [self.total(each) if isinstance(each, Scope) else self.cost(each) for each in scope.children]
            self.totals[id(scope)] = (sum(each for each, _ in parts), sum(each for _, each in parts))
        return self.totals[id(scope)]

    def cost(self, index: int) -> tuple[int, int]:
        """What a node adds to the totals: of training and of nothing at all, no MACs."""
        node = self.graph.nodes[index]
        return node.num_params, 0 if node.training_only or node.unused else node.macs

    def shapes(self, types: Sequence[object]) -> str:
        """The shape, or the shapes of a list."""
        texts = [str(each) for each in types]
        if len(texts) > 1 and len(set(texts)) == 1:
            return f"{len(texts)} of {texts[0]}"
        dots = ["…"] if len(texts) > LONGEST_LIST else []
        return ", ".join(texts[:LONGEST_LIST] + dots)


class Above:
    """What stands above a row in its scope: the value that a node reads by default, and the names of all others."""

    def __init__(self, graph: Graph, scope: Scope) -> None:
        self.graph = graph
        self.path = scope.path
        self.names: dict[Ref, str] = {}
        self.default: tuple[Ref, ...] = ()
        for name, refs in scope.inputs:
            self.default = self.default or refs
            self.name(name, refs)
        for child in scope.children:  # a node may read what stands further down
            self.name(*self.value(child))

    def name(self, name: str, refs: tuple[Ref, ...]) -> None:
        """Remember what a value is called."""
        for part, ref in enumerate(refs):
            self.names.setdefault(ref, name if len(refs) == 1 else f"{name}.{part}")

    def value(self, child: Scope | int) -> tuple[str, tuple[Ref, ...]]:
        """A child's name and what it hands on."""
        if isinstance(child, Scope):
            return child.name, child.value
        node = self.graph.nodes[child]
        return self.relative(node.path), tuple(Ref(child, part) for part in range(len(node.types)))

    def relative(self, path: str) -> str:
        """A path as this scope says it."""
        return path.removeprefix(f"{self.path}.") if self.path else path

    def pass_by(self, child: Scope | int) -> None:
        """The next row stands below this one."""
        self.default = self.value(child)[1] or self.default

    def pass_over(self, container: Scope) -> None:
        """The nodes of a container run in this scope, whether they are shown or not."""
        for child in container.children:
            self.pass_by(child)

    def reads(self, child: Scope | int) -> str:
        """What a child reads, where it is not just the one tensor of the row above it."""
        if isinstance(child, Scope):
            refs = tuple(ref for each in child.inputs for ref in each.refs)
        else:
            refs = self.graph.nodes[child].reads
        if not refs or (refs == self.default and len(refs) == 1):
            return ""
        names = list(map(self.name_of, refs))
        if len(names) <= MOST_READ:
            return ", ".join(names)
        return f"{', '.join([*names[:2], '…', names[-1]])} ({len(names)} in all)"

    def name_of(self, ref: Ref) -> str:
        """What a tensor is called here; one from further in or out goes by its path."""
        if ref in self.names:
            return self.names[ref]
        if ref.node < 0:
            return list(self.graph.inputs)[-1 - ref.node]
        node = self.graph.nodes[ref.node]
        return self.relative(node.path) + (f".{ref.output}" if node.is_list else "")


def summary(graph: Graph) -> str:
    """`97,298 parameters · 6.02 M MACs · 34 operations`."""
    return f"{graph.num_params:,} parameters · {show_count(graph.macs)} MACs · {len(graph.nodes):,} operations"
