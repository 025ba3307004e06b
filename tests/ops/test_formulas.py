"""What the ops compute, compared with PyTorch's functions and with the formulas of the papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.ops.op import Example, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from tests.ops.support import expected, make_function, make_inputs, sizes_of

MAP = (4, 5, 6)
TOKENS = (9, 8)
Shapes = tuple[tuple[int, ...], ...]


def heads(x: Tensor, count: int) -> Tensor:
    divided: Tensor = x.unflatten(-1, (count, -1))
    return divided.transpose(-3, -2)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | float = 0.0, count: int = 1) -> Tensor:
    """The formula of Vaswani et al. 2017."""
    q, k, v = (heads(x, count) for x in (q, k, v))
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    attended: Tensor = (scores.softmax(-1) @ v).transpose(-3, -2).flatten(-2)
    return attended


def blurred(x: Tensor, row: list[float], stride: int, padding: int, mode: str) -> Tensor:
    kernel = torch.tensor(row)[:, None] * torch.tensor(row)
    return F.conv2d(F.pad(x, [padding] * 4, mode), (kernel / kernel.sum()).expand(4, 1, -1, -1), None, stride, groups=4)


# op, parameters, input shapes, their axes, free inputs, the same in PyTorch
CASES: list[tuple[str, dict[str, Any], Shapes, tuple[str, ...], tuple[int, ...], Callable[..., Tensor]]] = [
    ("add", {}, (MAP, (4, 1, 1)), (), (), torch.add),
    ("add", {}, (MAP, (4,)), ("CHW", "C"), (1,), lambda x, p: x + p.view(4, 1, 1)),
    ("add", {}, ((6, 5, 4), (6, 4)), ("WHC", "WC"), (1,), lambda x, p: x + p.view(6, 1, 4)),
    ("add", {}, (TOKENS, (1, 9, 8)), ("?C",), (1,), torch.add),
    ("sub", {}, ((4,), MAP), ("C", "CHW"), (0,), lambda p, x: p.view(4, 1, 1) - x),
    ("mul", {}, (MAP, (4, 6)), ("CHW", "CW"), (1,), lambda x, p: x * p.view(4, 1, 6)),
    ("mul", {}, ((4, 4, 4), (4,)), ("CHW", "H"), (1,), lambda x, p: x * p.view(4, 1)),
    ("mul", {}, ((4, 4, 4), (4,)), ("CHW", "?"), (1,), torch.mul),
    ("div", {}, (MAP, (1, 5, 6)), (), (), torch.div),
    ("maximum", {}, (MAP, (4,), (1, 1, 1)), ("CHW", "C"), (1,), lambda x, p, y: x.maximum(p.view(4, 1, 1)).maximum(y)),
    ("concat", {"dim": 1}, ((1, 1, 8), TOKENS), ("???", "?C"), (0,), lambda p, x: torch.cat((p.expand(2, 1, 8), x), 1)),
    ("concat", {}, (MAP, (2, 5, 6)), ("CHW", "CHW"), (1,), lambda x, p: torch.cat((x, p.expand(2, 2, 5, 6)), 1)),
    ("concat", {"dim": 1}, ((2, 8), (3, 8)), ("?C", "?C"), (0, 1), lambda p, q: torch.cat((p, q), 0)),
    ("matmul", {}, ((9, 5), (5, 4)), ("??", "?C"), (), torch.matmul),
    ("matmul", {"transpose": True}, ((3, 9, 5), (3, 7, 5)), ("???", "???"), (), lambda a, b: a @ b.mT),
    ("matmul", {}, ((3, 9, 5), (5, 7)), ("???", "??"), (1,), torch.matmul),
    ("matmul", {"transpose": True}, ((4,), (7, 4)), ("C", "??"), (1,), F.linear),
    ("attention", {"num_heads": 2}, (TOKENS, (5, 8), (5, 6)), ("?C",) * 3, (), lambda q, k, v: attend(q, k, v, 0.0, 2)),
    (
        "attention",
        {"num_heads": 4},
        ((3, 9, 8), (3, 9, 8), (3, 9, 8), (4, 9, 9)),
        ("??C", "??C", "??C", "???"),
        (3,),
        lambda q, k, v, bias: attend(q, k, v, bias, 4),
    ),
    (
        "attention",
        {},
        ((3, 9, 8), (3, 5, 8), (3, 5, 8), (3, 1, 1, 5)),
        ("??C", "??C", "??C", "????"),
        (),
        attend,
    ),
    (
        "attention",
        {"num_heads": 2},
        ((3, 9, 8), (3, 5, 8), (3, 5, 8), (3, 2, 9, 5)),
        ("??C", "??C", "??C", "????"),
        (3,),
        lambda q, k, v, bias: attend(q, k, v, bias, 2),
    ),
    (
        "attention",
        {"scale": 0.5, "is_causal": True},
        (TOKENS,) * 3,
        ("?C",) * 3,
        (),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5),
    ),
    ("sum", {"dim": "channels"}, (MAP,), (), (), lambda x: x.sum(1)),
    ("max", {"dim": ["height", 3]}, (MAP,), (), (), lambda x: x.flatten(2).max(2).values),
    ("var", {"dim": "width", "keepdim": True}, (MAP,), (), (), lambda x: x.var(3, keepdim=True)),
    ("var", {"dim": "width", "correction": 0}, (MAP,), (), (), lambda x: x.var(3, unbiased=False)),
    ("norm", {"dim": "channels"}, (MAP,), (), (), lambda x: x.square().sum(1).sqrt()),
    ("norm", {"dim": ["height", "width"], "p": 3}, (MAP,), (), (), lambda x: x.abs().pow(3).sum((2, 3)) ** (1 / 3)),
    ("sum", {"dim": 1}, ((3, 8),), ("?C",), (0,), lambda p: p.sum(0)),
    ("exp", {}, (MAP,), (), (0,), torch.exp),
    ("pow", {"exponent": 3}, (MAP,), (), (), lambda x: x * x * x),
    ("index", {"dim": 1, "index": 0}, (TOKENS,), ("?C",), (), lambda x: x[:, 0]),
    ("index", {"index": [3, 0, 0]}, (MAP,), (), (), lambda x: x.index_select(1, torch.tensor([3, 0, 0]))),
    ("index", {"dim": 1, "index": -2}, (TOKENS,), ("?C",), (0,), lambda p: p[-2]),
    ("reshape", {"shape": [8, 9]}, (TOKENS,), ("?C",), (0,), lambda p: p.reshape(8, 9)),
    ("permute", {"dims": [0, 3, 1, 2]}, (MAP,), (), (0,), lambda p: p.permute(2, 0, 1)),
    ("slice", {"dim": 2, "start": 1}, (MAP,), (), (0,), lambda p: p[:, 1:]),
    ("softmax", {"dim": 1}, ((3,),), ("?",), (0,), lambda p: p.softmax(0)),
    ("scale", {"factor": [1, 2], "shift": 3}, ((2, 5),), ("C?",), (0,), lambda p: p * torch.tensor([[1.0], [2.0]]) + 3),
    ("unfold", {"kernel": [2, 3], "padding": 1}, (MAP,), (), (), lambda x: F.unfold(x, (2, 3), padding=1)),
    ("fold", {"output": 4, "kernel": 2}, ((12, 9),), (), (), lambda x: F.fold(x, 4, 2)),
    ("l2_normalize", {}, (MAP,), (), (), lambda x: x / x.square().sum(1, keepdim=True).sqrt()),
    ("rms_norm", {}, (TOKENS,), ("?C",), (), lambda x: F.rms_norm(x, (8,))),
    ("rms_norm", {"eps": 0.1}, (MAP,), (), (), lambda x: x * (x.square().mean(1, keepdim=True) + 0.1).rsqrt()),
    (
        "roll",
        {"shifts": [2, -1], "dims": ["height", "width"]},
        (MAP,),
        (),
        (),
        lambda x: torch.roll(x, (2, -1), (2, 3)),
    ),
    (
        "upsample",
        {"mode": "bicubic"},
        (MAP, (2, 9, 7)),
        ("CHW", "CHW"),
        (0,),
        lambda p, x: F.interpolate(p[None], x.shape[2:], mode="bicubic")[0],
    ),
    (
        "upsample",
        {"size": 3, "mode": "bilinear", "antialias": True},
        (MAP,),
        (),
        (),
        lambda x: F.interpolate(x, 3, mode="bilinear", antialias=True),
    ),
    ("roll", {"shifts": -1, "dims": 2}, ((5, 6, 4),), ("HWC",), (), lambda x: x[:, :, [1, 2, 3, 4, 5, 0]]),
    ("roll", {"shifts": 7, "dims": 1}, ((3, 4),), ("??",), (0,), lambda p: p[[2, 0, 1]]),
    ("sin", {}, (MAP,), (), (), torch.sin),
    ("cos", {}, (MAP,), (), (), torch.cos),
    ("log", {}, (MAP,), (), (), lambda x: x.log()),
    ("hardtanh", {"min_val": 0, "max_val": 0.5}, (MAP,), (), (), lambda x: x.clamp(0, 0.5)),
    ("blur_pool", {}, (MAP,), (), (), lambda x: blurred(x, [1, 2, 1], 2, 1, "reflect")),
    (
        "blur_pool",
        {"kernel": 4, "stride": 1, "padding": 2, "padding_mode": "zeros"},
        (MAP,),
        (),
        (),
        lambda x: blurred(x, [1, 3, 3, 1], 1, 2, "constant"),
    ),
    ("global_avg_pool", {}, ((4, 9),), (), (), lambda x: x.mean(2)),
    ("global_max_pool", {}, ((4, 9),), (), (), lambda x: x.amax(2)),
    ("max_pool", {"kernel": 3, "stride": 2}, ((4, 9),), (), (), lambda x: F.max_pool1d(x, 3, 2)),
    ("adaptive_avg_pool", {"output": 4}, ((4, 9),), (), (), lambda x: F.adaptive_avg_pool1d(x, 4)),
    ("adaptive_max_pool", {"output": 4}, ((4, 9),), (), (), lambda x: F.adaptive_max_pool1d(x, 4)),
    ("lp_pool", {"norm_type": 1, "kernel": 3}, ((4, 9),), (), (), lambda x: 3 * F.avg_pool1d(x, 3)),
    ("avg_pool", {"kernel": 3, "padding": "half"}, ((4, 9),), (), (), lambda x: F.avg_pool1d(x, 3, 3, 1)),
]


@pytest.mark.parametrize(("name", "arguments", "shapes", "axes", "free", "reference"), CASES)
def test_an_op_computes_what_pytorch_does(
    name: str,
    arguments: dict[str, Any],
    shapes: Shapes,
    axes: tuple[str, ...],
    free: tuple[int, ...],
    reference: Callable[..., Tensor],
) -> None:
    op = make_op(builtin_ops()[name], arguments)
    types = Example({}, shapes, (), axes, free).types()
    inputs = make_inputs(types)
    result = make_function(op, types)(*inputs)
    torch.testing.assert_close(result, reference(*inputs), equal_nan=True)
    assert sizes_of(result) == expected(infer_types(op, types))


@pytest.mark.parametrize("axes", ["CHW", "HWC"])
def test_global_response_norm_is_that_of_convnext_v2(axes: str) -> None:
    """Algorithm 1 of Woo et al. 2023, on N×H×W×C."""
    types = Example({}, (tuple({"C": 4, "H": 5, "W": 6}[axis] for axis in axes),), (), (axes,)).types()
    norm = make_function(make_op(builtin_ops()["global_response_norm"], {}), types)
    (x,) = make_inputs(types)
    assert torch.equal(norm(x), x)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    last = x if axes == "HWC" else x.permute(0, 2, 3, 1)
    gx = torch.norm(last, p=2, dim=(1, 2), keepdim=True)
    nx = gx / (gx.mean(dim=-1, keepdim=True) + 1e-6)
    y = norm.weight * (last * nx) + norm.bias + last
    torch.testing.assert_close(norm(x), y if axes == "HWC" else y.permute(0, 3, 1, 2))


@pytest.mark.parametrize("gamma", [None, 1.7])
def test_standardised_kernels_have_mean_0_and_variance_1(gamma: float | None) -> None:
    """Equation 1 of Brock et al. 2021; without `gamma`, section 2 of Qiao et al. 2019."""
    arguments = {"out": 6, "kernel": 3, "groups": 2, "standardize": True, "eps": 1e-9, "gamma": gamma}
    types = Example({}, (MAP,), ()).types()
    conv = make_function(make_op(builtin_ops()["conv"], arguments), types)
    (x,) = make_inputs(types)
    kernels = conv.weight.flatten(1)
    kernels = (kernels - kernels.mean(1, keepdim=True)) / kernels.std(1, correction=0, keepdim=True)
    if gamma is not None:
        nn.init.normal_(conv.gain)
        kernels = kernels * gamma * conv.gain.flatten(1) / 18**0.5
    torch.testing.assert_close(conv(x), F.conv2d(x, kernels.view(6, 2, 3, 3), conv.bias, groups=2))


def test_a_vector_is_convolved_along_its_channels() -> None:
    """The attention of ECA (Wang et al. 2020)."""
    op = make_op(builtin_ops()["conv"], {"out": 1, "kernel": 3, "padding": "half", "bias": False})
    types = Example({}, ((1, 12),), ()).types()
    conv, (x,) = make_function(op, types), make_inputs(types)
    assert tuple(conv.weight.shape) == (1, 1, 3)
    torch.testing.assert_close(conv(x), F.conv1d(x, conv.weight, padding=1))


def test_constants() -> None:
    for arguments, tensor in (
        ({"value": [[1, 2.5], [3, 4]]}, torch.tensor([[1, 2.5], [3, 4]])),
        ({"value": 2, "shape": [3, 1]}, torch.full((3, 1), 2.0)),
    ):
        constant = make_function(make_op(builtin_ops()["constant"], arguments), ())
        assert torch.equal(constant(), tensor)
