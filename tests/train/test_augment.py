"""Augmentation of batches: equal to torchvision, independent for each image, reproducible after resuming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as vision

from cnngraph.recipe.augment import (
    Augment,
    ColorJitter,
    Evaluation,
    Policy,
    RandAugment,
    RandomErasing,
    RandomResizedCrop,
    TrivialAugment,
)
from cnngraph.train.augment import colors
from cnngraph.train.augment.mixing import hard_labels, mix_batch
from cnngraph.train.augment.policies import apply_policy, transforms_of
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.resampling import (
    affine,
    largest_center_box,
    random_box,
    random_boxes,
    resized_crops,
    rotations,
)
from cnngraph.train.augment.seeds import Draws
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.split import Split
from cnngraph.train.loop.loader import TrainingLoader
from tests.train.support import CPU, RECIPE, run, small_network, stripe_splits

COUNT, HEIGHT, WIDTH = 12, 24, 32
CLASSES = 4


def smooth(count: int = COUNT, channels: int = 3) -> Tensor:
    """Smooth images, so that rounding makes little difference."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand((count, channels, 6, 8), generator=generator) * 255
    return F.interpolate(noise, (HEIGHT, WIDTH), mode="bilinear").round().byte()


def one_by_one(change: Callable[[Tensor, Any], Tensor], images: Tensor, numbers: Any) -> Tensor:
    return torch.stack([change(image, number) for image, number in zip(images, numbers, strict=True)]).float()


def equal(one: Tensor, other: Tensor, least: float = 1.0) -> None:
    """Equal up to rounding, at nearly every pixel."""
    assert one.shape == other.shape
    assert ((one.round() - other.round()).abs() <= 1).double().mean() >= least


@pytest.mark.parametrize("size", [(16, 12), (40, 50), (24, 32)])
def test_resized_crops_equal_torchvision(size: tuple[int, int]) -> None:
    images = smooth()
    boxes, _ = random_boxes((HEIGHT, WIDTH), (0.08, 1), (0.75, 4 / 3), Draws(1, COUNT))
    usual = one_by_one(
        lambda image, box: vision.resized_crop(image, *box.tolist(), size=list(size), antialias=True), images, boxes
    )
    equal(resized_crops(images.float(), boxes, size), usual)


def test_boxes_have_the_requested_areas_and_shapes() -> None:
    boxes, fits = random_boxes((100, 80), (0.1, 0.5), (0.5, 2), Draws(0, 4000))
    top, left, height, width = boxes.double().unbind(1)
    assert fits.all()
    assert (top >= 0).all()
    assert (top + height <= 100).all()
    assert (left + width <= 80).all()
    area = height * width / 8000
    assert area.min() == pytest.approx(0.1, abs=0.01)
    assert area.max() == pytest.approx(0.5, abs=0.01)
    assert area.mean() == pytest.approx(0.29, abs=0.02)
    assert (width / height).log().mean().abs() < 0.1
    assert (top + height).max() == 100
    assert top.min() == left.min() == 0


def test_single_boxes_have_the_same_distribution() -> None:
    many, _ = random_boxes((100, 80), (0.1, 0.5), (0.5, 2), Draws(0, 3000))
    single = torch.tensor([random_box((100, 80), (0.1, 0.5), (0.5, 2), chance) for chance in range(3000)])
    assert torch.allclose(many.double().mean(0), single.double().mean(0), rtol=0.05)
    assert torch.allclose(many.double().std(0), single.double().std(0), rtol=0.05)
    assert random_box((10, 100), (0.9, 1), (0.75, 4 / 3), 0) == largest_center_box((10, 100), (0.75, 4 / 3))


def test_a_flip_mirrors_half_of_the_images() -> None:
    pixels = pictures(400).pixels
    made = Preparation.of(replace(RECIPE, normalize=None, augment=Augment(flip=True)), 3, CPU).for_training(
        pixels, Draws(1, len(pixels))
    )
    back = (made * 255).round().byte().permute(0, 2, 3, 1)
    same, mirrored = ((back == original).flatten(1).all(1) for original in (pixels, pixels.flip(2)))
    assert (same | mirrored).all()
    assert same.double().mean() == pytest.approx(0.5, abs=0.1)


def test_a_box_that_cannot_fit_is_centred() -> None:
    _, fits = random_boxes((10, 100), (0.9, 1), (0.75, 4 / 3), Draws(0, 3))
    assert not fits.any()
    assert largest_center_box((10, 100), (0.75, 4 / 3)) == (0, 43, 10, 13)
    assert largest_center_box((100, 10), (0.75, 4 / 3)) == (43, 0, 13, 10)
    assert largest_center_box((10, 10), (0.75, 4 / 3)) == (0, 0, 10, 10)


def test_rotations_equal_torchvision() -> None:
    images, degrees = smooth().float(), torch.linspace(-60, 60, COUNT)
    usual = one_by_one(
        lambda image, angle: vision.rotate(image, angle.item(), InterpolationMode.BILINEAR), images, degrees
    )
    equal(affine(images, rotations(degrees), "bilinear"), usual)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "sharpness", "hue"])
def test_colour_changes_equal_torchvision(name: str, channels: int) -> None:
    images = smooth(channels=channels)
    numbers = torch.linspace(-0.5, 0.5, COUNT) if name == "hue" else torch.linspace(0.1, 1.9, COUNT)
    adjust = getattr(vision, f"adjust_{name}")
    usual = one_by_one(lambda image, number: adjust(image, number.item()), images, numbers)
    equal(getattr(colors, name)(images.float(), numbers), usual, 0.99 if name == "hue" else 1.0)


POLICIES: list[tuple[Policy, Any]] = [(TrivialAugment(), v2.TrivialAugmentWide()), (RandAugment(), v2.RandAugment())]


@pytest.mark.parametrize(("policy", "usual"), POLICIES)
def test_policies_equal_torchvision(policy: Policy, usual: Any) -> None:
    """Every operation, at several strengths, in both directions."""
    images = smooth()
    changes = transforms_of(policy, HEIGHT, WIDTH)
    space = usual._AUGMENTATION_SPACE
    assert len(changes) == len(space)
    for change, (name, (strengths, signed)) in zip(changes, space.items(), strict=True):
        assert change.signed == signed
        numbers = strengths(31, HEIGHT, WIDTH)
        for strength, sign in ((0, 1), (4, 1), (17, -1), (30, 1)):
            number = change.magnitudes[strength] * (sign if signed else 1)
            theirs = float(numbers[strength]) * (sign if signed else 1) if numbers is not None else 0.0
            expected = usual._apply_image_or_video_transform(
                images, name, theirs, interpolation=InterpolationMode.NEAREST, fill=usual._fill
            )
            equal(change.apply(images.float(), number.expand(COUNT)), expected.float(), 0.98)


def test_policies_change_images_independently() -> None:
    images = smooth(1).float().expand(200, -1, -1, -1)
    made = apply_policy(images, TrivialAugment(), Draws(0, len(images)))
    assert len({image.numpy().tobytes() for image in made}) > 100
    still = (made == images).flatten(1).all(1).sum()  # one of the fourteen operations is the identity
    assert 5 < still < 60
    weak = apply_policy(images, RandAugment(ops=1, magnitude=0), Draws(0, len(images)))
    assert (weak == images).flatten(1).all(1).sum() > 100


# All augmentations.

WORDS = {
    "resized": Augment(random_resized_crop=RandomResizedCrop(size=(6, 5)), flip=True),
    "rotation": Augment(rotation=20.0, pad=1, crop=(6, 5)),
    "jitter": Augment(color_jitter=ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)),
    "trivial": Augment(auto_augment=TrivialAugment()),
    "rand": Augment(auto_augment=RandAugment(ops=3), flip=True),
    "erasing": Augment(random_erasing=RandomErasing(p=0.7)),
    "mixup": Augment(mixup=0.2),
    "cutmix": Augment(cutmix=1.0, mixup=0.2, flip=True),
}


def pictures(count: int = 10, channels: int = 3) -> InMemory:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 9, 8, channels), generator=generator, dtype=torch.uint8)
    return InMemory(pixels, torch.arange(count) % CLASSES)


def loader(augment: Augment, channels: int = 3) -> TrainingLoader:
    recipe = replace(RECIPE, augment=augment)
    part = Split.all_of(pictures(channels=channels))
    return TrainingLoader(part, Preparation.of(recipe, channels, CPU), 4, 0, CPU, CLASSES)


def batches(made: TrainingLoader, count: int, done: int = 0) -> list[tuple[Tensor, Tensor]]:
    stream = made.batches(done)
    return [next(stream) for _ in range(count - done)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(WORDS))
def test_batches_are_the_same_after_resuming_at_any_step(name: str, channels: int) -> None:
    made = loader(WORDS[name], channels)
    state = torch.get_rng_state()
    whole = batches(made, 6)
    assert torch.equal(state, torch.get_rng_state())
    for images, _ in whole:
        assert images.isfinite().all()
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert images.shape[1] == channels
    for done in (1, 3, 5):
        for one, other in zip(batches(made, 6, done), whole[done:], strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])
    assert not torch.equal(whole[0][0], whole[3][0][: len(whole[0][0])])


@pytest.mark.parametrize("name", sorted(WORDS))
def test_only_training_images_are_augmented(name: str) -> None:
    images = pictures()
    preparation = Preparation.of(replace(RECIPE, augment=replace(WORDS[name], crop=None, pad=0)), 3, CPU)
    before = images.pixels.clone()
    plain = Preparation.of(RECIPE, 3, CPU).normalized(images.pixels)
    if not WORDS[name].random_resized_crop:
        assert torch.equal(preparation.for_evaluation(images.pixels), plain)
        if "mix" not in name:
            assert not torch.equal(preparation.for_training(images.pixels, Draws(1, len(images.pixels))), plain)
    assert torch.equal(images.pixels, before)


def test_erased_rectangles_have_the_mean_colour() -> None:
    recipe = replace(RECIPE, augment=Augment(random_erasing=RandomErasing(p=0.5)))
    pixels = torch.full((400, 20, 20, 1), 255, dtype=torch.uint8)
    made = Preparation.of(recipe, 1, CPU).for_training(pixels, Draws(3, len(pixels)))
    erased = made == 0
    some = erased.flatten(1).any(1)
    assert some.double().mean() == pytest.approx(0.5, abs=0.1)
    area = erased.flatten(1).double().mean(1)[some]
    assert 0.01 < area.min() < 0.04
    assert 0.25 < area.max() < 0.36
    for image in erased[some][:, 0]:
        rows, columns = image.any(1), image.any(0)
        assert torch.equal(image, rows[:, None] & columns[None, :])


def test_evaluation_resizes_the_shorter_side_and_crops() -> None:
    images = smooth().permute(0, 2, 3, 1).contiguous()
    recipe = replace(RECIPE, normalize=None, evaluation=Evaluation(resize=19, crop=(16, 14)))
    made = Preparation.of(recipe, 3, CPU).for_evaluation(images) * 255
    usual = v2.Compose([v2.Resize(19, antialias=True), v2.CenterCrop((16, 14))])
    equal(made, usual(images.permute(0, 3, 1, 2)).float())


@pytest.mark.parametrize(
    ("augment", "evaluation", "look"),
    [
        (Augment(), None, None),
        (Augment(crop=(6, 5)), None, Evaluation(crop=(6, 5))),
        (
            Augment(random_resized_crop=RandomResizedCrop(size=(224, 224))),
            None,
            Evaluation(resize=256, crop=(224, 224)),
        ),
        (Augment(crop=(6, 5)), Evaluation(resize=9, crop=(6, 5)), Evaluation(resize=9, crop=(6, 5))),
    ],
)
def test_the_default_evaluation(augment: Augment, evaluation: Evaluation | None, look: Evaluation | None) -> None:
    assert replace(RECIPE, augment=augment, evaluation=evaluation).effective_evaluation == look


# Mixup and CutMix.


def test_mixed_labels_are_weighted_like_their_images() -> None:
    images = torch.eye(CLASSES).repeat(2, 1)[:, :, None, None].expand(-1, -1, 8, 8).contiguous()
    labels = torch.arange(2 * CLASSES) % CLASSES
    for augment in (Augment(mixup=0.5), Augment(cutmix=1.0)):
        made, weights = mix_batch(images, labels, augment, CLASSES, 5)
        assert torch.allclose(made.mean((2, 3)), weights, atol=1e-6)
        assert torch.allclose(weights.sum(1), torch.ones(len(labels)))
        assert 0 < weights[0].max() < 1
    assert mix_batch(images, labels, Augment(), CLASSES, 5)[1] is labels
    assert hard_labels(labels) is labels
    assert hard_labels(torch.tensor([[0.2, 0.8], [0.7, 0.3]])).tolist() == [1, 0]


def test_mixup_and_cutmix_alternate() -> None:
    images = torch.rand(4, 1, 8, 8)
    labels = torch.arange(4)
    augment = Augment(mixup=1.0, cutmix=1.0)
    kinds = {
        bool(((made == images) | (made == images.roll(1, 0))).all())
        for seed in range(12)
        for made, _ in [mix_batch(images, labels, augment, CLASSES, seed)]
    }
    assert kinds == {True, False}


@pytest.mark.parametrize("augment", [Augment(cutmix=1.0), Augment(auto_augment=TrivialAugment(), rotation=5.0)])
def test_a_run_with_augmentation(tmp_path: Any, augment: Augment) -> None:
    result = run(tmp_path, splits=stripe_splits(), network=small_network(), augment=augment)
    assert 0 <= result.epochs[-1].train.accuracy <= 1
    assert result.epochs[-1].train.finite
