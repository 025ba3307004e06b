"""Sizes that are computed when the network runs: TensorFlow's padding, and the size of a second map."""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.ops.op import Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import TensorType
from tests.ops.support import make_function

SIZES = [(size, other) for size in range(1, 10) for other in (4, 7)]
WINDOWS = list(product(range(1, 6), range(1, 6), range(1, 4)))  # kernel, stride and dilation of the rows


def made(name: str, **arguments: Any) -> Op:
    return make_op(builtin_ops()[name], arguments)


def tensorflow_sides(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's `SAME`, by its documentation, whose padding of dilated windows is that of their extent."""
    extent = (kernel - 1) * dilation + 1
    total = max(extent - stride, 0) if size % stride == 0 else max(extent - size % stride, 0)
    return total // 2, total - total // 2


def padded(x: Tensor, kernel: int, stride: int, dilation: int, value: float = 0.0) -> Tensor:
    """The map with TensorFlow's padding for a window [kernel, 2] with the stride [stride, 1]."""
    rows = tensorflow_sides(x.shape[2], kernel, stride, dilation)
    return F.pad(x, (*tensorflow_sides(x.shape[3], 2, 1, 1), *rows), value=value)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
@pytest.mark.parametrize("standardize", [False, True])
def test_the_convolution_has_tensorflows_padding(kernel: int, stride: int, dilation: int, standardize: bool) -> None:
    window: dict[str, Any] = {"kernel": [kernel, 2], "stride": [stride, 1], "dilation": [dilation, 1]}
    op = made("conv", out=3, padding="tf_same", standardize=standardize, **window)
    layer = make_function(op, (TensorType.map(2, 5, 5),))  # one module for all sizes
    plain = make_function(made("conv", out=3, standardize=standardize, **window), (TensorType.map(2, 50, 50),))
    plain.load_state_dict(layer.state_dict())
    for size in SIZES:
        x = torch.randn(2, 2, *size)
        expected = plain(padded(x, kernel, stride, dilation))
        torch.testing.assert_close(layer(x), expected)
        assert infer_types(op, (TensorType.map(2, *size),)) == TensorType.map(*expected.shape[1:])
        assert expected.shape[2:] == (-(-size[0] // stride), size[1])


@pytest.mark.parametrize(("kernel", "stride", "dilation"), WINDOWS)
def test_the_poolings_have_tensorflows_padding(kernel: int, stride: int, dilation: int) -> None:
    window, step = (kernel, 2), (stride, 1)
    options: dict[str, Any] = {"kernel": list(window), "stride": list(step), "padding": "tf_same"}
    largest = made("max_pool", dilation=[dilation, 1], **options)
    for size in SIZES:
        x, type_ = torch.randn(2, 2, *size), TensorType.map(2, *size)
        expected = F.max_pool2d(padded(x, kernel, stride, dilation, -torch.inf), window, step, 0, (dilation, 1))
        if not expected.isfinite().all():  # a window without a point on the map
            with pytest.raises(OpError, match="covers only padding"):
                infer_types(largest, (type_,))
        else:
            assert infer_types(largest, (type_,)) == TensorType.map(*expected.shape[1:])
            assert torch.equal(make_function(largest, (type_,))(x), expected)
        if dilation > 1:
            continue
        sums = F.avg_pool2d(padded(x, kernel, stride, 1), window, step, divisor_override=1)
        counts = F.avg_pool2d(padded(torch.ones_like(x), kernel, stride, 1), window, step, divisor_override=1)
        means = {"count_include_pad": sums / (2 * kernel), "divisor_override": sums / 3, "tensorflow": sums / counts}
        more: dict[str, dict[str, Any]] = {
            "divisor_override": {"divisor_override": 3},
            "tensorflow": {"count_include_pad": False},
        }
        for name, mean in means.items():
            op = made("avg_pool", **options, **more.get(name, {}))
            assert infer_types(op, (type_,)) == TensorType.map(*mean.shape[1:])
            torch.testing.assert_close(make_function(op, (type_,))(x), mean)


def test_the_padding_equals_that_of_timm() -> None:
    layers = pytest.importorskip("timm.layers")
    for kernel, stride, dilation in WINDOWS:
        theirs = layers.create_conv2d(2, 4, kernel, stride=stride, dilation=dilation, padding="same")
        op = made("conv", out=4, kernel=kernel, stride=stride, dilation=dilation, padding="tf_same", bias=False)
        ours = make_function(op, (TensorType.map(2, 7, 7),))
        ours.load_state_dict(theirs.state_dict())
        for size in SIZES:
            x = torch.randn(2, 2, *size)
            assert torch.equal(ours(x), theirs(x)), (kernel, stride, dilation, size)


def test_padding_that_does_not_depend_on_the_size_is_pytorchs() -> None:
    types = (TensorType.map(4, 8, 9),)
    layers = [
        (made("conv", out=4, kernel=3, padding="tf_same"), "Conv2d(4, 4, kernel_size=3, padding=1)"),
        (made("conv", out=4, kernel=2, padding="tf_same"), "Conv2d(4, 4, kernel_size=2, padding=same)"),
        (made("conv", out=4, kernel=2, stride=2, padding="tf_same"), "SameConv2d(4, 4, kernel_size=2, stride=2)"),
        (made("max_pool", kernel=3, stride=1, padding="tf_same"), "MaxPool2d(kernel_size=3, stride=1, padding=1)"),
        (made("avg_pool", kernel=2, padding="tf_same"), "SameAvgPool2d((2, 2), (2, 2))"),
    ]
    assert [str(op.layer(*types)) for op, _ in layers] == [text for _, text in layers]


@pytest.mark.parametrize("size", [(5, 6), (7, 9), (6, 6), (12, 11), (3, 9), (2, 2)])
@pytest.mark.parametrize("other", [(6, 6), (7, 7), (4, 9)])
def test_a_map_is_padded_or_cropped_to_the_size_of_another(size: tuple[int, int], other: tuple[int, int]) -> None:
    x, like = torch.randn(2, 3, *size), torch.randn(2, 1, *other)
    layer = make_function(made("pad", value=0.5), (TensorType.map(3, 50, 50), TensorType.map(1, 3, 3)))
    found = layer(x, like)
    assert found.shape == (2, 3, *other)
    rows, columns = other[0] - size[0], other[1] - size[1]
    expected = F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2], value=0.5)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_a_map_is_pooled_to_the_size_of_another(name: str) -> None:
    function = make_function(made(name), (TensorType.map(3, 8, 8), TensorType.map(1, 4, 4)))
    for size in ((4, 4), (3, 5), (9, 2)):
        x, like = torch.randn(2, 3, 9, 7), torch.randn(2, 1, *size)
        assert torch.equal(function(x, like), getattr(F, f"{name}2d")(x, size))


LIKE = ["pad", "upsample", "adaptive_avg_pool", "adaptive_max_pool"]
GIVEN = {"pad": {"padding": 1}, "upsample": {"size": 4}, **{name: {"output": 4} for name in LIKE[2:]}}


@pytest.mark.parametrize("name", LIKE)
def test_the_size_is_given_once(name: str) -> None:
    image, vector = TensorType.map(3, 8, 8), TensorType.vector(3)
    (parameter,) = GIVEN[name]
    for arguments, inputs in ((GIVEN[name], (image, image)), ({}, (image,))):
        with pytest.raises(OpError) as caught:
            infer_types(made(name, **arguments), inputs)
        assert (caught.value.code, caught.value.parameter) == ("E205", parameter)
    with pytest.raises(OpError, match="needs a channels×height×width map"):
        infer_types(made(name), (image, vector))
    with pytest.raises(OpError, match="order of height and width"):
        infer_types(made(name), (image, TensorType((3, 8, 8), tuple("CWH"))))


@pytest.mark.parametrize(
    ("name", "arguments", "sizes", "parameter"),
    [
        ("conv", {"out": 8, "kernel": 3, "padding": "tf_same"}, [(4, 9)], "padding"),
        ("max_pool", {"kernel": 3, "padding": "tf_same"}, [(4, 9)], "padding"),
        ("avg_pool", {"kernel": 3, "padding": "tf_same"}, [(4, 9)], "padding"),
        ("conv", {"out": 8, "kernel": 3, "padding": "tf_same", "padding_mode": "reflect"}, [(4, 9, 9)], "padding_mode"),
        ("pad", {"channels": 2}, [(4, 9, 9), (4, 9, 9)], "channels"),
        ("pad", {"mode": "reflect"}, [(4, 9, 9), (4, 6, 9)], "padding"),
        ("pad", {"mode": "reflect"}, [(4, 3, 3), (4, 9, 9)], "padding"),
    ],
)
def test_refusals(name: str, arguments: dict[str, Any], sizes: list[tuple[int, ...]], parameter: str) -> None:
    with pytest.raises(OpError) as caught:
        infer_types(made(name, **arguments), tuple(map(TensorType.of, sizes)))
    assert (caught.value.code, caught.value.parameter) == ("E205", parameter)


class Call(nn.Module):
    """An op as a module with two inputs, of which the second gives the size if the op reads it."""

    def __init__(self, name: str, **arguments: Any) -> None:
        super().__init__()
        op = made(name, **arguments)
        self.two = not arguments or name == "pad"
        self.call = make_function(op, (TensorType.map(4, 12, 10), TensorType.map(4, 8, 9))[: 1 + self.two])

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        result: Tensor = self.call(x, like) if self.two else self.call(x) + 0 * like.sum()
        return result


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("conv", {"out": 4, "kernel": 3, "stride": 2, "padding": "tf_same"}),
    ("conv", {"out": 4, "kernel": [2, 5], "stride": [3, 2], "padding": "tf_same", "standardize": True}),
    ("max_pool", {"kernel": 3, "stride": 2, "padding": "tf_same"}),
    ("max_pool", {"kernel": 2, "stride": 3, "padding": "tf_same"}),
    ("avg_pool", {"kernel": 3, "stride": 2, "padding": "tf_same"}),
    ("avg_pool", {"kernel": 2, "stride": 3, "padding": "tf_same", "count_include_pad": False}),
    ("pad", {"value": 1}),
    ("upsample", {}),
    ("adaptive_avg_pool", {}),
    ("adaptive_max_pool", {}),
]
OTHERS = [((12, 10), (8, 9)), ((13, 11), (7, 12)), ((5, 8), (6, 7)), ((9, 6), (4, 13)), ((11, 12), (9, 5))]


@pytest.mark.parametrize("form", ["traced", "compiled", "exported", "symbolically traced"])
@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CALLS)])
def test_the_size_is_computed_in_every_form(name: str, arguments: dict[str, Any], form: str) -> None:
    module = Call(name, **arguments).eval()
    inputs = [torch.randn(2, 4, *size) for size in OTHERS[0]]
    other: Any
    if form == "traced":
        file = io.BytesIO()
        torch.jit.save(torch.jit.trace(module, inputs), file)
        file.seek(0)
        other = torch.jit.load(file)
    elif form == "compiled":
        torch.compiler.reset()
        other = torch.compile(module, backend="eager", fullgraph=True, dynamic=True)
    elif form == "exported":
        sizes = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
        program = torch.export.export(module, tuple(inputs), dynamic_shapes=(sizes, sizes))
        other = program.module()
    else:
        other = torch.fx.symbolic_trace(module)
    for size, like in OTHERS:
        x, second = torch.randn(3, 4, *size), torch.randn(3, 4, *like)
        if (name, form) == ("adaptive_max_pool", "exported") and like != OTHERS[0][1]:
            with pytest.raises(AssertionError, match="Guard failed: like"):  # the exporter makes its output constant
                other(x, second)
            continue
        torch.testing.assert_close(other(x, second), module(x, second))
