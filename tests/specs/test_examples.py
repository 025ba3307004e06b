"""The example specs compute what their papers describe: compared in double precision with handwritten networks."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnngraph
from cnngraph.cli.process import run
from tests.library import LIBRARY, network
from tests.specs.handwritten import ConvNeXtV2, HRNet, SKNet, UNet
from tests.specs.support import copied, filled

CASES: list[tuple[str, Callable[..., nn.Module], dict[str, Any], tuple[int, int, int]]] = [
    ("unet", UNet, {"depth": 0, "width": 4}, (1, 5, 7)),
    ("unet", UNet, {"depth": 1, "width": 8, "classes": 3}, (1, 10, 6)),
    ("unet", UNet, {"depth": 4, "width": 4}, (1, 32, 48)),
    ("hrnet", HRNet, {}, (3, 32, 32)),
    ("hrnet", HRNet, {"modules": [], "units": 1}, (3, 9, 7)),
    ("hrnet", HRNet, {"modules": [2, 1], "width": 4, "head": 8, "strides": [2, 1, 1]}, (3, 16, 24)),
    ("hrnet", HRNet, {"modules": [1, 1, 1, 2], "width": 2, "units": 1, "classes": 4, "strides": [1]}, (3, 32, 16)),
    ("sknet50", SKNet, {"units": [2, 1, 0, 0], "classes": 10}, (3, 64, 96)),
    ("sknet50", SKNet, {"units": [1, 2, 0, 0], "dilations": [1, 2, 3], "groups": 8}, (3, 75, 53)),
    ("sknet50", SKNet, {"units": [2, 0, 0, 0], "dilations": [2], "reduction": 2}, (3, 32, 32)),
    ("convnextv2_atto", ConvNeXtV2, {"depths": [1, 2], "widths": [8, 12], "classes": 5}, (3, 32, 48)),
]


@pytest.mark.parametrize(("name", "by_hand", "params", "shape"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_an_example_equals_the_handwritten_network(
    name: str, by_hand: Callable[..., nn.Module], params: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    model = filled(cnngraph.build(name, **params))
    theirs = copied(model, by_hand(**params))
    height, width = shape[1:]
    for size in ((height, width), (2 * width, height)):  # the built network accepts other sizes
        images = torch.randn(3, shape[0], *size, dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(model.eval()(images), theirs.eval()(images))
        outputs, gradients = [], []
        for module in (model, theirs):
            torch.manual_seed(1)
            outputs.append(module.train()(images))
            gradients.append(torch.autograd.grad(outputs[-1].square().mean(), list(module.parameters())))
        torch.testing.assert_close(*outputs)
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other.view(one.shape))
        for one, other in zip(model.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("name", "path", "variance"),
    [
        ("unet", "down.4.convs.1.0", 2 / (9 * 1024)),
        ("hrnet", "stages.2.exchange.0.branches.3.0.conv1", 2 / (9 * 128)),
        ("sknet50", "layer4.0.conv2.split.1.0", 2 / (9 * 1024 / 32)),
    ],
)
def test_initial_weights_follow_he_et_al(name: str, path: str, variance: float) -> None:
    torch.manual_seed(0)
    conv = cnngraph.build(name).get_submodule(path)
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.var().item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("depth", range(6))
def test_the_parameter_count_of_unet(depth: int) -> None:
    def double(into: int, out: int) -> int:
        return 9 * into * out + 9 * out * out + 2 * out

    widths = [3 * 2**level for level in range(depth + 1)]
    down = double(1, 3) + sum(double(a, 2 * a) for a in widths[:-1])
    up = sum(4 * 2 * a * a + a + double(2 * a, a) for a in widths[:-1])
    assert cnngraph.load("unet", depth=depth, width=3, classes=5).num_params == down + up + 4 * 5


# The parameter counts of the networks published by the authors, whose four last convolutions have biases (without
# effect before a batch norm).
@pytest.mark.parametrize(
    ("width", "modules", "units", "published"),
    [
        (18, [1, 4, 3], 4, 21_299_004),
        (30, [1, 4, 3], 4, 37_712_220),
        (32, [1, 4, 3], 4, 41_232_680),
        (40, [1, 4, 3], 4, 57_557_160),
        (18, [1, 3, 2], 2, 15_597_464),  # HRNet-W18-Small-v2
    ],
)
def test_the_parameter_count_of_hrnet(width: int, modules: list[int], units: int, published: int) -> None:
    graph = cnngraph.load("hrnet", classes=1000, strides=[2, 2], width=width, modules=modules, units=units, head=128)
    assert graph.num_params == published - (256 + 512 + 1024 + 2048)


@pytest.mark.parametrize(("units", "millions", "billions"), [([3, 4, 6, 3], 27.5, 4.47), ([3, 4, 23, 3], 48.9, 8.46)])
def test_parameters_and_macs_of_sknet(units: list[int], millions: float, billions: float) -> None:
    """Table 2 of the paper."""
    graph = cnngraph.load("sknet50", units=units)
    assert graph.num_params / 1e6 == pytest.approx(millions, rel=0.005)
    assert graph.macs / 1e9 == pytest.approx(billions, rel=0.005)


@pytest.mark.parametrize("depth", [1, 3])
def test_an_example_extended_to_large_images(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "colour.yaml"
    path.write_text(f"cnngraph: 1\nextends: unet\ninput: [3, 40, 24]\nparams: {{depth: {depth}, width: 4}}\n")
    model = filled(cnngraph.build(path)).eval()
    theirs = copied(model, UNet(3, depth=depth, width=4)).eval()
    images = torch.randn(2, 3, 40, 24, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model(images), theirs(images))


SMALL: dict[str, dict[str, Any]] = {
    "unet": {"depth": 2, "width": 4},
    "hrnet": {"width": 4, "modules": [1, 1], "units": 1},
    "sknet50": {"units": [1, 1, 0, 0], "classes": 10},
    "convnextv2_atto": {"depths": [1, 1], "widths": [16, 24], "classes": 10},
    # see test_vision_transformer.py and tests/zoo/test_timm.py
    "vit_b_16": {"layers": 2, "width": 32, "heads": 2, "patch": 8, "classes": 10},
    "vit_tiny": {"depth": 2, "width": 32, "heads": 2, "patch": 8, "classes": 10},
    "nf_resnet50": {"units": [1, 2], "widths": [16, 32], "classes": 10},
    "botnet50": {"units": [1, 1, 1, 1], "width": 16, "out": 64, "classes": 10},
    "botnet26t": {"widths": [16, 32], "attention": [[False], [True, True]], "classes": 10},
    "coatnet_0": {"depths": [1, 2], "widths": [16, 32], "units": ["mbconv", "transformer"], "stem": 8, "head_width": 8},
    "res2net50": {"units": [1, 1, 0, 0], "classes": 10},
    "ese_vovnet19b_dw": {"stem": [8, 8, 8], "stages": [{"width": 8, "out": 16}], "classes": 10},
    "poolformer_s12": {"depths": [1, 1], "widths": [8, 16], "classes": 10},
    "mixer_s32": {"depth": 2, "width": 32, "classes": 10},
    "ecaresnet50": {"units": [1, 1, 0, 0], "classes": 10},
    "cbamresnet50": {"units": [1, 1, 0, 0], "classes": 10},
    # see tests/backend/test_earlier_iterations.py
    "dla34": {"widths": [4, 4, 8, 8, 16, 16], "classes": 10},
    "hardnet68": {"stem": [8, 8], "stages": [{"layers": 4, "growth": 8, "out": 16}], "classes": 10},
    "hardnet39ds": {"stem": [8, 8], "stages": [{"layers": 4, "growth": 8, "out": 16}], "classes": 10},
    # see test_swin.py
    "swin_t": {"depths": [2, 1, 1, 1], "width": 16, "heads": [1, 2, 2, 2], "classes": 10},
    "swin_v2_t": {"depths": [2, 1, 1, 1], "width": 32, "heads": [1, 2, 2, 2], "classes": 10, "drop_path": 0.0},
    # see tests/elaborate/test_changed_examples.py
    "seresnet50": {"units": [1, 1, 0, 0], "classes": 10},
    "resnet50_silu": {"units": [1, 1, 0, 0], "classes": 10},
    "resnet50_small": {"units": [1, 1, 0, 0]},
    "drn_c_26_by_change": {"classes": 10},
}
ELSEWHERE = {
    *("vit_b_16", "vit_tiny", "nf_resnet50", "botnet50", "botnet26t", "coatnet_0", "ecaresnet50", "cbamresnet50"),
    *("dla34", "hardnet68", "hardnet39ds"),
    *("res2net50", "ese_vovnet19b_dw", "poolformer_s12", "mixer_s32"),
    *("swin_t", "swin_v2_t", "seresnet50", "resnet50_silu", "resnet50_small", "drn_c_26_by_change"),
}
SEVERAL = {"resnet18_two_heads", "resnet50_fpn", "siamese_resnet18"}  # inputs or outputs


def test_every_example_is_tested() -> None:
    assert (
        {path.stem for path in (LIBRARY / "examples").glob("*.yaml")}
        == {*SMALL} | SEVERAL
        == {case[0] for case in CASES} | ELSEWHERE | SEVERAL
    )


@pytest.mark.parametrize("name", SMALL)
def test_the_generated_source_of_an_example_is_the_same_network(name: str, tmp_path: Path) -> None:
    settings = [word for key, value in SMALL[name].items() for word in ("--set", f"{key}={value}")]
    assert run(["build", name, "-o", str(tmp_path / "net.py"), *settings]) == 0
    graph = cnngraph.load(network(name), **SMALL[name])
    printed = runpy.run_path(str(tmp_path / "net.py"))
    torch.manual_seed(0)
    model = cnngraph.build(graph)
    torch.manual_seed(0)
    other = printed[type(model).__name__]()
    assert list(model.state_dict()) == list(other.state_dict())
    images = torch.randn(2, *graph.input_shapes["in"])
    for module in (model, other):
        module.train()
    torch.manual_seed(1)
    mine = model(images)
    torch.manual_seed(1)
    assert torch.equal(mine, other(images))
    assert torch.equal(model.eval()(images), other.eval()(images))


@pytest.mark.parametrize("name", SMALL)
def test_an_example_can_be_trained(name: str) -> None:
    torch.manual_seed(0)
    channels = 1 if name == "unet" else 3
    model = cnngraph.build(name, input=(channels, 32, 32), **SMALL[name])
    images = torch.randn(8, channels, 32, 32)
    labels = (images[:, 0] > 0).long() if name == "unet" else torch.arange(8)
    optimizer = torch.optim.Adam(model.parameters(), 0.002 if name == "swin_v2_t" else 0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
