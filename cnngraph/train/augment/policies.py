"""Policies of many changes: for each image of a batch some are drawn, and their strengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from cnngraph.recipe.augment import Policy, RandAugment
from cnngraph.train.augment import colors
from cnngraph.train.augment.resampling import affine, rotations
from cnngraph.train.augment.seeds import Draws

STRENGTHS = 31


@dataclass(frozen=True)
class Change:
    """One change: what it does to images by numbers of their own, those numbers by strength, and whether both signs."""

    apply: Callable[[Tensor, Tensor], Tensor]
    numbers: Tensor
    signed: bool = False


def changed(images: Tensor, policy: Policy, draws: Draws) -> Tensor:
    """Images, N×C×H×W from 0 to 255, each changed as the policy has it."""
    changes = changes_of(policy, images.shape[2], images.shape[3])
    for _ in range(policy.ops if isinstance(policy, RandAugment) else 1):
        images = _once(images, changes, policy, draws)
    return images


def _once(images: Tensor, changes: list[Change], policy: Policy, draws: Draws) -> Tensor:
    which = draws.integers(len(changes))
    strength = draws.integers(STRENGTHS)
    sign = draws.integers(2) * 2.0 - 1
    if isinstance(policy, RandAugment):
        strength = torch.full_like(strength, policy.magnitude)
    images = images.clone()
    for number, change in enumerate(changes):
        chosen = torch.nonzero(which == number).flatten()
        if not len(chosen):
            continue
        numbers = change.numbers[strength[chosen]] * (sign[chosen] if change.signed else 1)
        at = chosen.to(images.device)
        images[at] = change.apply(images[at], numbers)
    return images


def changes_of(policy: Policy, height: int, width: int) -> list[Change]:
    """The changes of a policy, as torchvision has them."""
    mild = isinstance(policy, RandAugment)
    none = torch.zeros(STRENGTHS)
    factors = 0.9 if mild else 0.99
    shift = 150 / 331 if mild else 0
    bits = (8 - torch.arange(STRENGTHS) / ((STRENGTHS - 1) / (4 if mild else 6))).round()

    def up_to(most: float) -> Tensor:
        return torch.linspace(0, most, STRENGTHS)

    blends = (colors.brightness, colors.saturation, colors.contrast, colors.sharpness)
    return [
        Change(lambda images, numbers: images, none),
        Change(_sheared_along_rows, up_to(0.3 if mild else 0.99), True),
        Change(_sheared_along_columns, up_to(0.3 if mild else 0.99), True),
        Change(_shifted_along_rows, up_to(shift * width if mild else 32), True),
        Change(_shifted_along_columns, up_to(shift * height if mild else 32), True),
        Change(lambda images, numbers: affine(images, rotations(numbers), "nearest"), up_to(30 if mild else 135), True),
        *(Change(_by_factor(each), up_to(factors), True) for each in blends),
        Change(lambda images, numbers: colors.posterize(images.round(), numbers), bits),
        Change(colors.solarize, torch.linspace(255, 0, STRENGTHS)),
        Change(lambda images, numbers: _as_bytes(vision.autocontrast, images), none),
        Change(lambda images, numbers: _as_bytes(vision.equalize, images), none),
    ]


def _by_factor(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda images, numbers: change(images, 1 + numbers)


def _as_bytes(change: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return change(images.round().byte()).float()


def _sheared_along_rows(images: Tensor, numbers: Tensor) -> Tensor:
    """About the upper edge."""
    return affine(images, _moved(len(numbers), (0, 1), numbers, numbers * images.shape[2] / 2), "nearest")


def _sheared_along_columns(images: Tensor, numbers: Tensor) -> Tensor:
    """About the left edge."""
    return affine(images, _moved(len(numbers), (1, 0), numbers, numbers * images.shape[3] / 2), "nearest")


def _shifted_along_rows(images: Tensor, numbers: Tensor) -> Tensor:
    return affine(images, _moved(len(numbers), (0, 2), -numbers.trunc()), "nearest")


def _shifted_along_columns(images: Tensor, numbers: Tensor) -> Tensor:
    return affine(images, _moved(len(numbers), (1, 2), -numbers.trunc()), "nearest")


def _moved(count: int, place: tuple[int, int], numbers: Tensor, shift: Tensor | float = 0.0) -> Tensor:
    """Matrices that move nothing, with numbers at one place, and a shift in its row."""
    matrices = torch.eye(2, 3).repeat(count, 1, 1)
    matrices[:, place[0], 2] += shift
    matrices[:, place[0], place[1]] = numbers
    return matrices
