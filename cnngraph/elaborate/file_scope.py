"""What all nodes of one network see: its library, its params, and the rules of its `change`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.elaborate.module_paths import Place
from cnngraph.elaborate.values import Argument
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path
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


@dataclass(slots=True, eq=False)
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
            for number in range(scope.first, len(scope.rules)):
                rule = scope.rules[number]
                fits = rule.match.text == name or scope._is_at(rule, path)
                around = bool(place.around) and rule.sets_parameters and scope._is_at(rule, place.around)
                if child.repeat is not None and not rule.is_structural:  # its parameters are those of the iterations
                    fits = False
                if (fits or around) and (id(scope), number) not in place.applied:
                    place.applied.add((id(scope), number))
                    found.append(Match(scope, number, sets=child.repeat is None, inserts=fits))
        return found

    def discard_reads(self, child: NodeSpec, path: str | None) -> bool:
        """Whether a rule replaces a node by one that names its own inputs, so that those of the node do not matter."""
        name = child.op.text if child.op else None
        return any(
            rule.replace is not None
            and rule.replace.reads is not None
            and (rule.match.text == name or scope._is_at(rule, path))
            for scope in self.around
            for rule in scope.rules[scope.first :]
        )

    def _is_at(self, rule: ChangeSpec, path: str | None) -> bool:
        """Whether a rule of this network matches the path of a module of the outermost one."""
        if path is None or not path.startswith(self.path):
            return False
        return matches_path(rule.match.text, path[len(self.path) :])

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


def _matchable(graph: Graph, pattern: str) -> list[str]:
    """The ops, blocks and paths of a network, with a star for each number if the pattern has stars."""
    names = {node.op for node in graph.nodes} | {scope.block for scope in graph.scopes() if scope.block}
    paths = {node.path for node in graph.nodes} | {scope.path for scope in graph.scopes() if scope.path}
    if "*" in pattern:
        paths = {NUMBER.sub("*", path) for path in paths}
    return sorted(names | paths)
