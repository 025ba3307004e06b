"""Modules that ops need and torch.nn lacks.

The source of each class is copied into generated model files, so it may only use `torch`, `nn`, `F`, `math`
and `Any`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of N×C×…; weight and bias have C elements."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.movedim(-1, 1)


class Resize(nn.Module):
    """Resizes a map N×C×H×W, or a parameter C×H×W, to a size, by a factor, or to the size of another map."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.antialias = antialias

    def forward(self, x: torch.Tensor, like: torch.Tensor | None = None) -> torch.Tensor:
        size = self.size if like is None else [like.shape[-2], like.shape[-1]]
        images = x if x.ndim == 4 else x[None]
        corners = self.align_corners or None
        y = F.interpolate(images, size, self.scale_factor, self.mode, corners, antialias=self.antialias)
        return y if x.ndim == 4 else y[0]

    def extra_repr(self) -> str:
        return f"mode={self.mode}, align_corners={self.align_corners}, antialias={self.antialias}"


class ChannelRMSNorm(nn.RMSNorm):
    """Root mean square normalisation over the channels of N×C×…; the weight has C elements."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = super().forward(x.movedim(1, -1))
        return normalised.movedim(-1, 1)


class GlobalResponseNorm(nn.Module):
    """Global response normalisation (Woo et al. 2023) on N×C×H×W, or N×H×W×C if `channels_last`."""

    def __init__(self, channels: int, eps: float = 1e-6, channels_last: bool = False) -> None:
        super().__init__()
        self.eps = eps
        self.channels_last = channels_last
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (-1,) if self.channels_last else (-1, 1, 1)
        weight, bias = self.weight.view(shape), self.bias.view(shape)
        positions, channels = ((1, 2), -1) if self.channels_last else ((2, 3), 1)
        length = torch.linalg.vector_norm(x, dim=positions, keepdim=True)
        response = length / (length.mean(channels, keepdim=True) + self.eps)
        return x + torch.addcmul(bias, weight, x * response)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose kernels have mean 0 and variance 1 (Qiao et al. 2019).

    With `gamma` they are scaled by a learnable gain per output channel, and by gamma / √(elements of a kernel), as in
    NF-ResNet (Brock et al. 2021).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        eps: float = 1e-6,
        gamma: float | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, **arguments)
        self.eps = eps
        self.gamma = gamma
        gain = torch.ones(out_channels, 1, 1, 1)
        self.gain = None if gamma is None else nn.Parameter(gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = None
        if self.gain is not None and self.gamma is not None:
            scale = (self.gain * (self.gamma * self.weight[0].numel() ** -0.5)).view(-1)
        kernels = self.weight.reshape(1, self.out_channels, -1)
        kernels = F.batch_norm(kernels, None, None, scale, None, True, 0.0, self.eps)
        kernels = kernels.reshape_as(self.weight)
        convolved: torch.Tensor = self._conv_forward(x, kernels, self.bias)
        return convolved


class BlurPool(nn.Module):
    """A binomial filter with a stride (Zhang 2019), on N×C×H×W."""

    def __init__(self, kernel: int, stride: int, padding: int = 0, padding_mode: str = "reflect") -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.padding_mode = "constant" if padding_mode == "zeros" else padding_mode
        row = torch.tensor([float(math.comb(kernel - 1, k)) for k in range(kernel)])
        row = row / row.sum()
        self.register_buffer("filter", row[:, None] * row, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        x = F.pad(x, [self.padding] * 4, self.padding_mode)
        weight = self.get_buffer("filter").expand(channels, 1, -1, -1)
        return F.conv2d(x, weight, stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        return f"stride={self.stride}, padding={self.padding}"


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training mode the output is 0 with probability p, otherwise x / (1 − p).

    Mode `row` draws for each image, mode `batch` once for the whole batch.
    """

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return x
        keep = 1.0 - self.p
        rows = x.shape[0] if self.mode == "row" else 1
        mask = x.new_empty([rows] + [1] * (x.ndim - 1)).bernoulli_(keep)
        return x * (mask / keep if keep > 0.0 else mask)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class DropBlock(nn.Module):
    """DropBlock (Ghiasi et al. 2018) on N×C×H×W: in training mode square regions become 0 and the rest is scaled up."""

    def __init__(self, p: float, block: int) -> None:
        super().__init__()
        self.p = p
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return x
        images, channels, height, width = x.shape
        block = min(self.block, height, width)
        rows, columns = height - block + 1, width - block + 1
        # The fraction of centres that drops about p of all values.
        gamma = self.p * height * width / (block**2 * rows * columns)
        centres = x.new_empty(images, channels, rows, columns).bernoulli_(gamma)
        dropped = F.max_pool2d(F.pad(centres, [block // 2] * 4), block, stride=1, padding=block // 2)
        kept = 1 - dropped
        return x * kept * (kept.numel() / (1e-6 + kept.sum()))

    def extra_repr(self) -> str:
        return f"p={self.p}, block={self.block}"


class Gate(nn.Module):
    """The gated shortcut of He et al. 2016 on N×C×H×W, with g = sigmoid(conv(carry)).

    Mode `exclusive` computes g·transform + (1 − g)·carry, mode `shortcut` transform + (1 − g)·carry.
    """

    def __init__(self, channels: int, mode: str, bias: float | None = None, kernel: int = 1) -> None:
        super().__init__()
        self.mode = mode
        conv = nn.Conv2d(channels, channels, kernel)
        if bias is not None:
            conv.bias = nn.Parameter(torch.full((channels,), float(bias)))
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, transform: torch.Tensor, carry: torch.Tensor) -> torch.Tensor:
        gate = torch.sigmoid(F.conv2d(carry, self.weight, self.bias, padding=self.weight.shape[-1] // 2))
        if self.mode == "exclusive":
            transform = gate * transform
        return transform + (1 - gate) * carry

    def extra_repr(self) -> str:
        channels, kernel = self.weight.shape[1:3]
        return f"{channels}, mode={self.mode}, kernel={kernel}"


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017) of tokens N×…×L×C, with the channels divided among the heads.

    The optional bias, which matches N×…×heads×L×S, is added to the scores.
    """

    def __init__(
        self,
        num_heads: int,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout_p = dropout_p
        self.is_causal = is_causal
        self.scale = scale

    def forward(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        leading, heads = q.shape[:-2], (self.num_heads, -1)
        q, k, v = (x.flatten(0, -3).unflatten(-1, heads).transpose(1, 2) for x in (q, k, v))
        if bias is not None and bias.ndim > 3 and len(leading) > 1:
            bias = bias.expand(*leading, *bias.shape[-3:]).flatten(0, -4)
        p = self.dropout_p if self.training else 0.0
        causal, scale = self.is_causal, self.scale
        x = F.scaled_dot_product_attention(q, k, v, bias, p, causal, scale=scale)
        tokens: torch.Tensor = x.transpose(1, 2).flatten(2).unflatten(0, leading)
        return tokens

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}"


def parameter(shape: tuple[int, ...], init: float | str = 1.0, **arguments: float | str) -> nn.Parameter:
    """A free parameter, filled with a number or by the named function of torch.nn.init."""
    tensor = torch.empty(shape)
    if isinstance(init, str):
        getattr(nn.init, f"{init}_")(tensor, **arguments)
    else:
        nn.init.constant_(tensor, init)
    return nn.Parameter(tensor)


def constant(value: Any, shape: tuple[int, ...] = (), dtype: str = "float", persistent: bool = False) -> nn.Buffer:
    """A constant tensor without a batch axis. A single number fills the shape."""
    numbers = torch.tensor(value, dtype=torch.int64 if dtype == "int64" else torch.get_default_dtype())
    return nn.Buffer(numbers.expand(shape).clone() if shape else numbers, persistent=persistent)
