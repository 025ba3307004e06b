"""Networks of the examples, written by hand in PyTorch from their papers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck


def conv_bn(
    into: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """A convolution with odd kernel and half padding, batch norm and, by default, ReLU."""
    conv = nn.Conv2d(into, out, kernel, stride, dilation * (kernel // 2), dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), *([nn.ReLU()] if relu else []))


class UNet(nn.Module):
    """Figure 1 of Ronneberger et al. 2015, with padding."""

    def __init__(self, channels: int = 1, classes: int = 2, depth: int = 4, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(self.convs(*pair) for pair in pairwise([channels, *widths]))
        self.up = nn.ModuleList(
            nn.ModuleList([nn.ConvTranspose2d(into, out, 2, 2), self.convs(2 * out, out)])
            for into, out in pairwise(reversed(widths))
        )
        self.last = nn.Conv2d(width, classes, 1)

    def convs(self, into: int, out: int) -> nn.Sequential:
        first, second = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for level, convs in enumerate(self.down):
            x = convs(F.max_pool2d(x, 2) if level else x)
            seen.append(x)
        x = F.dropout(seen.pop(), 0.5, self.training)
        for part in self.up:
            assert isinstance(part, nn.ModuleList)
            enlarge, convs = part
            x = convs(torch.cat((seen.pop(), enlarge(x)), 1))
        logits: Tensor = self.last(x)
        return logits


class Exchange(nn.Module):
    """Figures 2 and 3 of Wang et al. 2020: units on each map, then every new map is the sum of all old ones."""

    def __init__(self, widths: Sequence[int], units: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(w, w) for _ in range(units))) for w in widths)
        self.paths = nn.ModuleList(
            nn.ModuleList(self.path(widths, start, end) for start in range(len(widths))) for end in range(len(widths))
        )

    def path(self, widths: Sequence[int], start: int, end: int) -> nn.Module:
        into, out = widths[start], widths[end]
        if start == end:
            return nn.Identity()
        if start > end:
            return nn.Sequential(conv_bn(into, out, 1, relu=False), nn.Upsample(scale_factor=2 ** (start - end)))
        steps = [conv_bn(into, into, stride=2) for _ in range(end - start - 1)]
        return nn.Sequential(*steps, conv_bn(into, out, stride=2, relu=False))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        sums = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            sums.append(torch.stack([path(x) for path, x in zip(paths, maps, strict=True)]).sum(0))
        return [F.relu(x) for x in sums]


class Stage(nn.Module):
    """Some exchanges, after adding a map of half the size."""

    def __init__(self, into: Sequence[int], widths: Sequence[int], modules: int, units: int) -> None:
        super().__init__()
        pairs = zip(into, widths[:-1], strict=True)
        self.old = nn.ModuleList(nn.Identity() if a == b else conv_bn(a, b) for a, b in pairs)
        self.new = conv_bn(into[-1], widths[-1], stride=2)
        self.exchanges = nn.Sequential(*(Exchange(widths, units) for _ in range(modules)))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        old = [keep(x) for keep, x in zip(self.old, maps, strict=True)]
        new: list[Tensor] = self.exchanges([*old, self.new(maps[-1])])
        return new


class HRNet(nn.Module):
    """HRNet-W for classification: Wang et al. 2020, section 3 and appendix A."""

    def __init__(
        self,
        classes: int = 10,
        strides: Sequence[int] = (1, 2),
        width: int = 16,
        modules: Sequence[int] = (1, 1, 1),
        units: int = 2,
        head: int = 32,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*(conv_bn(64 if n else 3, 64, stride=stride) for n, stride in enumerate(strides)))
        self.units = nn.Sequential(self.bottleneck(64, 256), *(self.bottleneck(256, 256) for _ in range(units - 1)))
        widths = [256]
        self.stages = nn.Sequential()
        for number, count in enumerate(modules):
            into, widths = widths, [width * 2**level for level in range(number + 2)]
            self.stages.append(Stage(into, widths, count, units))
        outs = [head * 2**level for level in range(len(widths))]
        self.widen = nn.ModuleList(self.bottleneck(*pair) for pair in zip(widths, outs, strict=True))
        self.shrink = nn.ModuleList(conv_bn(*pair, stride=2) for pair in pairwise(outs))
        self.conv = conv_bn(outs[-1], 16 * head, 1)
        self.fc = nn.Linear(16 * head, classes)

    def bottleneck(self, into: int, out: int) -> Bottleneck:
        shortcut = None if into == out else conv_bn(into, out, 1, relu=False)
        return Bottleneck(into, out // 4, downsample=shortcut)

    def forward(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = self.stages([self.units(self.stem(x))])
        maps = [widen(x) for widen, x in zip(self.widen, maps, strict=True)]
        y = maps[0]
        for shrink, feature_map in zip(self.shrink, maps[1:], strict=True):
            y = feature_map + shrink(y)
        logits: Tensor = self.fc(self.conv(y).mean((2, 3)))
        return logits


class SelectiveKernel(nn.Module):
    """Section 3.1 of Li et al. 2019: split, fuse, select."""

    def __init__(self, width: int, stride: int, dilations: Sequence[int], groups: int, reduction: int) -> None:
        super().__init__()
        self.split = nn.ModuleList(conv_bn(width, width, stride=stride, dilation=d, groups=groups) for d in dilations)
        squeezed = max(width // reduction, 32)
        self.squeeze = nn.Linear(width, squeezed, bias=False)
        self.bn = nn.BatchNorm1d(squeezed)
        self.scores = nn.Linear(squeezed, width * len(dilations), bias=False)  # A, B, … row by row

    def forward(self, x: Tensor) -> Tensor:
        found = torch.stack([branch(x) for branch in self.split])
        z = F.relu(self.bn(self.squeeze(found.sum(0).mean((2, 3)))))
        score = self.scores(z).unflatten(1, (-1, len(self.split))).exp()
        weight = score / score.sum(2, keepdim=True)
        return torch.einsum("nbchw,bcn->bchw", found, weight)


class SKUnit(nn.Module):
    def __init__(self, into: int, out: int, stride: int, **arguments: Any) -> None:
        super().__init__()
        self.reduce = conv_bn(into, out // 2, 1)
        self.select = SelectiveKernel(out // 2, stride, **arguments)
        self.increase = conv_bn(out // 2, out, 1, relu=False)
        changes = stride != 1 or into != out
        self.shortcut = conv_bn(into, out, 1, stride, relu=False) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.increase(self.select(self.reduce(x))) + self.shortcut(x))


class SKNet(nn.Module):
    """Table 1 of Li et al. 2019."""

    def __init__(
        self,
        classes: int = 1000,
        units: Sequence[int] = (3, 4, 6, 3),
        dilations: Sequence[int] = (1, 2),
        groups: int = 32,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.stem = conv_bn(3, 64, 7, stride=2)
        self.units = nn.Sequential()
        width = 64
        for stage, count in enumerate(units):
            for number in range(count):
                stride = 2 if stage and not number else 1
                arguments = {"dilations": dilations, "groups": groups, "reduction": reduction}
                self.units.append(SKUnit(width, 256 * 2**stage, stride, **arguments))
                width = 256 * 2**stage
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.units(F.max_pool2d(self.stem(x), 3, 2, 1))
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


class GRN(nn.Module):
    """Algorithm 1 of Woo et al. 2023, on N×H×W×C."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        gx = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        y: Tensor = self.gamma * (x * gx / (gx.mean(dim=-1, keepdim=True) + 1e-6)) + self.beta + x
        return y


class ChannelsLast(nn.Module):
    """Layers on N×H×W×C, applied to N×C×H×W."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x.permute(0, 2, 3, 1))
        return y.permute(0, 3, 1, 2)


class ConvNeXtUnit(nn.Module):
    """Figure 5 of Woo et al. 2023."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        layers = nn.Linear(width, 4 * width), nn.GELU(), GRN(4 * width), nn.Linear(4 * width, width)
        self.layers = ChannelsLast(nn.LayerNorm(width, eps=1e-6), *layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(self.conv(x))
        return x + y


class ConvNeXtV2(nn.Sequential):
    """Table 14 of Woo et al. 2023."""

    def __init__(
        self, classes: int = 1000, depths: Sequence[int] = (2, 2, 6, 2), widths: Sequence[int] = (40, 80, 160, 320)
    ) -> None:
        super().__init__()
        for stage, (into, width) in enumerate(pairwise([3, *widths])):
            conv, norm = nn.Conv2d(into, width, *((2, 2) if stage else (4, 4))), nn.LayerNorm(into, eps=1e-6)
            self.extend([ChannelsLast(norm), conv] if stage else [conv, ChannelsLast(nn.LayerNorm(width, eps=1e-6))])
            self.extend(ConvNeXtUnit(width) for _ in range(depths[stage]))
        norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), norm, nn.Linear(widths[-1], classes)])
