"""Rotation, shearing, cropping and resizing of a batch, with one set of parameters per image.

Images are N×C×H×W floats. torchvision's functions take one set of parameters for the whole batch; the tests compare
these with torchvision's results.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.train.augment.seeds import Draws


def resized_crops(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Crop a box (top, left, height, width) from each image and resize it: bilinear, antialiased when it shrinks."""
    top, left, height, width = boxes.to(images.device, torch.float32).unbind(1)
    rows = _weights(top, height, images.shape[2], size[0])
    columns = _weights(left, width, images.shape[3], size[1])
    return (rows[:, None] @ images @ columns[:, None].mT).contiguous(memory_format=torch.channels_last)


def _weights(start: Tensor, length: Tensor, full: int, size: int) -> Tensor:
    """Interpolation weights, N×size×full: the share of each input pixel of a line in each output pixel."""
    start, length = start[:, None, None], length[:, None, None]
    places = torch.arange(full, device=start.device) + 0.5
    scale = length / size
    centres = start + (torch.arange(size, device=start.device)[:, None] + 0.5) * scale
    weights = (1 - (places - centres).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((places > start) & (places < start + length))
    return weights / weights.sum(2, keepdim=True)


def random_boxes(
    size: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    draws: Draws,
    tries: int = 10,
) -> tuple[Tensor, Tensor]:
    """Boxes (top, left, height, width) of random area and aspect ratio, N×4, and which of them fit into the image.

    Each is the first of `tries` random boxes that fits, as in torchvision.
    """
    full_height, full_width = size
    random_area, random_ratio, random_top, random_left = draws.fractions(4, tries, dtype=torch.float64).unbind(1)
    area = full_height * full_width * (scale[0] + random_area * (scale[1] - scale[0]))
    low, high = torch.tensor(ratio, dtype=torch.float64).log()
    aspect = (low + random_ratio * (high - low)).exp()
    width, height = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (width > 0) & (width <= full_width) & (height > 0) & (height <= full_height)
    top = (random_top * (full_height - height + 1)).long()
    left = (random_left * (full_width - width + 1)).long()
    first = fits.long().argmax(1, keepdim=True)
    boxes = torch.stack([top, left, height, width], 2).gather(1, first[..., None].expand(-1, 1, 4))[:, 0]
    return boxes, fits.any(1)


def random_box(
    size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], seed: int, tries: int = 10
) -> tuple[int, int, int, int]:
    """The same as `random_boxes` for one image, twenty times as fast. The central box if no random one fits."""
    generator = random.Random(seed)
    for _ in range(tries):
        area = size[0] * size[1] * generator.uniform(*scale)
        aspect = math.exp(generator.uniform(math.log(ratio[0]), math.log(ratio[1])))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= size[1] and 0 < height <= size[0]:
            top, left = generator.randint(0, size[0] - height), generator.randint(0, size[1] - width)
            return top, left, height, width
    return largest_center_box(size, ratio)


def largest_center_box(size: tuple[int, int], ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """The largest central box of an image whose width/height is within the bounds `ratio`."""
    height, width = size
    if width < height * ratio[0]:
        height = round(width / ratio[0])
    elif width > height * ratio[1]:
        width = round(height * ratio[1])
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def size_with_shorter_side(size: tuple[int, int], length: int) -> tuple[int, int]:
    """The height and width after resizing the shorter side to `length`; the longer side is rounded down."""
    height, width = size
    return (length, length * width // height) if height <= width else (length * height // width, length)


def center_crop_box(size: tuple[int, int], crop: tuple[int, int]) -> tuple[int, int, int, int]:
    """The central box of size `crop` (height, width), rounded as in torchvision."""
    return round((size[0] - crop[0]) / 2), round((size[1] - crop[1]) / 2), *crop


def affine(images: Tensor, matrices: Tensor, mode: str) -> Tensor:
    """Transform each image by a 2×3 matrix, which maps output to input coordinates in pixels from the centre.

    Pixels from outside the image are black.
    """
    _, _, height, width = images.shape
    matrices = matrices.to(images.device, images.dtype).clone()
    matrices[:, 0, 1] *= height / width
    matrices[:, 1, 0] *= width / height
    matrices[:, 0, 2] *= 2 / width
    matrices[:, 1, 2] *= 2 / height
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def rotations(degrees: Tensor) -> Tensor:
    """Matrices (N×2×3) that rotate images counterclockwise around their centre."""
    angle = degrees.deg2rad()
    zero = torch.zeros_like(angle)
    rows = torch.stack([angle.cos(), -angle.sin(), zero], 1), torch.stack([angle.sin(), angle.cos(), zero], 1)
    return torch.stack(rows, 1)
