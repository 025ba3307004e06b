"""From bytes to what a network reads: augmented or cut, and normalised, whole batches on the device that trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.recipe.augment import Augment, ColorJitter, Evaluation, RandomErasing, RandomResizedCrop
from cnngraph.recipe.model import Recipe
from cnngraph.train.augment import colors
from cnngraph.train.augment.policies import changed
from cnngraph.train.augment.resampling import (
    affine,
    middle_box,
    middle_of,
    random_boxes,
    resized_crops,
    rotations,
    shorter_side,
)
from cnngraph.train.augment.seeds import Draws


@dataclass(frozen=True, eq=False)
class Preparation:
    """Bytes N×H×W×C to what the network reads: N×C×H×W numbers, channels-last in memory.

    Images may come cut, each from a file of its own size: then they are neither cropped nor resized once more.
    """

    mean: Tensor
    deviation: Tensor
    augment: Augment
    look: Evaluation | None = None
    lines: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)  # by width and channels

    @cached_property
    def by_chance(self) -> bool:
        """Whether anything is changed by chance."""
        return self.augment != Augment()

    @classmethod
    def of(cls, recipe: Recipe, channels: int, device: torch.device) -> Preparation:
        """The preparation that a recipe asks for."""
        figures = recipe.mean_and_std(channels) or ((0.0,), (1.0,))
        mean, deviation = (torch.tensor(each, device=device) * 255 for each in figures)
        return cls(mean, deviation, recipe.augment, recipe.effective_evaluation)

    def evaluated(self, pixels: Tensor, cut: bool = False) -> Tensor:
        """Each image as it is looked at: whole or its middle, normalised."""
        if self.look and not cut:
            pixels = _middle(pixels, self.look)
        return self.normalized(pixels)

    def trained(self, pixels: Tensor, draws: Draws, cut: bool = False) -> Tensor:
        """Each image changed by chance, normalised."""
        augment = self.augment
        if augment.random_resized_crop and not cut:
            pixels = _resized(pixels, augment.random_resized_crop, draws)
        if augment.pad and augment.padding_mode == "zeros":
            pixels = F.pad(pixels, (0, 0, *[augment.pad] * 4))
        if augment.crop or augment.flip:
            pixels = self._cropped(pixels, draws)
        if augment.rotation or augment.color_jitter or augment.auto_augment:
            pixels = self._changed(pixels, draws)
        images = self.normalized(pixels)
        return _erased(images, augment.random_erasing, draws) if augment.random_erasing else images

    def normalized(self, pixels: Tensor) -> Tensor:
        """N×C×H×W numbers from N×H×W×C ones from 0 to 255."""
        count, height, width, channels = pixels.shape
        if (width, channels) not in self.lines:
            mean, deviation = (each.expand(channels).repeat(width) for each in (self.mean, self.deviation))
            self.lines[width, channels] = mean, deviation
        mean, deviation = self.lines[width, channels]
        lines = pixels.float().reshape(count, height, width * channels)  # long lines are quick, a few channels are not
        return lines.sub_(mean).div_(deviation).reshape(count, height, width, channels).permute(0, 3, 1, 2)

    def _cropped(self, pixels: Tensor, draws: Draws) -> Tensor:
        """A random place of each image, mirrored for a random half of them: one gather for the whole batch."""
        count, full_height, full_width, channels = pixels.shape
        height, width = self.augment.crop or (full_height, full_width)
        outside = 0 if self.augment.padding_mode == "zeros" else self.augment.pad
        device = pixels.device

        def draw(options: int) -> Tensor:
            return draws.integers(options, 1).to(device)

        def place(size: int, full: int) -> Tensor:
            places = draw(full + 2 * outside - size + 1) + torch.arange(-outside, size - outside, device=device)
            return _inside(places, full, self.augment.padding_mode) if outside else places

        rows, columns = place(height, full_height), place(width, full_width)
        as_they_are = draw(2).bool() if self.augment.flip else torch.ones((count, 1), dtype=torch.bool, device=device)
        if not self.augment.crop:
            return torch.where(as_they_are[:, :, None, None], pixels, pixels.flip(2))
        columns = torch.where(as_they_are, columns, columns.flip(1))
        rows = rows + torch.arange(count, device=device)[:, None] * full_height
        places = rows[:, :, None] * full_width + columns[:, None, :]
        chosen = pixels.reshape(-1, channels).index_select(0, places.flatten())  # thrice as quick as indexing by three
        return chosen.reshape(count, height, width, channels)

    def _changed(self, pixels: Tensor, draws: Draws) -> Tensor:
        """Each image turned, and its colours and shape changed."""
        augment = self.augment
        images = pixels.permute(0, 3, 1, 2).float()
        if augment.rotation:
            degrees = (draws.fractions() * 2 - 1) * augment.rotation
            images = affine(images, rotations(degrees), "bilinear")
        if augment.color_jitter:
            images = _jittered(images, augment.color_jitter, draws)
        if augment.auto_augment:
            images = changed(images, augment.auto_augment, draws)
        return images.permute(0, 2, 3, 1).contiguous()


def _inside(places: Tensor, size: int, mode: str) -> Tensor:
    """Which of `size` pixels stands in for one at a place that may be outside: its mirror image, or the border's."""
    last = size - 1
    return places.clamp(0, last) if mode == "replicate" else last - (last - places.abs()).abs()


def _middle(pixels: Tensor, look: Evaluation) -> Tensor:
    """The middle of each image, whose shorter side may be resized before."""
    size = (pixels.shape[1], pixels.shape[2])
    height, width = look.crop
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    if look.resize:
        size = shorter_side(size, look.resize)
        top, left, height, width = middle_of(size, look.crop)
    if size != pixels.shape[1:3]:
        images = pixels.permute(0, 3, 1, 2).float()
        images = F.interpolate(images, size, mode="bilinear", antialias=True)
        pixels = images.permute(0, 2, 3, 1).contiguous()
    return pixels[:, top : top + height, left : left + width]


def _resized(pixels: Tensor, wanted: RandomResizedCrop, draws: Draws) -> Tensor:
    """A random part of each image, resized."""
    size = (pixels.shape[1], pixels.shape[2])
    boxes, fits = random_boxes(size, wanted.scale, wanted.ratio, draws)
    boxes[~fits] = torch.tensor(middle_box(size, wanted.ratio))
    return resized_crops(pixels.permute(0, 3, 1, 2).float(), boxes, wanted.size).permute(0, 2, 3, 1)


def _jittered(images: Tensor, wanted: ColorJitter, draws: Draws) -> Tensor:
    """The colours of each image changed by factors of its own; the order is the batch's."""
    strengths = (wanted.brightness, wanted.contrast, wanted.saturation, wanted.hue)
    changes = (colors.brightness, colors.contrast, colors.saturation, colors.hue)
    for number in draws.order(4):
        chance = draws.fractions() * 2 - 1
        if strengths[number]:
            middle = 0.0 if changes[number] is colors.hue else 1.0
            images = changes[number](images, (middle + chance * strengths[number]).clamp(min=middle - 1))
    return images


def _erased(images: Tensor, wanted: RandomErasing, draws: Draws) -> Tensor:
    """A rectangle of some images made 0, which is the mean colour."""
    height, width = images.shape[2:]
    boxes, fits = random_boxes((height, width), wanted.scale, wanted.ratio, draws)
    boxes[~(fits & (draws.fractions() < wanted.p))] = 0
    top, left, tall, wide = boxes.to(images.device)[:, :, None].unbind(1)
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    down, across = (rows >= top) & (rows < top + tall), (columns >= left) & (columns < left + wide)
    return images.masked_fill_((down[:, :, None] & across[:, None, :])[:, None], 0.0)
