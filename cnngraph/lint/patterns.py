"""Which parameters and modules of a network the patterns of a recipe match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, did_you_mean
from cnngraph.graph.graph import Graph
from cnngraph.graph.path_patterns import matches_path

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe


def fits_parameter(match: str, name: str, kinds: Mapping[str, str]) -> bool:
    """Whether a word means a parameter: by the op it belongs to, its last name, or the path of what holds it."""
    path, _, last = name.rpartition(".")
    op = kinds.get(path) or kinds.get(name, "")
    if match in (op, last) or (match == "norm" and op.endswith("_norm")):
        return True
    return any(matches_path(match, path) for path in _around(name))


def _around(path: str) -> Iterator[str]:
    """The path itself, and those of everything around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def check_patterns(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """The words of a recipe that mean nothing in a network (E614)."""
    kinds = {each.path: each.op for each in graph.nodes}
    names = [f"{node.path}.{key}".rstrip(".") for node in graph.nodes if not node.shares for key in node.parameters]
    words = {each for name in names for each in (name, name.rpartition(".")[2], *_around(name))} | {
        *kinds.values(),
        "norm",
    }
    found = [
        _nothing(recipe, f"optimizer.groups.{index}.match", "parameter", match, words, graph)
        for index, group in enumerate(recipe.optimizer.groups)
        for match in group.matches
        if not any(fits_parameter(match, name, kinds) for name in names)
    ]
    modules = {each.path for each in graph.scopes() if each.path} | set(kinds)
    return found + [
        _nothing(recipe, "checkpoint", "module", match, modules, graph)
        for match in recipe.checkpointed
        if not any(matches_path(match, path) for path in modules)
    ]


def _nothing(recipe: Recipe, word: str, what: str, match: str, known: Iterable[str], graph: Graph) -> Diagnostic:
    help = did_you_mean(match, known) or "in a path * is any part of one name, and ** anything"
    message = f"{word} fits no {what} of {graph.name}: {match}"
    return Diagnostic("E614", message, recipe.places.get(word), help=help)
