"""Names, looked up where they stand: mistakes that need no shapes, also in blocks that nobody uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from cnngraph.diagnostics import Diagnostic, Mistakes, Span, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import fields_of
from cnngraph.ir.environment import ProblemError, bad_name, in_reach, part_of, unknown_name
from cnngraph.ops.registry import Registry
from cnngraph.spec.expressions import ExpressionError, parse_expression
from cnngraph.spec.model import BlockSpec, Library, NodeSpec, ScopeSpec, Spec, Word
from cnngraph.spec.names import heads, name_problem

INDICES = frozenset({"i", "item"})
OVERLAY_WORDS = ("op", "when", "else", "expect")


def no_such_op(op: Word, library: Library, registry: Registry) -> ProblemError:
    """Nothing has that name."""
    mend = did_you_mean(op.text, [*library.block_names(), *registry.names()])
    help = mend or "docs/ops.md lists the ops; a block of another file needs import:"
    return ProblemError("E313", f"there is no op or block {op.text}", op.span, help=help)


def unknown_word(key: str, owner: str, known: Iterable[str], span: Span) -> ProblemError:
    """A word that the op or block does not take."""
    options = list(known)
    takes = f"{owner} takes {', '.join(options)}" if options else f"{owner} takes no words"
    return ProblemError("E207", f"{key} is not a word of {owner}", span, help=did_you_mean(key, options) or takes)


def not_meant(missing: list[str], given: Iterable[str], known: Iterable[str]) -> list[str]:
    """What is missing, less what an unknown word was meant to be: one mistake is one message."""
    options = list(known)
    strange = [word for word in given if word not in options]
    meant = {did_you_mean(word, options) for word in strange}
    return [name for name in missing if f"did you mean {name}?" not in meant]


def check_names(spec: Spec, registry: Registry) -> list[Diagnostic]:
    """Every unknown op, word, param and name in the file's own blocks and nodes."""
    checker = _Checker(spec.library, registry, Mistakes(), [spec.nodes] if spec.nodes else [])
    for block in spec.library.blocks.values():
        checker.block(block)
    if spec.nodes is not None:
        params = frozenset(spec.library.params)
        inputs = frozenset(each.key for each in spec.input) if isinstance(spec.input, Table) else frozenset({"in"})
        checker.scope(spec.nodes, Names(params, inputs))
    return checker.diagnostics


@dataclass(frozen=True, slots=True)
class Names:
    """What may stand behind a `$`, and what a path may begin with."""

    params: frozenset[str]
    inputs: frozenset[str]
    nodes: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        return self.params | self.inputs | self.nodes | self.indices | {"from"}

    def container(self, name: str) -> bool:
        """Whether dotted keys make a container of that name."""
        return any(each.startswith(f"{name}.") for each in self.nodes)


@dataclass(frozen=True)
class _Checker:
    library: Library
    registry: Registry
    diagnostics: Mistakes
    outer: list[ScopeSpec]

    def tell(self, problem: ProblemError, node: str) -> None:
        self.diagnostics.append(replace(problem.diagnostic, node=node))

    def block(self, block: BlockSpec) -> None:
        name = block.name.text
        if self.registry.reserves(name):
            message = f"{name} is the name of an op"
            self.tell(ProblemError("E308", message, block.name.span, help="give the block another name"), name)
        inputs = frozenset(each.text for each in block.inputs) if block.inputs is not None else frozenset({"in"})
        known = frozenset(self.library.params)
        for param in block.params:
            if param.default is not None:
                self.value(param.default, Names(known, inputs), name)
            known |= {param.name.text}
        self.node(block.body, Names(known, inputs), outer=True)

    def scope(self, scope: ScopeSpec, names: Names) -> None:
        own = frozenset() if scope.numbered else frozenset(child.name.text for child in scope.children)
        inner = replace(names, nodes=own)
        loose = scope.numbered or any(child.flat or "$" in child.name.text for child in scope.children)
        loose = loose or any(self.is_flat_block(child) for child in scope.children)
        if not scope.numbered:
            for child in scope.children:
                self.name(child.name)
        if not loose:
            for child in scope.children:
                self.paths(child, inner)
        self.outer.append(scope)
        for child in scope.children:
            self.node(child, inner)
        self.outer.pop()

    def name(self, word: Word) -> None:
        """A node's name must do as a module's."""
        if "$" not in word.text:
            for part in word.text.split("."):
                if reason := name_problem(part):
                    self.tell(bad_name(part, reason, word.span), word.text)
                    return

    def is_flat_block(self, child: NodeSpec) -> bool:
        found = self.library.find(child.op.text) if child.op else None
        return found is not None and found[0].body.flat

    def paths(self, child: NodeSpec, names: Names) -> None:
        words = [*(child.reads or ()), *(child.otherwise or ()), *([child.share] if child.share else [])]
        for word in words:
            known = any(head in names.inputs or head in names.nodes for head in heads(word.text))
            if "$" not in word.text and not known:
                problem = self.no_such_node(word.text.partition(".")[0], word.span, names.inputs | names.nodes)
                self.tell(problem, child.name.text)

    def no_such_node(self, name: str, span: Span, options: frozenset[str]) -> ProblemError:
        """A path that begins with no name in reach, though perhaps with one further out."""
        outside = [each for scope in self.outer for each in scope.children if each.name.text == name]
        if outside:
            message = f"{name} is outside: a body sees its own nodes and what it reads"
            help = "read it where the block is used, and name it in the block: inputs: [x, skip]"
            return ProblemError("E301", message, span, notes=(f"{name} is at {outside[0].span}",), help=help)
        help = did_you_mean(name, options) or in_reach(sorted(options))
        return ProblemError("E301", f"there is no node {name} here", span, help=help)

    def node(self, child: NodeSpec, names: Names, outer: bool = False) -> None:
        label = child.name.text
        if child.broken:
            return
        if child.when is not None:
            self.expression(child.when, names, label)
        rounds = names
        if child.repeat is not None:
            self.expression(child.repeat.count, names, label)
            rounds = replace(names, indices=names.indices | INDICES)
            for entry in (*child.repeat.first, *child.repeat.last):
                self.value(entry.value, rounds, label)
        for entry in child.words:
            self.value(entry.value, rounds, label)
        if child.op is not None:
            self.op(child.op, child, rounds, label)
        if child.nodes is not None:
            inputs = names.inputs if outer and child.repeat is None else frozenset({"in"})
            self.scope(child.nodes, replace(rounds, inputs=inputs))

    def op(self, op: Word, child: NodeSpec, names: Names, label: str) -> None:
        if "$" in op.text:
            self.text(op.text, op.span, False, names, label)
            return
        if self.library.find(op.text) is None and self.registry.get(op.text) is None:
            if self.library.incomplete:
                return
            self.tell(no_such_op(op, self.library, self.registry), label)
            return
        known = self.words_of(op.text, self.library, ())
        if known is None:
            return
        entries: list[Entry] = list(child.words)
        if child.repeat is not None:
            overlays = (*child.repeat.first, *child.repeat.last)
            if any(each.key == "op" for each in overlays):
                return
            entries += [each for each in overlays if each.key not in OVERLAY_WORDS]
        owner = f"the block {op}" if self.library.find(op.text) else op.text
        for entry in entries:
            if entry.key not in known:
                self.tell(unknown_word(entry.key, owner, known, entry.key_span), label)

    def words_of(self, op: str, library: Library, seen: tuple[str, ...]) -> list[str] | None:
        """The words that an op or block takes; None where that cannot be known."""
        found = library.find(op)
        if found is None:
            cls = self.registry.get(op)
            return list(fields_of(cls)) if cls else None
        block, home = found
        known = [param.name.text for param in block.params]
        body = block.body
        if body.op is None or body.repeat is not None:
            return known
        if "$" in body.op.text or op in seen:
            return None
        inner = self.words_of(body.op.text, home, (*seen, op))
        return None if inner is None else [*known, *inner]

    # -- expressions

    def value(self, value: Value, names: Names, label: str) -> None:
        if isinstance(value, Scalar):
            if isinstance(value.value, str) and "$" in value.value:
                self.text(value.value, value.span, value.quoted, names, label)
            return
        inner: Iterator[Value]
        inner = iter(value.items) if isinstance(value, Listing) else (each.value for each in value)
        for each in inner:
            self.value(each, names, label)

    def expression(self, value: Value, names: Names, label: str) -> None:
        """A word that is always an expression."""
        if isinstance(value, Scalar) and isinstance(value.value, str):
            self.text(value.value, value.span, value.quoted, names, label)
        else:
            self.value(value, names, label)

    def text(self, text: str, span: Span, quoted: bool, names: Names, label: str) -> None:
        try:
            for reference in parse_expression(text).references:
                if reference.name not in names.all and not names.container(reference.name):
                    raise unknown_name(reference, sorted(names.all - {"from"}), in_round="i" in names.indices)
        except ExpressionError as error:
            self.tell(ProblemError(error.code, error.message, part_of(span, error, quoted), help=error.help), label)
