"""A network that returns intermediate tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref, Scope
from cnngraph.language.names import first_name, tensor_path


def tapped(graph: Graph, outputs: Mapping[str, Ref]) -> Graph:
    """The graph with other outputs and unchanged modules and keys."""
    return replace(graph, outputs=dict(outputs), training_only=frozenset(), init=())


def live_nodes(graph: Graph) -> set[int]:
    """The nodes on which the outputs depend, and those whose modules these run."""
    index_of = {node.path: index for index, node in enumerate(graph.nodes)}
    live: set[int] = set()
    waiting = [ref.node for ref in graph.outputs.values()]
    while waiting:
        index = waiting.pop()
        if index >= 0 and index not in live:
            live.add(index)
            node = graph.nodes[index]
            waiting += [ref.node for ref in node.reads]
            waiting += [index_of[node.shares]] if node.shares else []
    return live


def tensor_at(graph: Graph, path: str) -> Ref:
    """The output of the node or block at a path; of a list, one by index: `chunk[1]`, `layer1.0`, `conv1`.

    Raises SpecError (E652) if there is no such tensor.
    """
    found = _tensors(graph)
    if path in found:
        return found[path]
    head, _, number = path.rpartition(".")
    if number.isdecimal() and not any(_is_number_in(head, candidate) for candidate in found):
        tensor = tensor_path(head, int(number))  # as a spec may write it, too
        if tensor in found:
            return found[tensor]
    parts = [candidate for candidate in found if candidate.startswith(f"{path}[")]
    help = did_you_mean(path, found) or _siblings(path, found)
    if parts:
        help = f"its value is a list; choose one of {', '.join(parts[:8])}"
    raise SpecError.of("E652", f"`{graph.name}` has no node `{path}` that runs in eval mode", help=help)


def _tensors(graph: Graph) -> dict[str, Ref]:
    """Every tensor that exists in eval mode, by path: the outputs of nodes, then those of blocks and repeats."""
    found: dict[str, Ref] = {name: Ref(-1 - number) for number, name in enumerate(graph.inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or node.training_only or node.operation.is_attribute:
            continue
        for part in range(len(node.types)):
            found[tensor_path(node.path, part) if node.is_list else node.path] = Ref(index, part)
    reached = set(found.values())
    for scope in graph.scopes():
        _add(found, scope, reached)
    return found


def _add(found: dict[str, Ref], scope: Scope, reached: set[Ref]) -> None:
    for part, ref in enumerate(scope.value):
        if ref in reached:
            found.setdefault(scope.path if len(scope.value) == 1 else tensor_path(scope.path, part), ref)


def _is_number_in(head: str, path: str) -> bool:
    """Whether a path leads through a node inside `head` that is called by a number."""
    return path.startswith(f"{head}.") and first_name(path[len(head) + 1 :]).isdecimal()


def _siblings(path: str, known: Iterable[str]) -> str:
    """The paths below the parent of a path, or else those at the top level."""
    above = path.rpartition(".")[0]
    inside = [candidate for candidate in known if candidate.startswith(f"{above}.")] if above else []
    options = inside or [candidate for candidate in known if candidate and "." not in candidate]
    return f"choose one of {', '.join(options[:12])}{', …' if len(options) > 12 else ''}"
