"""The walk through scopes, nodes and blocks; a node comes after those that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Span
from cnngraph.document import Value
from cnngraph.elaborate.blocks import bind_params, block_inputs, check_params
from cnngraph.elaborate.budget import Budget, TooLargeError
from cnngraph.elaborate.changes import Changed, NodeUse, changed, matching, rule_path
from cnngraph.elaborate.check_names import no_such_op
from cnngraph.elaborate.expect import check_expect
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.module_paths import Level, Place, Slot, module_tree
from cnngraph.elaborate.networks import NetUse, use_network
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.order import Orders
from cnngraph.elaborate.paths import find, known_reads
from cnngraph.elaborate.repeats import read_once, read_per_iteration, repeat
from cnngraph.elaborate.sharing import share
from cnngraph.elaborate.values import Argument, Bound, Reads, Tensors, VisibleNodes
from cnngraph.fields import show_value
from cnngraph.graph.nodes import Input, Ref, Scope
from cnngraph.graph.sizes import decide
from cnngraph.language.model import BlockSpec, Library, LocatedText, NodeSpec, ScopeSpec, Spec
from cnngraph.ops.op import Op
from cnngraph.ops.registry import Registry
from cnngraph.text import in_backticks


@dataclass(eq=False, repr=False)
class Walker:
    """Elaborates nodes in order."""

    registry: Registry
    budget: Budget
    maker: Maker
    orders: Orders = field(init=False)
    networks: Mapping[Span, Spec] = field(default_factory=dict)  # those that nodes use, by the span of their name
    nets: list[NetUse] = field(default_factory=list)
    unused: set[int] = field(default_factory=set)
    unused_shares: list[Bound] = field(default_factory=list)
    # nodes that only an absent node would read, each with a note about that node
    passed_over: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.orders = Orders(self.reads_nothing)

    # -- scopes

    def children(self, scope: ScopeSpec, env: Env, level: Level, slot: Slot) -> Bound:
        """Elaborate all nodes of a scope and return the last one, whose value is the scope's."""
        bounds: list[Bound | None] = [None] * len(scope.children)
        slots: list[Slot] = [[] for _ in scope.children]
        slot.append([*slots])
        names = self.child_names(scope, env, bounds)
        order, circles = self.orders.of(scope, names, env)
        for problem, members in circles:
            self.budget.report(problem, level.path)
            for index in members:
                bounds[index] = Bound(None, scope.children[index].span)
        for index, bound in enumerate(bounds):
            if bound and names[index]:
                env.names[names[index]] = bound
        first = next(iter(env.inputs.values())) if len(env.inputs) == 1 else None
        env.names.later = later = {name for name in names if name and name not in env.names}
        for index in order:
            child = scope.children[index]
            if bounds[index] is not None:
                continue
            above = (bounds[index - 1], names[index - 1] or f"node {index - 1} of the list") if index else (first, "in")
            name = LocatedText(names[index], child.span) if names[index] else None
            place = Place(level, slots[index], name, child.span)
            env.names.current = names[index]
            bound = self.node(child, env, above, place)
            bounds[index] = bound
            if name:
                env.names.put(name.text, bound)
                later.discard(name.text)
            elif (not bound.absent or bound.path) and not bound.flat:
                env.names.put(_number(bound, place), bound)
            if bound.inserted:
                env.names.join(bound.inserted)
            if bound.flat:
                env.names.join(bound.names)
        for problem, members in circles:  # one node for each cycle; all that it reads outside is known now
            reads = known_reads(env, [path for index in members for path in scope.children[index].reads or ()])
            self.budget.mark(problem, level.within(names[min(members)]), len(self.maker.nodes), reads)
        last = bounds[-1]
        assert last is not None
        return last

    def child_names(self, scope: ScopeSpec, env: Env, bounds: list[Bound | None]) -> list[str]:
        """The evaluated names of a mapping's nodes; empty for those of a list, which are numbered."""
        names = []
        for index, child in enumerate(scope.children):
            if index < scope.numbered:
                names.append("")
                continue
            try:
                names.append(_own_name(env.text(child.name), child.name.span, env))
            except ProblemError as problem:
                self.budget.report(problem, child.name.text)
                names.append(child.name.text)
                bounds[index] = Bound(None, child.span)
        return names

    def node(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Bound:
        """Elaborate one node with its repeat, condition and checks. Its value is unknown if it has an error."""
        self.budget.visit(child.span, len(self.maker.nodes))
        depth = len(self.budget.chain)
        start, reads = len(self.maker.nodes), None
        try:
            if child.broken:
                self.budget.mark(child.span, place.peek(), start)
                raise UnknownError
            reads = self.reads_if_needed(read_once(child), env, above, place)
            env = env.reading(reads if reads.values or not read_per_iteration(child) else None)
            if child.when is not None and not self.truth(child.when, env, "when"):
                return self.absent(child, env, reads)
            if child.repeat is not None:
                bound = changed(
                    self, child, reads, env, place, lambda reads: repeat(self, child, env, reads, place, None)
                )
            else:
                bound = self.body(child, {}, reads, env, place)
            if child.expect is not None:
                check_expect(child.expect, bound, env, self.maker)
            if child.unused:
                self.unused.update(range(start, len(self.maker.nodes)))
                bound.unused = True
            return bound
        except ProblemError as problem:
            self.budget.report(problem, place.peek())
            self.budget.mark(problem, place.peek(), len(self.maker.nodes), reads or known_reads(env, child.reads))
        except UnknownError:
            pass
        except RecursionError:
            message = "blocks are nested too deeply"
            raise TooLargeError("E503", message, child.span) from None
        finally:
            del self.budget.chain[depth:]
        return Bound(None, child.span)

    def reads_if_needed(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Reads:
        """The inputs of a node. They need not exist if a rule of `change` replaces the node and its inputs."""
        if not (env.file.has_rules and env.file.discard_reads(child, rule_path(child, place, self.maker))):
            return self.reads(child, env, above)
        try:
            return self.reads(child, env, above)
        except (ProblemError, UnknownError):
            return Reads((), (), False)

    def reads(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str]) -> Reads:
        """The inputs of a node: those in `from`, or else the node above, or `in` for the first node."""
        if child.reads is None:
            bound, name = above
            if bound is None:
                if self.reads_nothing(child, env.library):
                    return Reads((), (), False)
                several = in_backticks(env.inputs, " and ")
                message = f"node `{child.name}` must name its input, since there are several: {several}"
                help = f"add `from`, for example `from: {next(iter(env.inputs))}`"
                raise ProblemError("E321", message, child.span, help=help)
            if bound.unused and not child.unused and not self.reads_nothing(child, env.library):
                raise self.reads_unused(name, child.span, bound)
            return Reads((bound.tensors(),), (name,), False)
        values = []
        for path in child.reads:
            bound = find(env, path)
            if bound.unused and not child.unused:
                raise self.reads_unused(path.text, path.span, bound)
            values.append(bound.tensors())
        return Reads(tuple(values), tuple(path.text for path in child.reads), True)

    def reads_unused(self, name: str, span: Span, bound: Bound) -> ProblemError:
        note = f"`{name}` is at {bound.span}"
        return ProblemError("E312", f"`{name}` is marked `unused`, so it cannot be read", span, notes=(note,))

    def reads_nothing(self, child: NodeSpec, library: Library) -> bool:
        """Whether a node's op has no inputs, such as a free parameter."""
        if child.op is None or "$" in child.op.text or library.find(child.op.text) is not None:
            return False
        known = self.registry.get(child.op.text)
        return known is not None and known.inputs == (0, 0)

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """The value of a node whose `when` is false: its `else`, or its first input."""
        value = reads.passed_through
        if child.otherwise is not None:
            found = [find(env, path).tensors() for path in child.otherwise]
            value = Reads(tuple(found), (), True).joined
        left = set(reads.refs).difference(value.refs)
        if left:
            passed = "its `else`" if child.otherwise is not None else f"`{reads.names[0]}`"
            fact = f"`{child.name}` at {child.span}, which would read it, is absent and passes {passed} through"
            self.passed_over.update((ref.node, fact) for ref in left if ref.node not in self.passed_over)
        return Bound(value, child.when.span if child.when else child.span, absent=True)

    def truth(self, value: Value, env: Env, what: str) -> bool:
        result = env.always(value, what)
        if not isinstance(result, bool):
            message = f"`{what}` must be true or false, got `{show_value(result)}`"
            raise ProblemError("E205", message, value.span, help="write a comparison such as `$x != 0`")
        return result

    # -- bodies

    def body(self, child: NodeSpec, overlay: dict[str, Argument], reads: Reads, env: Env, place: Place) -> Bound:
        """Elaborate a node without its repeat: inline nodes, a shared module, or a use of an op or block."""
        if child.nodes is not None and "op" not in overlay:
            if overlay:
                key, argument = next(iter(overlay.items()))
                raise ProblemError("E207", f"a node with `nodes` has no parameter `{key}`", argument.key_span)
            nodes = child.nodes
            return changed(self, child, reads, env, place, lambda reads: self.inline(nodes, child, reads, env, place))
        if child.share is not None:
            return changed(self, child, reads, env, place, lambda reads: share(self, child, reads, env, place))
        arguments = {entry.key: env.argument(entry.key_span, entry.value) for entry in child.arguments}
        arguments.update(overlay)
        if child.net is not None:
            return use_network(self, child, arguments, reads, env, place)
        other = arguments.pop("op", None)
        if other is not None:
            decide(other.sized, "op", other.span)
            op = _op_name(other.value, other.span)
        else:
            assert child.op is not None
            op = self.op_name(child.op, env)
        return self.use(op, arguments, reads, env.library, place, child, env)

    def op_name(self, op: LocatedText, env: Env) -> LocatedText:
        if "$" not in op.text:
            return op
        return _op_name(env.decided(op.text, op.span, "op"), op.span)

    def inline(self, scope: ScopeSpec, child: NodeSpec, reads: Reads, env: Env, place: Place) -> Bound:
        """Inline `nodes`: a nested scope whose `in` is the input of the node."""
        inputs = {"in": Bound(reads.joined, child.span)}
        bound = self.scope(scope, child, env.inside(inputs), "nodes", None, place)
        bound.again = lambda reads, place: self.inline(scope, child, reads, env, place)
        return bound

    def scope(
        self,
        scope: ScopeSpec,
        child: NodeSpec,
        env: Env,
        kind: str,
        block: str | None,
        place: Place,
        value: Callable[[Bound], Tensors | None] = lambda last: last.value,
        params: Mapping[str, object] | None = None,
    ) -> Bound:
        """A scope's nodes, with a level of names unless it is flat. `value` gives its value from the last node."""
        start, span = len(self.maker.nodes), child.span
        if child.flat and child.repeat is None:
            inner: Slot = []
            place.slot.append(inner)
            last = self.children(scope, env, place.level, inner)
            stop = len(self.maker.nodes)
            return Bound(value(last), span, place.level.path, env.names, flat=True, start=start, stop=stop)
        path = place.take()
        slot: Slot = []
        last = self.children(scope, env, Level(path), slot)
        bound = Bound(value(last), span, path, env.names, start=start, stop=len(self.maker.nodes))
        if bound.stop > start:
            inputs = tuple(Input(name, item.tensors().refs) for name, item in env.inputs.items())
            refs = bound.value.refs if bound.value else ()
            tree = module_tree(path, slot, self.maker.nodes, self.maker.implicit)
            place.slot.append(
                Scope(path, kind, block, inputs, refs, tree, start, bound.stop, span, self.maker.owner(path), params)
            )
        return bound

    def use(
        self,
        op: LocatedText,
        arguments: dict[str, Argument],
        reads: Reads,
        library: Library,
        place: Place,
        child: NodeSpec,
        env: Env,
    ) -> Bound:
        """A use of an op or a block, as the rules of `change` leave it. `env` is that of the scope it is in."""
        matches = matching(op.text, child, env, place, self.maker)
        for key in place.dropped:
            arguments.pop(key, None)
        if not matches:
            return self.used(op, arguments, reads, library, place, child, env)

        def run(use: NodeUse) -> Bound:
            assert use.op is not None
            return self.used(use.op, use.arguments, use.reads, use.library, place, child, env)

        node = Changed(self, child, env, place, run)
        return node.apply(matches, NodeUse(reads, library, op, arguments))

    def used(
        self,
        op: LocatedText,
        arguments: dict[str, Argument],
        reads: Reads,
        library: Library,
        place: Place,
        child: NodeSpec,
        env: Env,
    ) -> Bound:
        """A use of an op or a block."""
        found = library.find(op.text)
        if found is not None:
            return self.block(*env.file.current(*found), arguments, reads, place, child, env)
        cls = self.registry.get(op.text)
        if cls is None and library.incomplete:
            raise UnknownError
        if cls is None:
            raise no_such_op(op, library, self.registry)
        if child.flat and child.repeat is None:
            message = f"`flat` has no effect on the op `{op}`, which contains no nodes"
            raise ProblemError("E109", message, child.span, help="remove `flat`")
        bound = self.leaf(cls, arguments, reads, place, child)
        bound.again = lambda reads, place: self.leaf(cls, arguments, reads, place, child)
        return bound

    def block(
        self,
        block: BlockSpec,
        library: Library,
        arguments: dict[str, Argument],
        reads: Reads,
        place: Place,
        child: NodeSpec,
        outer: Env,
    ) -> Bound:
        """A use of a block in the scope of `outer`: binds its params, then elaborates its body."""
        self.budget.visit(child.span, len(self.maker.nodes))
        if block.body.broken:
            raise UnknownError
        check_params(block, arguments, child)
        inputs = block_inputs(block, reads, child, self.maker)
        self.budget.enter(block, place.peek(), child.span)
        body = block.body
        file = outer.file
        base = file.params if library is file.library else {}
        env = Env(library, dict(base), inputs, VisibleNodes(), self.maker.type_of, file, reads=reads)
        rest = bind_params(block, arguments, env)
        if body.when is not None and not self.truth(body.when, env, "when"):
            return self.absent(body, env, reads)
        flat = body.flat or (child.flat and child.repeat is None)
        if body.repeat is not None:
            bound = repeat(self, replace(body, flat=flat), env, reads, place, block)
        elif body.nodes is not None:
            use = replace(child, flat=flat, repeat=None)
            given = {name: argument.value for name, argument in arguments.items()}
            bound = self.scope(body.nodes, use, env, "block", block.name.text, place, params=given)
        else:
            assert body.op is not None
            inner = {entry.key: env.argument(entry.key_span, entry.value) for entry in body.arguments}
            use = replace(child, flat=flat) if flat else child
            return self.use(self.op_name(body.op, env), {**inner, **rest}, reads, library, place, use, outer)
        bound.again = lambda reads, place: self.block(block, library, arguments, reads, place, child, outer)
        return bound

    # -- single operations

    def leaf(self, cls: type[Op], arguments: dict[str, Argument], reads: Reads, place: Place, child: NodeSpec) -> Bound:
        """A single op: converts its parameters, infers its shape and adds a node."""
        if cls.inputs == (0, 0) and not reads.explicit:
            reads = Reads((), (), False)
        path = place.take()
        index = self.maker.make(cls, arguments, reads, path, child.span)
        place.slot.append(index)
        node = self.maker.nodes[index]
        refs = tuple(Ref(index, part) for part in range(len(node.types)))
        return Bound(Tensors(refs, node.is_list), child.span, path, start=index, stop=index + 1)


def _own_name(name: str, span: Span, env: Env) -> str:
    """A node's name. Raises ProblemError if it is the name of an input, which would hide the node."""
    if name in env.inputs and name != "in":
        message = f"`{name}` is already the name of an input here"
        raise ProblemError("E305", message, span, help="rename the node")
    return name


def _number(bound: Bound, place: Place) -> str:
    """The number of a node in a list, even if it has an error."""
    path = bound.path or (place.path or place.skip() if bound.value is None else "")
    prefix = place.level.path
    return path[len(prefix) + 1 if prefix else 0 :]


def _op_name(value: object, span: Span) -> LocatedText:
    if not isinstance(value, str):
        raise ProblemError("E205", f"`op` must be the name of an op or block, got `{show_value(value)}`", span)
    return LocatedText(value, span)
