"""The Vision Transformer among the examples equals torchvision's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model
from torchvision.models.vision_transformer import VisionTransformer

import cnngraph

SMALL: dict[str, Any] = {"classes": 5, "patch": 8, "layers": 2, "heads": 2, "width": 16, "hidden": 24}


def small() -> tuple[nn.Module, nn.Module]:
    """Our small network and torchvision's, with the same weights, none of which is 0."""
    ours = cnngraph.build("vit_b_16", input=(3, 32, 32), **SMALL)
    theirs = VisionTransformer(32, 8, 2, 2, 16, 24, num_classes=5)
    torch.manual_seed(0)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_keys_shapes_and_macs_equal_those_of_torchvision() -> None:
    graph = cnngraph.load("vit_b_16")
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        theirs = get_model("vit_b_16").train()  # in eval mode attention is one operation, which is not counted
        theirs(torch.empty(1, 3, 224, 224))
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()]
    assert graph.num_params == sum(parameter.numel() for parameter in theirs.parameters())
    assert 2 * graph.macs == counter.get_total_flops()


@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_equal_those_of_torchvision(training: bool) -> None:
    images = torch.randn(3, 3, 32, 32)
    results, gradients = [], []
    for model in small():
        results.append(model.train(training)(images))
        gradients.append(torch.autograd.grad(results[-1].square().sum(), list(model.parameters())))
    torch.testing.assert_close(*results)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_initial_weights_are_drawn_as_in_the_paper() -> None:
    state = cnngraph.build("vit_b_16", layers=1).state_dict()
    assert state["encoder.pos_embedding"].std().item() == pytest.approx(0.02, rel=0.01)
    assert not state["class_token"].any()
    assert not state["heads.head.weight"].any()
    projection = state["encoder.layers.encoder_layer_0.self_attention.in_proj_weight"]
    assert projection.abs().max().item() == pytest.approx((6 / (4 * 768)) ** 0.5, rel=0.01)


@pytest.mark.parametrize("size", [(40, 40), (24, 32), (8, 8)])
def test_another_size_needs_another_positional_embedding(size: tuple[int, int]) -> None:
    """Of 8×8 there is one patch, whose token PyTorch would repeat."""
    ours, _ = small()
    with pytest.raises(
        ValueError, match=r"shape of encoder\.pos_embedding at vit_b_16\.yaml:\d+ depends on the height"
    ):
        ours(torch.randn(1, 3, *size))
