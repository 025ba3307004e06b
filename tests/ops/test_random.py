"""Random arguments on small maps: PyTorch runs what is accepted with the inferred shape, and rejects what is not."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from cnngraph.ops.op import OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import TensorType
from tests.ops.support import expected, make_function, make_inputs, sizes_of

Arguments = dict[str, Any]

seeded = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


def pair(minimum: int, maximum: int) -> st.SearchStrategy[Any]:
    """An integer, or a list of two."""
    one = st.integers(minimum, maximum)
    return one | st.lists(one, min_size=2, max_size=2)


def drawn_arguments(
    required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[Arguments]:
    """Parameters of an op; optional ones may be left out."""
    return st.fixed_dictionaries(required, optional=optional)


MAPS = st.builds(TensorType.map, st.integers(1, 8), st.integers(1, 9), st.integers(1, 9))

CONV = drawn_arguments(
    {"out": st.integers(1, 8), "kernel": pair(1, 5)},
    stride=pair(1, 4),
    padding=pair(0, 4) | st.sampled_from(["half", "same", "valid"]),
    dilation=pair(1, 3),
    groups=st.integers(1, 4),
    bias=st.booleans(),
    padding_mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
)
CONV_TRANSPOSE = drawn_arguments(
    {"out": st.integers(1, 8), "kernel": pair(1, 4)},
    stride=pair(1, 3),
    padding=pair(0, 3) | st.just("half"),
    output_padding=pair(0, 2),
    groups=st.integers(1, 3),
    dilation=pair(1, 3),
)
MAX_POOL = drawn_arguments(
    {"kernel": pair(1, 5)},
    stride=pair(1, 6),
    padding=pair(0, 3) | st.just("half"),
    dilation=pair(1, 3),
    ceil_mode=st.booleans(),
)
AVG_POOL = drawn_arguments(
    {"kernel": pair(1, 5)},
    stride=pair(1, 6),
    padding=pair(0, 3) | st.just("half"),
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    divisor_override=st.integers(1, 4),
)
LP_POOL = drawn_arguments(
    {"norm_type": st.sampled_from([1, 2, 3.5]), "kernel": pair(1, 5)}, stride=pair(1, 6), ceil_mode=st.booleans()
)
ADAPTIVE = drawn_arguments({"output": pair(1, 12) | st.lists(st.none() | st.integers(1, 9), min_size=2, max_size=2)})
UPSAMPLE = drawn_arguments(
    {},
    size=pair(1, 12),
    scale_factor=st.floats(0.05, 4) | st.sampled_from([[0.7, 3], [1.1, 1 / 3]]),
    mode=st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]),
    align_corners=st.booleans(),
)
PAD = drawn_arguments(
    {"padding": pair(0, 9) | st.lists(st.integers(0, 9), min_size=4, max_size=4)},
    mode=st.sampled_from(["constant", "reflect", "replicate", "circular"]),
) | drawn_arguments(
    {"padding": pair(-4, 4) | st.lists(st.integers(-4, 9), min_size=4, max_size=4)},
    value=st.just(1.5),
    channels=st.integers(0, 5),
)
AXES = st.sampled_from(["channels", "height", "width", 1, 2, 3, -1, -2, -3])

CASES: dict[str, st.SearchStrategy[Arguments]] = {
    "conv": CONV,
    "conv_transpose": CONV_TRANSPOSE,
    "max_pool": MAX_POOL,
    "avg_pool": AVG_POOL,
    "lp_pool": LP_POOL,
    "adaptive_avg_pool": ADAPTIVE,
    "adaptive_max_pool": ADAPTIVE,
    "upsample": UPSAMPLE,
    "pad": PAD,
    "group_norm": drawn_arguments({"num_groups": st.integers(1, 8)}),
    "instance_norm": drawn_arguments({}, affine=st.booleans()),
    "local_response_norm": drawn_arguments({"size": st.integers(1, 12)}),
    "drop_block": drawn_arguments({"p": st.just(0.5), "block": st.sampled_from([1, 3, 5, 7])}),
    "channel_shuffle": drawn_arguments({"groups": st.integers(1, 8)}),
    "pixel_shuffle": drawn_arguments({"upscale_factor": st.integers(1, 3)}),
    "pixel_unshuffle": drawn_arguments({"downscale_factor": st.integers(1, 4)}),
    "split": drawn_arguments(
        {"sizes": st.integers(1, 10) | st.lists(st.integers(1, 5), min_size=1, max_size=3)}, dim=AXES
    ),
    "flatten": drawn_arguments(
        {}, start_dim=st.sampled_from([1, 2, 3, -1]), end_dim=st.sampled_from([1, 2, 3, -1, -2])
    ),
    "softmax": drawn_arguments({}, dim=AXES),
}


def runs(name: str, arguments: Arguments, *types: TensorType) -> Any:
    """The shapes that PyTorch returns, or None where it raises, even for a single image."""
    op = make_op(builtin_ops()[name], arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function, inputs = make_function(op, types), make_inputs(types)
            outputs = function(*inputs)
            result = sizes_of(outputs)
            if isinstance(function, nn.Module) and all(type_.batched for type_ in types):
                function.eval()(*(tensor[:1] for tensor in inputs))
    except (RuntimeError, ValueError, IndexError, OpError):
        return None
    if name == "max_pool" and not outputs.isfinite().all():
        return None  # the maximum over a window that covers only padding is −∞
    sizes = result if isinstance(result, list) else [result]
    return result if all(math.prod(size) for size in sizes) else None  # an empty tensor does not count


def inferred(name: str, arguments: Arguments, *types: TensorType) -> Any:
    """The shapes that the op infers, or None where it raises."""
    try:
        return expected(infer_types(make_op(builtin_ops()[name], arguments), types))
    except OpError:
        return None


@pytest.mark.parametrize("name", CASES)
def test_accepted_if_and_only_if_it_runs(name: str) -> None:
    @seeded
    @given(CASES[name], MAPS)
    def check(arguments: Arguments, image: TensorType) -> None:
        assert inferred(name, arguments, image) == runs(name, arguments, image)

    check()


@seeded
@given(
    st.sampled_from(["concat", "add", "sub", "mul", "div", "maximum"]),
    st.lists(st.lists(st.integers(1, 2), min_size=3, max_size=3), min_size=2, max_size=3),
)
def test_joins_of_random_sizes(name: str, sizes: list[list[int]]) -> None:
    types = [TensorType.map(*size) for size in sizes]
    assert inferred(name, {}, *types[:2]) == runs(name, {}, *types[:2])


@seeded
@given(MAPS, st.lists(st.integers(-1, 9), min_size=1, max_size=4))
def test_reshape_of_random_sizes(image: TensorType, shape: list[int]) -> None:
    assert inferred("reshape", {"shape": shape}, image) == runs("reshape", {"shape": shape}, image)


@seeded
@given(MAPS, st.integers(-10, 10), st.none() | st.integers(-10, 10), st.integers(1, 4), AXES)
def test_slice_of_random_ranges(image: TensorType, start: int, stop: int | None, step: int, dim: str | int) -> None:
    arguments = {"start": start, "stop": stop, "step": step, "dim": dim}
    assert inferred("slice", arguments, image) == runs("slice", arguments, image)


@seeded
@given(MAPS, st.permutations([0, 1, 2, 3]), st.sets(AXES, min_size=1, max_size=3), st.booleans())
def test_axes_keep_their_names_when_permuted(
    image: TensorType, order: list[int], dims: set[str | int], keep: bool
) -> None:
    dims_first = {"dims": [0, *[axis for axis in order if axis]]}
    turned = infer_types(make_op(builtin_ops()["permute"], dims_first), (image,))
    assert isinstance(turned, TensorType)
    assert runs("permute", dims_first, image) == expected(turned)
    assert (turned.channels, turned.height, turned.width) == (image.channels, image.height, image.width)
    mean = {"dim": list(dims), "keepdim": keep}
    assert inferred("mean", mean, turned) == runs("mean", mean, turned)


def test_any_batch_size() -> None:
    """No op depends on the batch size."""
    for name, cls in builtin_ops().items():
        for example in cls.examples:
            op, types = make_op(cls, example.arguments), example.types()
            result = infer_types(op, types)
            if not all(tensor_type.batched for tensor_type in (result if isinstance(result, tuple) else (result,))):
                continue
            function = make_function(op, types)
            inputs = make_inputs(types)
            batched = [tensor_type.batched for tensor_type in types]
            longer = [torch.cat([x, x[:1]]) if free else x for x, free in zip(inputs, batched, strict=True)]
            outputs = function(*longer)
            for tensor in outputs if isinstance(outputs, tuple) else [outputs]:
                assert tensor.shape[0] == 3, name
