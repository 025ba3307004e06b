"""Writes a network as a plain spec: one named node for each operation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from cnngraph.document import Plain
from cnngraph.fields import fields_of
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope
from cnngraph.graph.path_patterns import InitRule
from cnngraph.language.model import LANGUAGE_VERSION, Spec
from cnngraph.language.write import write_document, write_spec
from cnngraph.ops.init import InitCall


def one_file(spec: Spec, graph: Graph, train: Plain) -> str:
    """YAML of a network that needs no other file, with a recipe: the spec, or the plain one if it uses networks."""
    return plain_spec(graph, train) if spec.networks else write_spec(spec, train)


def plain_spec(graph: Graph, train: Plain = None) -> str:
    """YAML of the network without blocks, repeats, params, expressions, `extends` and `change`.

    Every operation is a node whose name is its path, so the keys of the weights stay the same. Sizes are those of this
    input: expressions that read shapes have been evaluated.
    """
    names = _names(graph)
    document: dict[str, Plain] = {
        "cnngraph": LANGUAGE_VERSION,
        "name": graph.name,
        "about": graph.about,
        "paper": graph.paper,
        "published": dict(graph.published),
        "input": _input(graph),
        "nodes": {
            names.get(node.path, node.path): _node(node, names) for node in _in_module_order(graph.root, graph.nodes)
        },
        "outputs": _outputs(graph),
        "training_only": [name for name in graph.outputs if name in graph.training_only],
        "init": [rule for known in graph.init for rule in _init(known, graph)],
        "weights": {"renames": dict(graph.renames)} if graph.renames else None,  # the networks are no nodes any more
        "train": train,
    }
    return write_document(document)


def _input(graph: Graph) -> Plain:
    sizes: dict[str, Plain] = {name: list(type_.sizes) for name, type_ in graph.inputs.items()}
    return sizes["in"] if list(sizes) == ["in"] else sizes


def _outputs(graph: Graph) -> Plain:
    names = list(graph.inputs)
    paths: dict[str, Plain] = {}
    for output, ref in graph.outputs.items():
        if ref.node < 0:
            paths[output] = names[-1 - ref.node]
        else:
            node = graph.nodes[ref.node]
            paths[output] = f"{node.path}.{ref.output}" if node.is_list else node.path
    return paths


def _in_module_order(scope: Scope, nodes: tuple[Node, ...]) -> list[Node]:
    """The operations in the order of their modules, which is that of the state_dict."""
    found: list[Node] = []
    for child in scope.children:
        found += _in_module_order(child, nodes) if isinstance(child, Scope) else [nodes[child]]
    return found


def _init(rule: InitRule, graph: Graph) -> Iterator[Plain]:
    """A rule of `init`; one of a network that was a node is written for each module that it matches."""
    values = {key: _plain(value) for key, value in rule.values.items()}
    if not rule.within:
        yield {"match": rule.match, **values}
        return
    for node in graph.nodes:
        having = {key: value for key, value in values.items() if key in node.parameters}
        if having and not node.shares and rule.fits(node.op, node.path):
            yield {"match": node.path, **having}


def _names(graph: Graph) -> dict[str, str]:
    """Other names for the concatenations that `carry: concat` implies: a node cannot be called `in`."""
    taken = {node.path for node in graph.nodes}
    names = {}
    for path in [path for path in taken if path.endswith(".in")]:
        stem = f"{path.removesuffix('in')}concat"
        name = next(name for number in count() if (name := f"{stem}{number or ''}") not in taken)
        taken.add(name)
        names[path] = name
    return names


def _node(node: Node, names: dict[str, str]) -> Plain:
    """The keys of a node; `names` are the names of those that are not called by their path."""
    paths: list[Plain] = [names.get(path, path) for path in node.inputs]
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
