"""Initialisers: arguments, defaults and shapes equal those of `torch.nn.init`."""

from __future__ import annotations

import inspect
from typing import Any

import jsonschema
import pytest
import torch

from cnngraph.fields import REQUIRED, FieldError
from cnngraph.ops.init import FUNCTIONS, InitCall, init_schema, read_init

REQUIRED_ARGUMENTS = {"constant": {"val": 2}, "sparse": {"sparsity": 0.5}}
SHAPES = [(), (4,), (4, 6), (4, 6, 3), (4, 6, 3, 3), (4, 2, 3, 3, 3), (4, 2, 1, 1, 1, 1)]


def call(name: str) -> InitCall:
    init = read_init({name: REQUIRED_ARGUMENTS.get(name, {})})
    assert isinstance(init, InitCall)
    return init


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_and_defaults_are_those_of_pytorch(name: str) -> None:
    signature = inspect.signature(getattr(torch.nn.init, f"{name}_")).parameters
    for argument, field in FUNCTIONS[name].items():
        default = signature[argument].default
        assert field.default == (REQUIRED if default is inspect.Parameter.empty else default)
    assert {*FUNCTIONS[name], "tensor", "generator"} >= set(signature)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_shapes_are_rejected_where_pytorch_rejects_them(name: str, shape: tuple[int, ...]) -> None:
    init = call(name)
    try:
        getattr(torch.nn.init, f"{name}_")(torch.empty(shape), **init.kwargs)
    except (ValueError, IndexError):
        assert init.refusal(shape)
    else:
        assert init.refusal(shape) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (1e-6, 1e-6),
        ("zeros", InitCall("zeros", {})),
        ({"ones": None}, InitCall("ones", {})),
        (
            {"kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}},
            InitCall("kaiming_normal", {"mode": "fan_out", "nonlinearity": "relu"}),
        ),
        ({"normal": {"std": 1}}, InitCall("normal", {"std": 1.0})),
    ],
)
def test_read_init(value: Any, expected: Any) -> None:
    assert read_init(value) == expected
    jsonschema.validate(value, init_schema())


@pytest.mark.parametrize(
    ("value", "message", "help"),
    [
        ("kaiming", "must be a number or a function", None),
        ({"kaiming_normal_": {}}, "must be a number or a function", "did you mean `kaiming_normal`?"),
        ({"normal": {}, "zeros": {}}, "must be a number or a function", None),
        ({"normal": {"sdt": 1}}, "is invalid: `normal` has no argument `sdt`", "did you mean `std`?"),
        ({"normal": {"std": -1}}, "is invalid: `std` of `normal` must be a number of at least 0", None),
        ({"normal": 0.02}, "must name the arguments of `normal`, got `0.02`", "write `{normal: {mean: …}}`"),
        ({"trunc_normal": {"std": 0}}, "is invalid: `std` of `trunc_normal` must be a number above 0", None),
        ({"uniform": {"a": 2}}, "is invalid: `a` of `uniform` is greater than `b`", None),
        ({"sparse": {}}, "is invalid: `sparse` needs `sparsity`", None),
        ("constant", "is invalid: `constant` needs `val`", None),
        ([1], "must be a number or a function", None),
        (True, "must be a number or a function", None),
        (None, "must be a number or a function", None),
    ],
)
def test_errors(value: Any, message: str, help: str | None) -> None:
    with pytest.raises(FieldError) as caught:
        read_init(value)
    assert caught.value.message.startswith(message)
    assert help is None or caught.value.help == help
    if "is greater than" not in message:  # a schema cannot compare values
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, init_schema())
