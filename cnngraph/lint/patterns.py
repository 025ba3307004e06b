"""Matching the patterns in a recipe against the parameters and modules of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe


def fits_parameter(match: str, name: str, kinds: Mapping[str, str]) -> bool:
    """Whether a pattern matches a parameter by its op, the last component of its name, or an enclosing path.

    `kinds` is the op of each node by path.
    """
    path, _, last = name.rpartition(".")
    op = kinds.get(path) or kinds.get(name, "")
    if match in (op, last) or (match == "norm" and op.endswith("_norm")):
        return True
    return any(matches_path(match, path) for path in _with_parents(name))


def _with_parents(path: str) -> Iterator[str]:
    """A path and the paths of all enclosing modules."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def check_patterns(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Report the patterns of a recipe that match nothing in a network (E614)."""
    kinds = {node.path: node.op for node in graph.nodes}
    names = [f"{node.path}.{key}".rstrip(".") for node in graph.nodes if not node.shares for key in node.parameters]
    known = {"norm", *kinds.values(), *(name.rpartition(".")[2] for name in names)}
    known |= {path for name in names for path in _with_parents(name)}
    found = [
        _unmatched(recipe, f"optimizer.groups.{index}.match", "parameter", match, known, graph)
        for index, group in enumerate(recipe.optimizer.groups)
        for match in group.matches
        if not any(fits_parameter(match, name, kinds) for name in names)
    ]
    modules = {scope.path for scope in graph.scopes() if scope.path} | set(kinds)
    return found + [
        _unmatched(recipe, "checkpoint", "module", match, modules, graph)
        for match in recipe.checkpointed
        if not any(matches_path(match, path) for path in modules)
    ]


def _unmatched(recipe: Recipe, key: str, what: str, match: str, known: Iterable[str], graph: Graph) -> Diagnostic:
    help = did_you_mean(match, known) or "in a path, `*` matches any text without a dot, and `**` any text"
    message = f"`{key}` matches no {what} of `{graph.name}`: `{match}`"
    return Diagnostic("E614", message, recipe.places.get(key), help=help)
