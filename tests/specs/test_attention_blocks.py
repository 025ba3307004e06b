"""The blocks of `blocks/attention.yaml`, compared with the formulas of the papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cnngraph

Weights = dict[str, Tensor]


def eca(x: Tensor, state: Weights) -> Tensor:
    """Equation 9 of Wang et al. 2020."""
    kernel = state["conv.weight"]
    weights = F.conv1d(x.mean((2, 3)).unsqueeze(1), kernel, padding=kernel.shape[-1] // 2).sigmoid()
    return x * weights.transpose(1, 2).unsqueeze(3)


def cbam(x: Tensor, state: Weights) -> Tensor:
    """Equations 2 and 3 of Woo et al. 2018."""
    first, second = (state[f"channel.fc{number}.weight"].flatten(1) for number in (1, 2))
    pooled = [F.linear(F.linear(y, first).relu(), second) for y in (x.mean((2, 3)), x.amax((2, 3)))]
    x = x * (pooled[0] + pooled[1]).sigmoid()[:, :, None, None]
    maps = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
    mean, var, weight, bias = (
        state[f"spatial.conv.bn.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    y = F.conv2d(maps, state["spatial.conv.conv.weight"], padding=3)
    return x * F.batch_norm(y, mean, var, weight, bias).sigmoid()


def built(block: str, channels: int, folder: Path) -> nn.Module:
    """A network that is one block."""
    path = folder / "net.yaml"
    head = f"cnngraph: 1\ninput: [{channels}, 8, 9]\nimport: [blocks/attention.yaml]\n"
    path.write_text(f"{head}nodes: [{{op: {block}, flat: true}}]\n")
    return cnngraph.build(path).eval()


@pytest.mark.parametrize(("block", "reference"), [("eca", eca), ("cbam", cbam)])
def test_a_block_computes_what_its_paper_says(block: str, reference: object, tmp_path: Path) -> None:
    assert callable(reference)
    model = built(block, 64, tmp_path)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.1, 1)
    for size in ((8, 9), (5, 7)):
        x = torch.randn(2, 64, *size)
        torch.testing.assert_close(model(x), reference(x, dict(model.state_dict())))


@pytest.mark.parametrize(("channels", "kernel"), [(8, 3), (64, 3), (128, 5), (512, 5), (2048, 7)])
def test_the_kernel_of_eca_follows_the_channels(channels: int, kernel: int, tmp_path: Path) -> None:
    """Equation 12, with γ = 2 and b = 1: the nearest odd number that is not smaller than the integer part."""
    (weight,) = built("eca", channels, tmp_path).state_dict().values()
    assert weight.shape == (1, 1, kernel)
