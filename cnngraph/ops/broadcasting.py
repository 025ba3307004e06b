"""The shape rule of elementwise ops with several inputs: sizes of 1 are repeated, and axes are matched by name."""

from __future__ import annotations

from collections.abc import Sequence

from cnngraph.ops.op import OpError
from cnngraph.ops.shapes import common_axes, describe, need_equal_sizes
from cnngraph.tensor_type import CHANNELS, OTHER, TensorType

REPEATED = (
    "Where sizes differ, one of them must be 1 and is repeated. All inputs need the same number of axes, except free "
    "parameters"
)


def broadcast(op: str, inputs: tuple[TensorType, ...]) -> TensorType:
    """The type of an elementwise result: the larger size on each axis. Raises OpError if the inputs do not match."""
    aligned = aligned_types(op, inputs)
    axes = common_axes(op, aligned)
    sizes = tuple(map(max, zip(*(tensor.sizes for tensor in aligned), strict=True)))
    repeated = tuple(
        TensorType(tuple(b if a == 1 else a for a, b in zip(tensor.sizes, sizes, strict=True)), tensor.axes)
        for tensor in aligned
    )
    try:
        need_equal_sizes(op, repeated, axes)
    except OpError as error:
        raise OpError(error.message, code=error.code, help=_per_channel(inputs) or error.help) from None
    return TensorType(sizes, axes, any(tensor.batched for tensor in inputs))


def aligned_types(op: str, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
    """The inputs with the same number of axes: those that a free parameter lacks have size 1.

    A parameter whose axes are all named is aligned by these names, any other from the last axis. It may have one more
    axis of size 1 in front, that of the batch.
    """
    images = tuple(tensor for tensor in inputs if tensor.batched)
    rank = max(tensor.rank for tensor in images or inputs)
    for tensor in inputs:
        has_batch_axis = not tensor.batched and tensor.rank == rank + 1 and tensor.sizes[0] == 1
        if (tensor.rank > rank and not has_batch_axis) or (tensor.batched and tensor.rank < rank):
            other = next(other for other in inputs if other.rank != inputs[0].rank)
            raise OpError(
                f"`{op}` needs inputs with the same number of axes, got {describe(inputs[0])} and {describe(other)}",
                code="E211",
                help=_as_map(inputs),
            )
    axes = common_axes(op, images) if images else (OTHER,) * rank
    return tuple(tensor if tensor.batched else _aligned(op, tensor, axes) for tensor in inputs)


def aligned_arguments(op: str, arguments: tuple[str, ...], inputs: Sequence[TensorType]) -> tuple[str, ...]:
    """The arguments as PyTorch broadcasts them: a parameter that is aligned by name gets the axes that follow."""
    images = tuple(tensor for tensor in inputs if tensor.batched)
    axes = common_axes(op, images) if images else ()
    written = []
    for argument, tensor in zip(arguments, inputs, strict=True):
        places = _places(tensor, axes)
        if not tensor.batched and places and places != list(range(len(axes) - tensor.rank, len(axes))):
            inserted = [":" if place in places else "None" for place in range(places[0], len(axes))]
            argument = f"{argument}[{', '.join(inserted)}]"
        written.append(argument)
    return tuple(written)


def _places(tensor: TensorType, axes: tuple[str, ...]) -> list[int]:
    """The places among `axes` of a tensor's axes; empty if one of them has no name or is not among them."""
    if OTHER in tensor.axes or not set(tensor.axes) <= set(axes):
        return []
    places = [axes.index(axis) for axis in tensor.axes]
    return places if places == sorted(places) else []


def _aligned(op: str, parameter: TensorType, axes: tuple[str, ...]) -> TensorType:
    places = _places(parameter, axes)
    if places:
        sizes = dict(zip(places, parameter.sizes, strict=True))
        names = tuple(axis if place in sizes else OTHER for place, axis in enumerate(axes))
        return TensorType(tuple(sizes.get(place, 1) for place in range(len(axes))), names, batched=False)
    extra = len(axes) - parameter.rank
    if extra < 0:
        return TensorType(parameter.sizes[1:], parameter.axes[1:], batched=False)
    return TensorType((1,) * extra + parameter.sizes, (OTHER,) * extra + parameter.axes, batched=False)


def _per_channel(inputs: tuple[TensorType, ...]) -> str | None:
    """The fix for a free parameter with one number per channel of a map, whose unnamed axis is the last one."""
    map_ = next((tensor for tensor in inputs if tensor.is_map), None)
    vector = next((tensor for tensor in inputs if not tensor.batched and tensor.rank == 1), None)
    if map_ is None or vector is None or vector.sizes != (map_.channels,):
        return None
    return "add `axes: C` to the parameter, which then has one number per channel of the map"


def _as_map(inputs: tuple[TensorType, ...]) -> str | None:
    """The fix for a vector times a map."""
    vector = next((tensor for tensor in inputs if tensor.batched and tensor.axes == (CHANNELS,)), None)
    if vector is None or not any(tensor.is_map for tensor in inputs):
        return None
    return f"insert `{{op: reshape, shape: [{vector.channels}, 1, 1]}}` to make the vector a map"
