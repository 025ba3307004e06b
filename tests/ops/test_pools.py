"""Pooling windows of all small sizes, compared with PyTorch: every window overlaps the map, or it is an error."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from cnngraph.ops.op import OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import TensorType
from tests.ops.support import make_function

SIZES, KERNELS, STRIDES, PADDINGS, DILATIONS = range(1, 6), range(1, 5), range(1, 4), range(3), range(1, 4)
AXES = (0, 1)  # the rows, the columns


def pair(value: int, axis: int, other: int) -> list[int]:
    return [value, other] if axis == 0 else [other, value]


def compare(name: str, size: int, axis: int, **arguments: Any) -> bool:
    """Whether a pooling is accepted: then PyTorch must return the inferred shape and finite, nonzero values."""
    height, width = pair(size, axis, 1)
    op, type_ = make_op(builtin_ops()[name], arguments), TensorType.map(2, height, width)
    image = torch.rand(2, 2, height, width).requires_grad_()
    try:
        output_type = infer_types(op, (type_,))
    except OpError:
        try:
            result = make_function(op, (type_,))(image)
        except RuntimeError:
            return False
        assert not torch.isfinite(result).all(), (name, size, arguments)
        return False
    assert isinstance(output_type, TensorType)
    result = make_function(op, (type_,))(image + 1)
    assert tuple(result.shape[1:]) == output_type.sizes
    assert torch.isfinite(result).all(), (name, size, arguments)
    assert (result != 0).all(), (name, size, arguments)
    result.sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    return True


@pytest.mark.parametrize("axis", AXES)
def test_max_pool(axis: int) -> None:
    accepted = [
        compare(
            "max_pool",
            size,
            axis,
            kernel=pair(kernel, axis, 1),
            stride=pair(stride, axis, 1),
            padding=pair(padding, axis, 0),
            dilation=pair(dilation, axis, 1),
            ceil_mode=ceil,
        )
        for size, kernel, stride, padding, dilation, ceil in product(
            SIZES, KERNELS, STRIDES, PADDINGS, DILATIONS, (False, True)
        )
    ]
    assert 0 < sum(accepted) < len(accepted)


@pytest.mark.parametrize("axis", AXES)
def test_avg_pool(axis: int) -> None:
    accepted = [
        compare(
            "avg_pool",
            size,
            axis,
            kernel=pair(kernel, axis, 1),
            stride=pair(stride, axis, 1),
            padding=pair(padding, axis, 0),
            ceil_mode=ceil,
            count_include_pad=counted,
        )
        for size, kernel, stride, padding, ceil, counted in product(
            SIZES, KERNELS, STRIDES, PADDINGS, (False, True), (False, True)
        )
    ]
    assert 0 < sum(accepted) < len(accepted)


def test_lp_pool() -> None:
    accepted = [
        compare("lp_pool", size, 0, norm_type=norm, kernel=[kernel, 1], stride=[stride, 1], ceil_mode=ceil)
        for size, kernel, stride, ceil, norm in product(SIZES, KERNELS, STRIDES, (False, True), (1, 2, 3.5))
    ]
    assert 0 < sum(accepted) < len(accepted)


@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_adaptive_pools(name: str) -> None:
    assert all(compare(name, size, 0, output=[output, 1]) for size, output in product(range(1, 8), range(1, 10)))


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({"kernel": 2, "padding": [1, 0], "dilation": 2, "ceil_mode": True}, (12, 1, 4)),
        ({"kernel": 2, "padding": [0, 1], "dilation": 2}, (1, 4, 1)),
    ],
)
def test_a_dilated_window_that_skips_the_map_is_an_error(
    arguments: dict[str, Any], sizes: tuple[int, int, int]
) -> None:
    with pytest.raises(OpError) as error:
        infer_types(make_op(builtin_ops()["max_pool"], arguments), (TensorType.map(*sizes),))
    assert (error.value.code, error.value.parameter) == ("E205", "padding")
