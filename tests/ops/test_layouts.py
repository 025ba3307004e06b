"""Ops for maps accept one whose height and width were exchanged, as PyTorch does."""

from __future__ import annotations

import pytest

from cnngraph.ops.op import Example, Op, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import CHANNELS, HEIGHT, WIDTH, TensorType
from tests.ops.support import expected, make_function, make_inputs, sizes_of

BY_NAME = {"height", "width"}  # these parameters name an axis, which would be another one
EXAMPLES = [
    pytest.param(cls, example, id=f"{name}-{number}")
    for name, cls in builtin_ops().items()
    for number, example in enumerate(cls.examples)
    if example.inputs and not (example.free or example.indices) and all(type_.is_map for type_ in example.types())
    if BY_NAME.isdisjoint(map(str, example.arguments.values()))
]


@pytest.mark.parametrize(("cls", "example"), EXAMPLES)
def test_a_map_with_height_and_width_exchanged(cls: type[Op], example: Example) -> None:
    op = make_op(cls, example.arguments)
    types = tuple(TensorType(type_.sizes, (CHANNELS, WIDTH, HEIGHT)) for type_ in example.types())
    result = infer_types(op, types)
    assert sizes_of(make_function(op, types)(*make_inputs(types))) == expected(result)
    for output_type in result if isinstance(result, tuple) else (result,):
        if output_type.rank == 3 and cls.name not in ("reshape", "permute"):
            assert output_type.axes == types[0].axes
            assert (output_type.width, output_type.height) == output_type.sizes[1:]
