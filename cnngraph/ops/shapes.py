"""Shape rules that several ops share: required axes, sliding windows, matching sizes."""

from __future__ import annotations

from typing import Any

from cnngraph.ops.kinds import AXIS_NAMES
from cnngraph.ops.op import OpError
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH, TensorType

NAMES_OF_AXES = {letter: name for name, letter in AXIS_NAMES.items()}


def need_map(op: str, tensor: TensorType) -> None:
    """Raise OpError unless the tensor is C×H×W, or C×W×H as a permute may leave it."""
    if tensor.axes in ((CHANNELS, HEIGHT, WIDTH), (CHANNELS, WIDTH, HEIGHT)):
        return
    help = None
    if sorted(tensor.axes) == sorted((CHANNELS, HEIGHT, WIDTH)):
        order = [tensor.axes.index(axis) + 1 for axis in (CHANNELS, HEIGHT, WIDTH)]
        help = f"insert `{{op: permute, dims: {[0, *order]}}}` before it"
    elif tensor.axes == (CHANNELS,):
        help = f"insert `{{op: reshape, shape: [{tensor.channels}, 1, 1]}}` before it to make the vector a map"
    raise OpError(f"`{op}` needs a channels×height×width map, got {describe(tensor)}", code="E211", help=help)


def resized_map(image: TensorType, first: int, second: int, channels: int | None = None) -> TensorType:
    """The map with new sizes of its two spatial axes, which keep their order and names."""
    return TensorType((channels or image.channels, first, second), image.axes)


def need_channels_first(op: str, tensor: TensorType, *, least_rank: int = 1) -> None:
    """Raise OpError unless the channels are the tensor's first axis."""
    if tensor.rank < least_rank:
        raise OpError(f"`{op}` needs at least {least_rank} axes, got {describe(tensor)}", code="E211")
    if not tensor.axes or tensor.axes[0] != CHANNELS:
        help = "first move the channels to the front with `permute`" if CHANNELS in tensor.axes else None
        raise OpError(f"`{op}` needs the channels as the first axis, got {describe(tensor)}", code="E211", help=help)


def need_divisible(number: int, divisor: int, what: str, parameter: str) -> None:
    """Raise OpError unless `number`, which messages call `what`, is divisible by the parameter's value `divisor`."""
    if number % divisor:
        message = f"the {what} must be divisible by `{parameter}`: {number} is not a multiple of {divisor}"
        raise OpError(message, code="E208", parameter=parameter)


def describe(tensor: TensorType) -> str:
    """Sizes with the names of their axes: `height×width×channels 7×7×64`."""
    names = "×".join(NAMES_OF_AXES.get(axis, "?") for axis in tensor.axes)
    return f"{names} {tensor}" if tensor.axes else "a single number"


def side(pair: tuple[Any, Any]) -> Any:
    """A pair as PyTorch code is written: one number if both are the same."""
    return pair[0] if pair[0] == pair[1] else pair


def unless_default(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Keyword arguments that differ from PyTorch's defaults, from `name=(value, default)`."""
    return {name: value for name, (value, default) in values.items() if value != default}


def resolve_padding(
    padding: tuple[int, int] | str, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[int, int]:
    """Padding as numbers: `half` is dilation·(kernel−1)//2 per axis, `same` the larger side's padding, `valid` 0."""
    if isinstance(padding, tuple):
        return padding
    if padding == "valid":
        return (0, 0)
    extra = 1 if padding == "same" else 0
    height, width = ((d * (k - 1) + extra) // 2 for k, d in zip(kernel, dilation, strict=True))
    return height, width


def slide(
    tensor: TensorType,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    *,
    ceil: bool = False,
) -> tuple[int, int]:
    """Output height and width of a window sliding over a map. Raises OpError (E204) if it does not fit once."""
    sizes = tensor.sizes[1:]
    out = [
        _positions(size, *window, ceil=ceil)
        for size, *window in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    if min(out) < 1:
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        window = f"the kernel {kernel[0]}×{kernel[1]}"
        if spans != list(kernel):
            window += f", which spans {spans[0]}×{spans[1]} with dilation {_show(dilation)},"
        padded = f" with padding {_show(padding)}" if any(padding) else ""
        raise OpError(f"{window} is larger than the map {sizes[0]}×{sizes[1]}{padded}", code="E204", parameter="kernel")
    return out[0], out[1]


def _positions(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool) -> int:
    """PyTorch's rule; with `ceil` the last window may exceed the edge if it starts in the map or the left padding."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _show(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"[{pair[0]}, {pair[1]}]"


def axis_index(op: str, tensor: TensorType, dim: str | int, parameter: str = "dim") -> int:
    """The index of an axis in `sizes` (without the batch), from its name or PyTorch's index."""
    if isinstance(dim, str):
        letter = AXIS_NAMES[dim]
        if letter not in tensor.axes:
            message = f"`{parameter}: {dim}` of `{op}` is not an axis of its input {describe(tensor)}"
            raise OpError(message, code="E211", parameter=parameter)
        return tensor.axes.index(letter)
    index = dim - 1 if dim > 0 else tensor.rank + dim
    if not 0 <= index < tensor.rank:
        raise OpError(
            f"the input has no axis {dim}: besides the batch, it has axes 1 to {tensor.rank}",
            code="E211",
            parameter=parameter,
        )
    return index


def torch_axis(op: str, tensor: TensorType, dim: str | int) -> int:
    """PyTorch's index of an axis: that in `sizes`, after the batch axis."""
    return axis_index(op, tensor, dim) + tensor.batched


def common_axes(op: str, tensors: tuple[TensorType, ...]) -> tuple[str, ...]:
    """The names of the axes of tensors that must have the same ones; an unnamed axis matches any."""
    first = tensors[0]
    axes = list(first.axes)
    for other in tensors[1:]:
        message = f"`{op}` needs inputs with the same axes, got {describe(first)} and {describe(other)}"
        if other.rank != first.rank:
            raise OpError(message, code="E211")
        for index, axis in enumerate(other.axes):
            if axes[index] == OTHER:
                axes[index] = axis
            elif axis not in (OTHER, axes[index]):
                raise OpError(message, code="E211", help="permute one of them first")
    return tuple(axes)


def need_equal_sizes(op: str, tensors: tuple[TensorType, ...], axes: tuple[str, ...], skip: int | None = None) -> None:
    """Raise OpError if the tensors differ in channels (E202) or in another size (E203), axis `skip` excepted."""
    different = [
        axis
        for index, axis in enumerate(axes)
        if index != skip and len({tensor.sizes[index] for tensor in tensors}) > 1
    ]
    if CHANNELS in different:
        raise OpError(
            f"the inputs of `{op}` must have the same number of channels",
            code="E202",
            help="insert a `conv` with `kernel: 1` before one of them",
        )
    if different:
        sizes = "height and width" if skip is None or axes[skip] == CHANNELS else "sizes on all other axes"
        spatial = all(axis in (HEIGHT, WIDTH) for axis in different)
        raise OpError(f"the inputs of `{op}` must have the same {sizes if spatial else 'sizes'}", code="E203")


def named_axes(axes: tuple[str, ...] | None, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The value of the parameter `axes`, unnamed axes if it is null. Raises OpError unless there is one per size."""
    if axes is None:
        return (OTHER,) * len(shape)
    if len(axes) != len(shape):
        message = f"`axes` names {len(axes)} axes, but `shape` has {len(shape)} sizes"
        raise OpError(message, code="E205", parameter="axes")
    return axes
