"""The shifted-window transformers among the examples equal torchvision's."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model, get_model_weights
from torchvision.models.swin_transformer import SwinTransformer

import cnngraph

NAMES = ("swin_t", "swin_v2_t")


@cache
def original(name: str) -> nn.Module:
    """torchvision's network, with weights that are not 0 anywhere."""
    theirs: nn.Module = get_model(name)
    torch.manual_seed(0)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.05)
    return theirs


def ours(name: str, size: tuple[int, int]) -> nn.Module:
    """Our network for images of this size, with torchvision's weights."""
    model = cnngraph.build(name, input=(3, *size))
    model.load_state_dict(original(name).state_dict())
    return model


@pytest.mark.parametrize("name", NAMES)
def test_keys_buffers_and_macs_equal_those_of_torchvision(name: str) -> None:
    graph, theirs = cnngraph.load(name), get_model(name)
    state = theirs.state_dict()
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in state.items()]
    assert graph.num_params == sum(parameter.numel() for parameter in theirs.parameters())
    mine = cnngraph.build(graph).state_dict()
    for key, buffer in theirs.named_buffers():
        assert mine[key].dtype == buffer.dtype
        torch.testing.assert_close(mine[key], buffer)
    (_, height, width) = graph.input_shapes["in"]
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        get_model(name).train()(torch.empty(1, 3, height, width))
    assert 2 * graph.macs == counter.get_total_flops()
    assert get_model_weights(name).DEFAULT.transforms.keywords["crop_size"] == height


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 64), (100, 150), (28, 60)])
def test_outputs_equal_those_of_torchvision(name: str, size: tuple[int, int]) -> None:
    """At these sizes maps are padded to whole windows, or are no larger than one in one direction or both."""
    model, theirs = ours(name, size), original(name)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), theirs.eval()(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_equal_those_of_torchvision(name: str) -> None:
    model, theirs = ours(name, (64, 64)), original(name)
    images = torch.randn(1, 3, 64, 64)
    gradients = [
        torch.autograd.grad(network.eval()(images).square().sum(), list(network.parameters()))
        for network in (model, theirs)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * other.abs().max().item() + 1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_and_drop_paths_equal_those_of_torchvision(name: str) -> None:
    theirs: SwinTransformer = get_model(name)
    model = cnngraph.build(name)
    rates = [module.p for module in theirs.modules() if type(module).__name__ == "StochasticDepth"]
    mine = [module.p for module in model.modules() if type(module).__name__ == "DropPath"]
    assert mine[::2] == mine[1::2] == pytest.approx(rates)
    other = theirs.state_dict()
    for key, tensor in model.state_dict().items():
        if tensor.numel() > 50_000:
            assert tensor.float().std().item() == pytest.approx(other[key].float().std().item(), rel=0.05), key
        elif tensor.is_floating_point():
            assert bool(tensor.any()) == bool(other[key].any()), key
