"""Refuses inputs for which a built network would compute something else than the network that its spec describes.

Values of expressions are checked by the generated forward (`size_check.py`). Here shape inference is repeated for the
shapes of the inputs: an op may refuse a size that PyTorch accepts, or need other weights or another module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from cnngraph.elaborate.sharing import fits_in_scope
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.numbers import show_sizes
from cnngraph.ops.op import OpError, infer_types
from cnngraph.tensor_type import TensorType

KNOWN = "_valid_shapes"  # the attribute of a network with the shapes that were checked
MOST = 4096  # shapes that are remembered


def check_inputs(model: nn.Module, graph: Graph, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise ValueError for shapes that the network was not built for. Shapes are inferred once for each shape."""
    given = (*inputs, *(named[name] for name in graph.inputs if name in named)) if named else inputs
    if len(given) != len(graph.inputs):
        return  # Python reports a wrong number of inputs
    shapes = []
    for value in given:
        if not isinstance(value, Tensor):
            return
        shapes.append(tuple(value.shape))
    key = (model.training, *(shape[1:] for shape in shapes))
    known = vars(model).setdefault(KNOWN, set())
    if key in known:
        return
    if any(type(size) is not int for shape in shapes for size in shape):
        return  # a symbolic size, while the network is exported
    _check(graph, shapes, model.training)
    if len(known) >= MOST:
        known.clear()
    known.add(key)


def _check(graph: Graph, shapes: list[tuple[int, ...]], training: bool) -> None:
    types = []
    for shape, type_ in zip(shapes, graph.inputs.values(), strict=True):
        if len(shape) != type_.rank + 1 or shape[1:2] != type_.sizes[:1]:
            raise ValueError(f"this network was built for inputs of {_built(graph)}, got {_shown(shapes)}")
        types.append(TensorType(shape[1:], type_.axes))
    if tuple(types) == tuple(graph.inputs.values()) or _is_limited(graph, types):
        return
    for node, problem in _problems(graph, types, training):
        place = f"`{node.path}` (`{node.op}`) at {node.span.file.replace(chr(92), '/').rpartition('/')[2]}:{node.line}"
        raise ValueError(
            f"this network was built for inputs of {_built(graph)}, got {_shown(shapes)}: {place}: {problem}"
        )


def _is_limited(graph: Graph, types: list[TensorType]) -> bool:
    """Whether the generated forward refuses the inputs, because of the value of an expression."""
    given = dict(zip(graph.inputs, types, strict=True))
    sizes = ((limit, given[limit.input].size(limit.axis[0].upper())) for limit in graph.size_limits)
    return any(size not in limit.sizes for limit, size in sizes)


def _problems(graph: Graph, inputs: list[TensorType], training: bool) -> Iterator[tuple[Node, str]]:
    """The nodes that would not be the same for these inputs. Nodes that do not run are left out."""
    known = {Ref(-1 - index): type_ for index, type_ in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or (node.training_only and not training):
            continue
        reads = tuple(known[ref] for ref in node.reads)
        try:
            found = infer_types(node.operation, reads)
        except OpError as error:
            yield node, error.message
            return
        outputs = found if isinstance(found, tuple) else (found,)
        built = tuple(graph.type_of(ref) for ref in node.reads)
        if len(outputs) != len(node.types):
            yield node, f"it would have {len(outputs)} outputs instead of {len(node.types)}"
            return
        if reads != built and not _is_same(node, built, reads):
            yield node, "it would be a different module"
            return
        known.update({Ref(index, number): type_ for number, type_ in enumerate(outputs)})


def _is_same(node: Node, built: tuple[TensorType, ...], reads: tuple[TensorType, ...]) -> bool:
    """Whether weights and generated code are those of the built node."""
    op = node.operation
    state, new = ({**op.parameters(*types), **op.buffers(*types)} for types in (built, reads))
    return state == new and fits_in_scope(op, built, reads)


def _built(graph: Graph) -> str:
    return " and ".join(f"N×{show_sizes(type_.sizes)}" if type_.rank else "N" for type_ in graph.inputs.values())


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(show_sizes, shapes))
