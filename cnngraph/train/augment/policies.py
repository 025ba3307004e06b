"""RandAugment and TrivialAugment: for each image of a batch, random transforms of random strength."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as vision

from cnngraph.frozen import frozen
from cnngraph.recipe.augment import Policy, RandAugment
from cnngraph.train.augment import colors
from cnngraph.train.augment.resampling import affine, rotations
from cnngraph.train.augment.seeds import Draws

STRENGTHS = 31


@frozen(slots=False)
class Transform:
    """A transform of a batch with one magnitude per image.

    `magnitudes` has the magnitude of each strength; if `signed`, its sign is random.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    magnitudes: Tensor
    signed: bool = False


def apply_policy(images: Tensor, policy: Policy, draws: Draws) -> Tensor:
    """Apply the policy's transforms to N×C×H×W images with values from 0 to 255."""
    transforms = transforms_of(policy, images.shape[2], images.shape[3])
    for _ in range(policy.ops if isinstance(policy, RandAugment) else 1):
        images = _apply_one(images, transforms, policy, draws)
    return images


def _apply_one(images: Tensor, transforms: list[Transform], policy: Policy, draws: Draws) -> Tensor:
    """Apply one random transform to each image."""
    choice = draws.integers(len(transforms))
    strength = draws.integers(STRENGTHS)
    sign = draws.integers(2) * 2.0 - 1
    if isinstance(policy, RandAugment):
        strength = torch.full_like(strength, policy.magnitude)
    images = images.clone()
    for index, transform in enumerate(transforms):
        chosen = torch.nonzero(choice == index).flatten()
        if not len(chosen):
            continue
        magnitudes = transform.magnitudes[strength[chosen]] * (sign[chosen] if transform.signed else 1)
        on_device = chosen.to(images.device)
        images[on_device] = transform.apply(images[on_device], magnitudes)
    return images


def transforms_of(policy: Policy, height: int, width: int) -> list[Transform]:
    """The transforms of a policy, with the magnitudes that torchvision uses."""
    mild = isinstance(policy, RandAugment)
    none = torch.zeros(STRENGTHS)
    factors = 0.9 if mild else 0.99
    shift = 150 / 331 if mild else 0
    bits = (8 - torch.arange(STRENGTHS) / ((STRENGTHS - 1) / (4 if mild else 6))).round()

    def up_to(maximum: float) -> Tensor:
        return torch.linspace(0, maximum, STRENGTHS)

    blends = (colors.brightness, colors.saturation, colors.contrast, colors.sharpness)
    return [
        Transform(lambda images, magnitudes: images, none),
        Transform(_sheared_along_rows, up_to(0.3 if mild else 0.99), True),
        Transform(_sheared_along_columns, up_to(0.3 if mild else 0.99), True),
        Transform(_shifted_along_rows, up_to(shift * width if mild else 32), True),
        Transform(_shifted_along_columns, up_to(shift * height if mild else 32), True),
        Transform(
            lambda images, magnitudes: affine(images, rotations(magnitudes), "nearest"),
            up_to(30 if mild else 135),
            True,
        ),
        *(Transform(_by_factor(blend), up_to(factors), True) for blend in blends),
        Transform(lambda images, magnitudes: colors.posterize(images.round(), magnitudes), bits),
        Transform(colors.solarize, torch.linspace(255, 0, STRENGTHS)),
        Transform(lambda images, magnitudes: _as_bytes(vision.autocontrast, images), none),
        Transform(lambda images, magnitudes: _as_bytes(vision.equalize, images), none),
    ]


def _by_factor(blend: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda images, magnitudes: blend(images, 1 + magnitudes)


def _as_bytes(transform: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return transform(images.round().byte()).float()


def _sheared_along_rows(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shear around the top edge."""
    return affine(images, _matrices(len(magnitudes), (0, 1), magnitudes, magnitudes * images.shape[2] / 2), "nearest")


def _sheared_along_columns(images: Tensor, magnitudes: Tensor) -> Tensor:
    """Shear around the left edge."""
    return affine(images, _matrices(len(magnitudes), (1, 0), magnitudes, magnitudes * images.shape[3] / 2), "nearest")


def _shifted_along_rows(images: Tensor, magnitudes: Tensor) -> Tensor:
    return affine(images, _matrices(len(magnitudes), (0, 2), -magnitudes.trunc()), "nearest")


def _shifted_along_columns(images: Tensor, magnitudes: Tensor) -> Tensor:
    return affine(images, _matrices(len(magnitudes), (1, 2), -magnitudes.trunc()), "nearest")


def _matrices(count: int, entry: tuple[int, int], magnitudes: Tensor, shift: Tensor | float = 0.0) -> Tensor:
    """Identity matrices (N×2×3) with one entry set to `magnitudes`, and `shift` added to the offset of its row."""
    matrices = torch.eye(2, 3).repeat(count, 1, 1)
    matrices[:, entry[0], 2] += shift
    matrices[:, entry[0], entry[1]] = magnitudes
    return matrices
