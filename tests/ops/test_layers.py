"""`backend.modules.layers` compared with formulas and torchvision; copying, precision, export and compilation."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.convnext import LayerNorm2d
from torchvision.ops import DropBlock2d, StochasticDepth

from cnngraph.backend.modules import own_layers
from cnngraph.backend.modules.own_layers import (
    BlurPool,
    ChannelLayerNorm,
    ChannelRMSNorm,
    DropBlock,
    DropPath,
    Gate,
    GlobalResponseNorm,
    StandardizedConv2d,
    parameter,
)
from cnngraph.ops.op import infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import TensorType
from tests.ops.support import make_function, make_inputs

Call = Callable[[torch.Tensor], torch.Tensor]

MODULES: list[tuple[str, Callable[[], nn.Module], int]] = [
    ("ChannelLayerNorm", lambda: ChannelLayerNorm(4), 1),
    ("DropPath", lambda: DropPath(0.5), 1),
    ("DropPath batch", lambda: DropPath(0.5, mode="batch"), 1),
    ("DropBlock", lambda: DropBlock(0.3, 3), 1),
    ("Gate exclusive", lambda: Gate(4, "exclusive", -1.0), 2),
    ("Gate shortcut", lambda: Gate(4, "shortcut"), 2),
    ("ChannelRMSNorm", lambda: ChannelRMSNorm(4), 1),
    ("GlobalResponseNorm", lambda: GlobalResponseNorm(4), 1),
    ("StandardizedConv2d", lambda: StandardizedConv2d(4, 4, kernel_size=3, padding=1), 1),
    ("StandardizedConv2d gain", lambda: StandardizedConv2d(4, 4, gamma=1.7, kernel_size=3, padding=1), 1),
    ("BlurPool", lambda: BlurPool(3, 1, 1), 1),
]
modules = pytest.mark.parametrize(("make", "count"), [case[1:] for case in MODULES], ids=[case[0] for case in MODULES])


def images(count: int = 1, **options: Any) -> list[torch.Tensor]:
    return [torch.randn(3, 4, 6, 5, **options) for _ in range(count)]


def same_draws(one: Call, reference: Call, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    results = []
    for call in (one, reference):
        torch.manual_seed(7)
        results.append(call(x))
    return results[0], results[1]


@pytest.mark.parametrize("p", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("mode", ["row", "batch"])
def test_drop_path_equals_stochastic_depth(p: float, mode: str) -> None:
    x = torch.randn(16, 3, 4, 4)
    assert torch.equal(*same_draws(DropPath(p, mode=mode), StochasticDepth(p, mode), x))
    assert torch.equal(DropPath(p, mode=mode).eval()(x), x)


@pytest.mark.parametrize(("block", "size"), [(1, 5), (3, 9), (7, 9), (7, 5)])
def test_drop_block_equals_torchvision(block: int, size: int) -> None:
    x = torch.randn(4, 3, size, 9)
    torch.testing.assert_close(*same_draws(DropBlock(0.3, block), DropBlock2d(0.3, block), x))
    assert torch.equal(DropBlock(0.3, block).eval()(x), x)


def test_channel_layer_norm_equals_torchvision() -> None:
    norm, reference = ChannelLayerNorm(4, eps=1e-6), LayerNorm2d(4, eps=1e-6)
    (x,) = images()
    assert torch.equal(norm(x), reference(x))
    assert norm(x).stride() == reference(x).stride()
    assert list(norm.state_dict()) == list(reference.state_dict())


def test_gate_equals_the_formula_of_the_paper() -> None:
    transform, carry = images(2)
    for mode in ("exclusive", "shortcut"):
        gate = Gate(4, mode, bias=-6.0)
        assert gate.bias is not None
        assert torch.equal(gate.bias, torch.full((4,), -6.0))
        g = torch.sigmoid(F.conv2d(carry, gate.weight, gate.bias))
        expected = (g * transform if mode == "exclusive" else transform) + (1 - g) * carry
        torch.testing.assert_close(gate(transform, carry), expected)


def test_gate_is_initialised_like_a_convolution() -> None:
    torch.manual_seed(3)
    gate = Gate(4, "shortcut")
    torch.manual_seed(3)
    conv = nn.Conv2d(4, 4, 1)
    assert torch.equal(gate.weight, conv.weight)
    assert gate.bias is not None
    assert conv.bias is not None
    assert torch.equal(gate.bias, conv.bias)


def test_free_parameters_are_initialised() -> None:
    assert torch.equal(parameter((2, 3), 0.5), torch.full((2, 3), 0.5))
    assert parameter((), 0).shape == ()
    assert parameter((4, 1)).requires_grad
    torch.manual_seed(3)
    weights = parameter((5, 4), "kaiming_normal", mode="fan_out", nonlinearity="relu")
    torch.manual_seed(3)
    assert torch.equal(weights, nn.init.kaiming_normal_(torch.empty(5, 4), mode="fan_out", nonlinearity="relu"))


@modules
def test_copies_and_pickles(make: Callable[[], nn.Module], count: int) -> None:
    module = make()
    inputs = images(count)
    for reference in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.manual_seed(1)
        expected = module(*inputs)
        torch.manual_seed(1)
        assert torch.equal(reference(*inputs), expected)
        assert repr(reference) == repr(module)


@modules
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_precision(make: Callable[[], nn.Module], count: int, dtype: torch.dtype) -> None:
    result = make().to(dtype)(*images(count, dtype=dtype))
    assert result.dtype == dtype
    assert result.isfinite().all()


@modules
def test_channels_last_is_preserved(make: Callable[[], nn.Module], count: int) -> None:
    inputs = [tensor.to(memory_format=torch.channels_last) for tensor in images(count)]
    result = make().to(memory_format=torch.channels_last)(*inputs)
    assert result.is_contiguous(memory_format=torch.channels_last)


@modules
def test_export_with_a_dynamic_batch(make: Callable[[], nn.Module], count: int) -> None:
    inputs = images(count)
    batch = torch.export.Dim("batch", min=2, max=64)
    for module in (make().train(), make().eval()):
        shapes = tuple({0: batch} for _ in inputs)
        program = torch.export.export(module, tuple(inputs), dynamic_shapes=shapes)
        longer = [torch.cat([tensor, tensor]) for tensor in inputs]
        result = program.module()(*longer)
        assert result.shape == longer[0].shape
        if not module.training:
            torch.testing.assert_close(result, module(*longer))


@modules
def test_compile_without_graph_breaks(make: Callable[[], nn.Module], count: int) -> None:
    module = make().eval()
    inputs = images(count)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs), module(*inputs))
    module.train()
    assert compiled(*inputs).shape == inputs[0].shape


@pytest.mark.parametrize("index", range(len(MODULES)), ids=[case[0] for case in MODULES])
def test_the_source_of_a_layer_is_self_contained(index: int) -> None:
    """Their source is copied into generated models, which import only torch, nn, F, math and Any."""
    name, make, count = MODULES[index]
    module = make()
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "math": math, "Any": Any, "__name__": "generated"}
    exec(inspect.getsource(getattr(own_layers, name.split()[0])), names)
    alone = copy.copy(module)
    alone.__class__ = names[name.split()[0]]
    inputs = images(count)
    assert torch.equal(*same_draws(lambda x: module(*inputs), lambda x: alone(*inputs), inputs[0]))


def test_the_source_of_parameter_is_self_contained() -> None:
    names: dict[str, Any] = {"torch": torch, "nn": nn}
    exec(inspect.getsource(parameter), names)
    assert isinstance(names["parameter"]((2,), "normal", std=0.1), nn.Parameter)


def test_global_pools_equal_adaptive_pools() -> None:
    (x,) = images()
    pools: dict[str, Any] = {
        "global_avg_pool": F.adaptive_avg_pool2d,
        "global_max_pool": F.adaptive_max_pool2d,
    }
    for name, adaptive in pools.items():
        op = make_op(builtin_ops()[name], {})
        function = make_function(op, (TensorType.map(4, 6, 5),))
        assert torch.equal(function(x), adaptive(x, 1).flatten(1))


def test_channel_shuffle_equals_pytorch() -> None:
    op = make_op(builtin_ops()["channel_shuffle"], {"groups": 2})
    types = op.examples[0].types()
    (x,) = make_inputs(types)
    assert infer_types(op, types) == types[0]
    assert torch.equal(make_function(op, types)(x), nn.ChannelShuffle(2)(x))


@pytest.mark.parametrize("axes", ["CHW", "HWC"])
def test_scale_by_channels(axes: str) -> None:
    factors, shifts = [0.458, -2.0, 1.0], [-0.03, 0.0, 7.0]
    shape = tuple({"C": 3, "H": 4, "W": 5}[axis] for axis in axes)
    x = torch.randn(2, *shape)
    moved = x.movedim(1 + axes.index("C"), 0)
    for factor in (factors, 2.5):
        for shift in (shifts, -1.5, 0.0):
            scale = make_op(builtin_ops()["scale"], {"factor": factor, "shift": shift})
            ours = make_function(scale, (TensorType(shape, tuple(axes)),))(x).movedim(1 + axes.index("C"), 0)
            for channel in range(3):
                a = factor[channel] if isinstance(factor, list) else factor
                b = shift[channel] if isinstance(shift, list) else shift
                assert torch.equal(ours[channel], moved[channel] * a + b)
