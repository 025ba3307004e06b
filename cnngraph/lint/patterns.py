"""Matching the patterns in a recipe against the parameters and modules of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe


def matches_parameter(match: str, name: str, ops: Mapping[str, str]) -> bool:
    """Whether a pattern matches a parameter: by its op, its last name, or the path of a module around it.

    `ops` are the ops by path.
    """
    path, _, last = name.rpartition(".")
    op = ops.get(path) or ops.get(name, "")
    if match in (op, last) or (match == "norm" and op.endswith("_norm")):
        return True
    return any(matches_path(match, outer) for outer in _outer_paths(name))


def _outer_paths(path: str) -> Iterator[str]:
    """The path itself, then those of everything around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def check_patterns(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Report the patterns of a recipe that match nothing in a network (E614)."""
    ops = {node.path: node.op for node in graph.nodes}
    names = [f"{node.path}.{key}".rstrip(".") for node in graph.nodes if not node.shares for key in node.parameters]
    known = {"norm", *ops.values(), *(name.rpartition(".")[2] for name in names)}
    known.update(path for name in names for path in _outer_paths(name))
    found = [
        _unmatched(recipe, f"optimizer.groups.{index}.match", "parameter", match, known, graph)
        for index, group in enumerate(recipe.optimizer.groups)
        for match in group.matches
        if not any(matches_parameter(match, name, ops) for name in names)
    ]
    modules = {scope.path for scope in graph.scopes() if scope.path} | set(ops)
    return found + [
        _unmatched(recipe, "checkpoint", "module", match, modules, graph)
        for match in recipe.checkpointed
        if not any(matches_path(match, path) for path in modules)
    ]


def _unmatched(recipe: Recipe, key: str, what: str, match: str, known: Iterable[str], graph: Graph) -> Diagnostic:
    help = did_you_mean(match, known) or "in a path, `*` matches any part of one name, and `**` matches anything"
    message = f"`{key}: {match}` matches no {what} of `{graph.name}`"
    return Diagnostic("E614", message, recipe.places.get(key), help=help)
