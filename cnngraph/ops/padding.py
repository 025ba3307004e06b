"""TensorFlow's `same` padding, and asymmetric padding, which is written as a `pad` node."""

from __future__ import annotations

from collections.abc import Mapping

from cnngraph.diagnostics import Suggestion
from cnngraph.document.flow import write_flow
from cnngraph.fields import FieldError, Pair


def pad_before(sides: tuple[int, ...], op: str) -> str:
    """A `pad` node that replaces the padding of an op."""
    mode = ", mode: replicate" if op == "max_pool" else ""  # zeros could be the maximum of a window
    return f"{{op: pad, padding: {write_flow(sides)}{mode}}}"


def is_static(kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...] | None = None) -> bool:
    """Whether TensorFlow's `same` adds the same number of rows and columns on all sides, for maps of any size."""
    dilation = dilation or (1,) * len(kernel)
    return set(stride) == {1} and not any(d * (k - 1) % 2 for k, d in zip(kernel, dilation, strict=True))


def padding_advice(op: str, value: object, arguments: Mapping[str, object]) -> str | None:
    """How to write asymmetric padding, or TensorFlow's `same`, for an op with a window."""
    if isinstance(value, list | tuple) and len(value) == 4 and all(isinstance(side, int) for side in value):
        return f"insert `{pad_before(tuple(value), op)}` before the `{op}`, and remove its `padding`"
    name = value.lower() if isinstance(value, str) else ""
    if name == "valid":
        return Suggestion("valid" if op == "conv" else "0")
    return Suggestion(same_name(op, arguments)) if name == "same" else None


def same_name(op: str, arguments: Mapping[str, object]) -> str:
    """The name of the padding that is TensorFlow's `same` for a node with these values."""
    pools = op != "conv"
    try:
        kernel = Pair(1).convert(arguments.get("kernel"))
        stride = Pair(1).convert(arguments.get("stride") or (kernel if pools else 1))
    except FieldError:
        return "tf_same"
    if stride == (1, 1) and (not pools or all(side % 2 for side in kernel)):
        return "half" if pools else "same"
    return "tf_same"
