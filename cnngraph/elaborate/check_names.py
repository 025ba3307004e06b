"""Checks names without inferring shapes, including those in unused blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import field, replace
from functools import cached_property

from cnngraph.diagnostics import Diagnostic, DiagnosticList, Known, Span, Suggestion, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.elaborate.messages import ProblemError, bad_name, names_available, unknown_name, wrong_expression
from cnngraph.fields import fields_of
from cnngraph.frozen import frozen
from cnngraph.language.expressions.evaluate import ExpressionError, parse_expression
from cnngraph.language.keys import NODE_KEYS
from cnngraph.language.model import BlockSpec, Library, LocatedText, NodeSpec, ScopeSpec, Spec
from cnngraph.language.names import first_name, heads, key_problem
from cnngraph.library import file_of_block
from cnngraph.nearest import nearest
from cnngraph.ops.elsewhere import NEEDLESS, NODES_OF_THEIR_OWN, equivalent_parameter
from cnngraph.ops.registry import Registry, absent_op
from cnngraph.text import in_backticks

INDICES = frozenset({"i", "item"})
OVERLAY_KEYS = ("op", "when", "else", "expect")
MAX_NESTING = 60  # of blocks that wrap another block
MAX_COMPARED = 10  # unknown parameters that are compared with missing ones


def no_such_op(op: LocatedText, library: Library, registry: Registry) -> ProblemError:
    """The error for an unknown op or block."""
    other = registry.equivalent_op(op.text)
    absent = absent_op(op.text)
    names = library.block_names() if absent is not None else [*library.block_names(), *registry.names()]
    near = Suggestion(other) if other else did_you_mean(op.text, names)
    help: str = near or absent or Known("docs/ops.md lists the ops; to use a block from another file, add `import`")
    if op.text in NODE_KEYS:
        help = f"`{op}` is a key of a node, not an op: write `{op}: …`"
    elif file := file_of_block(op.text):
        help = f"it is a block of the library: add `import: {file}`"
    return ProblemError("E313", f"there is no op or block `{op.text}`", op.span, help=help)


def unknown_parameter(key: str, owner: str, known: Iterable[str], span: Span) -> ProblemError:
    """The error for a parameter that an op or block does not have."""
    options = list(known)
    if key in NODE_KEYS:
        return ProblemError(
            "E207", f"`{key}` cannot be set in `first`, `last` or a row of `repeat`", span, help="set it on the node"
        )
    takes = Known.listed("its parameters are", options) if options else f"{owner} has no parameters"
    near = _intended(key, options)
    help = Suggestion(near) if near else takes
    if key in NEEDLESS:
        help = f"remove it: {NEEDLESS[key]}"
    elif key in NODES_OF_THEIR_OWN:
        help = "add a separate node for it below this one"
    return ProblemError("E207", f"{owner} has no parameter `{key}`", span, help=help)


def _intended(key: str, options: list[str]) -> str | None:
    """The parameter or node key that `key` probably means: a typo, or a name from another library."""
    bare = key.removesuffix("_channels").removesuffix("_features").removesuffix("_size")
    other = bare if bare in options else equivalent_parameter(key, (*options, *NODE_KEYS))
    if other or len(key) == 1:  # a single letter resembles any short name
        return other
    return nearest(key, [*options, *NODE_KEYS])


def without_misspelt(missing: list[str], arguments: Iterable[str], known: Iterable[str]) -> list[str]:
    """The missing parameters without those that a misspelt one stands for, so that a typo is a single error."""
    if not missing:
        return []
    options = list(known)
    strange = [key for key in arguments if key not in options]
    intended = {_intended(key, options) for key in strange[:MAX_COMPARED]}
    return [name for name in missing if name not in intended]


def check_names(spec: Spec, registry: Registry) -> list[Diagnostic]:
    """Report every unknown op, parameter, param and name in the blocks and nodes of the spec's own library."""
    checker = _Checker(spec.library, registry, DiagnosticList(), [spec.nodes] if spec.nodes else [])
    for block in spec.library.blocks.values():
        checker.block(block)
    if spec.nodes is not None:
        inputs = frozenset(entry.key for entry in spec.input) if isinstance(spec.input, Table) else frozenset({"in"})
        checker.scope(spec.nodes, Names(spec.library.params.keys(), inputs))
    return checker.diagnostics


@frozen(slots=False)
class Names:
    """The names that can follow a `$`, and those that a path can begin with."""

    params: Set[str]
    inputs: frozenset[str]
    own: Set[str] = frozenset()  # the block's params
    later: Set[str] = frozenset()  # the block's params that are defined further down: they hide the file's
    nodes: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name == "from" or (name not in self.later and any(name in known for known in self._sets))

    @cached_property
    def all(self) -> list[str]:
        """Every name that can follow a `$`, sorted."""
        return sorted(set().union(*self._sets) - self.later)

    @cached_property
    def readable(self) -> list[str]:
        """Every name that a path can begin with, sorted."""
        return sorted(self.inputs | self.nodes)

    @property
    def _sets(self) -> tuple[Set[str], ...]:
        return self.params, self.own, self.inputs, self.nodes, self.containers, self.indices


@frozen(slots=False)
class _Checker:
    library: Library
    registry: Registry
    diagnostics: DiagnosticList
    outer: list[ScopeSpec]
    parameters: dict[str, dict[str, None] | None] = field(default_factory=dict)

    def report(self, problem: ProblemError, node: str) -> None:
        self.diagnostics.append(replace(problem.diagnostic, node=node))

    def block(self, block: BlockSpec) -> None:
        name = block.name.text
        if self.registry.reserves(name):
            message = f"`{name}` is the name of an op"
            self.report(ProblemError("E308", message, block.name.span, help="rename the block"), name)
        inputs = frozenset(input_.text for input_ in block.inputs) if block.inputs is not None else frozenset({"in"})
        own: set[str] = set()
        later = {param.name.text for param in block.params}
        names = Names(self.library.params.keys(), inputs, own, later=later)
        for param in block.params:
            if param.default is not None:
                # a copy of `names`, which caches the names that are known so far
                self.value(param.default, replace(names), name)
            own.add(param.name.text)
            later.discard(param.name.text)
        self.node(block.body, names, outer=True)

    def scope(self, scope: ScopeSpec, names: Names) -> None:
        named = scope.children[scope.numbered :]
        own = frozenset(child.name.text for child in named)
        containers = frozenset(name.partition(".")[0] for name in own if "." in name)
        inner = replace(names, nodes=own, containers=containers)
        loose = scope.numbered or any(child.flat or "$" in child.name.text for child in scope.children)
        loose = loose or any(self.is_flat_block(child) for child in scope.children)
        for child in named:
            self.name(child.name)
        if not loose:
            for child in scope.children:
                self.paths(child, inner)
        self.outer.append(scope)
        for child in scope.children:
            self.node(child, inner)
        self.outer.pop()

    def name(self, name: LocatedText) -> None:
        """Check that a node's name is a valid module name."""
        problem = None if "$" in name.text else key_problem(name.text)
        if problem:
            self.report(bad_name(*problem, name.span), name.text)

    def is_flat_block(self, child: NodeSpec) -> bool:
        found = self.library.find(child.op.text) if child.op else None
        return found is not None and (found[0].body.flat or found[0].body.broken)

    def paths(self, child: NodeSpec, names: Names) -> None:
        paths = [*(child.reads or ()), *(child.otherwise or ()), *([child.share] if child.share else [])]
        for path in paths:
            known = any(head in names.inputs or head in names.nodes for head in heads(path.text))
            if "$" not in path.text and not known:
                problem = self.no_such_node(first_name(path.text), path.span, names)
                self.report(problem, child.name.text)

    def no_such_node(self, name: str, span: Span, names: Names) -> ProblemError:
        """The error for a path whose first name is unknown here, or defined in an outer scope."""
        outside = [child for scope in self.outer for child in scope.children if child.name.text == name]
        if outside:
            message = f"`{name}` is defined outside this block; a block sees only its own nodes and inputs"
            help = "pass it to the block with `from`, and name it in the block's inputs: `inputs: [x, skip]`"
            return ProblemError("E301", message, span, notes=(f"`{name}` is at {outside[0].span}",), help=help)
        help = did_you_mean(name, names.readable) or names_available(names.readable)
        if name == "in":
            help = f"name one of the inputs: {in_backticks(sorted(names.inputs), ' or ')}"
        return ProblemError("E301", f"there is no node `{name}` here", span, help=help)

    def node(self, child: NodeSpec, names: Names, outer: bool = False) -> None:
        label = child.name.text
        if child.broken:
            return
        if child.when is not None:
            self.expression(child.when, names, label)
        in_iteration = names
        if child.repeat is not None:
            self.expression(child.repeat.count, names, label)
            in_iteration = replace(names, indices=names.indices | INDICES)
            if child.repeat.back is not None:
                self.value(child.repeat.back, in_iteration, label)
            for entry in (*child.repeat.first, *child.repeat.last):
                self.value(entry.value, in_iteration, label)
        for entry in child.arguments:
            self.value(entry.value, in_iteration, label)
        if child.op is not None:
            self.op(child.op, child, in_iteration, label)
        if child.nodes is not None:
            inputs = names.inputs if outer and child.repeat is None else frozenset({"in"})
            self.scope(child.nodes, replace(in_iteration, inputs=inputs))

    def op(self, op: LocatedText, child: NodeSpec, names: Names, label: str) -> None:
        if "$" in op.text:
            self.text(op.text, op.span, False, names, label)
            return
        if self.library.find(op.text) is None and self.registry.get(op.text) is None:
            if self.library.incomplete:
                return
            self.report(no_such_op(op, self.library, self.registry), label)
            return
        known = self.parameters_of(op.text)
        if known is None:
            return
        entries: list[Entry] = list(child.arguments)
        if child.repeat is not None:
            overlays = (*child.repeat.first, *child.repeat.last)
            if any(overlay.key == "op" for overlay in overlays):
                return
            entries += [overlay for overlay in overlays if overlay.key not in OVERLAY_KEYS]
        owner = f"the block `{op}`" if self.library.find(op.text) else f"`{op}`"
        for entry in entries:
            if entry.key not in known:
                self.report(unknown_parameter(entry.key, owner, known, entry.key_span), label)

    def parameters_of(self, op: str) -> dict[str, None] | None:
        """The parameters of an op or block; None if they are unknown."""
        if op not in self.parameters:
            found = self.find_parameters(op)
            self.parameters[op] = None if found is None else dict.fromkeys(found)
        return self.parameters[op]

    def find_parameters(self, op: str) -> list[str] | None:
        known: list[str] = []
        library = self.library
        for _ in range(MAX_NESTING):
            found = library.find(op)
            if found is None:
                cls = self.registry.get(op)
                return [*known, *fields_of(cls)] if cls else None
            block, library = found
            if block.body.broken:
                return None
            known += [param.name.text for param in block.params]
            if block.body.op is None or block.body.repeat is not None:
                return known
            op = block.body.op.text
        return None

    # -- expressions

    def value(self, value: Value, names: Names, label: str) -> None:
        if isinstance(value, Scalar):
            if isinstance(value.value, str) and "$" in value.value:
                self.text(value.value, value.span, value.quoted, names, label)
            return
        inner: Iterator[Value]
        inner = iter(value.items) if isinstance(value, Listing) else (entry.value for entry in value)
        for item in inner:
            self.value(item, names, label)

    def expression(self, value: Value, names: Names, label: str) -> None:
        """A value that is always an expression."""
        if isinstance(value, Scalar) and isinstance(value.value, str):
            self.text(value.value, value.span, value.quoted, names, label)
        else:
            self.value(value, names, label)

    def text(self, text: str, span: Span, quoted: bool, names: Names, label: str) -> None:
        try:
            for reference in parse_expression(text).references:
                if reference.name not in names:
                    raise unknown_name(reference, names.all, in_repeat="i" in names.indices)
        except ExpressionError as error:
            self.report(wrong_expression(error, text, span, quoted, names.all), label)
