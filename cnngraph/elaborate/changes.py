"""`change`: applies the rules of a variant to the nodes of the network while it is elaborated.

A rule matches a node by the name of its op or block, or by its path in the network. Rules apply in order; the nodes
that a rule inserts are subject to the rules after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.module_paths import Level, Place, Slot
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Argument, Bound, Reads, VisibleNodes
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path
from cnngraph.language.model import ChangeSpec, Library, LocatedText, NodeSpec, ScopeSpec
from cnngraph.language.reader import is_null

Arguments = dict[str, Argument]
HOW_TO_MATCH = "`cnngraph show` prints the ops and the paths of the nodes"
NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")


@dataclass(slots=True)
class Use:
    """What a rule can change: a use of an op or block of a library, or other nodes (`op` is None)."""

    reads: Reads
    library: Library
    op: LocatedText | None = None
    arguments: Arguments = field(default_factory=dict)


class Match(NamedTuple):
    """A rule that matches a node: whether its parameters and its other actions apply to this node.

    A rule that matches a repeat sets the parameters of the iterations, and inserts nodes around the repeat.
    """

    number: int
    sets: bool
    inserts: bool


class Walker(Protocol):
    """The part of the walker that a change uses."""

    budget: Budget
    maker: Maker
    passed_over: dict[int, str]

    def children(self, scope: ScopeSpec, env: Env, level: Level, slot: Slot) -> Bound:
        """Elaborate the nodes of a scope."""

    def node(self, child: NodeSpec, env: Env, above: tuple[Bound | None, str], place: Place) -> Bound:
        """Elaborate a node."""

    def op_name(self, op: LocatedText, env: Env) -> LocatedText:
        """The name of an op, evaluated."""

    def parameters_of(self, op: LocatedText, library: Library) -> set[str] | None:
        """The names of an op's or a block's parameters; None if there is no such op."""


@dataclass(slots=True)
class Changes:
    """The rules of a network, and which of them have matched a node."""

    rules: tuple[ChangeSpec, ...]
    home: Library
    params: Arguments
    matched: set[int] = field(default_factory=set)
    first: int = 0  # the rules before it do not apply: they have made the node that is being elaborated

    def matching(self, name: str | None, place: Place, maker: Maker, child: NodeSpec) -> list[Match]:
        """The rules that match a node and have not been applied to it yet; they count as applied from now on."""
        path = None if child.flat else place.peek()
        path = path and (maker.owner(path) or path)
        found = []
        for number in range(self.first, len(self.rules)):
            rule = self.rules[number]
            match = rule.match.text
            around = bool(place.around) and rule.sets_parameters and matches_path(match, place.around)
            fits = match == name or (path is not None and matches_path(match, path))
            if child.repeat is not None and not rule.is_structural:  # its parameters are those of the iterations
                fits = False
            if (fits or around) and number not in place.applied:
                place.applied.add(number)
                found.append(Match(number, sets=child.repeat is None, inserts=fits))
        return found

    def discard_reads(self, child: NodeSpec, place: Place) -> bool:
        """Whether a rule replaces a node by one that names its own inputs, so that those of the node do not matter."""
        name = child.op.text if child.op else None
        return any(
            rule.replace is not None
            and rule.replace.reads is not None
            and (rule.match.text == name or (not child.flat and matches_path(rule.match.text, place.peek())))
            for rule in self.rules[self.first :]
        )

    @contextmanager
    def after(self, number: int) -> Iterator[None]:
        """Apply only the rules after this one."""
        before, self.first = self.first, max(self.first, number + 1)
        try:
            yield
        finally:
            self.first = before

    def unmatched(self, graph: Graph) -> Iterator[Diagnostic]:
        """An error for each rule that matches no node of the network."""
        for number, rule in enumerate(self.rules):
            if number in self.matched:
                continue
            help = did_you_mean(rule.match.text, _matchable(graph, rule.match.text)) or HOW_TO_MATCH
            yield Diagnostic("E324", f"`{rule.match}` matches no node", rule.match.span, help=help)


@dataclass(slots=True)
class Changed:
    """One node while the rules that match it are applied; `run` elaborates it as they leave it."""

    walker: Walker
    changes: Changes
    child: NodeSpec
    env: Env
    place: Place
    run: Callable[[Use], Bound]

    def apply(self, matches: list[Match], use: Use) -> Bound:
        """Apply rules to the node, and elaborate it."""
        after: list[int] = []
        names = VisibleNodes()
        depth = len(self.walker.budget.chain)
        for number, sets, inserts in matches:
            rule = self.changes.rules[number]
            self.changes.matched.add(number)
            self.walker.budget.enter_change(rule.match, self.place.peek(), self.child.span)
            if sets and rule.sets_parameters:
                self.set_parameters(rule, use)
            if not inserts:
                continue
            if rule.remove:
                return self.removed(rule, use.reads)
            if rule.replace is not None:
                return self.replaced(number, rule.replace, use.reads)
            if rule.before is not None and not self.is_shared:
                use.reads = self.inserted_before(number, rule.before, use.reads, names)
            if rule.after is not None and not self.is_shared:
                after.append(number)
        bound = self.run(use)
        for number in after:
            scope = self.changes.rules[number].after
            assert scope is not None
            bound = self.inserted_after(number, scope, bound, names)
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
            return Bound(reads.passed_through, self.child.span, absent=True)
        path = self.place.path or self.place.skip()
        return Bound(reads.passed_through, self.child.span, path, absent=True)

    def replaced(self, number: int, node: NodeSpec, reads: Reads) -> Bound:
        """The node that takes this one's place, and reads the same unless it says otherwise."""
        env = self.inside(Bound(reads.joined, self.child.span), VisibleNodes())
        with self.changes.after(number):
            return self.walker.node(replace(node, name=self.child.name), env, (env.inputs["in"], "in"), self.place)

    def set_parameters(self, rule: ChangeSpec, use: Use) -> None:
        """Set the op and the parameters that a rule gives. Raises ProblemError if the node cannot have them."""
        if use.op is None:
            key = rule.op or LocatedText(rule.entries[0].key, rule.entries[0].key_span)
            what = "shares a module" if self.child.share else "contains nodes"
            message = f"`{self.place.peek()}` {what}, so a rule cannot set its `{'op' if rule.op else key}`"
            help = "match the nodes inside, or use `replace`"
            raise ProblemError("E207", message, key.span, help=help)
        env = replace(self.env, library=self.changes.home, params=self.changes.params, reads=use.reads)
        for entry in rule.entries:
            if is_null(entry.value):
                use.arguments.pop(entry.key, None)
                self.place.dropped.add(entry.key)
            else:
                use.arguments[entry.key] = env.argument(entry.key_span, entry.value)
                self.place.dropped.discard(entry.key)
        if rule.op is not None:
            use.op, use.library = self.walker.op_name(rule.op, env), self.changes.home
            self.check_leftover(use.op, rule, use.arguments)

    def check_leftover(self, op: LocatedText, rule: ChangeSpec, arguments: Arguments) -> None:
        """Raise ProblemError if the new op lacks a parameter that the old one had."""
        known = self.walker.parameters_of(op, self.changes.home)
        own = {entry.key for entry in rule.entries}
        for key, argument in arguments.items():
            if known is not None and key not in known and key not in own:
                message = f"`{op}` has no parameter `{key}`, which `{self.place.peek()}` sets"
                note = f"it is set at {argument.key_span}"
                raise ProblemError(
                    "E207", message, op.span, notes=(note,), help=f"remove it in the rule: `{key}: null`"
                )

    def inserted_before(self, number: int, scope: ScopeSpec, reads: Reads, names: VisibleNodes) -> Reads:
        """What the node reads once nodes have been inserted before it."""
        if len(reads.values) > 1:
            message = f"`{self.place.peek()}` has {len(reads.values)} inputs, so nothing can be inserted before it"
            help = "insert it `after` the node that it reads"
            raise ProblemError("E324", message, self.changes.rules[number].match.span, help=help)
        bound = self.inserted(number, scope, Bound(reads.joined, self.child.span), names)
        return Reads((bound.tensors(),), (scope.children[-1].name.text,), reads.explicit)

    def inserted_after(self, number: int, scope: ScopeSpec, bound: Bound, names: VisibleNodes) -> Bound:
        """The node with others after it: its names and module, their value."""
        with_itself = VisibleNodes()
        if self.place.name is not None:
            with_itself.put(self.place.name.text, bound)
        last = self.inserted(number, scope, bound, names, with_itself)
        return replace(bound, value=last.value, absent=False)

    def inserted(
        self, number: int, scope: ScopeSpec, value: Bound, names: VisibleNodes, more: VisibleNodes | None = None
    ) -> Bound:
        """Elaborate inserted nodes at the level of the node; their names are added to `names`."""
        env = self.inside(value, more or VisibleNodes())
        for child in scope.children:
            self.check_name(child.name, env.text(child.name))
        outside = dict(env.names)
        slot: Slot = []
        self.place.slot.append(slot)
        with self.changes.after(number):
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

    def inside(self, value: Bound, more: VisibleNodes) -> Env:
        """The environment of inserted nodes: `in` is the value, `$name` that of the node."""
        names = VisibleNodes()
        for visible in (self.env.names, more):
            for name, bound in visible.items():
                names[name] = bound
        inputs: dict[str, Any] = {"in": Bound(value.value, value.span)}
        own = self.place.name.text if self.place.name else self.place.peek().rpartition(".")[2]
        params = {**self.changes.params, "name": Argument(self.child.span, self.child.span, own, self.child.span)}
        return Env(self.changes.home, params, inputs, names, self.env.type_of, self.env.index)


def _matchable(graph: Graph, pattern: str) -> list[str]:
    """The ops, blocks and paths of a network, with a star for each number if the pattern has stars."""
    names = {node.op for node in graph.nodes} | {scope.block for scope in graph.scopes() if scope.block}
    paths = {node.path for node in graph.nodes} | {scope.path for scope in graph.scopes() if scope.path}
    if "*" in pattern:
        paths = {NUMBER.sub("*", path) for path in paths}
    return sorted(names | paths)
