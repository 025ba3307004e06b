"""The boxes at which a picture starts and ends: inputs and outputs of the network, or of the block drawn alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.render.label import clean_name
from cnngraph.render.picture import Box, Look, Row, Shape, Title
from cnngraph.render.tree import Tree


@frozen
class Terminals:
    """The boxes, the key of the box that each tensor from outside comes from, and the tensor that each output reads."""

    inputs: tuple[Box, ...]
    outputs: tuple[Box, ...]
    tails: Mapping[Ref, str]
    ends: Mapping[str, Ref]


def terminals_of(tree: Tree, shown: Collection[int]) -> Terminals:
    """The terminals of a picture that shows some nodes of a graph."""
    graph = tree.graph
    if tree.is_part:
        tensors = {_name(graph, ref): ref for ref in _entering(tree, shown)}
        value = tree.root.scope.value
        results = {"out" if len(value) == 1 else f"out.{place}": ref for place, ref in enumerate(value)}
    else:
        tensors = {name: Ref(-1 - place) for place, name in enumerate(graph.inputs)}
        results = dict(graph.outputs)
    inputs = tuple(_box(graph, Shape.INPUT, place, *item) for place, item in enumerate(tensors.items()))
    outputs = tuple(_box(graph, Shape.OUTPUT, place, *item) for place, item in enumerate(results.items()))
    tails = {ref: box.key for ref, box in zip(tensors.values(), inputs, strict=True)}
    ends = {box.key: ref for ref, box in zip(results.values(), outputs, strict=True)}
    return Terminals(inputs, outputs, tails, ends)


def _entering(tree: Tree, shown: Collection[int]) -> Iterator[Ref]:
    """The tensors from outside that the shown nodes read, once each."""
    found: dict[Ref, None] = {}
    for index in sorted(shown):
        for ref in tree.reads[index]:
            if ref.node < 0 or tree.drawn(ref.node) not in shown:
                found.setdefault(ref)
    return iter(found)


def _name(graph: Graph, ref: Ref) -> str:
    if ref.node < 0:
        return list(graph.inputs)[-1 - ref.node]
    node = graph.nodes[ref.node]
    return f"{node.path}[{ref.output}]" if len(node.types) > 1 else node.path


def _box(graph: Graph, shape: Shape, place: int, name: str, ref: Ref) -> Box:
    size = graph.type_of(ref)
    is_side = name in graph.training_only or (ref.node >= 0 and graph.nodes[ref.node].training_only)
    look = Look.TRAINING if shape is Shape.OUTPUT and is_side else Look.PLAIN
    row = Row(str(size), shape)
    return Box(
        f"{shape}{place}",
        shape,
        Title(clean_name(name)),
        (row,),
        f"{shape} {clean_name(name)}: {size}",
        look,
        types=(size,),
    )
