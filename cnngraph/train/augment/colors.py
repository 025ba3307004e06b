"""Colour transforms of a batch, with one factor per image.

Images and results are N×C×H×W floats from 0 to 255. torchvision's functions take one factor for the whole batch; the
tests compare these with torchvision's results.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

GREY = (0.2989, 0.587, 0.114)


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the brightness of each image; a factor below 1 darkens it."""
    return _blend(images, torch.zeros_like(images), factors)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the contrast of each image around its mean grey; a factor below 1 reduces it."""
    return _blend(images, grey(images).floor().mean((1, 2, 3), keepdim=True), factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the saturation of each image; a factor below 1 makes it greyer."""
    return images if images.shape[1] == 1 else _blend(images, grey(images).floor(), factors)


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale the sharpness of each image; a factor below 1 blurs it. Border pixels are unchanged."""
    channels = images.shape[1]
    kernel = images.new_ones(channels, 1, 3, 3)
    kernel[:, :, 1, 1] = 5
    soft = images.clone()
    soft[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel / 13, groups=channels)
    return _blend(images, soft.round_(), factors)


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate the hues of each image by a fraction of a full turn."""
    if images.shape[1] == 1:
        return images
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    red, green, blue = images.unbind(1)
    spread = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sector = torch.where(
        value == red,
        (green - blue) / spread,
        torch.where(value == green, 2 + (blue - red) / spread, 4 + (red - green) / spread),
    )
    sector = sector + 6 * _per_image(turns, sector)
    offsets = [torch.remainder(offset + sector, 6) for offset in (5.0, 3.0, 1.0)]  # of red, green and blue
    return torch.stack([value - chroma * torch.minimum(offset, 4 - offset).clamp(0, 1) for offset in offsets], 1)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep only the highest `bits` bits of each value."""
    step = 2 ** (8 - _per_image(bits, images))
    return (images / step).floor() * step


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the values at or above each image's threshold."""
    return torch.where(images >= _per_image(thresholds, images), 255 - images, images)


def grey(images: Tensor) -> Tensor:
    """Convert to grey, N×1×H×W."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(GREY, device=images.device)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    return torch.lerp(others.expand_as(images), images, _per_image(factors, images)).clamp(0, 255)


def _per_image(numbers: Tensor, images: Tensor) -> Tensor:
    """One number per image, shaped to broadcast over `images`."""
    return numbers.to(images.device, torch.float32).reshape(-1, *[1] * (images.ndim - 1))
