"""Padding that convolutions and poolings lack, written as a `pad` node: asymmetric, or TensorFlow's `same`."""

from __future__ import annotations

from collections.abc import Mapping

from cnngraph.diagnostics import Suggestion
from cnngraph.document.flow import write_flow
from cnngraph.fields import FieldError, Pair, show_value


def same_sides(
    sizes: tuple[int, ...] | None,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int, int, int]:
    """TensorFlow's `same` padding as the [left, right, top, bottom] of a `pad`.

    `sizes` are the map's height and width; None means any sizes that are divisible by the stride.
    """
    ends = []
    for size, k, s, d in zip(sizes or stride, kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        ends.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = ends
    return left, right, top, bottom


def pad_before(sides: tuple[int, ...], op: str) -> str:
    """A `pad` node that replaces the padding of an op."""
    mode = ", mode: replicate" if op == "max_pool" else ""  # zeros could be the maximum of a window
    return f"{{op: pad, padding: {write_flow(sides)}{mode}}}"


def padding_advice(op: str, value: object, arguments: Mapping[str, object]) -> str | None:
    """How to write asymmetric padding, or TensorFlow's `same`, for an op with a window."""
    if isinstance(value, list | tuple) and len(value) == 4 and all(isinstance(side, int) for side in value):
        return f"insert `{pad_before(tuple(value), op)}` before the `{op}`, and remove its `padding`"
    name = value.lower() if isinstance(value, str) else ""
    if name == "valid":
        return Suggestion("valid" if op == "conv" else "0")
    return same_advice(op, arguments, None) if name == "same" else None


def same_advice(op: str, arguments: Mapping[str, object], sizes: tuple[int, ...] | None) -> str | None:
    """How to write TensorFlow's `same` for a node with these values; `sizes` are the map's, if known."""
    pools = op != "conv"
    try:
        kernel = Pair(1).convert(arguments.get("kernel"))
        stride = Pair(1).convert(arguments.get("stride") or (kernel if pools else 1))
        dilation = Pair(1).convert(arguments.get("dilation", 1))
    except FieldError:
        return None
    if stride == (1, 1) and (not pools or all(side % 2 for side in kernel)):
        return Suggestion("half" if pools else "same")
    sides = same_sides(sizes, kernel, stride, dilation)
    if not any(sides):
        return "remove `padding`: TensorFlow's `same` adds none here"
    known = sizes is not None or stride == (1, 1)
    shown_stride = show_value(stride[0] if stride[0] == stride[1] else list(stride))
    condition = "" if known else f" (for a height and width divisible by the stride {shown_stride})"
    return f"insert `{pad_before(sides, op)}` before the `{op}`, and remove its `padding`{condition}"
