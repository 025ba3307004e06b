"""Writes a network as a plain spec: one named node for each operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from cnngraph.document import Plain
from cnngraph.fields import fields_of
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope
from cnngraph.graph.path_patterns import InitRule, matches_path
from cnngraph.language.model import LANGUAGE_VERSION, Spec
from cnngraph.language.names import tensor_path, without_index
from cnngraph.language.write import write_document, write_spec
from cnngraph.ops.init import InitCall


def one_file(spec: Spec, graph: Graph, train: Plain) -> str:
    """YAML of a network that needs no other file, with a recipe: the spec, or the plain one if one file cannot say it.

    These are specs that use networks, and those that replace the outputs of their base.
    """
    return plain_spec(graph, train) if spec.networks or spec.replaces_outputs else write_spec(spec, train)


def plain_spec(graph: Graph, train: Plain = None) -> str:
    """YAML of the network without blocks, repeats, params, expressions, `extends` and `change`.

    Every operation is a node whose name is its path, so the keys of the weights stay the same. Sizes are those of this
    input: expressions that read shapes have been evaluated.
    """
    runners = _runners(graph)
    names = _names(graph)
    names |= {runner.path: names.get(path, path) for path, runner in runners.items()}
    nodes: dict[str, Plain] = {}
    idle = _idle_shares(graph)
    for node in _in_module_order(graph.root, graph.nodes):
        if node.path in idle:
            continue
        if node.path in runners:
            nodes[names.get(node.path, node.path)] = _node(replace(runners[node.path], shares=None), names)
        elif node.shares not in runners or node is not runners[node.shares]:
            nodes[names.get(node.path, node.path)] = _node(node, names)
    document: dict[str, Plain] = {
        "cnngraph": LANGUAGE_VERSION,
        "name": graph.name,
        "about": graph.about,
        "paper": graph.paper,
        "published": dict(graph.published),
        "input": _input(graph),
        "nodes": nodes or _no_nodes(graph),
        "outputs": _outputs(graph, names),
        "training_only": [name for name in graph.outputs if name in graph.training_only],
        "init": [rule for known in graph.init for rule in _init(known, graph)],
        "weights": {"renames": dict(graph.renames)} if graph.renames else None,  # the networks are no nodes any more
        "train": train,
    }
    return write_document(document)


def _input(graph: Graph) -> Plain:
    sizes: dict[str, Plain] = {name: list(type_.sizes) for name, type_ in graph.inputs.items()}
    return sizes["in"] if list(sizes) == ["in"] else sizes


def _no_nodes(graph: Graph) -> dict[str, Plain]:
    """The nodes of a network without operations: `nodes` must not be empty."""
    return {"identity": {"op": "identity", "from": next(iter(graph.inputs)), "unused": True}}


def _outputs(graph: Graph, names: Mapping[str, str]) -> Plain:
    inputs = list(graph.inputs)
    paths: dict[str, Plain] = {}
    for output, ref in graph.outputs.items():
        if ref.node < 0:
            paths[output] = inputs[-1 - ref.node]
        else:
            node = graph.nodes[ref.node]
            path = names.get(node.path, node.path)
            paths[output] = tensor_path(path, ref.output) if node.is_list else path
    return paths


def _in_module_order(scope: Scope, nodes: tuple[Node, ...]) -> list[Node]:
    """The operations in the order of their modules, which is that of the state_dict."""
    found: list[Node] = []
    for child in scope.children:
        found += _in_module_order(child, nodes) if isinstance(child, Scope) else [nodes[child]]
    return found


def _init(rule: InitRule, graph: Graph) -> Iterator[Plain]:
    """A rule of `init`; one of a network that was a node is written for the modules that it matches."""
    values = {key: _plain(value) for key, value in rule.values.items()}
    if not rule.within:
        yield {"match": rule.match, **values}
        return
    affected: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if not node.shares and values.keys() & node.parameters.keys():
            affected.setdefault(node.path.rpartition(".")[2], []).append(node)
    for name, nodes in affected.items():
        wanted = [node for node in nodes if rule.fits(node.op, node.path)]
        around = f"{rule.within}**.{name}"  # a pattern for several nodes, since the number of rules is limited
        found = [node for node in nodes if matches_path(around, node.path)]
        if len(found) > 1 and all(rule.fits(node.op, node.path) for node in found):
            yield {"match": around, **_present(values, found)}
            wanted = [node for node in wanted if not matches_path(around, node.path)]
        for node in wanted:
            yield {"match": node.path, **_present(values, [node])}


def _present(values: dict[str, Plain], nodes: list[Node]) -> dict[str, Plain]:
    """The values for parameters that some of the nodes have."""
    return {key: value for key, value in values.items() if any(key in node.parameters for node in nodes)}


def _runners(graph: Graph) -> dict[str, Node]:
    """For each module whose own node is unused but that other nodes run, the first of these, by the module's path.

    It becomes the node of the module: the module of an unused node cannot be shared.
    """
    unused = {node.path for node in graph.nodes if node.unused}
    runners: dict[str, Node] = {}
    for node in graph.nodes:
        if node.shares in unused and not node.unused:
            runners.setdefault(node.shares, node)
    return runners


def _idle_shares(graph: Graph) -> set[str]:
    """The unused nodes that run the module of another node and that no other unused node needs for its shape."""
    needed: set[int] = set()
    idle: set[str] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        if node.unused and node.shares and index not in needed:
            idle.add(node.path)
        else:
            needed.update(ref.node for ref in node.reads)
    return idle


def _names(graph: Graph) -> dict[str, str]:
    """Other names for the concatenations that `carry: concat` implies: a node cannot be called `in`, or be in another.

    Those with the path of an operation and a name inside it are named beside it.
    """
    taken = {node.path for node in graph.nodes}
    names = {}
    for path in sorted(taken):
        around, _, last = path.rpartition(".")
        if last != "in" and around not in taken:
            continue
        stem = around.rpartition(".")[0] if around in taken else around
        stem = f"{stem}.concat" if stem else "concat"
        name = next(name for number in count() if (name := f"{stem}{number or ''}") not in taken)
        taken.add(name)
        names[path] = name
    return names


def _node(node: Node, names: Mapping[str, str]) -> Plain:
    """The keys of a node; `names` are the names of those that are not called by their path."""
    paths: list[Plain] = [_renamed(path, names) for path in node.inputs]
    keys: dict[str, Plain] = {"share": node.shares} if node.shares else {"op": node.op}
    if paths:
        keys["from"] = paths[0] if len(paths) == 1 else paths
    if not node.shares:
        for name, known in fields_of(type(node.operation)).items():
            value = getattr(node.operation, name)
            if known.required or value != known.default:
                keys[name] = _plain(value)
    if node.unused:
        keys["unused"] = True
    return keys


def _renamed(path: str, names: Mapping[str, str]) -> str:
    """The path of a tensor, with another name of its node."""
    name = without_index(path)
    return names.get(name, name) + path[len(name) :]


def _plain(value: Any) -> Plain:
    """A parameter's value as YAML writes it."""
    if isinstance(value, InitCall):
        return {value.function: dict(value.kwargs)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    plain: Plain = value
    return plain
