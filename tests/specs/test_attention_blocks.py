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


def positions(height: int, width: int, bands: int, temperature: float = 10000.0) -> Tensor:
    """The angles of row and column of each position: (height·width)×(2·bands)."""
    frequencies = temperature ** -(torch.arange(bands) / bands)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.cat((rows.flatten()[:, None] * frequencies, columns.flatten()[:, None] * frequencies), 1)


def position_network(tmp_path: Path) -> nn.Module:
    """Rotary embedding of the tokens of a map in three heads, and the fixed embedding of the map."""
    path = tmp_path / "net.yaml"
    path.write_text("""
cnngraph: 1
input: [24, 3, 4]
import: [blocks/attention.yaml]
nodes:
  columns: {op: flatten, start_dim: 2}
  tokens: {op: permute, dims: [0, 2, 1]}
  rotated: {op: rotary, heads: 3, height: 3, width: 4}
  position: {op: sincos_position, from: in}
  sum: {op: add, from: [rotated, position]}
outputs: {rotated: rotated, sum: sum}
""")
    return cnngraph.build(path)


def test_rotary_and_sincos_positions(tmp_path: Path) -> None:
    """Equations 15 and 34 of Su et al. 2021, per axis: pairs of channels are complex numbers, which are rotated."""
    images = torch.randn(2, 24, 3, 4)
    rotated, total = position_network(tmp_path)(images)
    heads = images.flatten(2).mT.unflatten(2, (3, 4, 2)).contiguous()
    turns = torch.polar(torch.ones(12, 4), positions(3, 4, 2))
    turned = torch.view_as_real(torch.view_as_complex(heads) * turns[:, None])
    torch.testing.assert_close(rotated, turned.flatten(2))
    angles = positions(3, 4, 6)
    torch.testing.assert_close(total - rotated, torch.cat((angles.sin(), angles.cos()), 1).expand(2, -1, -1))


def test_rotary_and_sincos_positions_equal_those_of_timm(tmp_path: Path) -> None:
    layers = pytest.importorskip("timm.layers")
    images = torch.randn(2, 24, 3, 4)
    rotated, total = position_network(tmp_path)(images)
    embedding = layers.RotaryEmbeddingCat(8, in_pixels=False, feat_shape=(3, 4)).get_embed((3, 4))
    heads = images.flatten(2).mT.unflatten(2, (3, 8)).transpose(1, 2)
    theirs = layers.apply_rot_embed_cat(heads, embedding).transpose(1, 2).flatten(2)
    torch.testing.assert_close(rotated, theirs)
    torch.testing.assert_close(total - rotated, layers.build_sincos2d_pos_embed((3, 4), 24).expand(2, -1, -1))


def test_a_learned_position_is_resized_when_the_network_runs(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("""
cnngraph: 1
input: [4, 6, 6]
nodes:
  table: {op: parameter, shape: [4, 3, 3], axes: CHW, init: {normal: {std: 1}}}
  position: {op: upsample, from: [table, in], mode: bicubic}
  sum: {op: add, from: [in, position]}
""")
    model = cnngraph.build(path)
    table = model.get_parameter("table")
    for size in ((6, 6), (3, 3), (5, 9)):
        images = torch.randn(2, 4, *size)
        torch.testing.assert_close(model(images), images + F.interpolate(table[None], size, mode="bicubic"))
