"""What all nodes of one network see: its library, its params, and the rules of its `change`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.elaborate.module_paths import Place
from cnngraph.elaborate.values import Argument
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import BlockSpec, ChangeSpec, Library, NodeSpec

HOW_TO_MATCH = "`cnngraph show` prints the ops and the paths of the nodes"
NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")


class Match(NamedTuple):
    """A rule that matches a node: whether its parameters and its other actions apply to this node.

    A rule that matches a repeat sets the parameters of the iterations, and inserts nodes around the repeat.
    """

    file: FileScope
    number: int
    sets: bool
    inserts: bool

    @property
    def rule(self) -> ChangeSpec:
        """The rule."""
        return self.file.rules[self.number]

    @property
    def key(self) -> tuple[int, int]:
        """What identifies the rule among those that have been applied to a node."""
        return id(self.file), self.number


class Patterns(NamedTuple):
    """The rules of a network, by what they match, so that each node is compared with few of them.

    `named` are the rules without stars, by the name or path; `starred` those with stars; `discarding` those that
    replace a node and its inputs.
    """

    named: Mapping[str | None, Sequence[int]]
    starred: Mapping[int, str]
    discarding: set[int]
    steps: int  # for comparing a path with all that have stars

    @classmethod
    def of(cls, rules: Sequence[ChangeSpec]) -> Patterns:
        """The patterns of rules."""
        named: dict[str | None, list[int]] = {}
        for number, rule in enumerate(rules):
            named.setdefault(rule.match.text, []).append(number)
        starred = {number: rule.match.text for number, rule in enumerate(rules) if "*" in rule.match.text}
        discarding = {number for number, rule in enumerate(rules) if rule.replace and rule.replace.reads is not None}
        return cls(named, starred, discarding, sum(pattern.count("*") for pattern in starred.values()))

    def at(self, path: str) -> set[int]:
        """The rules that match a path."""
        count_steps(self.steps)
        return {
            *self.named.get(path, ()),
            *(number for number, pattern in self.starred.items() if matches_path(pattern, path)),
        }


@dataclass(eq=False, repr=False)
class FileScope:
    """The names of one network. A network that is a node of another has an `outer` scope, and a `path` in it.

    `matched` are the rules that have matched a node. The rules before `first` do not apply: they have made the node
    that is being elaborated.
    """

    library: Library
    params: dict[str, Argument]
    rules: tuple[ChangeSpec, ...] = ()
    outer: FileScope | None = None
    path: str = ""
    matched: set[int] = field(default_factory=set)
    first: int = 0

    @property
    def around(self) -> Iterator[FileScope]:
        """This scope and the outer ones."""
        scope: FileScope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    @property
    def has_rules(self) -> bool:
        """Whether a rule may apply to a node, from this network or one that contains it."""
        return any(scope.rules for scope in self.around)

    def current(self, block: BlockSpec, library: Library) -> tuple[BlockSpec, Library]:
        """A block and its library, or the block of this file that replaces it."""
        name = self.library.replaced.get(block.name.span)
        return (self.library.blocks[name], self.library) if name is not None else (block, library)

    def matching(self, name: str | None, place: Place, path: str | None, child: NodeSpec) -> list[Match]:
        """The rules that match a node and have not been applied to it yet; they count as applied from now on.

        `name` is that of its op or block, and `path` that of its module, if it has one.
        """
        found = []
        for scope in self.around:
            at, outside = scope._rules_at(path), scope._rules_at(place.around)
            for number in sorted(at.union(outside, scope._patterns.named.get(name, ()))):
                if number < scope.first:
                    continue
                rule = scope.rules[number]
                fits = rule.match.text == name or number in at
                around = number in outside and rule.sets_parameters
                if child.repeat is not None and not rule.is_structural:  # its parameters are those of the iterations
                    fits = False
                match = Match(scope, number, sets=child.repeat is None, inserts=fits)
                if (fits or around) and match.key not in place.applied:
                    place.applied.add(match.key)
                    found.append(match)
        return found

    def discard_reads(self, child: NodeSpec, path: str | None) -> bool:
        """Whether a rule replaces a node by one that names its own inputs, so that those of the node do not matter."""
        name = child.op.text if child.op else None
        return any(
            number >= scope.first
            for scope in self.around
            if scope._patterns.discarding
            for number in scope._patterns.discarding & {*scope._patterns.named.get(name, ()), *scope._rules_at(path)}
        )

    @cached_property
    def _patterns(self) -> Patterns:
        return Patterns.of(self.rules)

    def _rules_at(self, path: str | None) -> set[int]:
        """The rules of this network that match the path of a module of the outermost one."""
        if not self.rules or not path or not path.startswith(self.path):
            return set()
        return self._patterns.at(path[len(self.path) :])

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
        known = cache(lambda starred: _matchable(graph, starred))
        for number, rule in enumerate(self.rules):
            if number in self.matched:
                continue
            help = did_you_mean(rule.match.text, known("*" in rule.match.text)) or HOW_TO_MATCH
            yield Diagnostic("E324", f"`{rule.match}` matches no node", rule.match.span, help=help)


def _matchable(graph: Graph, starred: bool) -> list[str]:
    """The ops, blocks and paths of a network, with a star for each number if `starred`."""
    names = {node.op for node in graph.nodes} | {scope.block for scope in graph.scopes() if scope.block}
    paths = {node.path for node in graph.nodes} | {scope.path for scope in graph.scopes() if scope.path}
    if starred:
        paths = {NUMBER.sub("*", path) for path in paths}
    return sorted(names | paths)
