"""`change`: applies the rules of a variant to the nodes of the network while it is elaborated.

A rule matches a node by the name of its op or block, or by its path in the network. Rules apply in order; the nodes
that a rule inserts are subject to the rules after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.file_scope import FileScope, Match
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.module_paths import Level, Place, Slot
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Argument, Bound, Reads, VisibleNodes
from cnngraph.fields import fields_of
from cnngraph.language.model import ChangeSpec, Library, LocatedText, NodeSpec, ScopeSpec
from cnngraph.language.reader import is_null
from cnngraph.ops.registry import Registry

Arguments = dict[str, Argument]


@dataclass(slots=True, eq=False, repr=False)
class NodeUse:
    """What a rule can change: a use of an op or block of a library, or other nodes (`op` is None)."""

    reads: Reads
    library: Library
    op: LocatedText | None = None
    arguments: Arguments = field(default_factory=dict)


class Walker(Protocol):
    """The part of the walker that a change uses."""

    budget: Budget
    maker: Maker
    registry: Registry
    passed_over: dict[int, str]

    def children(self, scope: ScopeSpec, env: Env, level: Level, slot: Slot) -> Bound:
        """Elaborate the nodes of a scope."""

    def node(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Bound:
        """Elaborate a node."""

    def op_name(self, op: LocatedText, env: Env) -> LocatedText:
        """The name of an op, evaluated."""

    def use(
        self,
        op: LocatedText,
        arguments: Arguments,
        reads: Reads,
        library: Library,
        place: Place,
        child: NodeSpec,
        env: Env,
    ) -> Bound:
        """A use of an op or block, as the rules leave it."""


@dataclass(slots=True, eq=False, repr=False)
class Changed:
    """One node while the rules that match it are applied; `run` elaborates it as they leave it."""

    walker: Walker
    child: NodeSpec
    env: Env
    place: Place
    run: Callable[[NodeUse], Bound]

    def apply(self, matches: list[Match], use: NodeUse) -> Bound:
        """Apply rules to the node, and elaborate it."""
        after: list[Match] = []
        names = VisibleNodes()
        depth = len(self.walker.budget.chain)
        for index, match in enumerate(matches):
            rule = match.rule
            match.file.matched.add(match.number)
            self.walker.budget.enter_change(rule.match, self.place.peek(), self.child.span)
            if match.sets and rule.sets_parameters:
                self.set_parameters(match, use)
            if match.inserts and rule.remove:
                bound = self.removed(rule, use.reads)
                break
            if match.inserts and rule.replace is not None:
                self.place.applied.difference_update(later.key for later in matches[index + 1 :])
                bound = self.replaced(match, rule.replace, use.reads)
                break
            inserts = match.inserts and not self.is_shared
            if inserts and rule.before is not None:
                use.reads = self.inserted_before(match, rule.before, use, names)
            if inserts and rule.after is not None:
                after.append(match)
            if match.sets and rule.op is not None:  # it is another op, which other rules may match
                self.place.applied.difference_update(later.key for later in matches[index + 1 :])
                bound = self.used_as_changed(match, use)
                break
        else:
            bound = self.run(use)
        for match in after:
            scope = match.rule.after
            assert scope is not None
            bound = self.inserted_after(match, scope, bound, names)
        if names:
            bound.inserted = names
        del self.walker.budget.chain[depth:]
        return bound

    @property
    def is_shared(self) -> bool:
        """Whether the node runs the module of another node: what is inserted around that is not part of its module."""
        sharing = self.walker.maker.sharing
        return sharing is not None and sharing[1] == self.place.peek()

    def removed(self, rule: ChangeSpec, reads: Reads) -> Bound:
        """The value of a removed node: its first input. In a list, its number stays its own."""
        passed = reads.passed_through.refs
        fact = f"`{self.place.peek()}` at {self.child.span}, which would read it, is removed at {rule.match.span}"
        for ref in set(reads.refs).difference(passed):
            self.walker.passed_over.setdefault(ref.node, fact)
        if self.child.flat:
            return Bound(reads.passed_through, self.child.span, absent=True, removed=True)
        path = self.place.path or self.place.skip()
        return Bound(reads.passed_through, self.child.span, path, absent=True, removed=True)

    def replaced(self, match: Match, node: NodeSpec, reads: Reads) -> Bound:
        """The node that takes this one's place, and reads the same unless it says otherwise."""
        env = self.inside(match.file, Bound(reads.joined, self.child.span), VisibleNodes())
        with match.file.after(match.number):
            return self.walker.node(replace(node, name=self.child.name), env, (env.inputs["in"], "in"), self.place)

    def used_as_changed(self, match: Match, use: NodeUse) -> Bound:
        """The node with the op that a rule has set, as the rules after that one leave it."""
        assert use.op is not None
        with match.file.after(match.number):
            return self.walker.use(use.op, use.arguments, use.reads, use.library, self.place, self.child, self.env)

    def set_parameters(self, match: Match, use: NodeUse) -> None:
        """Set the op and the parameters that a rule gives. Raises ProblemError if the node cannot have them."""
        rule, file = match.rule, match.file
        if use.op is None or (rule.op is not None and self.child.net is not None):
            key = rule.op or LocatedText(rule.entries[0].key, rule.entries[0].key_span)
            what = "shares a module" if self.child.share else "is a network" if self.child.net else "contains nodes"
            message = f"`{self.place.peek()}` {what}, so a rule cannot set its `{'op' if rule.op else key}`"
            help = "match the nodes inside, or use `replace`"
            raise ProblemError("E207", message, key.span, help=help)
        env = replace(self.env, library=file.library, params=file.params, file=file, reads=use.reads)
        for entry in rule.entries:
            if is_null(entry.value):
                use.arguments.pop(entry.key, None)
                self.place.dropped.add(entry.key)
            else:
                use.arguments[entry.key] = env.argument(entry.key_span, entry.value)
                self.place.dropped.discard(entry.key)
        if rule.op is not None:
            use.op, use.library = self.walker.op_name(rule.op, env), file.library
            self.check_leftover(use.op, match, use.arguments)

    def check_leftover(self, op: LocatedText, match: Match, arguments: Arguments) -> None:
        """Raise ProblemError if the new op lacks a parameter that the old one had."""
        known = _parameters_of(op, match.file, self.walker.registry)
        own = {entry.key for entry in match.rule.entries}
        for key, argument in arguments.items():
            if known is not None and key not in known and key not in own:
                message = f"`{op}` has no parameter `{key}`, which `{self.place.peek()}` sets"
                note = f"it is set at {argument.key_span}"
                raise ProblemError(
                    "E207", message, op.span, notes=(note,), help=f"remove it in the rule: `{key}: null`"
                )

    def inserted_before(self, match: Match, scope: ScopeSpec, use: NodeUse, names: VisibleNodes) -> Reads:
        """What the node reads once nodes have been inserted before it."""
        reads = use.reads
        cls = self.walker.registry.get(use.op.text) if use.op and not use.library.find(use.op.text) else None
        count = 0 if cls and cls.inputs == (0, 0) else len(reads.values)
        if count != 1:
            message = f"`{self.place.peek()}` has {count or 'no'} inputs, so nothing can be inserted before it"
            help = "use `after` in a rule for the node that it reads" if count else "insert it `after` the node"
            raise ProblemError("E324", message, match.rule.match.span, help=help)
        bound = self.inserted(match, scope, Bound(reads.joined, self.child.span), names)
        return Reads((bound.tensors(),), (scope.children[-1].name.text,), reads.explicit)

    def inserted_after(self, match: Match, scope: ScopeSpec, bound: Bound, names: VisibleNodes) -> Bound:
        """The node with others after it: its names and module, their value."""
        with_itself = VisibleNodes()
        if self.place.name is not None:
            with_itself.put(self.place.name.text, bound)
        last = self.inserted(match, scope, bound, names, with_itself)
        return replace(bound, value=last.value, absent=False)

    def inserted(
        self, match: Match, scope: ScopeSpec, value: Bound, names: VisibleNodes, more: VisibleNodes | None = None
    ) -> Bound:
        """Elaborate inserted nodes at the level of the node; their names are added to `names`."""
        env = self.inside(match.file, value, more or VisibleNodes())
        for child in scope.children:
            self.check_name(child.name, env.text(child.name))
        outside = dict(env.names)
        slot: Slot = []
        self.place.slot.append(slot)
        with match.file.after(match.number):
            last = self.walker.children(scope, env, self.place.level, slot)
        for name, bound in env.names.items():
            if outside.get(name) is not bound:
                names.put(name, bound)
        return last

    def check_name(self, written: LocatedText, name: str) -> None:
        """Raise ProblemError if the module has a node of the name of one to be inserted."""
        level, names = self.place.level, self.env.names
        path = level.within(name)
        if name in level.taken and level.taken[name].file == written.span.file:
            message = f"the rule inserts `{path}` twice"
            help = f"name it after the node that it follows: `{written}_$name`"
            raise ProblemError("E305", message, written.span, help=help)
        if name in level.taken or (name in names.later and not level.repeats):
            message = f"there is a node `{path}` already"
            notes = (f"it is at {level.taken[name]}",) if name in level.taken else ()
            raise ProblemError("E305", message, written.span, notes=notes, help="rename the node to insert")

    def inside(self, file: FileScope, value: Bound, more: VisibleNodes) -> Env:
        """The environment of inserted nodes: `in` is the value, `$name` that of the node."""
        names = VisibleNodes()
        for visible in (self.env.names, more):
            for name, bound in visible.items():
                names[name] = bound
        inputs: dict[str, Any] = {"in": Bound(value.value, value.span)}
        own = self.place.name.text if self.place.name else self.place.peek().rpartition(".")[2]
        params = {**file.params, "name": Argument(self.child.span, self.child.span, own, self.child.span)}
        return Env(file.library, params, inputs, names, self.env.type_of, file, self.env.index)


def changed(
    walker: Walker, child: NodeSpec, reads: Reads, env: Env, place: Place, run: Callable[[Reads], Bound]
) -> Bound:
    """A node that is not a use of an op or block, as the rules of `change` leave it."""
    matches = matching(None, child, env, place, walker.maker)
    if not matches:
        return run(reads)
    return Changed(walker, child, env, place, lambda use: run(use.reads)).apply(matches, NodeUse(reads, env.library))


def matching(name: str | None, child: NodeSpec, env: Env, place: Place, maker: Maker) -> list[Match]:
    """The rules of `change` to apply to a node; `name` is that of its op or block."""
    if not env.file.has_rules:
        return []
    return env.file.matching(name, place, rule_path(child, place, maker), child)


def rule_path(child: NodeSpec, place: Place, maker: Maker) -> str | None:
    """The path by which a rule knows a node: that of its module, or of the module that it shares."""
    path = None if child.flat else place.peek()
    return path and (maker.owner(path) or path)


def _parameters_of(op: LocatedText, file: FileScope, registry: Registry) -> set[str] | None:
    """The names of the parameters of an op or block; None if there is no such op, or if it passes them on."""
    found = file.library.find(op.text)
    if found is not None:
        block = file.current(*found)[0]
        passes = block.body.op is not None and block.body.repeat is None
        return None if passes else {param.name.text for param in block.params}
    cls = registry.get(op.text)
    return set(fields_of(cls)) if cls else None
