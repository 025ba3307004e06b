"""The short words of a drawing: `conv 3×3, 64, /2` for an operation, `1.2 M` for a count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cnngraph.fields import Field, fields_of, show_value
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType
from cnngraph.text import one_line

MAX_LABEL = 60
MOST_SHAPES = 4  # of one value, of which more are not all said
LEADING = ("kernel", "size", "out", "stride", "dilation", "groups")  # said first, in this order
BARE = frozenset({"out", "p", "negative_slope", "chunks", "sizes", "dims"})  # said without their names
ALWAYS = frozenset({"p"})  # said even where it is the default
SILENT = frozenset(  # true of a network, but not what a figure says; the tip has them
    {
        "padding",
        "output_padding",
        "bias",
        "eps",
        "momentum",
        "affine",
        "elementwise_affine",
        "track_running_stats",
        "ceil_mode",
        "count_include_pad",
        "align_corners",
        "init",
    }
)


def clean(text: str, limit: int = MAX_LABEL) -> str:
    """The text on one line, escaped where it is invisible, cut to a bearable length."""
    text = one_line(text.strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def words_of(operation: Op) -> dict[str, object]:
    """The words that differ from their defaults, in the order the op declares them."""
    declared = fields_of(type(operation))
    return {
        name: getattr(operation, name)
        for name, field in declared.items()
        if field.required or getattr(operation, name) != field.default
    }


def op_label(operation: Op, inputs: tuple[TensorType, ...] = ()) -> str:
    """The op's name and the words that matter: `conv 7×7, 64, /2`, `dropout 0.5`, `max pool 3×3, /2`."""
    declared = fields_of(type(operation))
    values = {name: getattr(operation, name) for name in declared}
    order = [name for name in LEADING if name in declared] + [name for name in declared if name not in LEADING]
    name, parts = operation.name.replace("_", " "), []
    if _is_depthwise(values, inputs):
        name = f"depthwise {name}"
        order.remove("groups")
    for word in order:
        if word not in SILENT and (part := _part(declared[word], values)):
            parts.append(part)
    return clean(" ".join([name, ", ".join(parts)]))


def tip_words(operation: Op) -> str:
    """The op with all its words that differ from their defaults, as YAML writes them."""
    words = ", ".join(f"{name}: {show_value(value)}" for name, value in words_of(operation).items())
    return clean(f"{operation.name} {{{words}}}" if words else operation.name, 200)


def shapes_label(shapes: Iterable[str]) -> str:
    """The shapes of a value's parts, each once: `16×32×32, 32×16×16`; of many the first and the last."""
    texts = list(dict.fromkeys(shapes))
    return ", ".join(texts if len(texts) <= MOST_SHAPES else [texts[0], "…", texts[-1]])


def _is_depthwise(values: Mapping[str, object], inputs: tuple[TensorType, ...]) -> bool:
    return {"groups", "kernel"} <= values.keys() and bool(inputs) and values["groups"] == inputs[0].channels > 1


def _part(field: Field, values: Mapping[str, object]) -> str:
    """What the label says of one word; an empty text for nothing."""
    value = values[field.name]
    if field.name == "stride" and "kernel" in values:
        value = values["kernel"] if value is None else value
        sign = "×" if "output_padding" in values else "/"  # a transposed convolution enlarges
        return "" if value in (1, (1, 1)) else f"{sign}{_sizes(value)}"
    if field.name not in ALWAYS and not field.required and value == field.default:
        return ""
    name = field.name.replace("_", " ")
    match field.name, value:
        case "kernel", int():
            return _sizes((value, value), square=True)
        case (("kernel" | "size" | "shape"), _):
            return _sizes(value, square=True)
        case "output", _:
            return f"to {_sizes(value, square=True)}"
        case "dim", (str() | tuple()):
            return f"along {_sizes(value)}"
        case _, bool():
            return name if value else f"no {name}"
        case _, str():
            return value.replace("_", " ")
        case word, (int() | float() | tuple()) if word in BARE:
            return _number(value)
        case word, (int() | float() | tuple()) if word.endswith("factor"):
            return f"{'/' if word.startswith('down') else '×'}{_sizes(value)}"
        case _, (int() | float() | tuple()):
            return _counted(name, value)
        case _:
            return f"{name} {show_value(value)}"


def _counted(name: str, value: object) -> str:
    """`32 groups` of `num_groups: 32`, else the name and the value."""
    if not name.startswith("num "):
        return f"{name} {_sizes(value)}"
    return f"{_number(value)} {name[4:].removesuffix('s') if value == 1 else name[4:]}"


def _sizes(value: object, *, square: bool = False) -> str:
    """`3×3` for a size in two directions; where they are equal and `square` is not asked for, `3`."""
    if not isinstance(value, tuple | list):
        return _number(value)
    if not square and len(set(value)) == 1:
        return _number(value[0])
    return "×".join(map(_number, value))


def _number(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_number, value))
    if value is None:
        return "_"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
