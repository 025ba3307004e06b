"""Matching the patterns in a recipe against the parameters and modules of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from cnngraph.analysis.layers import head_layers
from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe
    from cnngraph.recipe.selection import Selection

HEAD = "head"


@frozen(slots=False)
class Matcher:
    """Matches patterns against a network's parameters: `ops` by path, and the paths of the layers called `head`."""

    ops: Mapping[str, str] = field(default_factory=dict)
    head: frozenset[str] = frozenset()

    @classmethod
    def of(cls, graph: Graph) -> Matcher:
        """The matcher of a network. A module with the path `head` takes precedence over the last layers."""
        ops = {node.path: node.op for node in graph.nodes}
        return cls(ops, frozenset() if HEAD in ops or _has_scope(graph, HEAD) else head_layers(graph))

    def matches(self, pattern: str, name: str) -> bool:
        """Whether a pattern matches a parameter: by its op, its last name, or the path of a module around it."""
        path, _, last = name.rpartition(".")
        if pattern == last or matches_path(pattern, name):
            return True
        return self.matches_module(pattern, path if path in self.ops else name)

    def matches_module(self, pattern: str, path: str) -> bool:
        """Whether a pattern matches a module: by its op, its path, or the path of a module around it."""
        op = self.ops.get(path, "")
        if pattern == op or (pattern == "norm" and op.endswith("_norm")) or (pattern == HEAD and path in self.head):
            return True
        return any(matches_path(pattern, outer) for outer in _outer_paths(path))

    def selects(self, selection: Selection, name: str) -> bool:
        """Whether a selection contains a parameter."""
        matches, excludes = selection.matches, selection.excludes
        return any(self.matches(match, name) for match in matches) and not any(
            self.matches(match, name) for match in excludes
        )

    def selects_module(self, selection: Selection, path: str) -> bool:
        """Whether a selection contains a module."""
        matches, excludes = selection.matches, selection.excludes
        return any(self.matches_module(match, path) for match in matches) and not any(
            self.matches_module(match, path) for match in excludes
        )

    def last_of(self, selections: Sequence[Selection], name: str) -> int | None:
        """The index of the last selection that contains a parameter, which is the one that applies."""
        found = (index for index in reversed(range(len(selections))) if self.selects(selections[index], name))
        return next(found, None)


def parameter_names(graph: Graph) -> list[str]:
    """The names of a network's parameters, as in PyTorch."""
    return [f"{node.path}.{key}".rstrip(".") for node in graph.nodes if not node.shares for key in node.parameters]


def _has_scope(graph: Graph, path: str) -> bool:
    return any(scope.path == path for scope in graph.scopes())


def _outer_paths(path: str) -> Iterator[str]:
    """The path itself, then those of everything around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def check_patterns(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Report the patterns of a recipe that match nothing in a network, and selections without effect (E614)."""
    if not (recipe.optimizer.groups or recipe.freeze or recipe.checkpointed):
        return []
    matcher, names = Matcher.of(graph), parameter_names(graph)
    known = {"norm", *matcher.ops.values(), *(name.rpartition(".")[2] for name in names)}
    known.update(path for name in names for path in _outer_paths(name))
    known.update([HEAD] if matcher.head else [])
    found: list[Diagnostic] = []
    for key, selections in (("optimizer.groups", recipe.optimizer.groups), ("freeze", recipe.freeze or ())):
        unmatched = [
            _unmatched(recipe, f"{key}.{index}.{word}", "parameter", pattern, known, graph)
            for index, selection in enumerate(selections)
            for word, patterns in (("match", selection.matches), ("exclude", selection.excludes))
            for pattern in patterns
            if not any(matcher.matches(pattern, name) for name in names)
        ]
        found += unmatched or _ineffective(recipe, key, selections, matcher, names)
    modules = {scope.path for scope in graph.scopes() if scope.path} | set(matcher.ops)
    return found + [
        _unmatched(recipe, "checkpoint", "module", match, modules, graph)
        for match in recipe.checkpointed
        if not any(matches_path(match, path) for path in modules)
    ]


def _unmatched(recipe: Recipe, key: str, what: str, match: str, known: Iterable[str], graph: Graph) -> Diagnostic:
    help = did_you_mean(match, known) or "in a path, `*` matches any part of one name, and `**` matches anything"
    message = f"`{key}: {match}` matches no {what} of `{graph.name}`"
    return Diagnostic("E614", message, recipe.places.get(key), help=help)


def _ineffective(
    recipe: Recipe, key: str, selections: Sequence[Selection], matcher: Matcher, names: Sequence[str]
) -> Iterator[Diagnostic]:
    """Report the selections of which no parameter is left, because all are excluded, or later ones match them too."""
    applied = {matcher.last_of(selections, name) for name in names}
    for index, selection in enumerate(selections):
        if index in applied:
            continue
        own = [name for name in names if matcher.selects(selection, name)]
        message = f"`{key}.{index}` has no effect: {'later entries match' if own else 'it excludes'} all its parameters"
        help = "put it last: of several entries that match a parameter, only the last one applies" if own else None
        yield Diagnostic(
            "E614", message, recipe.places.get(f"{key}.{index}.match"), help=help or "narrow its `exclude`"
        )
