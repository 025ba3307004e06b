"""A network that hands out tensors from its inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cnngraph.diagnostics import Diagnostic, SpecError, did_you_mean
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref, Scope


def tapped(graph: Graph, outputs: Mapping[str, Ref]) -> Graph:
    """The graph with other outputs, and the same modules by the same keys."""
    return replace(graph, outputs=dict(outputs), training_only=frozenset(), init=())


def tensor_at(graph: Graph, path: str) -> Ref:
    """The tensor that a node or a block hands on, one of a list by its number: `chunk.1`, `layer1.0`, `conv1`.

    Raises SpecError (E652) where there is no such tensor.
    """
    found = _tensors(graph)
    if path in found:
        return found[path]
    parts = [each for each in found if each.startswith(f"{path}.") and each[len(path) + 1 :].isdecimal()]
    help = did_you_mean(path, found) or _nearest(path, found)
    if parts and path not in {node.path for node in graph.nodes if not node.is_list}:
        help = f"it is several: {', '.join(parts[:8])}"
    raise SpecError([Diagnostic("E652", f"{graph.name} has no node {path} that runs", help=help)])


def _tensors(graph: Graph) -> dict[str, Ref]:
    """Every tensor that is made in eval mode, by its path: those of nodes, then those of blocks and repeats."""
    found: dict[str, Ref] = {name: Ref(-1 - number) for number, name in enumerate(graph.inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or node.training_only or "" in node.parameters:
            continue
        for part in range(len(node.types)):
            found[f"{node.path}.{part}" if node.is_list else node.path] = Ref(index, part)
    reached = set(found.values())
    for scope in graph.scopes():
        _add(found, scope, reached)
    return found


def _add(found: dict[str, Ref], scope: Scope, reached: set[Ref]) -> None:
    values = [ref for ref in scope.value if ref in reached]
    if len(values) == 1:
        found.setdefault(scope.path, values[0])
    else:
        for part, ref in enumerate(values):
            found.setdefault(f"{scope.path}.{part}", ref)


def _nearest(path: str, known: Iterable[str]) -> str:
    """What lies along the path, as far as there is anything."""
    above = path.rpartition(".")[0]
    inside = [each for each in known if each.startswith(f"{above}.")] if above else []
    options = inside or [each for each in known if each and "." not in each]
    return f"there are {', '.join(options[:12])}{' …' if len(options) > 12 else ''}"
