"""What PyTorch rejects is rejected at shape inference, with a code and the parameter at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnngraph.fields import FieldError
from cnngraph.ops.op import Example, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from tests.ops.support import make_function, make_inputs

MAP = (4, 8, 6)

# op, arguments, input shapes, code, parameter at fault
BOTH_REJECT: list[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...], str, str | None]] = [
    ("roll", {"shifts": [1, 2], "dims": ["height"]}, (MAP,), "E205", "shifts"),
    ("conv", {"out": 8, "kernel": 3, "groups": 3}, (MAP,), "E208", "groups"),
    ("conv", {"out": 6, "kernel": 3, "groups": 4}, (MAP,), "E208", "groups"),
    ("conv", {"out": 8, "kernel": 9}, (MAP,), "E204", "kernel"),
    ("conv", {"out": 8, "kernel": 3, "dilation": 4}, (MAP,), "E204", "kernel"),
    ("conv", {"out": 8, "kernel": [1, 7]}, (MAP,), "E204", "kernel"),
    ("conv", {"out": 8, "kernel": 3, "padding": "same", "stride": 2}, (MAP,), "E205", "padding"),
    ("conv", {"out": 8, "kernel": 3, "padding": 6, "padding_mode": "reflect"}, (MAP,), "E205", "padding"),
    ("conv", {"out": 8, "kernel": 3, "padding": 7, "padding_mode": "circular"}, (MAP,), "E205", "padding"),
    ("conv", {"out": 8, "kernel": 12, "padding": "same", "padding_mode": "reflect"}, (MAP,), "E205", "padding"),
    ("conv_transpose", {"out": 8, "kernel": 3, "groups": 3}, (MAP,), "E208", "groups"),
    ("conv_transpose", {"out": 8, "kernel": 3, "stride": 2, "output_padding": 2}, (MAP,), "E205", "output_padding"),
    ("conv_transpose", {"out": 8, "kernel": 1, "padding": 5}, (MAP,), "E205", "padding"),
    ("conv_transpose", {"out": 8, "kernel": 1, "padding": 5}, ((4, 8),), "E205", "padding"),
    ("lp_pool", {"norm_type": 2, "kernel": 9}, ((4, 8),), "E204", "kernel"),
    ("max_pool", {"kernel": 9}, (MAP,), "E204", "kernel"),
    ("max_pool", {"kernel": 2, "padding": 2}, (MAP,), "E205", "padding"),
    ("max_pool", {"kernel": 3, "dilation": 2, "padding": "half"}, (MAP,), "E205", "padding"),
    ("max_pool", {"kernel": 10, "stride": 1, "ceil_mode": True}, (MAP,), "E204", "kernel"),
    ("avg_pool", {"kernel": 7}, (MAP,), "E204", "kernel"),
    ("avg_pool", {"kernel": 3, "padding": 2}, (MAP,), "E205", "padding"),
    ("lp_pool", {"norm_type": 2, "kernel": 7}, (MAP,), "E204", "kernel"),
    ("group_norm", {"num_groups": 3}, (MAP,), "E208", "num_groups"),
    ("instance_norm", {}, ((4, 1, 1),), "E201", None),
    ("instance_norm", {"affine": True}, ((4, 1),), "E201", None),
    ("local_response_norm", {"size": 5}, ((4,),), "E211", None),
    ("prelu", {"num_parameters": 3}, (MAP,), "E202", "num_parameters"),
    ("concat", {}, ((4, 8, 6), (4, 8, 5)), "E203", None),
    ("concat", {}, ((4, 8, 6), (4, 7, 6)), "E203", None),
    ("concat", {"dim": "height"}, ((4, 8, 6), (3, 8, 6)), "E202", None),
    ("add", {}, ((4, 8, 6), (3, 8, 6)), "E202", None),
    ("add", {}, ((4, 8, 6), (4, 8, 5)), "E203", None),
    ("sub", {}, ((4,), (3,)), "E202", None),
    ("mul", {}, ((4, 8, 6), (3, 1, 1)), "E202", None),
    ("mul", {}, ((4, 8, 6), (4, 1, 2)), "E203", None),
    ("maximum", {}, ((4, 8, 6), (4, 7, 5)), "E203", None),
    ("gate", {"mode": "shortcut"}, ((4, 8, 6), (3, 8, 6)), "E202", None),
    ("gate", {"mode": "exclusive"}, ((4, 8, 6), (4, 8, 5)), "E203", None),
    ("div", {}, ((4, 8, 6), (4, 8, 5)), "E203", None),
    ("matmul", {}, ((9, 4), (5, 9)), "E203", None),
    ("matmul", {"transpose": True}, ((9, 4), (4, 5)), "E203", None),
    ("matmul", {}, ((3, 9, 4), (2, 4, 9)), "E202", None),
    ("reshape", {"shape": [5, -1]}, (MAP,), "E203", "shape"),
    ("reshape", {"shape": [4, 8]}, (MAP,), "E203", "shape"),
    ("reshape", {"shape": [-1, -1]}, (MAP,), "E205", "shape"),
    ("reshape", {"shape": [0, 4]}, (MAP,), "E205", "shape"),
    ("permute", {"dims": [0, 1, 2]}, (MAP,), "E205", "dims"),
    ("permute", {"dims": [0, 1, 2, 2]}, (MAP,), "E205", "dims"),
    ("split", {"sizes": [1, 2]}, (MAP,), "E208", "sizes"),
    ("channel_shuffle", {"groups": 3}, (MAP,), "E208", "groups"),
    ("pixel_shuffle", {"upscale_factor": 3}, (MAP,), "E208", "upscale_factor"),
    ("pixel_unshuffle", {"downscale_factor": 4}, (MAP,), "E208", "downscale_factor"),
    ("pad", {"padding": [0, 6], "mode": "reflect"}, (MAP,), "E205", "padding"),
    ("pad", {"padding": [0, 7], "mode": "circular"}, (MAP,), "E205", "padding"),
    ("pad", {"padding": [-7, 0, 0, 0]}, (MAP,), "E205", "padding"),
    ("upsample", {"size": 3, "scale_factor": 2}, (MAP,), "E205", "size"),
    ("upsample", {}, (MAP,), "E205", "size"),
    ("upsample", {"scale_factor": 0.1}, (MAP,), "E205", "scale_factor"),
    ("upsample", {"scale_factor": 2, "align_corners": True}, (MAP,), "E205", "align_corners"),
    ("upsample", {"scale_factor": 2, "antialias": True}, (MAP,), "E205", "antialias"),
    ("drop_block", {"p": 0.5, "block": 2}, (MAP,), "E205", "block"),
    ("drop_block", {"p": 0.5, "block": 7}, (MAP,), "E204", "block"),
    ("parameter", {"shape": [4], "init": "kaiming_normal"}, (), "E205", "init"),
    ("parameter", {"shape": [4, 4], "init": "dirac"}, (), "E205", "init"),
    ("parameter", {"shape": [3, 4, 1], "init": {"dirac": {"groups": 2}}}, (), "E205", "init"),
    ("parameter", {"shape": [3, 4, 1], "init": {"sparse": {"sparsity": 0.1}}}, (), "E205", "init"),
]

# the same for which no code can be generated, with the call that PyTorch rejects
NO_CODE: list[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...], str, str | None, Callable[..., torch.Tensor]]] = [
    ("softmax", {"dim": 4}, (MAP,), "E211", "dim", lambda x: torch.softmax(x, 4)),
    ("concat", {}, ((4, 8, 6), (4,)), "E211", None, lambda x, y: torch.cat((x, y), 1)),
    ("mean", {"dim": ["height", -2]}, (MAP,), "E205", "dim", lambda x: x.mean((2, -2))),
    ("flatten", {"start_dim": 2, "end_dim": 1}, (MAP,), "E205", "start_dim", lambda x: torch.flatten(x, 2, 1)),
    ("roll", {"shifts": 1, "dims": 4}, (MAP,), "E211", "dims", lambda x: torch.roll(x, 1, 4)),
    ("flatten", {"start_dim": 4}, (MAP,), "E211", "start_dim", lambda x: torch.flatten(x, 4)),
]

# What PyTorch would run, but probably not as intended.
STRICTER: list[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...], tuple[str, ...], str]] = [
    ("linear", {"out": 8}, (MAP,), (), "E211"),
    ("conv_transpose", {"out": 8, "kernel": [2, 3]}, ((4, 8),), (), "E205"),
    ("adaptive_max_pool", {"output": [2, 3]}, ((4, 8),), (), "E205"),
    ("adaptive_avg_pool", {"output": [None, None]}, ((4, 8),), (), "E205"),
    ("linear", {"out": 8}, ((4, 1, 1),), (), "E211"),
    ("conv", {"out": 8, "kernel": 1}, ((8, 6, 4),), ("HWC",), "E211"),
    ("conv", {"out": 8, "kernel": 1}, ((8,),), (), "E211"),
    ("batch_norm", {}, ((8, 6, 4),), ("HWC",), "E211"),
    ("layer_norm", {}, ((8, 4, 6),), ("HCW",), "E211"),
    ("prelu", {"num_parameters": 8}, ((8, 6, 4),), ("HWC",), "E211"),
    ("add", {}, ((4, 4, 4), (4, 4, 4)), ("CHW", "HWC"), "E211"),
    ("matmul", {}, ((9, 4), (4,)), (), "E211"),
    ("attention", {}, (MAP, MAP, MAP), (), "E211"),
    ("attention", {"is_causal": True}, ((9, 8),) * 3 + ((1, 9, 9),), ("?C",) * 3, "E205"),
    ("sum", {"dim": ["channels", 1]}, (MAP,), (), "E205"),
    ("var", {"dim": "channels"}, ((1, 8, 6),), (), "E205"),
    ("mul", {}, ((4, 4, 4), (4,)), (), "E211"),
    ("softmax", {}, ((8, 6),), ("HW",), "E211"),
    ("scale", {"factor": [1, 2]}, (MAP,), (), "E202"),
    ("scale", {"factor": 2, "shift": [1]}, (MAP,), (), "E202"),
    ("scale", {"factor": [1, 2]}, ((2, 6),), ("HW",), "E211"),
    ("mean", {}, (MAP,), (), "E205"),
    ("mean", {"dim": "width"}, (MAP, MAP), (), "E210"),
    ("chunk", {"chunks": 3}, (MAP,), (), "E208"),
    ("slice", {"start": 4}, (MAP,), (), "E205"),
    ("permute", {"dims": [1, 0, 2, 3]}, (MAP,), (), "E205"),
    ("pad", {"padding": [0, -1], "mode": "reflect"}, (MAP,), (), "E205"),
    ("pad", {"padding": 0, "channels": 4, "mode": "reflect"}, (MAP,), (), "E205"),
    ("conv", {"out": 8, "kernel": 1}, (MAP, MAP), (), "E210"),
    ("gate", {"mode": "shortcut"}, (MAP,), (), "E210"),
    ("gate", {"mode": "shortcut", "kernel": 2}, (MAP, MAP), (), "E205"),
    ("parameter", {"shape": [1]}, (MAP,), (), "E210"),
    ("concat", {}, (), (), "E210"),
    ("upsample", {"scale_factor": 1e9}, (MAP,), (), "E502"),
    ("upsample", {"scale_factor": 1e300}, (MAP,), (), "E502"),
    ("pad", {"padding": 2**30}, (MAP,), (), "E502"),
    ("linear", {"out": 2**30}, ((4,),), (), "E502"),
    ("split", {"sizes": 1}, ((20_000,),), (), "E502"),
]


@pytest.mark.parametrize(("name", "arguments", "shapes", "code", "parameter"), BOTH_REJECT)
def test_pytorch_rejects_it_too(
    name: str, arguments: dict[str, Any], shapes: tuple[tuple[int, ...], ...], code: str, parameter: str | None
) -> None:
    op = make_op(builtin_ops()[name], arguments)
    types = Example({}, shapes, ()).types()
    with pytest.raises(OpError) as caught:
        infer_types(op, types)
    assert (caught.value.code, caught.value.parameter) == (code, parameter)
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        make_function(op, types)(*make_inputs(types))


@pytest.mark.parametrize(("name", "arguments", "shapes", "code", "parameter", "call"), NO_CODE)
def test_pytorch_rejects_the_call_too(
    name: str,
    arguments: dict[str, Any],
    shapes: tuple[tuple[int, ...], ...],
    code: str,
    parameter: str | None,
    call: Callable[..., torch.Tensor],
) -> None:
    types = Example({}, shapes, ()).types()
    with pytest.raises(OpError) as caught:
        infer_types(make_op(builtin_ops()[name], arguments), types)
    assert (caught.value.code, caught.value.parameter) == (code, parameter)
    with pytest.raises((RuntimeError, IndexError)):
        call(*make_inputs(types))


@pytest.mark.parametrize(("name", "arguments", "shapes", "axes", "code"), STRICTER)
def test_stricter_than_pytorch(
    name: str, arguments: dict[str, Any], shapes: tuple[tuple[int, ...], ...], axes: tuple[str, ...], code: str
) -> None:
    op = make_op(builtin_ops()[name], arguments)
    with pytest.raises(OpError) as caught:
        infer_types(op, Example({}, shapes, (), axes).types())
    assert caught.value.code == code


def test_most_ops_reject_a_free_parameter() -> None:
    (parameter,) = Example({}, (MAP,), (), free=(0,)).types()
    for name, arguments in {"prelu": {}, "max_pool": {"kernel": 1}, "batch_norm": {}}.items():
        with pytest.raises(OpError) as caught:
            infer_types(make_op(builtin_ops()[name], arguments), (parameter,))
        assert caught.value.code == "E212"
    with pytest.raises(OpError):  # one axis more than the image, which PyTorch would align with the batch
        infer_types(make_op(builtin_ops()["mul"], {}), Example({}, ((4,), (2, 4)), (), free=(1,)).types())


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("conv", {"kernel": 3}, "`conv` needs `out`"),
        ("conv", {"out": 8, "kernel": 3, "kernal": 3}, "`conv` has no parameter `kernal`"),
        ("conv", {"out": 8.0, "kernel": 3}, "`out` must be an integer"),
        ("conv", {"out": 8, "kernel": 0}, "`kernel` must be an integer of at least 1, or [height, width], got `0`"),
        ("conv", {"out": 8, "kernel": [3, 3, 3]}, "`kernel` must be"),
        ("conv", {"out": 8, "kernel": 3, "padding": "halve"}, "`padding` must be"),
        ("conv", {"out": True, "kernel": 3}, "`out` must be"),
        ("max_pool", {"kernel": 3, "padding": "same"}, "`padding` must be"),
        ("batch_norm", {"eps": 0}, "`eps` must be a number above 0, got `0`"),
        ("batch_norm", {"eps": float("nan")}, "`eps` must be"),
        ("batch_norm", {"eps": 10**400}, "`eps` must be"),
        ("scale", {"factor": float("inf")}, "`factor` must be a number, or a list"),
        ("dropout", {"p": 1.5}, "`p` must be a number from 0 to 1, got `1.5`"),
        ("softmax", {"dim": 0}, "`dim` must be"),
        ("concat", {"dim": "chanels"}, "`dim` must be"),
        ("adaptive_avg_pool", {"output": [1, 2, 3]}, "`output` must be"),
        ("adaptive_avg_pool", {"output": "big"}, "`output` must be"),
        ("pad", {"padding": [1, 2, 3]}, "`padding` must be"),
        ("upsample", {"scale_factor": -1}, "`scale_factor` must be a number above 0"),
        ("upsample", {"scale_factor": [1, 2, 3]}, "`scale_factor` must be"),
        ("reshape", {"shape": [4, 4], "axes": "CC"}, "`axes` must name each axis once"),
        ("reshape", {"shape": [4, 4], "axes": "CX"}, "`axes` must be"),
    ],
)
def test_invalid_arguments(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        make_op(builtin_ops()[name], arguments)
    assert caught.value.message.startswith(message)


def test_messages_and_helps() -> None:
    with pytest.raises(OpError) as caught:
        infer_types(make_op(builtin_ops()["linear"], {"out": 10}), Example({}, (MAP,), ()).types())
    assert caught.value.message == ("`linear` needs the channels as the last axis, got channels×height×width 4×8×6")
    assert caught.value.help == "insert `flatten` or `global_avg_pool` before it"
    with pytest.raises(OpError) as caught:
        infer_types(make_op(builtin_ops()["conv"], {"out": 1, "kernel": 1}), Example({}, (MAP,), (), ("HWC",)).types())
    assert caught.value.help == "insert `{op: permute, dims: [0, 3, 1, 2]}` before it"
    with pytest.raises(OpError) as caught:
        infer_types(
            make_op(builtin_ops()["conv"], {"out": 1, "kernel": 3, "dilation": 4}), Example({}, (MAP,), ()).types()
        )
    assert caught.value.message == "the kernel 3×3, which spans 9×9 with dilation 4, is larger than the map 8×6"


@pytest.mark.parametrize(
    ("name", "arguments", "shapes", "message", "help"),
    [
        ("add", {}, ((4, 8, 6), (3, 8, 6)), "", "insert a `conv` with `kernel: 1` before one of them"),
        (
            "add",
            {},
            ((4, 8, 6), (3, 4, 3)),
            ", and the same height and width",
            "insert a `conv` with `kernel: 1` and the `stride` that gives the other size before one of them",
        ),
        (
            "concat",
            {"dim": "height"},
            ((4, 8, 6), (3, 8, 5)),
            ", and the same sizes on all other axes",
            "insert a `conv` with `kernel: 1` and the `stride` that gives the other size before one of them",
        ),
        ("mul", {}, ((4,), (3,)), "", "insert a `linear` before one of them"),
        ("sub", {}, ((9, 4), (7, 3)), ", and the same sizes", "insert a `linear` before one of them"),
    ],
)
def test_unequal_channels_and_other_sizes(
    name: str, arguments: dict[str, Any], shapes: tuple[tuple[int, ...], ...], message: str, help: str
) -> None:
    """The message names all sizes that differ, and the help mends all of them."""
    axes = ("?C", "?C") if len(shapes[0]) == 2 else ()
    with pytest.raises(OpError) as caught:
        infer_types(make_op(builtin_ops()[name], arguments), Example({}, shapes, (), axes).types())
    assert caught.value.message == f"the inputs of `{name}` must have the same number of channels{message}"
    assert (caught.value.code, caught.value.help) == ("E202", help)


def test_optional_parameters_may_be_null() -> None:
    with pytest.raises(FieldError) as caught:
        make_op(builtin_ops()["max_pool"], {"kernel": 3, "stride": {}})
    assert caught.value.message == "`stride` must be an integer of at least 1, or [height, width], or null, got `{}`"


def test_batch_norm_accepts_a_single_position_if_it_keeps_running_estimates() -> None:
    op = make_op(builtin_ops()["batch_norm"], {})
    types = Example({}, ((4, 1, 1),), ()).types()
    infer_types(op, types)
    assert make_function(op, types)(torch.randn(2, 4, 1, 1)).shape == (2, 4, 1, 1)
