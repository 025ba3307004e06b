"""A batch of images turned, sheared, cut and resized, each image by numbers of its own.

Images are N×C×H×W numbers. torchvision's functions take one set of numbers for a whole batch; the tests hold these to
torchvision's results.
"""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.train.augment.seeds import Draws


def resized_crops(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The box (top, left, height, width) of each image, resized: bilinear, smoothed where it shrinks."""
    top, left, height, width = boxes.to(images.device, torch.float32).unbind(1)
    rows = _weights(top, height, images.shape[2], size[0])
    columns = _weights(left, width, images.shape[3], size[1])
    return (rows[:, None] @ images @ columns[:, None].mT).contiguous(memory_format=torch.channels_last)


def _weights(start: Tensor, length: Tensor, full: int, size: int) -> Tensor:
    """N×size×full: how much of each pixel of a line goes into each of the resized ones."""
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
    """Boxes (top, left, height, width) of random area and shape in images of a size, and which of them fit.

    Each is the first that fits of ten tries, as torchvision has it.
    """
    full_height, full_width = size
    chance = draws.fractions(4, tries, dtype=torch.float64).unbind(1)
    area = full_height * full_width * (scale[0] + chance[0] * (scale[1] - scale[0]))
    low, high = torch.tensor(ratio, dtype=torch.float64).log()
    shape = (low + chance[1] * (high - low)).exp()
    width, height = (area * shape).sqrt().round().long(), (area / shape).sqrt().round().long()
    fits = (width > 0) & (width <= full_width) & (height > 0) & (height <= full_height)
    top = (chance[2] * (full_height - height + 1)).long()
    left = (chance[3] * (full_width - width + 1)).long()
    first = fits.long().argmax(1, keepdim=True)
    boxes = torch.stack([top, left, height, width], 2).gather(1, first[..., None].expand(-1, 1, 4))[:, 0]
    return boxes, fits.any(1)


def random_box(
    size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], chance: int, tries: int = 10
) -> tuple[int, int, int, int]:
    """One such box, of a single image, without tensors: that is twenty times as quick. The middle where none fits."""
    draw = random.Random(chance)
    for _ in range(tries):
        area = size[0] * size[1] * draw.uniform(*scale)
        shape = math.exp(draw.uniform(math.log(ratio[0]), math.log(ratio[1])))
        width, height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < width <= size[1] and 0 < height <= size[0]:
            return draw.randint(0, size[0] - height), draw.randint(0, size[1] - width), height, width
    return middle_box(size, ratio)


def middle_box(size: tuple[int, int], ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """The largest box in the middle of an image whose width to a height of 1 is within bounds."""
    height, width = size
    if width < height * ratio[0]:
        height = round(width / ratio[0])
    elif width > height * ratio[1]:
        width = round(height * ratio[1])
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def shorter_side(size: tuple[int, int], wanted: int) -> tuple[int, int]:
    """Height and width when the shorter of both becomes what is wanted; the longer is rounded down, as usual."""
    height, width = size
    return (wanted, wanted * width // height) if height <= width else (wanted * height // width, wanted)


def middle_of(size: tuple[int, int], crop: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of a size in the middle of an image, where torchvision has it."""
    return round((size[0] - crop[0]) / 2), round((size[1] - crop[1]) / 2), *crop


def affine(images: Tensor, matrices: Tensor, mode: str) -> Tensor:
    """Each image as a 2×3 matrix moves it: for a place, from the middle in pixels, where its colour comes from.

    What comes from outside is black.
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
    """Matrices that turn images anticlockwise about their middle."""
    angle = degrees.deg2rad()
    zero = torch.zeros_like(angle)
    rows = torch.stack([angle.cos(), -angle.sin(), zero], 1), torch.stack([angle.sin(), angle.cos(), zero], 1)
    return torch.stack(rows, 1)
