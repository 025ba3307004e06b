"""The functions of torch.nn.init as data: names, arguments, and the shapes they accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnngraph.diagnostics import Suggestion, did_you_mean
from cnngraph.fields import REQUIRED, Choice, Field, FieldError, Float, Int, Json, Kind, show_value
from cnngraph.frozen import Frozen
from cnngraph.ops.kinds import Positive


class InitCall(Frozen):
    """A function of torch.nn.init (without its trailing underscore) and its arguments."""

    function: str
    kwargs: Mapping[str, Any]

    def refusal(self, shape: tuple[int, ...]) -> str | None:
        """Why the function cannot fill a tensor of that shape, or None if it can."""
        fewest, most = RANKS.get(self.function, (0, None))
        if len(shape) < fewest or (most is not None and len(shape) > most):
            axes = f"{fewest}" if fewest == most else f"{fewest} to {most}" if most else f"at least {fewest}"
            return f"`{self.function}` needs a tensor with {axes} axes, got {len(shape)}"
        groups = self.kwargs.get("groups", 1)
        if self.function == "dirac" and shape[0] % groups:
            return f"the first size must be divisible by `groups` of `dirac`: {shape[0]} is not a multiple of {groups}"
        return None


def _arguments(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


_GAIN = Field("gain", Float(), "scaling factor of the standard deviation", 1.0)
_KAIMING = _arguments(
    Field("a", Float(), "negative slope of the leaky_relu that follows", 0.0),
    Field(
        "mode",
        Choice(("fan_in", "fan_out")),
        "whether to preserve the variance in the forward or the backward pass",
        "fan_in",
    ),
    Field(
        "nonlinearity",
        Choice(("leaky_relu", "relu", "linear", "sigmoid", "tanh", "selu")),
        "nonlinearity after the layer",
        "leaky_relu",
    ),
)

FUNCTIONS: Mapping[str, Mapping[str, Field]] = {
    "uniform": _arguments(Field("a", Float(), "lowest value", 0.0), Field("b", Float(), "highest value", 1.0)),
    "normal": _arguments(Field("mean", Float(), "mean", 0.0), Field("std", Float(0), "standard deviation", 1.0)),
    "trunc_normal": _arguments(
        Field("mean", Float(), "mean", 0.0),
        Field("std", Positive(), "standard deviation", 1.0),
        Field("a", Float(), "lowest value", -2.0),
        Field("b", Float(), "highest value", 2.0),
    ),
    "constant": _arguments(Field("val", Float(), "the value", REQUIRED)),
    "ones": {},
    "zeros": {},
    "eye": {},
    "dirac": _arguments(Field("groups", Int(1), "groups of the convolution", 1)),
    "xavier_uniform": _arguments(_GAIN),
    "xavier_normal": _arguments(_GAIN),
    "kaiming_uniform": _KAIMING,
    "kaiming_normal": _KAIMING,
    "orthogonal": _arguments(_GAIN),
    "sparse": _arguments(
        Field("sparsity", Float(0, 1), "fraction of zeros in each column", REQUIRED),
        Field("std", Float(0), "standard deviation of the other values", 0.01),
    ),
}

# The minimum and maximum number of axes of the tensors that a function fills; others accept any.
RANKS: Mapping[str, tuple[int, int | None]] = {
    "eye": (2, 2),
    "dirac": (3, 5),
    "xavier_uniform": (2, None),
    "xavier_normal": (2, None),
    "kaiming_uniform": (2, None),
    "kaiming_normal": (2, None),
    "orthogonal": (2, None),
    "sparse": (2, 2),
}


def read_init(value: object) -> float | InitCall:
    """Read a number, `zeros`, or `{kaiming_normal: {mode: fan_out}}`. Raises FieldError: `must be …, got …`."""
    if isinstance(value, str):
        return _call(value, {})
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise FieldError(f"must be {DESCRIPTION}, got `{show_value(value)}`")
        ((function, arguments),) = value.items()
        return _call(str(function), {} if arguments is None else arguments)
    try:
        return Float().convert(value)
    except FieldError:
        raise FieldError(f"must be {DESCRIPTION}, got `{show_value(value)}`") from None


DESCRIPTION = "a number or a function of torch.nn.init with its arguments, as in {normal: {std: 0.02}}"


def _call(function: str, arguments: object) -> InitCall:
    if function not in FUNCTIONS:
        bare = function.removesuffix("_")
        raise FieldError(
            f"must be {DESCRIPTION}, got `{show_value(function)}`",
            Suggestion(bare) if bare in FUNCTIONS else did_you_mean(bare, FUNCTIONS),
        )
    known = FUNCTIONS[function]
    if not isinstance(arguments, Mapping):
        got = f"got `{show_value(arguments)}`"
        if not known:
            raise FieldError(f"must give no arguments to `{function}`, {got}", f"write `{{{function}: {{}}}}`")
        raise FieldError(
            f"must name the arguments of `{function}`, {got}", f"write `{{{function}: {{{next(iter(known))}: …}}}}`"
        )
    kwargs = {}
    for name, value in arguments.items():
        if name not in known:
            raise FieldError(f"is invalid: `{function}` has no argument `{name}`", did_you_mean(str(name), known))
        try:
            kwargs[str(name)] = known[name].kind.convert(value)
        except FieldError as error:
            raise FieldError(f"is invalid: `{name}` of `{function}` {error.message}", error.help) from None
    missing = [f"`{name}`" for name, field in known.items() if field.required and name not in kwargs]
    if missing:
        raise FieldError(f"is invalid: `{function}` needs {' and '.join(missing)}")
    if "b" in known and kwargs.get("a", known["a"].default) > kwargs.get("b", known["b"].default):
        raise FieldError(f"is invalid: `a` of `{function}` is greater than `b`")
    return InitCall(function, kwargs)


class Init(Kind):
    """The initial value of a tensor: a number, or a function of torch.nn.init."""

    def convert(self, value: object) -> float | InitCall:
        """The number or the call."""
        return read_init(value)

    def schema(self) -> Json:
        """The JSON schema of a value."""
        return init_schema()

    def describe(self) -> str:
        """A short description for the manual."""
        return DESCRIPTION


def init_schema() -> Json:
    """The JSON schema of an initial value."""
    bare = [name for name, fields in FUNCTIONS.items() if not any(field.required for field in fields.values())]
    calls = [
        {
            "type": "object",
            "properties": {
                name: {
                    "type": "object" if name not in bare else ["object", "null"],
                    "properties": {field.name: field.kind.schema() for field in fields.values()},
                    "required": [field.name for field in fields.values() if field.required],
                    "additionalProperties": False,
                }
            },
            "required": [name],
            "additionalProperties": False,
        }
        for name, fields in FUNCTIONS.items()
    ]
    return {"anyOf": [{"type": "number"}, {"enum": bare}, *calls]}
