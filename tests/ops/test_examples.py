"""Every example of every op: inferred shapes and parameters equal those of PyTorch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnngraph.fields import fields_of
from cnngraph.ops.op import Example, Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import CHANNELS, HEIGHT, WIDTH
from tests.ops.support import BATCH, expected, make_function, make_inputs, sizes_of


def examples(chosen: Callable[[type[Op]], bool] = lambda cls: True) -> pytest.MarkDecorator:
    """Parametrise a test with every example of the chosen ops."""
    params = [
        pytest.param(cls, example, id=f"{name}-{number}")
        for name, cls in builtin_ops().items()
        if chosen(cls)
        for number, example in enumerate(cls.examples)
    ]
    return pytest.mark.parametrize(("cls", "example"), params)


@examples()
def test_shapes_equal_those_of_pytorch(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    result = infer_types(op, types)
    sizes = [item.sizes for item in result] if isinstance(result, tuple) else result.sizes
    assert sizes == example.output
    assert sizes_of(make_function(op, types)(*make_inputs(types))) == expected(result)
    with torch.device("meta"):
        function = make_function(op, types)
    if isinstance(function, nn.Module):
        function.eval()
    assert sizes_of(function(*make_inputs(types, "meta"))) == expected(result)


@examples(lambda cls: cls.layer is not Op.layer)
def test_state_equals_that_of_pytorch(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    module = make_function(op, types)
    if not isinstance(module, nn.Module):
        state = {**op.parameters(), **op.buffers()}
        assert state == (
            {"": tuple(module().shape)} if isinstance(module(), nn.Parameter) or module().persistent else {}
        )
        return
    parameters = {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
    assert list(op.parameters(*types).items()) == list(parameters.items())
    state = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert list({**op.parameters(*types), **op.buffers(*types)}.items()) == list(state.items())


@examples(lambda cls: cls.inputs != (0, 0))
def test_macs_equal_those_that_pytorch_counts(cls: type[Op], example: Example) -> None:
    """On the meta device, where FlopCounterMode sees the matrix products of attention."""
    op, types = make_op(cls, example.arguments), example.types()
    images = BATCH if any(tensor_type.batched for tensor_type in types) else 1
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        function = make_function(op, types)
        if isinstance(function, nn.Module):
            function.eval()
        function(*make_inputs(types, "meta"))
    assert counter.get_total_flops() == 2 * images * op.macs(*types)


@examples()
def test_stateless_ops_have_no_weights(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    assert op.is_stateless == (op.layer(*types) is None)
    if op.is_stateless:
        assert not op.parameters(*types)
        assert not op.buffers(*types)


@examples(lambda cls: cls.runs_inplace)
def test_inplace_computes_the_same(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    plain = make_function(op, types)
    inplace = copy.deepcopy(plain)
    inplace.inplace = True
    (x,) = make_inputs(types, requires_grad=True)
    results = [plain(x), inplace(x * 1)]
    gradients = [torch.autograd.grad(output.square().sum(), x)[0] for output in results]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("training", [True, False])
@examples(lambda cls: cls.output_is_free)
def test_a_free_output_may_be_overwritten(cls: type[Op], example: Example, training: bool) -> None:
    """The op's backward pass does not need its output, which is neither an input nor a view of one."""
    op, types = make_op(cls, example.arguments), example.types()
    function = make_function(op, types)
    if isinstance(function, nn.Module):
        function.train(training)
    inputs = make_inputs(types, requires_grad=True)
    before = [tensor.detach().clone() for tensor in inputs]
    gradients = []
    for finish in (torch.relu, torch.relu_):
        # Copies, because PyTorch forbids overwriting a view of a leaf.
        copies = [tensor * 1 for tensor in inputs]
        result = function(*copies)
        assert all(result.data_ptr() != tensor.data_ptr() for tensor in copies)
        loss = finish(result).square().sum()
        gradients.append(torch.autograd.grad(loss, inputs, allow_unused=True))
        for tensor, original in zip(copies, before, strict=True):
            assert torch.equal(tensor.detach(), original)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cls", builtin_ops().values())
def test_every_op_and_parameter_is_documented(cls: type[Op]) -> None:
    assert cls.examples
    assert inspect.getdoc(cls)
    for name, field in fields_of(cls).items():
        assert field.doc, name
        if not field.required:
            plain: Any = list(field.default) if isinstance(field.default, tuple) else field.default
            assert field.kind.convert(plain) == field.default, name


@examples(lambda cls: any(len(example.inputs) > 0 for example in cls.examples))
def test_channels_depend_on_height_and_width_only_for_declared_ops(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    larger = tuple(
        type_.with_sizes(**{name: 2 * size for name in (HEIGHT, WIDTH) if (size := type_.size(name))})
        for type_ in types
    )
    small = infer_types(op, types)
    try:
        large = infer_types(op, larger)
    except OpError:
        pytest.skip("the op refuses the larger map")
    first, second = (
        [type_.size(CHANNELS) for type_ in (result if isinstance(result, tuple) else (result,))]
        for result in (small, large)
    )
    assert cls.mixes_sizes or first == second
