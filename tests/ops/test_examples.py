"""Every example of every op: the static answers are those of PyTorch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnngraph.fields import fields_of
from cnngraph.ops.op import Example, Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import CHANNELS, HEIGHT, WIDTH
from tests.ops.support import expected, make_function, make_inputs, sizes_of


def examples(wanted: Callable[[type[Op]], bool] = lambda cls: True) -> pytest.MarkDecorator:
    """A test of every example of the wanted ops."""
    params = [
        pytest.param(cls, example, id=f"{name}-{number}")
        for name, cls in builtin_ops().items()
        if wanted(cls)
        for number, example in enumerate(cls.examples)
    ]
    return pytest.mark.parametrize(("cls", "example"), params)


@examples()
def test_shapes_agree(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    result = infer_types(op, types)
    sizes = [each.sizes for each in result] if isinstance(result, tuple) else result.sizes
    assert sizes == example.output
    assert sizes_of(make_function(op, types)(*make_inputs(types))) == expected(result)
    with torch.device("meta"):
        function = make_function(op, types)
    if isinstance(function, nn.Module):
        function.eval()
    assert sizes_of(function(*make_inputs(types, "meta"))) == expected(result)


@examples(lambda cls: cls.layer is not Op.layer)
def test_state_agrees(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    module = make_function(op, types)
    if not isinstance(module, nn.Module):
        assert op.parameters() == {"": tuple(module().shape)}
        return
    parameters = {name: tuple(each.shape) for name, each in module.named_parameters()}
    assert list(op.parameters(*types).items()) == list(parameters.items())
    state = {name: tuple(each.shape) for name, each in module.state_dict().items()}
    assert list({**op.parameters(*types), **op.buffers(*types)}.items()) == list(state.items())


@examples()
def test_stateless_ops_have_no_weights(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    assert op.is_stateless == (op.layer(*types) is None)
    if op.is_stateless:
        assert not op.parameters(*types)
        assert not op.buffers(*types)


@examples(lambda cls: cls.runs_inplace)
def test_inplace_is_the_same(cls: type[Op], example: Example) -> None:
    op, types = make_op(cls, example.arguments), example.types()
    plain = make_function(op, types)
    inplace = copy.deepcopy(plain)
    inplace.inplace = True
    (x,) = make_inputs(types, requires_grad=True)
    results = [plain(x), inplace(x * 1)]
    gradients = [torch.autograd.grad(each.square().sum(), x)[0] for each in results]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("training", [True, False])
@examples(lambda cls: cls.output_is_free)
def test_a_free_output_may_be_overwritten(cls: type[Op], example: Example, training: bool) -> None:
    """Neither the op's backward pass needs it nor is it an input or a view of one."""
    op, types = make_op(cls, example.arguments), example.types()
    function = make_function(op, types)
    if isinstance(function, nn.Module):
        function.train(training)
    inputs = make_inputs(types, requires_grad=True)
    before = [each.detach().clone() for each in inputs]
    gradients = []
    for finish in (torch.relu, torch.relu_):
        # PyTorch guards views itself: a leaf that is viewed and overwritten would be an error here.
        copies = [each * 1 for each in inputs]
        result = function(*copies)
        assert all(result.data_ptr() != each.data_ptr() for each in copies)
        loss = finish(result).square().sum()
        gradients.append(torch.autograd.grad(loss, inputs, allow_unused=True))
        for each, kept in zip(copies, before, strict=True):
            assert torch.equal(each.detach(), kept)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cls", builtin_ops().values())
def test_definition(cls: type[Op]) -> None:
    assert cls.examples
    assert inspect.getdoc(cls)
    for name, each in fields_of(cls).items():
        assert each.doc, name
        if not each.required:
            plain: Any = list(each.default) if isinstance(each.default, tuple) else each.default
            assert each.kind.convert(plain) == each.default, name


@examples(lambda cls: any(len(example.inputs) > 0 for example in cls.examples))
def test_channels_follow_from_height_and_width_only_where_the_op_says_so(cls: type[Op], example: Example) -> None:
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
