"""The colours of a batch of images changed, each image by a factor of its own.

Images are N×C×H×W numbers from 0 to 255, and so are the results. torchvision's functions take one factor for a whole
batch; the tests hold these to torchvision's results.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

GREY = (0.2989, 0.587, 0.114)


def brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Darker below 1, brighter above."""
    return _blend(images, torch.zeros_like(images), factors)


def contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Nearer to the image's mean grey below 1, further from it above."""
    return _blend(images, grey(images).floor().mean((1, 2, 3), keepdim=True), factors)


def saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Greyer below 1, more colourful above."""
    return images if images.shape[1] == 1 else _blend(images, grey(images).floor(), factors)


def sharpness(images: Tensor, factors: Tensor) -> Tensor:
    """Softer below 1, sharper above; the outermost pixels stay."""
    channels = images.shape[1]
    kernel = images.new_ones(channels, 1, 3, 3)
    kernel[:, :, 1, 1] = 5
    soft = images.clone()
    soft[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel / 13, groups=channels)
    return _blend(images, soft.round_(), factors)


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """The circle of hues turned, by parts of a whole turn."""
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
    sector = sector + 6 * _each(turns, sector)
    places = [torch.remainder(offset + sector, 6) for offset in (5.0, 3.0, 1.0)]  # of red, green and blue
    return torch.stack([value - chroma * torch.minimum(each, 4 - each).clamp(0, 1) for each in places], 1)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Only so many bits of each value."""
    step = 2 ** (8 - _each(bits, images))
    return (images / step).floor() * step


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """What is bright turned dark, from a threshold on."""
    return torch.where(images >= _each(thresholds, images), 255 - images, images)


def grey(images: Tensor) -> Tensor:
    """N×1×H×W."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(GREY, device=images.device)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    return torch.lerp(others.expand_as(images), images, _each(factors, images)).clamp(0, 255)


def _each(numbers: Tensor, images: Tensor) -> Tensor:
    """A number for each image, as wide as images."""
    return numbers.to(images.device, torch.float32).reshape(-1, *[1] * (images.ndim - 1))
