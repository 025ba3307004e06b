"""The walk through scopes, nodes and blocks, a node after those that it reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cnngraph.diagnostics import Cause, Span
from cnngraph.document import Listing, Value
from cnngraph.elaborate.budget import Ledger, TooLargeError
from cnngraph.elaborate.check_names import no_such_op, not_meant, unknown_word
from cnngraph.elaborate.module_paths import Level, Place, module_tree, type_of_slot
from cnngraph.elaborate.names import Bound, Env, Given, ProblemError, Reach, Reads, Tensors, UnknownError
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.order import Orders
from cnngraph.elaborate.paths import find
from cnngraph.elaborate.repeats import read_by_rounds, read_once, repeat
from cnngraph.elaborate.sharing import difference, shareable
from cnngraph.fields import show_value
from cnngraph.graph.nodes import Input, Ref, Scope
from cnngraph.graph.sizes import decide
from cnngraph.language.expressions.values import spend
from cnngraph.language.model import BlockSpec, Library, NodeSpec, ScopeSpec, Word
from cnngraph.ops.op import Op
from cnngraph.ops.registry import Registry


@dataclass
class Walker:
    """Elaborates nodes one after another. `home` is the spec's own library, whose blocks see the file's params."""

    registry: Registry
    ledger: Ledger
    maker: Maker
    home: Library
    file_params: dict[str, Given]
    orders: Orders = field(init=False)
    unused: set[int] = field(default_factory=set)
    passed_over: dict[int, str] = field(default_factory=dict)  # what an absent node would read, and why it does not

    def __post_init__(self) -> None:
        self.orders = Orders(self.reads_nothing)

    # -- scopes

    def children(self, scope: ScopeSpec, env: Env, level: Level, slot: type_of_slot) -> Bound:
        """Every node of a scope; the last one's value is the scope's."""
        count = len(scope.children)
        bounds: list[Bound | None] = [None] * count
        slots: list[type_of_slot] = [[] for _ in range(count)]
        slot.append(slots)
        names = self.child_names(scope, env, bounds)
        order, circles = self.orders.of(scope, names, env)
        for problem, members in circles:
            self.ledger.report(problem, level.path)
            for index in members:
                bounds[index] = Bound(None, scope.children[index].span)
        for index, bound in enumerate(bounds):
            if bound and names[index]:
                env.names[names[index]] = bound
        first = next(iter(env.inputs.values())) if len(env.inputs) == 1 else None
        later = {name for name in names if name and name not in env.names}
        env.names.later = later
        for index in order:
            child = scope.children[index]
            if bounds[index] is not None:
                continue
            above = (bounds[index - 1], self.name_above(scope, index, names)) if index else (first, "in")
            name = Word(names[index], child.span) if names[index] else None
            place = Place(level, slots[index], name, child.span)
            bound = self.node(child, env, above, place)
            bounds[index] = bound
            if name:
                env.names.put(name.text, bound)
                later.discard(name.text)
            elif not bound.absent and not bound.flat:
                env.names.put(_number(bound, place), bound)
            if bound.flat:
                env.names.join(bound.names)
        last = bounds[-1]
        assert last is not None
        return last

    def name_above(self, scope: ScopeSpec, index: int, names: list[str]) -> str:
        return names[index - 1] or f"node {index - 1} of the list"

    def child_names(self, scope: ScopeSpec, env: Env, bounds: list[Bound | None]) -> list[str]:
        """The names of a mapping's nodes with `$i` written out; a list's are empty, they are numbered as they come."""
        if scope.numbered:
            return [""] * len(scope.children)
        names = []
        for index, child in enumerate(scope.children):
            try:
                names.append(_own_name(env.text(child.name), child.name.span, env))
            except ProblemError as problem:
                self.ledger.report(problem, child.name.text)
                names.append(child.name.text)
                bounds[index] = Bound(None, child.span)
        return names

    def node(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Bound:
        """One node, with its repeat, condition and checks; unknown where it fails."""
        self.ledger.visit(child.span, len(self.maker.nodes))
        depth = len(self.ledger.chain)
        start = len(self.maker.nodes)
        try:
            if child.broken:
                raise UnknownError
            reads = self.reads(read_once(child), env, above)
            env = env.reading(reads if reads.values or not read_by_rounds(child) else None)
            if child.when is not None and not self.truth(child.when, env, "when"):
                return self.absent(child, env, reads)
            if child.repeat is not None:
                bound = repeat(self, child, env, reads, place, None)
            else:
                bound = self.body(child, {}, reads, env, place)
            if child.expect is not None:
                self.expect(child.expect, bound, env, place)
            if child.unused:
                self.unused.update(range(start, len(self.maker.nodes)))
                bound.unused = True
            return bound
        except ProblemError as problem:
            self.ledger.report(problem, place.peek())
        except UnknownError:
            pass
        except RecursionError:
            message = "blocks are nested too deeply here"
            raise TooLargeError("E503", message, child.span) from None
        finally:
            del self.ledger.chain[depth:]
        return Bound(None, child.span)

    def reads(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str]) -> Reads:
        """What a node's `from` names; without it the node above, for the first node `in`."""
        if child.reads is None:
            bound, name = above
            if bound is None:
                if self.reads_nothing(child, env.library):
                    return Reads((), (), False)
                message = f"{place_name(child)} must say what it reads: there are inputs {' and '.join(env.inputs)}"
                raise ProblemError("E303", message, child.span, help=f"from: {next(iter(env.inputs))}")
            if bound.unused:
                raise self.reads_unused(name, child.span, bound)
            return Reads((bound.tensors(),), (name,), False)
        values = []
        for word in child.reads:
            bound = find(env, word)
            if bound.unused:
                raise self.reads_unused(word.text, word.span, bound)
            values.append(bound.tensors())
        return Reads(tuple(values), tuple(word.text for word in child.reads), True)

    def reads_unused(self, name: str, span: Span, bound: Bound) -> ProblemError:
        note = f"{name} is marked at {bound.span}"
        return ProblemError("E312", f"{name} is marked unused, so nothing can read it", span, notes=(note,))

    def reads_nothing(self, child: NodeSpec, library: Library) -> bool:
        """Whether a node's op takes no tensor, as a free parameter does."""
        if child.op is None or "$" in child.op.text or library.find(child.op.text) is not None:
            return False
        known = self.registry.get(child.op.text)
        return known is not None and known.inputs == (0, 0)

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """A node whose `when` is false is its `else`, or its first input."""
        value = reads.wire
        if child.otherwise is not None:
            found = [find(env, word).tensors() for word in child.otherwise]
            value = Reads(tuple(found), (), True).joined
        left = set(reads.refs).difference(value.refs)
        if left:
            handed = "its else" if child.otherwise is not None else reads.names[0]
            fact = f"{child.name}, which would read it, is absent here and hands on {handed} ({child.span})"
            self.passed_over.update((ref.node, fact) for ref in left if ref.node not in self.passed_over)
        return Bound(value, child.when.span if child.when else child.span, absent=True)

    def truth(self, value: Value, env: Env, what: str) -> bool:
        result = env.always(value, what)
        if not isinstance(result, bool):
            message = f"{what} must be true or false, got {show_value(result)}"
            raise ProblemError("E205", message, value.span, help="compare: $x != 0")
        return result

    # -- bodies

    def body(self, child: NodeSpec, overlay: dict[str, Given], reads: Reads, env: Env, place: Place) -> Bound:
        """What a node is, once: inline nodes, a shared module, or a use of an op or block."""
        if child.nodes is not None and "op" not in overlay:
            if overlay:
                key, given = next(iter(overlay.items()))
                raise ProblemError("E207", f"{key} is not a word of a node with nodes", given.key_span)
            return self.inline(child.nodes, child, reads, env, place)
        if child.share is not None and child.flat:
            raise ProblemError("E109", "flat drops a level of names, and a shared module has none here", child.span)
        if child.share is not None and child.unused:
            message = "unused builds a node for the keys of its weights, and a shared module has none of its own"
            raise ProblemError("E109", message, child.span, help="remove unused, or share")
        if child.share is not None:
            return self.share(child.share, reads, env, place)
        words = {each.key: env.given(each.key_span, each.value) for each in child.words}
        words.update(overlay)
        other = words.pop("op", None)
        if other is not None:
            decide(other.sized, "op", other.span)
            return self.use(_op_name(other.value, other.span), words, reads, env.library, place, child)
        assert child.op is not None
        return self.use(self.op_word(child.op, env), words, reads, env.library, place, child)

    def op_word(self, op: Word, env: Env) -> Word:
        if "$" not in op.text:
            return op
        return _op_name(env.decided(op.text, op.span, "op"), op.span)

    def inline(self, scope: ScopeSpec, child: NodeSpec, reads: Reads, env: Env, place: Place) -> Bound:
        """`nodes` on a node: a scope of its own, whose `in` is what the node reads."""
        inputs = {"in": Bound(reads.joined, child.span)}
        bound = self.scope(scope, child.span, env.inside(inputs), "nodes", None, place, child.flat and not child.repeat)
        bound.again = lambda reads, place: self.inline(scope, child, reads, env, place)
        return bound

    def scope(
        self, scope: ScopeSpec, span: Span, env: Env, kind: str, block: BlockSpec | None, place: Place, flat: bool
    ) -> Bound:
        """A scope's nodes, under a level of their own unless it is flat."""
        start = len(self.maker.nodes)
        if flat:
            inner: type_of_slot = []
            place.slot.append(inner)
            last = self.children(scope, env, place.level, inner)
            stop = len(self.maker.nodes)
            return Bound(last.value, span, place.level.path, env.names, flat=True, start=start, stop=stop)
        path = place.take()
        slot: type_of_slot = []
        last = self.children(scope, env, Level(path), slot)
        bound = Bound(last.value, span, path, env.names, start=start, stop=len(self.maker.nodes))
        if bound.stop > start:
            inputs = tuple(Input(name, each.tensors().refs) for name, each in env.inputs.items())
            value = last.value.refs if last.value else ()
            tree = module_tree(path, slot, self.maker.nodes, self.maker.implicit)
            name = block.name.text if block else None
            place.slot.append(
                Scope(path, kind, name, inputs, value, tree, start, bound.stop, span, self.maker.owner(path))
            )
        return bound

    def use(
        self, op: Word, words: dict[str, Given], reads: Reads, library: Library, place: Place, child: NodeSpec
    ) -> Bound:
        """A use of an op or a block."""
        found = library.find(op.text)
        if found is not None:
            return self.block(*found, words, reads, place, child)
        cls = self.registry.get(op.text)
        if cls is None and library.incomplete:
            raise UnknownError
        if cls is None:
            raise no_such_op(op, library, self.registry)
        if child.flat and child.repeat is None:
            message = f"flat drops a level of names, and the op {op} has none"
            raise ProblemError("E109", message, child.span, help="remove flat")
        bound = self.leaf(cls, words, reads, place, child)
        bound.again = lambda reads, place: self.leaf(cls, words, reads, place, child)
        return bound

    def block(
        self, block: BlockSpec, library: Library, words: dict[str, Given], reads: Reads, place: Place, child: NodeSpec
    ) -> Bound:
        """A use of a block: its params bound, then its body."""
        self.ledger.visit(child.span, len(self.maker.nodes))
        if block.body.broken:
            raise UnknownError
        self.check_use(block, words, child)
        inputs = self.block_inputs(block, reads, child)
        self.ledger.enter(block, place.peek(), child.span)
        body = block.body
        base = self.file_params if library is self.home else {}
        env = Env(library, dict(base), inputs, Reach(), self.maker.type_of, reads=reads)
        rest = _bind(block, words, env)
        if body.when is not None and not self.truth(body.when, env, "when"):
            return self.absent(body, env, reads)
        flat = body.flat or (child.flat and child.repeat is None)
        if body.repeat is not None:
            bound = repeat(self, replace(body, flat=flat), env, reads, place, block)
        elif body.nodes is not None:
            bound = self.scope(body.nodes, child.span, env, "block", block, place, flat)
        else:
            assert body.op is not None
            inner = {each.key: env.given(each.key_span, each.value) for each in body.words}
            use = replace(child, flat=flat) if flat else child
            return self.use(self.op_word(body.op, env), {**inner, **rest}, reads, library, place, use)
        bound.again = lambda reads, place: self.block(block, library, words, reads, place, child)
        return bound

    def block_inputs(self, block: BlockSpec, reads: Reads, child: NodeSpec) -> dict[str, Bound]:
        """What the block's inputs stand for in this use."""
        if block.inputs is None and block.body.op is not None and block.body.repeat is None:
            return {"in": Bound(reads.joined, child.span)}  # one op with words filled in reads what that op reads
        names = [each.text for each in block.inputs] if block.inputs is not None else ["in"]
        values = reads.values
        if len(values) != len(names):
            values = tuple(Tensors((ref,)) for ref in reads.refs)
        if len(values) != len(names):
            wanted = "one input" if block.inputs is None else f"{len(names)} inputs ({', '.join(names)})"
            message = f"the block {block.name} reads {wanted}, got {len(values)}"
            help = (
                "name them in the block: inputs: [x, skip]" if block.inputs is None else f"from: [{', '.join(names)}]"
            )
            raise ProblemError("E210", message, child.span, notes=self.maker.blame.facts(reads), help=help)
        return {name: Bound(value, child.span) for name, value in zip(names, values, strict=True)}

    def check_use(self, block: BlockSpec, words: dict[str, Given], child: NodeSpec) -> None:
        """Raise ProblemError for a word that the block does not take, or a param that it needs."""
        known = {param.name.text: None for param in block.params}
        missing = [each.name.text for each in block.params if each.default is None and each.name.text not in words]
        missing = not_meant(missing, words, known)
        passes = block.body.op is not None and block.body.repeat is None
        for key, given in words.items():
            if key not in known and not passes:
                raise unknown_word(key, f"the block {block.name}", known, given.key_span)
        if missing:
            message = f"{block.name} needs {' and '.join(missing)}"
            raise ProblemError("E206", message, child.span, help=f"add {missing[0]}: …")

    # -- single operations

    def leaf(self, cls: type[Op], words: dict[str, Given], reads: Reads, place: Place, child: NodeSpec) -> Bound:
        """One op: its words typed, its shape inferred, and a node made of it."""
        if cls.inputs == (0, 0) and not reads.explicit:
            reads = Reads((), (), False)
        path = place.take()
        op = self.maker.operation(cls, words, child.span, path, reads)
        index = self.maker.add(op, words, reads, path, child.span)
        place.slot.append(index)
        node = self.maker.nodes[index]
        refs = tuple(Ref(index, part) for part in range(len(node.types)))
        return Bound(Tensors(refs, node.is_list), child.span, path, start=index, stop=index + 1)

    # -- sharing

    def share(self, word: Word, reads: Reads, env: Env, place: Place) -> Bound:
        """Run the module of another node again: elaborated anew with these inputs, and compared."""
        owner = find(env, word)
        again = shareable(word, owner, self.maker.nodes, self.unused)
        path = place.take()
        start, depth = len(self.maker.nodes), len(self.ledger.chain)
        self.maker.sharing, self.ledger.instead = (owner.path, path), place.span
        try:
            bound = again(reads, place)
        except ProblemError as problem:
            raise problem.moved(place.span) from None
        finally:
            self.maker.sharing = self.ledger.instead = None
            del self.ledger.chain[depth:]
        self.maker.place_at(place.span, path, place.slot)
        spend(bound.stop - start)
        if bound.value is not None and (found := difference(self.maker, owner, start, path)) is not None:
            what, fact = found
            notes = (f"{word} is at {owner.span}", fact, *self.maker.blame.facts(reads))
            raise ProblemError("E307", f"{word} would need {what} for this input", word.span, notes=notes)
        bound.again, bound.shares = None, word.text
        return bound

    # -- checks

    def expect(self, value: Value, bound: Bound, env: Env, place: Place) -> None:
        sizes = [env.evaluate(each) for each in value.items] if isinstance(value, Listing) else env.evaluate(value)
        self.compare_expect(sizes, bound, value.span)

    def compare_expect(self, sizes: Any, bound: Bound, span: Span) -> None:
        if self.maker.sharing is not None:
            return  # it was checked where it is written; a shared module may run on other sizes
        tensors = bound.tensors()
        good = isinstance(sizes, list) and all(each == "_" or (type(each) is int and each > 0) for each in sizes)
        if not good:
            message = f"expect must be sizes such as [64, 28, 28], _ for any, got {show_value(sizes)}"
            raise ProblemError("E205", message, span)
        for ref in tensors.refs:
            found = self.maker.type_of(ref).sizes
            if len(found) != len(sizes) or any(
                want not in ("_", have) for want, have in zip(sizes, found, strict=True)
            ):
                wanted = "×".join(map(str, sizes))
                message = f"expected {wanted}, but here it is {self.maker.type_of(ref)}"
                blame = self.maker.blame
                causes = (
                    Cause(span, "expect", (f"[{', '.join(map(str, found))}]",)),
                    *blame.causes((ref,), sizes[0]),
                )
                raise ProblemError("E209", message, span, notes=blame.history(ref), causes=causes)


def _own_name(name: str, span: Span, env: Env) -> str:
    """A node's name; raises ProblemError where a named input of the scope has it, and paths would lead to that."""
    if name in env.inputs and name != "in":
        message = f"{name} is an input here, so no node can have this name"
        raise ProblemError("E305", message, span, help="give the node another name")
    return name


def place_name(child: NodeSpec) -> str:
    """A node's name in a message."""
    return f"node {child.name}"


def _number(bound: Bound, place: Place) -> str:
    """The number that a node of a list has, or would have had if it had not failed."""
    path = bound.path or (place.path or place.skip() if bound.value is None else "")
    prefix = place.level.path
    return path[len(prefix) + 1 if prefix else 0 :]


def _bind(block: BlockSpec, words: dict[str, Given], env: Env) -> dict[str, Given]:
    """Give the block's params their values, in order; the words that are left go to its op."""
    rest = dict(words)
    spend(len(block.params) + len(env.params) // 8)
    for param in block.params:  # they hide the file's, those further down as well
        env.params.pop(param.name.text, None)
    for param in block.params:
        name = param.name.text
        if name in rest:
            env.params[name] = rest.pop(name)
        elif param.default is not None:
            env.params[name] = env.given(param.name.span, param.default)
    return rest


def _op_name(value: Any, span: Span) -> Word:
    if not isinstance(value, str):
        raise ProblemError("E205", f"op must be an op's or block's name, got {show_value(value)}", span)
    return Word(value, span)
