"""Elaboration: a Spec becomes a Graph in one walk in topological order.

Blocks and repeats are expanded, expressions evaluated and shapes inferred together, since an expression may ask for a
shape. A node that fails has an unknown shape, and what reads it stays silent: one mistake is one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import FieldError, Int, fields_of, show_value
from cnngraph.ir.blame import Blame
from cnngraph.ir.environment import Bound, Env, Given, Problem, Reads, Row, Tensors, Unknown
from cnngraph.ir.graph import Graph, Input, Node, Ref, Scope
from cnngraph.ir.level import Level, Place, module_tree, type_of_slot
from cnngraph.ir.order import Orders
from cnngraph.ir.outcome import finish
from cnngraph.ir.resolve import check_names, no_such_op, unknown_word
from cnngraph.ops.merge import Concat
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.ops.registry import Registry
from cnngraph.spec.model import BlockSpec, Library, NodeSpec, ScopeSpec, Spec, Word
from cnngraph.tensor_type import TensorType

MAX_NODES = 50_000
MAX_NESTING = 60
EDGES_PER_NODE = 40  # a dense block of hundreds of rounds has many edges; a hostile one has millions
ROUND_WORDS = ("op", "when", "else", "expect")


@dataclass(frozen=True)
class Elaboration:
    """The graph, or the part of it that stands where `diagnostics` has errors."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a block, or one round of a repeat, on the way to the node at hand."""

    text: str
    block: BlockSpec | None


class TooLarge(Exception):
    """The network goes over a bound; elaboration ends."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def elaborate(spec: Spec, registry: Registry, *, max_nodes: int = MAX_NODES) -> Elaboration:
    """Expand, evaluate and infer. A library of blocks has no graph, and only its names are checked."""
    static = check_names(spec, registry)
    walker = _Walker(spec, registry, max_nodes)
    walker.diagnostics.extend(static)
    graph = walker.network() if spec.nodes is not None else None
    return Elaboration(graph, walker.told())


class _Walker:
    def __init__(self, spec: Spec, registry: Registry, max_nodes: int) -> None:
        self.spec = spec
        self.registry = registry
        self.max_nodes = max_nodes
        self.visits = 0
        self.edges = 0
        self.diagnostics: list[Diagnostic] = []
        self.repeated: dict[tuple[str, Span], int] = {}
        self.inputs: dict[str, TensorType] = {}
        self.input_types: list[TensorType] = []
        self.nodes: list[Node] = []
        self.words: dict[int, Mapping[str, Given]] = {}
        self.implicit: set[int] = set()
        self.unused: set[int] = set()
        self.chain: list[Use] = []
        self.sharing: tuple[str, str] | None = None
        self.orders = Orders()
        self.blame = Blame(self.nodes, self.words, self.type_of, self.name_of)
        self.file_params: dict[str, Given] = {}

    # -- the network

    def network(self) -> Graph | None:
        """The whole graph; in part where something failed, None where there is not even an input."""
        assert self.spec.nodes is not None
        root = Level("")
        slot: type_of_slot = []
        env = Env(self.spec.library, self.file_params, {}, {}, self.type_of)
        try:
            self.evaluate_params(env)
            bounds = self.network_inputs(env)
        except Problem as problem:
            self.report(problem, "")
            return None
        except Unknown:
            return None
        env = env.inside(bounds)
        last = None
        try:
            last = self.children(self.spec.nodes, env, root, slot)
        except TooLarge as bound:
            self.chain.clear()
            self.report(bound.problem, "")
        inputs = tuple(Input(name, each.tensors().refs) for name, each in bounds.items())
        value = last.value.refs if last and last.value else ()
        children = module_tree("", slot, self.nodes, self.implicit)
        nodes = self.spec.nodes
        scope = Scope("", "network", None, inputs, value, children, 0, len(self.nodes), nodes.span)
        mistakes = self.has_errors()
        graph, more = finish(self.spec, env, scope, last, self.nodes, self.inputs, self.unused, complete=not mistakes)
        self.diagnostics += more
        return graph

    def evaluate_params(self, env: Env) -> None:
        for param in self.spec.library.params.values():
            if param.default is None:
                message = f"the param {param.name} has no default and is not given"
                raise Problem("E206", message, param.name.span, help=f"say --set {param.name}=…, or give a default")
            self.file_params[param.name.text] = env.given(param.name.span, param.default)

    def network_inputs(self, env: Env) -> dict[str, Bound]:
        value = self.spec.input
        if value is None:
            raise Unknown
        named = isinstance(value, Table)
        entries = [(each.key, each.value) for each in value] if isinstance(value, Table) else [("in", value)]
        bounds = {}
        for index, (name, each) in enumerate(entries):
            if named and name in ("from", "i", "item"):
                raise Problem("E108", f"{name} cannot be an input's name", each.span)
            self.inputs[name] = _input_type(env.evaluate(each), each.span)
            self.input_types.append(self.inputs[name])
            bounds[name] = Bound(Tensors((Ref(-1 - index),)), each.span)
        if not bounds:
            raise Problem("E107", "the network has no input", value.span)
        return bounds

    def type_of(self, ref: Ref) -> TensorType:
        """A tensor's type."""
        return self.nodes[ref.node].types[ref.part] if ref.node >= 0 else self.input_types[-1 - ref.node]

    def name_of(self, ref: Ref) -> str:
        """A tensor's name: its node's path, with the part's number behind it where the value is a list."""
        if ref.node < 0:
            return list(self.inputs)[-1 - ref.node]
        node = self.nodes[ref.node]
        return f"{node.path}.{ref.part}" if node.is_list else node.path

    # -- scopes

    def children(self, scope: ScopeSpec, env: Env, level: Level, slot: type_of_slot) -> Bound:
        """Every node of a scope; the last one's value is the scope's."""
        count = len(scope.children)
        bounds: list[Bound | None] = [None] * count
        slots: list[type_of_slot] = [[] for _ in range(count)]
        slot.append(slots)
        names = self.child_names(scope, env)
        order, circles = self.orders.of(scope, names, env)
        for problem, members in circles:
            self.report(problem, level.path)
            for index in members:
                bounds[index] = Bound(None, scope.children[index].span)
        for index, bound in enumerate(bounds):
            if bound and names[index]:
                env.names[names[index]] = bound
        first = next(iter(env.inputs.values())) if len(env.inputs) == 1 else None
        for index in order:
            child = scope.children[index]
            above = (bounds[index - 1], self.name_above(scope, index, names)) if index else (first, "in")
            name = Word(names[index], child.span) if names[index] else None
            bound = self.node(child, env, above, Place(level, slots[index], name, child.span))
            bounds[index] = bound
            if name:
                env.names[name.text] = bound
            elif not bound.absent and bound.path:
                env.names[bound.path[len(level.path) + 1 if level.path else 0 :]] = bound
            if child.flat or (bound.names and bound.path == level.path):
                for inner, each in bound.names.items():
                    env.names.setdefault(inner, each)
        last = bounds[-1]
        assert last is not None
        return last

    def name_above(self, scope: ScopeSpec, index: int, names: list[str]) -> str:
        return names[index - 1] or f"node {index - 1} of the list"

    def child_names(self, scope: ScopeSpec, env: Env) -> list[str]:
        """The names of a mapping's nodes with `$i` written out; a list's are empty, they are numbered as they come."""
        if scope.numbered:
            return [""] * len(scope.children)
        names = []
        for child in scope.children:
            try:
                names.append(env.text(child.name))
            except Problem as problem:
                self.report(problem, child.name.text)
                names.append(child.name.text)
        return names

    def node(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Bound:
        """One node, with its repeat, condition and checks; unknown where it fails."""
        self.spend(child.span)
        depth = len(self.chain)
        start = len(self.nodes)
        try:
            reads = self.reads(child, env, above)
            env = env.reading(reads)
            if child.when is not None and not self.truth(child.when, env, "when"):
                return self.absent(child, env, reads)
            if child.repeat is not None:
                bound = self.repeat(child, env, reads, place, None)
            else:
                bound = self.body(child, {}, reads, env, place)
            if child.expect is not None:
                self.expect(child.expect, bound, env, place)
            if child.unused:
                self.unused.update(range(start, len(self.nodes)))
                bound.unused = True
            return bound
        except Problem as problem:
            self.report(problem, place.peek())
        except Unknown:
            pass
        except RecursionError:
            message = f"blocks are nested too deeply here (at most {MAX_NESTING})"
            raise TooLarge(Problem("E503", message, child.span)) from None
        finally:
            del self.chain[depth:]
        return Bound(None, child.span)

    def reads(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str]) -> Reads:
        """What a node's `from` names; without it the node above, for the first node `in`."""
        if child.reads is None:
            bound, name = above
            if bound is None:
                if child.op is not None and self.reads_nothing(child.op, env.library):
                    return Reads((), (), False)
                message = f"{place_name(child)} must say what it reads: there are inputs {' and '.join(env.inputs)}"
                raise Problem("E303", message, child.span, help=f"from: {next(iter(env.inputs))}")
            if bound.unused:
                raise self.reads_unused(name, child.span, bound)
            return Reads((bound.tensors(),), (name,), False)
        values = []
        for word in child.reads:
            bound = env.find(word)
            if bound.unused:
                raise self.reads_unused(word.text, word.span, bound)
            values.append(bound.tensors())
        return Reads(tuple(values), tuple(word.text for word in child.reads), True)

    def reads_unused(self, name: str, span: Span, bound: Bound) -> Problem:
        note = f"{name} is marked at {bound.span}"
        return Problem("E312", f"{name} is marked unused, so nothing can read it", span, notes=(note,))

    def reads_nothing(self, op: Word, library: Library) -> bool:
        known = self.registry.get(op.text)
        return known is not None and known.inputs == (0, 0)

    def absent(self, child: NodeSpec, env: Env, reads: Reads) -> Bound:
        """A node whose `when` is false is its `else`, or its first input."""
        value = reads.wire
        if child.otherwise is not None:
            found = [env.find(word).tensors() for word in child.otherwise]
            value = Reads(tuple(found), (), True).joined
        return Bound(value, child.when.span if child.when else child.span, absent=True)

    def truth(self, value: Value, env: Env, what: str) -> bool:
        result = env.always(value)
        if not isinstance(result, bool):
            message = f"{what} must be true or false, got {show_value(result)}"
            raise Problem("E205", message, value.span, help="compare: $x != 0")
        return result

    # -- bodies

    def body(self, child: NodeSpec, overlay: dict[str, Given], reads: Reads, env: Env, place: Place) -> Bound:
        """What a node is, once: inline nodes, a shared module, or a use of an op or block."""
        if child.nodes is not None and "op" not in overlay:
            if overlay:
                key, given = next(iter(overlay.items()))
                raise Problem("E207", f"{key} is not a word of a node with nodes", given.key_span)
            return self.inline(child.nodes, child, reads, env, place)
        if child.share is not None:
            return self.share(child.share, reads, env, place)
        words = {each.key: env.given(each.key_span, each.value) for each in child.words}
        words.update(overlay)
        given = words.pop("op", None)
        if given is not None:
            return self.use(_op_name(given.value, given.span), words, reads, env.library, place, child)
        assert child.op is not None
        return self.use(self.op_word(child.op, env), words, reads, env.library, place, child)

    def op_word(self, op: Word, env: Env) -> Word:
        if "$" not in op.text:
            return op
        return _op_name(env.expression(op.text, op.span)[0], op.span)

    def inline(self, scope: ScopeSpec, child: NodeSpec, reads: Reads, env: Env, place: Place) -> Bound:
        """`nodes` on a node: a scope of its own, whose `in` is what the node reads."""
        inputs = {"in": Bound(reads.joined, child.span)}
        bound = self.scope(scope, child, env.inside(inputs), "nodes", None, place)
        bound.again = lambda reads, place: self.inline(scope, child, reads, env, place)
        return bound

    def scope(
        self, scope: ScopeSpec, child: NodeSpec, env: Env, kind: str, block: BlockSpec | None, place: Place
    ) -> Bound:
        """A scope's nodes, under a level of their own unless it is flat."""
        start = len(self.nodes)
        if child.flat and child.repeat is None:
            inner: type_of_slot = []
            place.slot.append(inner)
            last = self.children(scope, env, place.level, inner)
            return Bound(last.value, child.span, place.level.path, env.names, start=start, stop=len(self.nodes))
        path = place.take()
        slot: type_of_slot = []
        last = self.children(scope, env, Level(path), slot)
        bound = Bound(last.value, child.span, path, env.names, start=start, stop=len(self.nodes))
        if bound.stop > start:
            inputs = tuple(Input(name, each.tensors().refs) for name, each in env.inputs.items())
            value = last.value.refs if last.value else ()
            tree = module_tree(path, slot, self.nodes, self.implicit)
            name = block.name.text if block else None
            place.slot.append(
                Scope(path, kind, name, inputs, value, tree, start, bound.stop, child.span, self.owner(path))
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
        if cls is None:
            raise no_such_op(op, library, self.registry)
        bound = self.leaf(cls, words, reads, place, child)
        bound.again = lambda reads, place: self.leaf(cls, words, reads, place, child)
        return bound

    def block(
        self, block: BlockSpec, library: Library, words: dict[str, Given], reads: Reads, place: Place, child: NodeSpec
    ) -> Bound:
        """A use of a block: its params bound, then its body."""
        self.spend(child.span)
        self.enter(block, place, child)
        body = block.body
        base = self.file_params if library is self.spec.library else {}
        env = Env(library, dict(base), self.block_inputs(block, reads, child), {}, self.type_of, reads=reads)
        rest = self.bind(block, words, env, child)
        if body.when is not None and not self.truth(body.when, env, "when"):
            return self.absent(body, env, reads)
        if body.repeat is not None:
            bound = self.repeat(body, env, reads, place, block)
        elif body.nodes is not None:
            flat = replace(body, flat=True) if child.flat and child.repeat is None else body
            spot = replace(place) if flat.flat else place
            bound = self.scope(body.nodes, replace(flat, span=child.span), env, "block", block, spot)
        else:
            assert body.op is not None
            inner = {each.key: env.given(each.key_span, each.value) for each in body.words}
            return self.use(self.op_word(body.op, env), {**inner, **rest}, reads, library, place, child)
        bound.again = lambda reads, place: self.block(block, library, words, reads, place, child)
        return bound

    def enter(self, block: BlockSpec, place: Place, child: NodeSpec) -> None:
        uses = [each.block for each in self.chain if each.block]
        if any(each is block for each in uses):
            circle = [*(each.name.text for each in uses[[each is block for each in uses].index(True) :]), block.name.text]
            message = f"the block {block.name} reaches itself: {' → '.join(circle)}"
            raise Problem("E306", message, block.name.span, help="repeat: expands a block a number of times")
        if len(self.chain) >= MAX_NESTING:
            message = f"blocks are nested more than {MAX_NESTING} deep"
            raise TooLarge(Problem("E503", message, child.span))
        self.chain.append(Use(f"in block {block.name}, used as {place.peek()} at {child.span}", block))

    def block_inputs(self, block: BlockSpec, reads: Reads, child: NodeSpec) -> dict[str, Bound]:
        """What the block's inputs stand for in this use."""
        names = [each.text for each in block.inputs] if block.inputs is not None else ["in"]
        values = reads.values
        if len(values) != len(names):
            values = tuple(Tensors((ref,)) for ref in reads.refs)
        if len(values) != len(names):
            wanted = "one input" if block.inputs is None else f"{len(names)} inputs ({', '.join(names)})"
            message = f"the block {block.name} reads {wanted}, got {len(values)}"
            help = "name them in the block: inputs: [x, skip]" if block.inputs is None else f"from: [{', '.join(names)}]"
            raise Problem("E210", message, child.span, notes=self.blame.facts(reads), help=help)
        return {name: Bound(value, child.span) for name, value in zip(names, values, strict=True)}

    def bind(self, block: BlockSpec, words: dict[str, Given], env: Env, child: NodeSpec) -> dict[str, Given]:
        """Give the block's params their values; the words that are left go to its op."""
        rest = dict(words)
        missing = [p.name.text for p in block.params if p.default is None and p.name.text not in words]
        known = [param.name.text for param in block.params]
        passes = block.body.op is not None and block.body.repeat is None
        for key, given in words.items():
            if key not in known and not passes:
                raise unknown_word(key, f"the block {block.name}", known, given.key_span)
        if missing:
            message = f"{block.name} needs {' and '.join(missing)}"
            raise Problem("E206", message, child.span, help=f"add {missing[0]}: …")
        for param in block.params:
            name = param.name.text
            if name in rest:
                env.params[name] = rest.pop(name)
            elif param.default is not None:
                env.params.pop(name, None)
                env.params[name] = env.given(param.name.span, param.default)
        return rest

    # -- repeats

    def repeat(self, child: NodeSpec, env: Env, reads: Reads, place: Place, block: BlockSpec | None) -> Bound:
        """The rounds of a repeat, under a level of their own unless it is flat."""
        assert child.repeat is not None
        items = self.rounds(child.repeat.count, env)
        if not items:
            return Bound(reads.wire, child.span, absent=True)
        start = len(self.nodes)
        if child.flat:
            level, slot = place.level, []
            place.slot.append(slot)
        else:
            level, slot = Level(place.take()), []
        bound = Bound(None, child.span, level.path)
        bound.value = self.run_rounds(child, items, env, reads, level, slot, bound.names)
        bound.start, bound.stop = start, len(self.nodes)
        if child.repeat.carry == "concat" and bound.value is not None:
            path = place.peek() if child.flat else f"{level.path}.concat"
            bound.value = self.concat(bound.value.refs, path, slot, child.span)
            bound.stop = len(self.nodes)
        if not child.flat and bound.stop > start:
            names = [each.text for each in block.inputs] if block and block.inputs else ["in"]
            values = reads.values if len(names) == len(reads.values) else (reads.joined,)
            inputs = tuple(Input(name, each.refs) for name, each in zip(names, values, strict=False))
            value = bound.value.refs if bound.value else ()
            tree = module_tree(level.path, slot, self.nodes, self.implicit)
            name = block.name.text if block else None
            span = child.span
            owner = self.owner(level.path)
            place.slot.append(Scope(level.path, "repeat", name, inputs, value, tree, start, bound.stop, span, owner))
        bound.again = lambda reads, place: self.repeat(child, env.reading(reads), reads, place, block)
        return bound

    def rounds(self, count: Value, env: Env) -> list[Any]:
        """What `$item` is in each round."""
        value = env.always(count)
        items: list[Any]
        if isinstance(value, list | tuple):
            items = list(value)
        else:
            try:
                number = Int(0).convert(value)
            except FieldError as error:
                message = f"repeat {error.message}"
                help = error.help or "repeat: 4, or a list of rows"
                raise Problem("E205", message, count.span, help=help) from None
            self.room(number, count.span)
            items = [None] * number
        self.room(len(items), count.span)
        return items

    def run_rounds(
        self,
        child: NodeSpec,
        items: list[Any],
        env: Env,
        reads: Reads,
        level: Level,
        slot: type_of_slot,
        names: dict[str, Bound],
    ) -> Tensors | None:
        """Each round in turn, reading what `carry` says; the value of the whole, None if a round failed."""
        assert child.repeat is not None
        carry = child.repeat.carry
        first = Tensors(reads.values[0].refs if reads.values else ())
        so_far: tuple[Ref, ...] = first.refs
        results: list[Ref] = []
        value = reads.wire
        where = f"at {child.span}"
        for number, item in enumerate(items):
            self.spend(child.span)
            self.chain.append(Use(f"in round {number} of the repeat {where} ($i = {number})", None))
            place = Place(level, slot, self.round_name(child, number, env), child.span)
            carried = reads
            if number and carry == "concat":
                spot = f"{place.peek()}.in"
                carried = _carrying(reads, self.concat(so_far, spot, slot, child.span))
            elif number and carry == "last":
                carried = _carrying(reads, value)
            bound = self.round(child, number, item, len(items), carried, env, place)
            if bound.path:
                names[bound.path[len(level.path) + 1 if level.path else 0 :]] = bound
            if bound.value is None:
                return None
            value = bound.value
            results += value.refs
            so_far += () if bound.absent else value.refs
            self.chain.pop()
        if carry == "none":
            return Tensors(tuple(results), True)
        return Tensors(so_far, True) if carry == "concat" else value

    def round_name(self, child: NodeSpec, number: int, env: Env) -> Word | None:
        """`denselayer1` counts on with the rounds."""
        assert child.repeat is not None
        word = child.repeat.name
        if word is None:
            return None
        text = env.text(word)
        stem = text.rstrip("0123456789")
        if stem == text:
            message = f"name is the first round's name and must end in a number, got {text}"
            raise Problem("E205", message, word.span, help=f"name: {text}1")
        return Word(f"{stem}{int(text[len(stem) :]) + number}", word.span)

    def round(
        self, child: NodeSpec, number: int, item: Any, count: int, reads: Reads, env: Env, place: Place
    ) -> Bound:
        """One round: the node's words, over them the row, over these `first` and `last`."""
        assert child.repeat is not None
        if child.repeat.carry == "none" and any("$" in word.text for word in child.reads or ()):
            values = tuple(env.round(number, item, reads).find(word).tensors() for word in child.reads or ())
            reads = Reads(values, tuple(word.text for word in child.reads or ()), True)
        env = env.round(number, item, reads)
        overlay: dict[str, Given] = self.row_words(item, child)
        for entries, holds in ((child.repeat.first, number == 0), (child.repeat.last, number == count - 1)):
            if holds:
                overlay.update({each.key: env.given(each.key_span, each.value) for each in entries})
        when = overlay.pop("when", None)
        expect = overlay.pop("expect", None)
        otherwise = overlay.pop("else", None)
        if when is not None and not self.row_truth(when, env):
            words = (Word(str(otherwise.value), otherwise.span),) if otherwise else None
            return self.absent(replace(child, otherwise=words), env, reads)
        inner = replace(child, repeat=None, flat=False, when=None)
        bound = self.body(inner, overlay, reads, env, place)
        if expect is not None:
            self.compare_expect(list(expect.value), bound, expect.span)
        return bound

    def row_words(self, item: Any, child: NodeSpec) -> dict[str, Given]:
        if isinstance(item, Row):
            return dict(item.given)
        if isinstance(item, Mapping):
            span = child.span
            return {key: Given(span, span, each, span) for key, each in item.items()}
        return {}

    def row_truth(self, when: Given, env: Env) -> bool:
        value = when.value
        if isinstance(value, str):
            value = env.expression(value, when.span)[0]
        if not isinstance(value, bool):
            raise Problem("E205", f"when must be true or false, got {show_value(value)}", when.span)
        return value

    def concat(self, refs: tuple[Ref, ...], path: str, slot: type_of_slot, span: Span) -> Tensors:
        """The concatenation that `carry: concat` implies; of one tensor it is that tensor."""
        if len(refs) == 1:
            return Tensors(refs)
        index = self.add(Concat(), refs, path, {}, Reads((Tensors(refs, True),), ("the rounds so far",), False), span)
        self.implicit.add(index)
        slot.append(index)
        return Tensors((Ref(index),))

    # -- single operations

    def leaf(self, cls: type[Op], words: dict[str, Given], reads: Reads, place: Place, child: NodeSpec) -> Bound:
        """One op: its words typed, its shape inferred, and a node made of it."""
        if cls.inputs == (0, 0) and not reads.explicit:
            reads = Reads((), (), False)
        path = place.take()
        op = self.operation(cls, words, child)
        index = self.add(op, reads.refs, path, words, reads, child.span)
        place.slot.append(index)
        node = self.nodes[index]
        refs = tuple(Ref(index, part) for part in range(len(node.types)))
        return Bound(Tensors(refs, node.is_list), child.span, path, start=index, stop=index + 1)

    def operation(self, cls: type[Op], words: dict[str, Given], child: NodeSpec) -> Op:
        """The op with its words filled in; all that is wrong with them is told at once."""
        fields = fields_of(cls)
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for key, given in words.items():
            known = fields.get(key)
            if known is None:
                problems.append(unknown_word(key, cls.name, fields, given.key_span))
                continue
            try:
                values[key] = known.kind.convert(given.value)
            except FieldError as error:
                notes = (f"its value was made at {given.origin}",) if given.origin != given.span else ()
                message = f"{key} of {cls.name} {error.message}"
                problems.append(Problem("E205", message, given.span, notes=notes, help=error.help))
        missing = [name for name, each in fields.items() if each.required and name not in words]
        if missing:
            message = f"{cls.name} needs {' and '.join(missing)}"
            problems.append(Problem("E206", message, child.span, help=f"add {missing[0]}: {fields[missing[0]].doc}"))
        for problem in problems[:-1]:
            self.report(problem, child.name.text)
        if problems:
            raise problems[-1]
        return cls(**values)

    def add(
        self, op: Op, refs: tuple[Ref, ...], path: str, words: Mapping[str, Given], reads: Reads, span: Span
    ) -> int:
        """A node for an op and the tensors it reads."""
        self.spend(span)
        self.edges += len(refs)
        if self.edges > self.max_nodes * EDGES_PER_NODE:
            raise TooLarge(Problem("E502", f"more than {self.max_nodes * EDGES_PER_NODE:,} connections", span))
        types = tuple(self.type_of(ref) for ref in refs)
        try:
            result = infer_types(op, types)
        except OpError as error:
            raise self.blame.refusal(error, op, reads, words, span) from None
        is_list = isinstance(result, tuple)
        node = Node(
            path=path,
            operation=op,
            reads=refs,
            inputs=tuple(self.name_of(ref) for ref in refs),
            types=result if isinstance(result, tuple) else (result,),
            is_list=is_list,
            span=span,
            shares=self.owner(path),
            parameters=op.parameters(*types),
            buffers=op.buffers(*types),
            macs=op.macs(*types),
        )
        self.nodes.append(node)
        self.words[len(self.nodes) - 1] = words
        return len(self.nodes) - 1

    # -- sharing

    def share(self, word: Word, reads: Reads, env: Env, place: Place) -> Bound:
        """Run the module of another node again: elaborated anew with these inputs, and compared."""
        owner = env.find(word)
        if owner.absent or owner.again is None or owner.value is None:
            if owner.value is None:
                raise Unknown
            raise Problem("E307", f"{word} is no module that could be shared", word.span)
        path = place.take()
        if self.sharing is not None:
            raise Problem("E307", "a shared module cannot share another inside", word.span)
        self.sharing = (owner.path, path)
        start = len(self.nodes)
        try:
            bound = owner.again(reads, place)
        finally:
            self.sharing = None
        mine, theirs = self.nodes[start:], self.nodes[owner.start : owner.stop]
        same = len(mine) == len(theirs) and all(
            a.operation == b.operation and a.parameters == b.parameters for a, b in zip(mine, theirs, strict=True)
        )
        if not same and bound.value is not None:
            note = f"{word} is at {owner.span}"
            notes = (note, *self.blame.facts(reads))
            raise Problem("E307", f"{word} would need other weights for this input", word.span, notes=notes)
        return bound

    def owner(self, path: str) -> str | None:
        """The path of the node whose module runs here again."""
        if self.sharing is None:
            return None
        owner, sharer = self.sharing
        return owner + path[len(sharer) :]

    # -- checks

    def expect(self, value: Value, bound: Bound, env: Env, place: Place) -> None:
        sizes = [env.evaluate(each) for each in value.items] if isinstance(value, Listing) else env.evaluate(value)
        self.compare_expect(sizes, bound, value.span)

    def compare_expect(self, sizes: Any, bound: Bound, span: Span) -> None:
        tensors = bound.tensors()
        good = isinstance(sizes, list) and all(each == "_" or (type(each) is int and each > 0) for each in sizes)
        if not good:
            message = f"expect must be sizes such as [64, 28, 28], _ for any, got {show_value(sizes)}"
            raise Problem("E205", message, span)
        for ref in tensors.refs:
            found = self.type_of(ref).sizes
            if len(found) != len(sizes) or any(want not in ("_", have) for want, have in zip(sizes, found, strict=True)):
                wanted = "×".join(map(str, sizes))
                message = f"expected {wanted}, but here it is {self.type_of(ref)}"
                raise Problem("E209", message, span, notes=self.blame.history(ref))

    # -- bounds and reports

    def spend(self, span: Span) -> None:
        """Count a visit; a network without end stops here."""
        self.visits += 1
        if len(self.nodes) >= self.max_nodes or self.visits > 4 * self.max_nodes:
            raise TooLarge(self.too_many(span))

    def room(self, more: int, span: Span) -> None:
        if len(self.nodes) + more > self.max_nodes:
            raise TooLarge(self.too_many(span))

    def too_many(self, span: Span) -> Problem:
        message = f"the network has more than {self.max_nodes:,} nodes"
        return Problem("E502", message, span, help="--max-nodes raises the bound, if this is meant")

    def has_errors(self) -> bool:
        return bool(self.diagnostics)

    def report(self, problem: Problem, path: str) -> None:
        """Keep a mistake, once: the same place in another use of the block is counted only."""
        found = problem.diagnostic
        assert found.span is not None
        key = (found.code, found.span)
        if key in self.repeated:
            self.repeated[key] += 1
            return
        self.repeated[key] = 0
        if any(each.code == found.code and each.span == found.span for each in self.diagnostics):
            return
        uses = tuple(each.text for each in reversed(self.chain))
        if len(uses) > 6:
            uses = (*uses[:4], f"… {len(uses) - 5} more", uses[-1])
        self.diagnostics.append(replace(found, node=path or None, notes=(*found.notes, *uses)))

    def told(self) -> tuple[Diagnostic, ...]:
        """All mistakes in the order of the text, with how often a block repeats each."""
        told = []
        for each in self.diagnostics:
            times = self.repeated.get((each.code, each.span), 0) if each.span else 0
            if times:
                more = f"and the same in {times} more {'use' if times == 1 else 'uses'}"
                each = replace(each, notes=(*each.notes, more))
            told.append(each)
        return tuple(sorted(told, key=_place))


def _place(each: Diagnostic) -> tuple[str, int, int]:
    return (each.file or "", each.line or 0, each.column or 0)


def place_name(child: NodeSpec) -> str:
    """A node's name in a message."""
    return f"node {child.name}"


def _op_name(value: Any, span: Span) -> Word:
    if not isinstance(value, str):
        raise Problem("E205", f"op must be an op's or block's name, got {show_value(value)}", span)
    return Word(value, span)


def _carrying(reads: Reads, value: Tensors) -> Reads:
    """The first input is what is carried; the others are the same in every round."""
    return Reads((value, *reads.values[1:]), ("the round before", *reads.names[1:]), reads.explicit)


def _input_type(value: Any, span: Span) -> TensorType:
    """The network's input: [channels, height, width] or [features]."""
    if not isinstance(value, list) or len(value) not in (1, 3):
        help = "input: [3, 224, 224]  # channels, height, width"
        raise Problem("E107", f"input must be [channels, height, width], got {show_value(value)}", span, help=help)
    try:
        return TensorType.of(tuple(Int(1, 1_000_000).convert(each) for each in value))
    except FieldError as error:
        raise Problem("E205", f"a size of the input {error.message}", span, help=error.help) from None
