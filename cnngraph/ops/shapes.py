"""Shape rules that several ops share: required axes, sliding windows, matching sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnngraph.numbers import show_sizes
from cnngraph.ops.kinds import AXIS_NAMES
from cnngraph.ops.op import Op, OpError
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
    elif tensor.rank == 2 and tensor.axes[0] == CHANNELS:
        help = f"insert `{{op: reshape, shape: [{tensor.channels}, 1, {tensor.sizes[1]}]}}` before it"
    elif tensor.rank == 4 and tensor.axes[0] == CHANNELS:
        help = "volumes (channels×depth×height×width) are not supported; use a `reshape` to merge two of the axes"
    raise OpError(f"`{op}` needs a channels×height×width map, got {describe(tensor)}", code="E211", help=help)


def need_map_or_signal(op: str, tensor: TensorType) -> None:
    """Raise OpError unless the tensor is a map, or C×L."""
    if tensor.rank != 2 or tensor.axes[0] != CHANNELS:
        need_map(op, tensor)


def spatial(tensor: TensorType, values: Mapping[str, Any], parameter: str) -> tuple[int, ...]:
    """The value of a parameter with one size per spatial axis: of a signal C×L, that of its one axis.

    Raises OpError if the value has different sizes for the height and width that a signal does not have.
    """
    value: tuple[int, ...] = values[parameter]
    if tensor.rank == 3:
        return value
    if value[0] != value[1]:
        message = f"the input {describe(tensor)} has one axis besides the channels, but `{parameter}` has two sizes"
        raise OpError(message, code="E205", parameter=parameter, help=f"write `{parameter}: {value[1]}`")
    return value[:1]


def resized(tensor: TensorType, sizes: tuple[int, ...]) -> TensorType:
    """The type with new sizes of all axes, which keep their order and names."""
    return TensorType(sizes, tensor.axes, tensor.batched)


def resized_map(image: TensorType, first: int, second: int, channels: int | None = None) -> TensorType:
    """The map with new sizes of its two spatial axes, which keep their order and names."""
    return resized(image, (channels or image.channels, first, second))


def size_of_second(op: str, inputs: tuple[TensorType, ...], given: str | None) -> tuple[int, int] | None:
    """The height and width of the second of two maps, which an op gives to the first; None with one input.

    `given` is the parameter, if any, that also sets the size. Raises OpError unless exactly one of them does.
    """
    for tensor in inputs:
        need_map(op, tensor)
    if len(inputs) == 1:
        return None
    image, like = inputs
    if given is not None:
        message = f"`{op}` takes the size from its second input, so it cannot have `{given}`"
        raise OpError(message, code="E205", parameter=given)
    if like.axes[1:] != image.axes[1:]:
        help = "exchange height and width of one of them with `permute`"
        raise OpError("the maps differ in the order of height and width", code="E211", help=help)
    return like.sizes[1], like.sizes[2]


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


def side(sizes: tuple[Any, ...]) -> Any:
    """Sizes as PyTorch code is written: one number if all are the same."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def unless_default(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Keyword arguments that differ from PyTorch's defaults, from `name=(value, default)`."""
    return {name: value for name, (value, default) in values.items() if value != default}


def resolve_padding(
    padding: tuple[int, int] | str, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[int, int]:
    """Padding as numbers: `half` is dilation·(kernel−1)//2 per axis, `same` the larger side's padding, `valid` 0.

    TensorFlow's `same` is `half` for odd kernels at stride 1; otherwise it depends on the size of the map.
    """
    if isinstance(padding, tuple):
        return padding
    if padding == "valid":
        return (0, 0)
    extra = 1 if padding == "same" else 0
    height, width = ((d * (k - 1) + extra) // 2 for k, d in zip(kernel, dilation, strict=True))
    return height, width


def divided(image: TensorType, stride: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width after a window with TensorFlow's `same` padding."""
    return tuple(-(-size // step) for size, step in zip(image.sizes[1:], stride, strict=True))


def check_tf_same(op: Op, image: TensorType) -> None:
    """Raise OpError for `padding: tf_same` of a signal, or with another fill than TensorFlow's zeros."""
    if getattr(op, "padding", None) != "tf_same":
        return
    if image.rank < 3:
        raise OpError("`padding: tf_same` is for maps", code="E205", parameter="padding")
    if getattr(op, "padding_mode", "zeros") != "zeros":
        raise OpError("`padding: tf_same` needs `padding_mode: zeros`", code="E205", parameter="padding_mode")


def check_padding_mode(mode: str, padding: tuple[int, ...], image: TensorType) -> None:
    """Raise OpError if reflected or circular padding is larger than the map allows."""
    margin = {"reflect": -1, "circular": 0}.get(mode)
    if margin is None:
        return
    for added, size in zip(padding, image.sizes[1:], strict=True):
        if added > size + margin:
            raise OpError(
                f"`padding_mode: {mode}` can add at most {size + margin} to a side of {size}, got {added}",
                code="E205",
                parameter="padding",
            )


def slide(
    tensor: TensorType,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...] | None = None,
    *,
    ceil: bool = False,
) -> tuple[int, ...]:
    """The sizes of the output of a window that slides over a map or signal. Raises OpError (E204) if none fits."""
    sizes = tensor.sizes[1:]
    dilation = dilation or (1,) * len(sizes)
    out = [
        _positions(size, *window, ceil=ceil)
        for size, *window in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    if min(out) < 1:
        spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        window = f"the kernel {show_sizes(kernel)}"
        if spans != kernel:
            window += f", which spans {show_sizes(spans)} with dilation {_show(dilation)},"
        padded = f" with padding {_show(padding)}" if any(padding) else ""
        what = "map" if len(sizes) == 2 else "length"
        message = f"{window} is larger than the {what} {show_sizes(sizes)}{padded}"
        raise OpError(message, code="E204", parameter="kernel")
    return tuple(out)


def _positions(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool) -> int:
    """PyTorch's rule; with `ceil` the last window may exceed the edge if it starts in the map or the left padding."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _show(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else f"[{', '.join(map(str, sizes))}]"


def axis_index(op: str, tensor: TensorType, dim: str | int, parameter: str = "dim") -> int:
    """The index of an axis in `sizes` (without the batch), from its name or PyTorch's index."""
    if isinstance(dim, str):
        letter = AXIS_NAMES[dim]
        if letter not in tensor.axes:
            which = f" {describe(tensor)}" if tensor.rank else ", which is a single number"
            message = f"`{parameter}: {dim}` of `{op}` is not an axis of its input{which}"
            raise OpError(message, code="E211", parameter=parameter)
        return tensor.axes.index(letter)
    index = dim - 1 if dim > 0 else tensor.rank + dim
    if not 0 <= index < tensor.rank:
        which = f"besides the batch, it has axes 1 to {tensor.rank}" if tensor.rank else "it is a single number"
        raise OpError(f"the input has no axis {dim}: {which}", code="E211", parameter=parameter)
    return index


def torch_axis(op: str, tensor: TensorType, dim: str | int) -> int:
    """PyTorch's index of an axis: that in `sizes`, after the batch axis."""
    return axis_index(op, tensor, dim) + tensor.batched


def common_axes(op: str, tensors: tuple[TensorType, ...]) -> tuple[str, ...]:
    """The names of the axes of tensors that must have the same ones; an unnamed axis matches any."""
    first = tensors[0]
    axes = list(first.axes)
    for other in tensors[1:]:
        if other.axes == first.axes:
            continue
        fits = other.rank == first.rank
        for index, axis in enumerate(other.axes if fits else ()):
            if axes[index] == OTHER:
                axes[index] = axis
            fits = fits and axis in (OTHER, axes[index])
        if not fits:
            message = f"`{op}` needs inputs with the same axes, got {describe(first)} and {describe(other)}"
            help = "permute one of them first" if other.rank == first.rank else None
            raise OpError(message, code="E211", help=help)
    return tuple(axes)


def need_equal_sizes(op: str, tensors: tuple[TensorType, ...], axes: tuple[str, ...], skip: int | None = None) -> None:
    """Raise OpError if the tensors differ in channels (E202) or in another size (E203), axis `skip` excepted."""
    different = [
        axis
        for index, axis in enumerate(axes)
        if index != skip and len({tensor.sizes[index] for tensor in tensors}) > 1
    ]
    others = [axis for axis in different if axis != CHANNELS]
    sizes = "sizes"
    if all(axis in (HEIGHT, WIDTH) for axis in others):
        sizes = "height and width" if skip is None or axes[skip] == CHANNELS else "sizes on all other axes"
    if CHANNELS in different:
        message = f"the inputs of `{op}` must have the same number of channels"
        message += f", and the same {sizes}" if others else ""
        raise OpError(message, code="E202", help=_to_equal(axes, others))
    if others:
        raise OpError(f"the inputs of `{op}` must have the same {sizes}", code="E203")


def _to_equal(axes: tuple[str, ...], others: Sequence[str]) -> str:
    """Help for inputs that differ in channels, and on other axes of a map."""
    if axes[0] != CHANNELS or len(axes) == 1:
        return "insert a `linear` before one of them"
    more = " and the `stride` that gives the other size" if others else ""
    return f"insert a `conv` with `kernel: 1`{more} before one of them"


def named_axes(axes: tuple[str, ...] | None, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The value of the parameter `axes`, unnamed axes if it is null. Raises OpError unless there is one per size."""
    if axes is None:
        return (OTHER,) * len(shape)
    if len(axes) != len(shape):
        message = f"`axes` names {len(axes)} axes, but `shape` has {len(shape)} sizes"
        raise OpError(message, code="E205", parameter="axes")
    return axes
