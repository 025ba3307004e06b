"""Examples that timm also has compute what their papers describe: compared with networks written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import SqueezeExcitation

import cnngraph
from tests.library import LIBRARY
from tests.specs.support import copied, filled


def attend(qkv: Tensor, heads: int, bias: Tensor | float = 0) -> Tensor:
    """Section 3.2 of Vaswani et al. 2017, on queries, keys and values N×L×3C; the bias is added to the scores."""
    q, k, v = qkv.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(2, 3) / q.shape[3] ** 0.5 + bias).softmax(3)
    y: Tensor = (weights @ v).transpose(1, 2).flatten(2)
    return y


class Attention(nn.Module):
    """Self-attention with the names of timm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(attend(self.qkv(x), self.heads))
        return y


class TransformerUnit(nn.Module):
    """Equations 2 and 3 of Dosovitskiy et al. 2021."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(width, hidden))
        self.mlp.add_module("act", nn.GELU())
        self.mlp.add_module("fc2", nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class ViT(nn.Module):
    """Equations 1 to 4 of Dosovitskiy et al. 2021, with the names of timm."""

    def __init__(
        self, size: tuple[int, int], classes: int, patch: int, depth: int, heads: int, width: int, hidden: int
    ) -> None:
        super().__init__()
        tokens = 1 + (size[0] // patch) * (size[1] // patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, patch, patch)
        self.blocks = nn.Sequential(*(TransformerUnit(width, heads, hidden) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embed.get_submodule("proj")(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), patches), 1) + self.pos_embed
        logits: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return logits


GAMMA = 1.7139588594436646  # the authors' constant; the paper derives √(2 / (1 − 1/π)) = 1.7129


class StandardConv(nn.Conv2d):
    """Scaled weight standardisation (Brock et al. 2021) for ReLU, with a gain."""

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(into, out, kernel, stride, kernel // 2)
        self.gain = nn.Parameter(torch.ones(out, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        var, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        weight = GAMMA * (self.weight - mean) / ((var + 1e-5) * self.weight[0].numel()).sqrt()
        return F.conv2d(x, weight * self.gain, self.bias, self.stride, self.padding)


class NormFreeUnit(nn.Module):
    """Brock et al. 2021: x + α·f(x / β), with the names of timm."""

    def __init__(self, into: int, out: int, stride: int, beta: float, alpha: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        if changes := stride != 1 or into != out:
            self.downsample = nn.Sequential()
            self.downsample.add_module("pool", nn.AvgPool2d(2, ceil_mode=True) if stride != 1 else nn.Identity())
            self.downsample.add_module("conv", StandardConv(into, out, 1))
        self.changes = changes
        self.conv1 = StandardConv(into, out // 4, 1)
        self.conv2 = StandardConv(out // 4, out // 4, 3, stride)
        self.conv3 = StandardConv(out // 4, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x.relu() / self.beta
        shortcut = self.downsample(y) if self.changes else x
        branch: Tensor = self.conv3(self.conv2(self.conv1(y).relu()).relu())
        return shortcut + self.alpha * branch


class NormFreeResNet(nn.Module):
    """NF-ResNet, with the names of timm. The variance is followed from unit to unit."""

    def __init__(self, classes: int, units: Sequence[int], widths: Sequence[int], alpha: float) -> None:
        super().__init__()
        self.stem, self.stages, self.head = nn.Sequential(), nn.Sequential(), nn.Module()
        self.stem.add_module("conv", StandardConv(3, 64, 7, 2))
        self.stem.add_module("pool", nn.MaxPool2d(3, 2, 1))
        into, variance = 64, 1.0
        for number, (count, width) in enumerate(zip(units, widths, strict=True)):
            stage = nn.Sequential()
            for unit in range(count):
                stage.append(NormFreeUnit(into, width, 1 if unit or not number else 2, variance**0.5, alpha))
                into, variance = width, (variance if unit else 1) + alpha**2
            self.stages.append(stage)
        self.head.fc = nn.Linear(into, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x)).relu().mean((2, 3))
        logits: Tensor = self.head.get_submodule("fc")(x)
        return logits


def offsets(height: int, width: int) -> tuple[Tensor, Tensor]:
    """For each query and key of a map, how far the key is below and to the right of the query; L×L."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    below, right = (x.flatten()[None, :] - x.flatten()[:, None] for x in (rows, columns))
    return below, right


def unflattened(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """N×L×C as a map N×C×H×W."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *size)


class BottleneckAttention(nn.Module):
    """Srinivas et al. 2021: the scores are q·k + q·r, where r depends on the relative position."""

    def __init__(self, channels: int, size: tuple[int, int], heads: int = 4) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        tables = (channels // heads, 2 * size[0] - 1, 1), (channels // heads, 1, 2 * size[1] - 1)
        self.tables = nn.ParameterList(torch.zeros(shape) for shape in tables)

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (below, right) = self.size, offsets(*self.size)
        qkv: Tensor = self.qkv(x).flatten(2).transpose(1, 2)
        r = self.tables[0][:, below + height - 1, 0] + self.tables[1][:, 0, right + width - 1]
        bias = torch.einsum("nqhe,eqk->nhqk", qkv.chunk(3, 2)[0].unflatten(2, (self.heads, -1)), r) / len(r) ** 0.5
        return unflattened(attend(qkv, self.heads, bias), self.size)


class ECA(nn.Module):
    """Equations 9 and 12 of Wang et al. 2020."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel = {256: 5, 512: 5, 1024: 5, 2048: 7}[channels]
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.conv(x.mean((2, 3)).unsqueeze(1)).sigmoid()
        return x * gate.transpose(1, 2).unsqueeze(3)


class CBAM(nn.Module):
    """Equations 2 and 3 of Woo et al. 2018."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(channels, channels // 16), nn.ReLU(), nn.Linear(channels // 16, channels))
        self.conv = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1))

    def forward(self, x: Tensor) -> Tensor:
        x = x * (self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))).sigmoid()[:, :, None, None]
        maps = torch.stack((x.mean(1), x.amax(1)), 1)
        y: Tensor = x * self.conv(maps).sigmoid()
        return y


def resnet(classes: int, units: list[int]) -> Any:
    """torchvision's, of bottlenecks (Any, because parts of it are replaced by others)."""
    return ResNet(Bottleneck, units, num_classes=classes)


def attentive(attention: Callable[[int], nn.Module]) -> Callable[..., nn.Module]:
    """A ResNet with attention after the last norm of each unit."""

    def build(size: tuple[int, int], **params: Any) -> nn.Module:
        model: nn.Module = resnet(**params)
        units: list[Any] = [module for module in model.modules() if isinstance(module, Bottleneck)]
        for unit in units:
            unit.bn3 = nn.Sequential(unit.bn3, attention(unit.bn3.num_features))
        return model

    return build


def botnet(size: tuple[int, int], **params: Any) -> nn.Module:
    """A ResNet with self-attention in its last stage, after which the first unit subsamples."""
    model: Any = resnet(**params)
    for number, unit in enumerate(model.layer4):
        factor = 32 if number else 16
        attention = BottleneckAttention(512, (size[0] // factor, size[1] // factor))
        unit.conv2 = attention if number else nn.Sequential(attention, nn.AvgPool2d(2))
    network: nn.Module = model
    return network


class Branches(nn.Module):
    """The sum of two paths; the second may only pass its input through."""

    def __init__(self, branch: nn.Module, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        self.pool = nn.MaxPool2d(2) if stride == 2 else nn.Identity()
        self.proj = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branch(x) + self.proj(self.pool(x))
        return y


class RelativeAttention(nn.Module):
    """Equation 3 of Dai et al. 2021, the pre-normalisation variant, on a map."""

    def __init__(self, into: int, out: int, size: tuple[int, int], head: int) -> None:
        super().__init__()
        self.heads, self.size = out // head, size
        self.table = nn.Parameter(torch.zeros(self.heads, 2 * size[0] - 1, 2 * size[1] - 1))
        self.qkv, self.proj = nn.Linear(into, 3 * out), nn.Linear(out, out)

    def forward(self, x: Tensor) -> Tensor:
        below, right = offsets(*self.size)
        bias = self.table[:, below + self.size[0] - 1, right + self.size[1] - 1]
        return unflattened(self.proj(attend(self.qkv(x.flatten(2).transpose(1, 2)), self.heads, bias)), self.size)


class MapNorm(nn.LayerNorm):
    """LayerNorm over the channels of N×C×H×W."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 3)).transpose(1, 3)


def mbconv(into: int, out: int, stride: int) -> nn.Module:
    """The unit of MobileNetV2, pre-normalised, with squeeze and excitation (Dai et al. 2021)."""
    hidden = 4 * out
    return nn.Sequential(
        nn.BatchNorm2d(into),
        *(nn.Conv2d(into, hidden, 1, stride, bias=False), nn.BatchNorm2d(hidden), nn.GELU()),
        *(nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.GELU()),
        *(SqueezeExcitation(hidden, out, nn.GELU), nn.Conv2d(hidden, out, 1)),
    )


def coatnet(
    size: tuple[int, int],
    classes: int,
    stem: int,
    units: Sequence[int],
    widths: Sequence[int],
    stages: Sequence[str],
    head_width: int,
) -> nn.Module:
    """Convolutions, then self-attention (Dai et al. 2021)."""
    model = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.GELU())
    model.append(nn.Conv2d(stem, stem, 3, padding=1))
    for number, (count, (into, out)) in enumerate(zip(units, pairwise([stem, *widths]), strict=True)):
        here = (size[0] >> number + 2, size[1] >> number + 2)
        for unit in range(count):
            into, stride = (out, 1) if unit else (into, 2)
            if stages[number] == "mbconv":
                model.append(Branches(mbconv(into, out, stride), into, out, stride))
                continue
            pool = [nn.MaxPool2d(2)] if stride == 2 else []
            attention = nn.Sequential(MapNorm(into), *pool, RelativeAttention(into, out, here, head_width))
            mlp = nn.Sequential(MapNorm(out), nn.Conv2d(out, 4 * out, 1), nn.GELU(), nn.Conv2d(4 * out, out, 1))
            model.extend([Branches(attention, into, out, stride), Branches(mlp, out, out, 1)])
    model.extend([MapNorm(widths[-1]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes)])
    return model


def sizeless(network: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """A network that does not depend on the size of its images."""
    return lambda size, **params: network(**params)


VIT = {"classes": 5, "patch": 8, "depth": 2, "heads": 3, "width": 24, "hidden": 40}
NF = {"classes": 5, "units": [2, 1, 3], "widths": [16, 32, 32], "alpha": 0.3}
COAT = {
    "classes": 5,
    "stem": 4,
    "units": [1, 2, 2],
    "widths": [8, 8, 16],
    "stages": ["mbconv", "mbconv", "transformer"],
    "head_width": 4,
}
CASES: list[tuple[str, Callable[..., nn.Module], dict[str, Any], dict[str, Any], tuple[int, int]]] = [
    ("vit_tiny", ViT, VIT, {"drop_path": 0.0}, (16, 40)),
    ("nf_resnet50", sizeless(NormFreeResNet), NF, {}, (64, 90)),
    ("botnet50", botnet, {"classes": 5, "units": [1, 1, 1, 2]}, {}, (64, 96)),
    ("coatnet_0", coatnet, COAT, {}, (32, 48)),
    ("coatnet_0", coatnet, {**COAT, "stages": ["transformer"] * 3}, {}, (16, 32)),
    ("ecaresnet50", attentive(ECA), {"classes": 5, "units": [1, 1, 1, 1]}, {}, (64, 32)),
    ("cbamresnet50", attentive(CBAM), {"classes": 5, "units": [1, 1, 1, 1]}, {}, (64, 32)),
]


@pytest.mark.parametrize(("name", "by_hand", "params", "more", "size"), CASES, ids=[case[0] for case in CASES])
def test_an_example_equals_the_handwritten_network(
    name: str, by_hand: Callable[..., nn.Module], params: dict[str, Any], more: dict[str, Any], size: tuple[int, int]
) -> None:
    model = filled(cnngraph.build(name, input=(3, *size), **params, **more))
    theirs = copied(model, by_hand(size, **params))
    images = torch.randn(3, 3, *size, dtype=torch.float64)
    for training in (False, True):
        outputs, gradients = [], []
        for module in (model, theirs):
            outputs.append(module.train(training)(images))
            gradients.append(torch.autograd.grad(outputs[-1].square().mean(), list(module.parameters())))
        torch.testing.assert_close(*outputs)
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other.view(one.shape))


FULL_VIT = {"classes": 1000, "patch": 16, "depth": 12, "heads": 3, "width": 192, "hidden": 768}
FULL_NF = {"classes": 1000, "units": [3, 4, 6, 3], "widths": [256, 512, 1024, 2048], "alpha": 0.2}


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("vit_tiny", lambda: ViT((224, 224), **FULL_VIT)),
        ("nf_resnet50", lambda: NormFreeResNet(**FULL_NF)),  # type: ignore[arg-type]
    ],
)
def test_the_keys_are_those_of_timm(name: str, by_hand: Callable[[], nn.Module]) -> None:
    with torch.device("meta"):
        state = by_hand().state_dict()
    assert cnngraph.load(name).state == {key: tuple(tensor.shape) for key, tensor in state.items()}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vit_tiny", 5_717_416),  # timm's vit_tiny_patch16_224
        ("convnextv2_atto", 3_708_400),  # timm's convnextv2_atto
        ("nf_resnet50", 25_557_032),  # timm's nf_resnet50; bias and gain replace weight and bias of ResNet-50's norms
        ("ecaresnet50", 25_557_032 + 3 * 5 + 4 * 5 + 6 * 5 + 3 * 7),  # of ResNet-50, and the kernels
    ],
)
def test_parameters(name: str, parameters: int) -> None:
    assert cnngraph.load(name).num_params == parameters


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("botnet50", 20.8),  # Srinivas et al. 2021
        ("cbamresnet50", 28.09),  # Woo et al. 2018
        ("coatnet_0", 25),  # Dai et al. 2021
    ],
)
def test_parameters_in_the_paper(name: str, millions: float) -> None:
    assert cnngraph.load(name).num_params / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("path", sorted((LIBRARY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_multiply_accumulates_of_an_example_are_those_that_pytorch_counts(path: Path) -> None:
    graph = cnngraph.load(path)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # two images: batch norms need them
        cnngraph.build(graph).train()(*(torch.empty(2, *shape) for shape in graph.input_shapes.values()))
    assert counter.get_total_flops() == 2 * 2 * graph.macs
