"""The labels of a drawing, such as `conv 3×3, 64, /2` for an operation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from cnngraph.fields import Field, fields_of, show_value
from cnngraph.graph.nodes import NodeError
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType
from cnngraph.text import one_line

MAX_LABEL = 60
MAX_NAME, MAX_TIP = 40, 120  # characters of a name, and of a path in a tooltip
MAX_MESSAGE, ERROR_WIDTH, ERROR_LINES = 300, 34, 4  # characters and lines of an error's message
MAX_PARAMS = 36  # characters of the params of a block
MAX_LISTED = 6  # numbers of a list; of longer ones, the first three and how many there are
MAX_SHAPES, SHAPES = 4, ", "  # of one value, more are abbreviated; what is between them
LEADING = ("kernel", "size", "out", "stride", "dilation", "groups")  # parameters shown first, in this order
BARE = frozenset({"out", "p", "negative_slope", "chunks", "sizes", "dims", "shifts"})  # shown without their names
BY_SIZE = frozenset({"kernel", "size", "shape"})  # parameters that are sizes
ALWAYS = frozenset({"p"})  # shown even if it is the default
SILENT = frozenset(  # details that are shown only in the tooltip
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
        "gamma",
        "axes",
        "keepdim",
    }
)
ENLARGED = "↑"  # before how many times a map becomes as high and wide; × is how often something is repeated
FACTORS = ("scale_factor", "upscale_factor", "downscale_factor")  # parameters by which a map is resized
MAP_AXES = frozenset({"height", "width"})


def clean(text: str, limit: int = MAX_LABEL) -> str:
    """The text on one line, with invisible characters escaped, truncated to a limit."""
    text = one_line(text.strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_name(text: str, limit: int = MAX_NAME) -> str:
    """A name or path on one line, shortened in the middle: long names often differ only at their ends."""
    text = one_line(text.strip())
    kept = (limit - 1) // 2
    return text if len(text) <= limit else f"{text[: limit - 1 - kept]}…{text[-kept:]}"


def error_lines(error: NodeError) -> list[str]:
    """The code and message of an error in a few lines; the tooltip has all of it."""
    text = f"{error.code} {error.message}".replace("`", "")
    return textwrap.wrap(clean(text, MAX_MESSAGE), ERROR_WIDTH, max_lines=ERROR_LINES, placeholder=" …")


def changed_parameters(operation: Op) -> dict[str, object]:
    """The parameters that differ from their defaults, in the order of the op's definition."""
    declared = fields_of(type(operation))
    return {
        name: getattr(operation, name)
        for name, field in declared.items()
        if field.required or getattr(operation, name) != field.default
    }


def op_label(operation: Op, inputs: tuple[TensorType, ...] = ()) -> str:
    """The name of the op and its important parameters: `conv 7×7, 64, /2`, `dropout 0.5`, `max pool 3×3, /2`."""
    declared, values = fields_of(type(operation)), _values(operation, inputs)
    order = [name for name in LEADING if name in declared] + [name for name in declared if name not in LEADING]
    name, parts = operation.name.replace("_", " "), []
    if _is_depthwise(values, inputs):
        name = f"depthwise {name}"
        order.remove("groups")
    for parameter in order:
        if parameter not in SILENT and (part := _parameter_label(operation, declared[parameter], values)):
            parts.append(part)
    return clean(" ".join([name, ", ".join(parts)]))


def row_label(operation: Op, inputs: tuple[TensorType, ...]) -> str:
    """The label of an op in a drawing: that of `op_label`, with one name for equal operations."""
    return f"global {found} pool" if (found := _global_pool(operation, inputs)) else op_label(operation, inputs)


def is_nothing(operation: Op) -> bool:
    """Whether an op returns its input in every mode, as an identity or a dropout of rate 0 does."""
    return operation.name == "identity" or (operation.kind == "dropout" and getattr(operation, "p", None) == 0)


def brief_label(operation: Op, inputs: tuple[TensorType, ...]) -> tuple[str, str]:
    """The label of an op among others in a line, and its stride: `3×3 64` and `/2` for a convolution."""
    declared, values = fields_of(type(operation)), _values(operation, inputs)
    if not {"kernel", "stride"} <= declared.keys():
        text = row_label(operation, inputs)
        return text.removeprefix("adaptive ").replace(" pool", "") if operation.kind == "pool" else text, ""
    parts = {name: _parameter_label(operation, declared[name], values) for name in LEADING if name in declared}
    stride, kernel, out = (parts.pop(name, "") for name in ("stride", "kernel", "out"))
    name = operation.name.removeprefix("conv").removesuffix("_pool").replace("_", " ").strip()
    if _is_depthwise(values, inputs):
        name, out = "dw", out if values["out"] != inputs[0].channels else ""
        parts.pop("groups")
    return ", ".join(filter(None, (" ".join(filter(None, (name, kernel, out))), *parts.values()))), stride


def window_label(operation: Op, inputs: tuple[TensorType, ...]) -> tuple[str, str]:
    """What an op does along the axes of a map: kernel and stride, or the factor of a resize; dilation and groups."""
    declared, values = fields_of(type(operation)), _values(operation, inputs)
    if "kernel" not in declared:
        factors = (_parameter_label(operation, declared[name], values) for name in FACTORS if name in declared)
        return next(filter(None, factors), ""), ""
    pool = operation.name.removesuffix("_pool").replace("_", " ") if operation.kind == "pool" else ""
    is_depthwise = _is_depthwise(values, inputs)
    name = "dw" if is_depthwise else pool
    kernel = _sizes(values["kernel"], square=True)
    stride, dilation, groups = (
        _parameter_label(operation, declared[name], values) if name in declared else ""
        for name in ("stride", "dilation", "groups")
    )
    window = ", ".join(filter(None, (" ".join(filter(None, (name, kernel))), stride)))
    return window, ", ".join(filter(None, (dilation, "" if is_depthwise else groups)))


def _values(operation: Op, inputs: tuple[TensorType, ...]) -> dict[str, object]:
    """The values of all parameters; those for height and width have one number if the op works on a signal C×L."""
    values = {name: getattr(operation, name) for name in fields_of(type(operation))}
    if isinstance(kernel := values.get("kernel"), int):
        values["kernel"] = (kernel, kernel)
    if inputs and inputs[0].rank == 2:
        one = {
            name: value[0]
            for name, value in values.items()
            if name in ("kernel", "stride", "dilation", "output") and isinstance(value, tuple) and len(value) == 2
        }
        values |= one
    return values


def _global_pool(operation: Op, inputs: tuple[TensorType, ...]) -> str:
    """`avg` or `max` for an op that pools over a whole map, whatever its name and the rank of its output."""
    if not inputs or not inputs[0].is_map:
        return ""
    values = _values(operation, inputs)
    match operation.name:
        case "adaptive_avg_pool" | "adaptive_max_pool" if values["output"] == (1, 1) and len(inputs) == 1:
            return operation.name.split("_")[1]
        case "mean" | "max" if isinstance(values["dim"], tuple) and set(values["dim"]) == MAP_AXES:
            return "avg" if operation.name == "mean" else "max"
    return ""


def tip_label(operation: Op) -> str:
    """The op with all parameters that differ from their defaults, as YAML."""
    parameters = ", ".join(f"{name}: {show_value(value)}" for name, value in changed_parameters(operation).items())
    return clean(f"{operation.name} {{{parameters}}}" if parameters else operation.name, 200)


def params_label(uses: Sequence[Mapping[str, object]]) -> str:
    """The params that all uses of a block set to the same value, the stride first: `/2, 24, expand 6`.

    Those that are switched off and fractions, which are rates and factors rather than the form of a block, are left
    out, and the last ones if there are too many.
    """
    first, *others = uses or [{}]
    common = {name: value for name, value in first.items() if all(use.get(name) == value for use in others)}
    names = sorted(common, key=lambda name: name != "stride")
    parts = [part for part in (_param_label(name, common[name]) for name in names) if part]
    shown = [part for place, part in enumerate(parts) if len(", ".join(parts[: place + 1])) <= MAX_PARAMS]
    return clean(", ".join(shown if len(shown) == len(parts) else [*shown, "…"]))


def _param_label(name: str, value: object) -> str:
    """The label of a block's param, or an empty string if it says nothing about the form of the block."""
    shown = name.replace("_", " ")
    match value:
        case bool():
            return shown if value else ""
        case int() | float() | tuple() | list() if name == "stride":
            return "" if value in (1, (1, 1), [1, 1]) else f"/{_sizes(value)}"
        case 0:
            return ""
        case 1 if name not in BARE:
            return ""
        case float() if not value.is_integer():
            return ""
        case int() | float():
            return _number(value) if name in BARE else f"{shown} {_number(value)}"
        case tuple() | list():
            return f"{shown} {clean(show_value(value), MAX_PARAMS // 2)}"
        case str():
            return f"{shown} {value.replace('_', ' ')}"
        case _:
            return ""


def shapes_label(shapes: Iterable[str]) -> str:
    """The distinct shapes of the tensors of a value: `16×32×32, 32×16×16`; of many, the first and the last."""
    texts = list(dict.fromkeys(shapes))
    return SHAPES.join(texts if len(texts) <= MAX_SHAPES else [texts[0], "…", texts[-1]])


def _is_depthwise(values: Mapping[str, object], inputs: tuple[TensorType, ...]) -> bool:
    return {"groups", "kernel"} <= values.keys() and bool(inputs) and values["groups"] == inputs[0].channels > 1


def _parameter_label(operation: Op, field: Field, values: Mapping[str, object]) -> str:
    """The label of one parameter, or an empty string."""
    value = values[field.name]
    if field.name == "stride" and "kernel" in values:
        value = values["kernel"] if value is None else value
        sign = ENLARGED if "output_padding" in values else "/"  # a transposed convolution enlarges
        return "" if value in (1, (1, 1)) else f"{sign}{_sizes(value)}"
    is_shown = field.name in ALWAYS or field.required or (field.name == "kernel" and operation.kind == "pool")
    if not is_shown and getattr(operation, field.name) == field.default:
        return ""
    name = field.name.replace("_", " ")
    match field.name, value:
        case ("kernel", int()):  # of an op on a signal
            return f"kernel {value}"
        case (parameter, tuple()) if parameter in BY_SIZE:
            return _sizes(value, square=True)
        case "value", tuple():  # of a constant
            return ""
        case "dilation", _:
            return f"{name} {_sizes(value)}"
        case "output", _:
            return f"to {_sizes(value, square=True)}"
        case "dim", (str() | tuple()):
            return f"{'over' if operation.kind == 'reduction' else 'along'} {_listed(value)}"
        case _, bool():
            return name if value else f"no {name}"
        case _, str():
            return value.replace("_", " ")
        case "factor", tuple():  # one for each channel
            return f"×({_listed(value)})"
        case "factor", _:
            return f"×{_sizes(value)}"
        case parameter, (int() | float() | tuple()) if parameter.endswith("factor"):
            return f"/{_sizes(value)}" if parameter.startswith("down") else _scaled(value)
        case parameter, (int() | float() | tuple()) if parameter in BARE or parameter == operation.name:
            return _listed(value)
        case _, (int() | float() | tuple()):
            return _counted(name, value)
        case _:
            return f"{name} {show_value(value)}"


def _scaled(factor: float | tuple[float, ...]) -> str:
    """How a map is resized: `↑2`, or `/2` if it becomes smaller."""
    factors = factor if isinstance(factor, tuple) else (factor,)
    if all(one < 1 for one in factors):
        return f"/{_sizes(tuple(float(f'{1 / one:.3g}') for one in factors))}"
    return f"{ENLARGED}{_sizes(factor)}"


def _counted(name: str, value: object) -> str:
    """`32 groups` for `num_groups: 32`, otherwise the name and the value."""
    if not name.startswith("num "):
        return f"{name} {_listed(value)}"
    return f"{_number(value)} {name[4:].removesuffix('s') if value == 1 else name[4:]}"


def _listed(value: object) -> str:
    """One value, or several with commas; of many, the first, and how many there are."""
    if not isinstance(value, tuple | list) or len(value) <= MAX_LISTED:
        return _number(value)
    return f"{_number(value[: MAX_LISTED // 2])}, … ({len(value)} in total)"


def _sizes(value: object, *, square: bool = False) -> str:
    """`3×3` for a pair of sizes; `3` if they are equal and `square` is false."""
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
