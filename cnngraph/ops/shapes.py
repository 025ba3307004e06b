"""Shape rules that several ops share: which axes they need, how windows slide, how tensors agree."""

from __future__ import annotations

from typing import Any

from cnngraph.ops.kinds import AXIS_NAMES
from cnngraph.ops.op import OpError
from cnngraph.tensor_type import CHANNELS, HEIGHT, OTHER, WIDTH, TensorType

NAMES_OF_AXES = {letter: name for name, letter in AXIS_NAMES.items()}


def need_map(op: str, tensor: TensorType) -> None:
    """Refuse what is not C×H×W, or the same with height and width exchanged, as a permute leaves it."""
    if tensor.axes in ((CHANNELS, HEIGHT, WIDTH), (CHANNELS, WIDTH, HEIGHT)):
        return
    help = None
    if sorted(tensor.axes) == sorted((CHANNELS, HEIGHT, WIDTH)):
        order = [tensor.axes.index(axis) + 1 for axis in (CHANNELS, HEIGHT, WIDTH)]
        help = f"put {{op: permute, dims: {[0, *order]}}} before it"
    elif tensor.axes == (CHANNELS,):
        help = f"{{op: reshape, shape: [{tensor.channels}, 1, 1]}} makes a map of it"
    raise OpError(f"{op} reads a map of channels×height×width, got {describe(tensor)}", code="E211", help=help)


def resized_map(image: TensorType, first: int, second: int, channels: int | None = None) -> TensorType:
    """The map with other sizes of the two axes behind its channels, which keep their order and names."""
    return TensorType((channels or image.channels, first, second), image.axes)


def need_channels_first(op: str, tensor: TensorType, *, least_rank: int = 1) -> None:
    """Refuse what has no channels, or has them elsewhere than in front."""
    if tensor.rank < least_rank:
        raise OpError(f"{op} needs at least {least_rank} axes, got {describe(tensor)}", code="E211")
    if not tensor.axes or tensor.axes[0] != CHANNELS:
        help = "permute the channels to the front first" if CHANNELS in tensor.axes else None
        raise OpError(f"{op} needs the channels in front, got {describe(tensor)}", code="E211", help=help)


def need_divisible(number: int, by: int, what: str, word: str) -> None:
    """Refuse `what` (a number) that does not come out even when divided by the value of `word`."""
    if number % by:
        raise OpError(f"{word} must divide the {what}: {number} is not a multiple of {by}", code="E208", word=word)


def describe(tensor: TensorType) -> str:
    """Sizes with the names of their axes: `height×width×channels 7×7×64`."""
    names = "×".join(NAMES_OF_AXES.get(axis, "?") for axis in tensor.axes)
    return f"{names} {tensor}" if tensor.axes else "a single number"


def side(pair: tuple[Any, Any]) -> Any:
    """A pair as PyTorch code would have it: one number where both are the same."""
    return pair[0] if pair[0] == pair[1] else pair


def unless_default(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Keyword arguments that differ from PyTorch's defaults, from `name=(value, default)`."""
    return {name: value for name, (value, default) in values.items() if value != default}


def resolve_padding(
    padding: tuple[int, int] | str, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[int, int]:
    """Padding in numbers: `half` is dilation·(kernel−1)//2 per axis, `same` the larger side's share, `valid` none."""
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
    """Height and width after a window slid over a map; E204 where it does not fit once."""
    sizes = tensor.sizes[1:]
    out = [
        _positions(size, *words, ceil=ceil)
        for size, *words in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    if min(out) < 1:
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        window = f"the window {kernel[0]}×{kernel[1]}"
        if spans != list(kernel):
            window += f", which spans {spans[0]}×{spans[1]} with dilation {_show(dilation)},"
        padded = f" with padding {_show(padding)}" if any(padding) else ""
        raise OpError(f"{window} is larger than the map {sizes[0]}×{sizes[1]}{padded}", code="E204", word="kernel")
    return out[0], out[1]


def _positions(size: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool) -> int:
    """PyTorch's rule; with `ceil` a last window may hang over the end but must start inside map or left padding."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _show(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"[{pair[0]}, {pair[1]}]"


def axis_index(op: str, tensor: TensorType, dim: str | int, word: str = "dim") -> int:
    """The place of an axis among the sizes, the batch not counted, from its name or PyTorch's number."""
    if isinstance(dim, str):
        letter = AXIS_NAMES[dim]
        if letter not in tensor.axes:
            raise OpError(f"{op} along {dim}, but the input is {describe(tensor)}", code="E211", word=word)
        return tensor.axes.index(letter)
    index = dim - 1 if dim > 0 else tensor.rank + dim
    if not 0 <= index < tensor.rank:
        raise OpError(
            f"there is no axis {dim}: the input has the axes 1 to {tensor.rank} beside the batch",
            code="E211",
            word=word,
        )
    return index


def common_axes(op: str, tensors: tuple[TensorType, ...]) -> tuple[str, ...]:
    """The axes that tensors of one rank agree on; a nameless axis agrees with any."""
    first = tensors[0]
    axes = list(first.axes)
    for each in tensors[1:]:
        if each.rank != first.rank:
            raise OpError(
                f"{op} needs inputs with the same axes, got {describe(first)} and {describe(each)}", code="E211"
            )
        for place, axis in enumerate(each.axes):
            if axes[place] == OTHER:
                axes[place] = axis
            elif axis not in (OTHER, axes[place]):
                raise OpError(
                    f"{op} needs inputs with the same axes, got {describe(first)} and {describe(each)}",
                    code="E211",
                    help="permute one of them first",
                )
    return tuple(axes)


def need_equal_sizes(op: str, tensors: tuple[TensorType, ...], axes: tuple[str, ...], skip: int | None = None) -> None:
    """Refuse tensors of other channels (E202) or other heights, widths or nameless sizes (E203), `skip` apart."""
    wrong = [
        axis for place, axis in enumerate(axes) if place != skip and len({each.sizes[place] for each in tensors}) > 1
    ]
    if CHANNELS in wrong:
        raise OpError(
            f"{op} needs equal channels",
            code="E202",
            help="a conv with kernel: 1 in front of one of them makes them equal",
        )
    if wrong:
        sizes = "heights and widths" if skip is None or axes[skip] == CHANNELS else "sizes on the other axes"
        known = all(axis in (HEIGHT, WIDTH) for axis in wrong)
        raise OpError(f"{op} needs equal {sizes if known else 'sizes'}", code="E203")
