"""Tensors without axes, such as a `parameter` of `shape: []`, as inputs of every op: refused, or as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

from cnngraph.ops.op import Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import OTHER, TensorType
from tests.ops.support import expected, make_function, make_inputs, sizes_of

NUMBER = TensorType((), (), batched=False)
NUMBERS = TensorType((), ())  # one for each image
CODES = {"E202", "E203", "E205", "E208", "E210", "E211", "E212"}
MORE: dict[str, tuple[dict[str, Any], ...]] = {  # parameters that no example of the op has
    "permute": ({"dims": [0]},),
    "concat": ({"dim": 1},),
    "reshape": ({"shape": [1]}, {"shape": [-1, 1]}),
    "prelu": ({"num_parameters": 1},),
}


def mixed_inputs(cls: type[Op]) -> list[tuple[dict[str, Any], tuple[TensorType, ...]]]:
    """Parameters and inputs of the examples, with one input or all of them replaced by tensors without axes."""
    cases = [(dict(example.arguments), example.types()) for example in cls.examples if example.inputs]
    cases += [(arguments, types) for arguments in MORE.get(cls.name, ()) for _, types in cases]
    mixed = []
    for arguments, types in cases:
        for number in (NUMBER, NUMBERS):
            mixed.append((arguments, (number,) * len(types)))
            mixed += [(arguments, (*types[:place], number, *types[place + 1 :])) for place in range(len(types))]
    return mixed


def inferred(op: Op, types: tuple[TensorType, ...]) -> TensorType | tuple[TensorType, ...] | OpError:
    try:
        return infer_types(op, types)
    except OpError as error:
        return error


@pytest.mark.parametrize("name", builtin_ops())
def test_every_op_accepts_tensors_without_axes_as_pytorch_does_or_refuses_them(name: str) -> None:
    for arguments, types in mixed_inputs(builtin_ops()[name]):
        op = make_op(builtin_ops()[name], arguments)
        result = inferred(op, types)
        if isinstance(result, OpError):
            assert result.code in CODES
            assert "1 to 0" not in result.message
            continue
        assert sizes_of(make_function(op, types)(*make_inputs(types))) == expected(result), (arguments, types)


def parameter(sizes: tuple[int, ...], axes: str = "") -> TensorType:
    return TensorType(sizes, tuple(axes) or (OTHER,) * len(sizes), batched=False)


@pytest.mark.parametrize(
    ("types", "sizes"),
    [
        ((TensorType.vector(4), parameter(())), (5,)),
        ((TensorType.map(4, 1, 1), parameter((3,), "C")), (7, 1, 1)),
        ((TensorType.map(4, 2, 3), parameter((5, 2, 3), "CHW")), (9, 2, 3)),
        ((parameter((4,), "C"), parameter(()), TensorType.vector(2)), (7,)),
        ((parameter((4,), "C"), parameter(())), (5,)),
    ],
)
def test_concat_adds_the_axes_that_a_parameter_lacks(types: tuple[TensorType, ...], sizes: tuple[int, ...]) -> None:
    op = make_op(builtin_ops()["concat"], {})
    result = infer_types(op, types)
    assert isinstance(result, TensorType)
    assert result.sizes == sizes
    inputs = make_inputs(types)
    joined = make_function(op, types)(*inputs)
    assert tuple(joined.shape) == expected(result)
    start = 0
    for tensor, type_ in zip(inputs, types, strict=True):
        part = joined.narrow(int(result.batched), start, type_.channels)
        one = part if type_.batched or not result.batched else part[1]  # a parameter is the same for every image
        assert one.flatten().equal(tensor.flatten())
        start += type_.channels
    assert start == sizes[0]
