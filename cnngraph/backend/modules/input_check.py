"""Refuses inputs for which a built network would compute something else than the network that its spec describes.

Values of expressions are checked by the generated forward (`size_check.py`). Here shape inference is repeated for the
shapes of the inputs: an op may refuse a size that PyTorch accepts, or need other weights or another module. Further
axes, between the batch and those of the spec, are inferred, too: a linear layer accepts the words of N×T×C, a batch
norm does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cnngraph.elaborate.sharing import fits_in_scope
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.numbers import show_sizes
from cnngraph.ops.op import OpError, infer_types
from cnngraph.tensor_type import OTHER, TensorType

KNOWN = "_valid_shapes"  # the attribute of a network with the shapes that were checked
MOST = 4096  # shapes that are remembered
AXIS_PARAMETERS = ("dim", "dims", "start_dim", "end_dim")  # parameters that are a name or PyTorch's index of an axis


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
    if any(type(size) is not int for shape in shapes for size in shape):
        return  # a symbolic size, while the network is exported
    key = (model.training, *(shape[1:] for shape in shapes))
    known = vars(model).setdefault(KNOWN, set())
    if key in known:
        return
    _check(graph, shapes, model.training)
    if len(known) >= MOST:
        known.clear()
    known.add(key)


def _check(graph: Graph, shapes: list[tuple[int, ...]], training: bool) -> None:
    refusal = f"this network was built for inputs of {_built(graph)}, got {_shown(shapes)}"
    types = []
    more = shapes[0][1 : len(shapes[0]) - next(iter(graph.inputs.values())).rank] if shapes else ()
    for shape, type_ in zip(shapes, graph.inputs.values(), strict=True):
        inner = shape[1 + len(more) :]
        if len(inner) != type_.rank or inner[:1] != type_.sizes[:1] or shape[1 : 1 + len(more)] != more:
            raise ValueError(refusal)
        types.append(TensorType(shape[1:], (OTHER,) * len(more) + type_.axes))
    if tuple(types) == tuple(graph.inputs.values()) or _is_limited(graph, types):
        return
    found = _first_problem(graph, types, more, training)
    if found is not None:
        node, problem = found
        file = node.span.file.replace(chr(92), "/").rpartition("/")[2]
        raise ValueError(f"{refusal}: `{node.path}` (`{node.op}`) at {file}:{node.line}: {problem}")


def _is_limited(graph: Graph, types: list[TensorType]) -> bool:
    """Whether the generated forward refuses the inputs, because of the value of an expression."""
    given = dict(zip(graph.inputs, types, strict=True))
    sizes = ((limit, given[limit.input].size(limit.axis[0].upper())) for limit in graph.size_limits)
    return any(size not in limit.sizes for limit, size in sizes)


def _first_problem(
    graph: Graph, inputs: list[TensorType], more: tuple[int, ...], training: bool
) -> tuple[Node, str] | None:
    """The first node that would not be the same for these inputs. Nodes that do not run are left out.

    `more` are the sizes of further axes between the batch and those of the spec.
    """
    known = {Ref(-1 - index): type_ for index, type_ in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or (node.training_only and not training):
            continue
        reads = tuple(known[ref] for ref in node.reads)
        try:
            found = infer_types(node.operation, reads)
        except OpError as error:
            return node, error.message
        outputs = found if isinstance(found, tuple) else (found,)
        built = tuple(graph.type_of(ref) for ref in node.reads)
        if len(outputs) != len(node.types):
            return node, f"it would have {len(outputs)} outputs instead of {len(node.types)}"
        if reads != built and not _is_same(node, built, reads):
            return node, "it would be a different module"
        if more and not _keeps(more, node, outputs):
            return node, f"it would not keep {'an axis' if len(more) == 1 else 'axes'} of {show_sizes(more)}"
        known.update({Ref(index, number): type_ for number, type_ in enumerate(outputs)})
    return None


def _is_same(node: Node, built: tuple[TensorType, ...], reads: tuple[TensorType, ...]) -> bool:
    """Whether weights and generated code are those of the built node."""
    op = node.operation
    state, new = ({**op.parameters(*types), **op.buffers(*types)} for types in (built, reads))
    return state == new and fits_in_scope(op, built, reads)


def _keeps(more: tuple[int, ...], node: Node, outputs: tuple[TensorType, ...]) -> bool:
    """Whether a node treats further axes like the batch. An axis counted from the front would be another one."""
    for name in AXIS_PARAMETERS:
        value = getattr(node.operation, name, None)
        if any(isinstance(axis, int) and axis > 0 for axis in (value if isinstance(value, tuple) else (value,))):
            return False
    return all(
        new.rank == len(more) + built.rank and new.sizes[: len(more)] == more
        for new, built in zip(outputs, node.types, strict=True)
        if new.batched
    )


def _built(graph: Graph) -> str:
    return " and ".join(f"N×{show_sizes(type_.sizes)}" if type_.rank else "N" for type_ in graph.inputs.values())


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(show_sizes, shapes))
