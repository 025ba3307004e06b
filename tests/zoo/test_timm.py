"""The examples that are networks of timm equal them: keys, outputs, gradients, multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import timm
import torch
from timm.layers.bottleneck_attn import BottleneckAttn
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.resnet import Bottleneck, ResNet

import cnngraph
from tests.specs.support import filled


@dataclass(frozen=True)
class Case:
    """An example, timm's network, the params and arguments of a smaller version of both, and a size of its images."""

    example: str
    entry: str
    params: Mapping[str, Any]
    arguments: Mapping[str, Any]
    size: tuple[int, int]
    always: Mapping[str, Any] = field(default_factory=dict)  # arguments of the full version too


SMALL_RESNET = {"units": [1, 1, 1, 1], "width": 16, "out": 64}
TIMMS_SMALL_RESNET = {"layers": (1, 1, 1, 1), "channels": (16, 32, 64, 128)}
TIMMS_SMALL_NF = {"depths": (1, 2, 1, 1), "channels": (32, 64, 64, 96)}
SMALL_COAT = {"depths": [1, 1, 1, 2], "stem": 8, "widths": [8, 8, 16, 16], "head_width": 4}
TIMMS_SMALL_COAT = {
    **{"depths": (1, 1, 1, 2), "embed_dim": (8, 8, 16, 16), "transformer_dim_head": 4},
    **{"stem_width": 8, "head_hidden_size": 16},
}
CASES = [
    Case("seresnet50", "seresnet50", {"units": [1, 1, 1, 1]}, {"layers": (1, 1, 1, 1)}, (32, 45)),
    Case("vit_tiny", "vit_tiny_patch16_224", {"depth": 2}, {"depth": 2, "img_size": (32, 48)}, (32, 48)),
    Case("nf_resnet50", "nf_resnet50", {"units": [1, 2, 1, 1], "widths": [32, 64, 64, 96]}, TIMMS_SMALL_NF, (32, 45)),
    Case("convnextv2_atto", "convnextv2_atto", {"depths": [1, 1, 2, 1]}, {"depths": (1, 1, 2, 1)}, (32, 45)),
    Case("res2net50", "res2net50_26w_4s", {"units": [1, 2, 1, 1]}, {"layers": (1, 2, 1, 1)}, (32, 45)),
    Case("ese_vovnet19b_dw", "ese_vovnet19b_dw", {}, {}, (32, 45)),
    Case("poolformer_s12", "poolformer_s12", {}, {}, (32, 45)),
    Case("mixer_s32", "mixer_s32_224", {}, {"img_size": (32, 96)}, (32, 96)),
    Case("botnet26t", "botnet26t_256", {}, {"img_size": (32, 64)}, (32, 64)),
    Case(
        "coatnet_0",
        "coatnet_0_224",
        SMALL_COAT,
        {**TIMMS_SMALL_COAT, "img_size": (64, 96)},
        (64, 96),
    ),
    Case(
        "ecaresnet50",
        "resnet50",
        SMALL_RESNET,
        TIMMS_SMALL_RESNET,
        (32, 45),
        {"block_args": {"attn_layer": "eca"}},
    ),
    Case(
        "cbamresnet50",
        "resnet50",
        SMALL_RESNET,
        TIMMS_SMALL_RESNET,
        (32, 45),
        {"block_args": {"attn_layer": "cbam"}},
    ),
]


def original(case: Case, **arguments: Any) -> nn.Module:
    """timm's network with fresh weights."""
    model: nn.Module = timm.create_model(case.entry, **case.always, **arguments)
    return model


def outputs_and_gradients(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What a model computes, and the gradients of its parameters."""
    logits: Tensor = model(images)
    return [logits, *torch.autograd.grad(logits.square().mean(), list(model.parameters()))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.example)
def test_a_small_version_computes_what_timms_does(case: Case) -> None:
    drop_path: dict[str, Any] = {"drop_path": 0.0} if case.example == "vit_tiny" else {}
    ours = cnngraph.build(case.example, input=(3, *case.size), classes=5, **case.params, **drop_path).double()
    theirs = filled(original(case, num_classes=5, **case.arguments))
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, *case.size, dtype=torch.float64)
    for training in (False, True):
        pairs = (outputs_and_gradients(model.train(training), images) for model in (ours, theirs))
        for mine, other in zip(*pairs, strict=True):
            torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.example)
def test_keys_shapes_and_multiply_accumulates_are_timms(case: Case) -> None:
    graph = cnngraph.load(case.example)
    with torch.device("meta"):
        theirs = original(case).eval()
        with FlopCounterMode(display=False) as counter:
            theirs(torch.empty(1, *graph.input_shapes["in"]))
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()]
    assert graph.num_params == sum(parameter.numel() for parameter in theirs.parameters())
    assert 2 * graph.macs == counter.get_total_flops()


@pytest.mark.zoo
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.example)
def test_the_logits_are_timms(case: Case) -> None:
    theirs = filled(original(case)).eval()
    ours = cnngraph.build(case.example).double().eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, *cnngraph.load(case.example).input_shapes["in"], dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


def test_the_logits_of_seresnet50_are_timms_bit_for_bit() -> None:
    ours, theirs = cnngraph.build("seresnet50").eval(), original(CASES[0]).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 90)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_botnet50_has_the_attention_of_timm() -> None:
    """timm has no BoTNet-50 of the paper: torchvision's ResNet with timm's attention in its last stage."""
    size = (64, 96)
    ours = cnngraph.build("botnet50", input=(3, *size), classes=5, units=[1, 1, 1, 2]).double()
    theirs: Any = ResNet(Bottleneck, [1, 1, 1, 2], num_classes=5)
    for number, unit in enumerate(theirs.layer4):
        factor, stride = (32, 1) if number else (16, 2)
        place = size[0] // factor, size[1] // factor
        unit.conv2 = BottleneckAttn(512, feat_size=place, stride=stride, scale_pos_embed=True)
    ours.load_state_dict(filled(theirs).state_dict())
    images = torch.randn(3, 3, *size, dtype=torch.float64)
    for mine, other in zip(outputs_and_gradients(ours, images), outputs_and_gradients(theirs, images), strict=True):
        torch.testing.assert_close(mine, other)
