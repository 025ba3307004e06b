"""The rows of the table of `cnngraph show`: a tree of nodes and scopes with operations, shapes and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.language.names import tensor_path
from cnngraph.numbers import show_count, show_sizes
from cnngraph.render.label import op_label

MAX_SHAPES = 4  # shown in one cell
MAX_NAMES = 4  # shown in one cell
TRAINING_ONLY = "training only"


@frozen
class Row:
    """One line: `guide` draws the tree, `reads` names the inputs if they are not the row above."""

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
class TreeTable:
    """Makes the rows by walking the tree of modules, down to `depth` levels (None: all)."""

    graph: Graph
    depth: int | None = None
    totals: dict[int, tuple[int, int]] = field(default_factory=dict)  # parameters and MACs by a scope's id

    def rows(self) -> Iterator[Row]:
        """The inputs, then every node and scope in the order of the spec, then the outputs."""
        graph = self.graph
        for name, type in graph.inputs.items():
            yield Row("", name, "input", "", show_sizes(type.sizes), 0, 0, is_scope=False)
        yield from self.children(graph.root, "", 1)
        names = Names(graph, graph.root)
        for name, ref in graph.outputs.items():
            notes = TRAINING_ONLY if name in graph.training_only else ""
            shape = show_sizes(graph.type_of(ref).sizes)
            yield Row("", name, "output", names.name_of(ref), shape, 0, 0, is_scope=False, notes=notes)

    def children(self, scope: Scope, guide: str, level: int, outer: Names | None = None) -> Iterator[Row]:
        """The rows inside a scope. The nodes of a container see the names of the scope around it."""
        names = outer if outer and scope.kind == "container" else Names(self.graph, scope)
        last = len(scope.children) - 1
        for number, child in enumerate(scope.children):
            branch, below = ("", "") if level == 1 else ("└─ ", "   ") if number == last else ("├─ ", "│  ")
            reads = names.reads(child)
            if isinstance(child, Scope):
                yield self.scope_row(child, guide + branch, reads)
                if self.depth is None or level < self.depth:
                    yield from self.children(child, guide + below, level + 1, names)
                elif child.kind == "container":
                    names.pass_container(child)
            else:
                yield self.node_row(self.graph.nodes[child], scope, guide + branch, reads)
            names.pass_child(child)

    def node_row(self, node: Node, scope: Scope, guide: str, reads: str) -> Row:
        """The row of an operation; its name is relative to the scope around it."""
        name = node.path.removeprefix(f"{scope.path}.") if scope.path else node.path
        label = op_label(node.operation, tuple(map(self.graph.type_of, node.reads)))
        label = label.replace(node.op.replace("_", " "), node.op, 1)  # labels have spaces in op names
        marks = [(TRAINING_ONLY, node.training_only), ("unused", node.unused), (f"shares {node.shares}", node.shares)]
        notes = ", ".join(mark for mark, applies in marks if applies)
        return Row(guide, name, label, reads, self.shapes(node.types), node.num_params, node.macs, False, notes)

    def scope_row(self, scope: Scope, guide: str, reads: str) -> Row:
        """The row of a scope, with the totals of its nodes."""
        shape = self.shapes([self.graph.type_of(ref) for ref in scope.value])
        num_params, macs = self.total(scope)
        notes = f"shares {scope.shares}" if scope.shares else ""
        return Row(guide, scope.name, self.operation(scope), reads, shape, num_params, macs, True, notes)

    def operation(self, scope: Scope) -> str:
        """The name of the block; for a repeat, with the number of iterations."""
        if scope.kind != "repeat":
            return scope.block or ""
        iterations = [
            child.block or "" if isinstance(child, Scope) else self.graph.nodes[child].op
            for child in scope.children
            if isinstance(child, Scope) or not self.is_implicit(child)
        ]
        return f"{iterations[0] if len(set(iterations)) == 1 else ''} ×{len(iterations)}".strip()

    def is_implicit(self, index: int) -> bool:
        """Whether a node of a repeat is a concat added by `carry: concat`: the names of iterations end in a number."""
        return not self.graph.nodes[index].path[-1].isdigit()

    def total(self, scope: Scope) -> tuple[int, int]:
        """Parameters and MACs of all nodes inside a scope, as the graph counts them."""
        if id(scope) not in self.totals:
            costs = [self.total(child) if isinstance(child, Scope) else self.cost(child) for child in scope.children]
            self.totals[id(scope)] = (sum(params for params, _ in costs), sum(macs for _, macs in costs))
        return self.totals[id(scope)]

    def cost(self, index: int) -> tuple[int, int]:
        """What a node adds to the totals: no MACs if it is unused or for training only."""
        node = self.graph.nodes[index]
        return node.num_params, 0 if node.training_only or node.unused else node.macs

    def shapes(self, types: Sequence[object]) -> str:
        """The shape, or the shapes of a list."""
        texts = [str(type) for type in types]
        if len(texts) > 1 and len(set(texts)) == 1:
            return f"{len(texts)} of {texts[0]}"
        dots = ["…"] if len(texts) > MAX_SHAPES else []
        return ", ".join(texts[:MAX_SHAPES] + dots)


class Names:
    """The names of tensors as seen in a scope, and the value that the next row reads by default."""

    def __init__(self, graph: Graph, scope: Scope) -> None:
        self.graph = graph
        self.path = scope.path
        self.names: dict[Ref, str] = {}
        self.default: tuple[Ref, ...] = ()
        for name, refs in scope.inputs:
            self.default = self.default or refs
            self.name(name, refs)
        for child in scope.children:  # a node may read one further down
            self.name(*self.value(child))

    def name(self, name: str, refs: tuple[Ref, ...]) -> None:
        """Record the name of a value."""
        for part, ref in enumerate(refs):
            self.names.setdefault(ref, name if len(refs) == 1 else tensor_path(name, part))

    def value(self, child: Scope | int) -> tuple[str, tuple[Ref, ...]]:
        """The name and the value of a child."""
        if isinstance(child, Scope):
            return child.name, child.value
        node = self.graph.nodes[child]
        return self.relative(node.path), tuple(Ref(child, part) for part in range(len(node.types)))

    def relative(self, path: str) -> str:
        """A path relative to this scope."""
        return path.removeprefix(f"{self.path}.") if self.path else path

    def pass_child(self, child: Scope | int) -> None:
        """Make a child the default input of the next row."""
        self.default = self.value(child)[1] or self.default

    def pass_container(self, container: Scope) -> None:
        """Pass the children of a container that is not expanded: they run in this scope."""
        for child in container.children:
            self.pass_child(child)

    def reads(self, child: Scope | int) -> str:
        """The inputs of a child; empty if it only reads the row above."""
        if isinstance(child, Scope):
            refs = tuple(ref for value in child.inputs for ref in value.refs)
        else:
            refs = self.graph.nodes[child].reads
        if not refs or (refs == self.default and len(refs) == 1):
            return ""
        names = list(map(self.name_of, refs))
        if len(names) <= MAX_NAMES:
            return ", ".join(names)
        return f"{', '.join([*names[:2], '…', names[-1]])} ({len(names)} in total)"

    def name_of(self, ref: Ref) -> str:
        """The name of a tensor in this scope; its path if it is from another scope."""
        if ref in self.names:
            return self.names[ref]
        if ref.node < 0:
            return list(self.graph.inputs)[-1 - ref.node]
        node = self.graph.nodes[ref.node]
        path = self.relative(node.path)
        return tensor_path(path, ref.output) if node.is_list else path


def summary(graph: Graph) -> str:
    """`97,298 parameters · 6.02 M MACs · 34 operations`."""
    return f"{graph.num_params:,} parameters · {show_count(graph.macs)} MACs · {len(graph.nodes):,} operations"
