"""Images in memory: splits, batches, augmentation, normalisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from cnngraph.recipe import Recipe
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.data import Normalize
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.seeds import Draws
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.data.images import InMemory, decode
from cnngraph.train.data.split import Split
from cnngraph.train.loop.loader import EvaluationLoader, TrainingLoader
from tests.train.support import CPU, RECIPE, stripes


def colourful(count: int, height: int = 6, width: int = 5) -> InMemory:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, height, width, 3), generator=generator, dtype=torch.uint8)
    return InMemory(pixels, torch.arange(count))


def loader(count: int, batch_size: int, recipe: Recipe = RECIPE, seed: int = 0) -> TrainingLoader:
    return TrainingLoader(Split.all_of(colourful(count)), Preparation.of(recipe, 3, CPU), batch_size, seed, CPU)


def epochs(made: TrainingLoader, count: int, done: int = 0) -> list[tuple[Tensor, Tensor]]:
    batches = made.batches(done)
    return [next(batches) for _ in range(count * made.steps - done)]


def labels_of(batches: list[tuple[Tensor, Tensor]]) -> list[int]:
    return [label for _, labels in batches for label in labels.tolist()]


def test_a_split_is_stratified_and_follows_the_seed() -> None:
    images = InMemory(torch.zeros(120, 2, 2, 1, dtype=torch.uint8), torch.tensor([0] * 80 + [1] * 30 + [2] * 10))
    rest, aside = Split.all_of(images).hold_out(0.1, seed=3)
    assert [int((images.labels[aside.indices] == index).sum()) for index in range(3)] == [8, 3, 1]
    assert sorted([*rest.indices.tolist(), *aside.indices.tolist()]) == list(range(120))
    again, other = Split.all_of(images).hold_out(0.1, seed=3)[1], Split.all_of(images).hold_out(0.1, seed=4)[1]
    assert torch.equal(aside.indices, again.indices)
    assert not torch.equal(aside.indices, other.indices)


def test_a_split_has_images_of_every_class() -> None:
    images = InMemory(torch.zeros(5, 2, 2, 1, dtype=torch.uint8), torch.tensor([0, 1, 1, 2, 2]))
    rest, aside = Split.all_of(images).hold_out(0.9, seed=0)
    assert set(images.labels[rest.indices].tolist()) == {0, 1, 2}
    assert set(images.labels[aside.indices].tolist()) == {1, 2}


def test_chosen_classes_are_labelled_in_the_order_given() -> None:
    chosen = stripes(12).with_classes([2, 0])
    assert chosen.labels.tolist() == [1, 0] * 3
    assert torch.equal(chosen.pixels[0], stripes(12).pixels[0])


def test_images_of_the_right_size_are_not_resized() -> None:
    images = stripes(4)
    assert images.resized(8, 8) is images
    small = images.resized(4, 6)
    assert small.shape == (1, 4, 6)
    assert small.pixels.dtype == torch.uint8
    flat = InMemory(torch.full((2, 8, 8, 3), 77, dtype=torch.uint8), torch.zeros(2))
    assert torch.equal(flat.resized(5, 3).pixels, torch.full((2, 5, 3, 3), 77, dtype=torch.uint8))


def test_normalisation_equals_torchvision() -> None:
    images = colourful(4)
    recipe = replace(RECIPE, normalize=Normalize(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)))
    made = Preparation.of(recipe, 3, CPU).for_evaluation(images.pixels)
    usual = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])])
    assert torch.allclose(made, usual(images.pixels.permute(0, 3, 1, 2)), atol=1e-6)
    assert made.is_contiguous(memory_format=torch.channels_last)
    plain = Preparation.of(replace(RECIPE, normalize=None), 3, CPU).for_evaluation(images.pixels)
    assert torch.equal((plain * 255).round().byte().permute(0, 2, 3, 1), images.pixels)


def test_every_epoch_has_every_image_once_in_another_order() -> None:
    made = loader(10, 4)
    first, second = labels_of(epochs(made, 1)), labels_of(epochs(made, 2))[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second != list(range(10))
    assert first == labels_of(epochs(loader(10, 4), 1))
    assert first != labels_of(epochs(loader(10, 4, seed=1), 1))


@pytest.mark.parametrize(
    ("count", "size", "steps"), [(10, 4, 3), (9, 4, 2), (8, 4, 2), (3, 8, 1), (1, 8, 1), (3, 1, 3)]
)
def test_a_last_batch_of_one_image_is_skipped(count: int, size: int, steps: int) -> None:
    made = loader(count, size)
    assert made.steps == steps
    assert len(epochs(made, 1)) == steps


AUGMENTED = replace(RECIPE, normalize=None, augment=Augment(pad=2, crop=(6, 5), flip=True))


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4])
def test_batches_can_be_resumed_at_any_step(done: int) -> None:
    whole = epochs(loader(10, 4, AUGMENTED), 2)
    rest = epochs(loader(10, 4, AUGMENTED), 2, done)
    assert labels_of(rest) == labels_of(whole[done:])
    assert all(torch.equal(one, other) for (one, _), (other, _) in zip(rest, whole[done:], strict=True))


@pytest.mark.parametrize(
    ("mode", "torch_mode"), [("zeros", "constant"), ("reflect", "reflect"), ("replicate", "replicate")]
)
def test_images_are_shifted_and_mirrored_independently(mode: str, torch_mode: str) -> None:
    """Every augmented image equals some shift of the padded image or of its mirror image."""
    images = colourful(40)
    channels_first = images.pixels.permute(0, 3, 1, 2).float()
    padded = torch.nn.functional.pad(channels_first, [2] * 4, mode=torch_mode).byte().permute(0, 2, 3, 1)
    recipe = replace(AUGMENTED, augment=replace(AUGMENTED.augment, padding_mode=mode))
    made = Preparation.of(recipe, 3, CPU).for_training(images.pixels, Draws(5, len(images.pixels)))
    back = (made * 255).round().byte().permute(0, 2, 3, 1)
    found = set()
    for index in range(40):
        pieces = {
            (top, left, mirrored): piece.flip(1) if mirrored else piece
            for top in range(5)
            for left in range(5)
            for piece in [padded[index, top : top + 6, left : left + 5]]
            for mirrored in (False, True)
        }
        matches = [place for place, piece in pieces.items() if torch.equal(back[index], piece)]
        assert matches
        found.add(matches[0])
    assert len(found) > 15
    assert {mirrored for *_, mirrored in found} == {False, True}


def test_evaluation_images_are_not_augmented() -> None:
    images = colourful(3)
    preparation = Preparation.of(replace(AUGMENTED, augment=Augment(crop=(4, 3), flip=True)), 3, CPU)
    made = (preparation.for_evaluation(images.pixels) * 255).round().byte().permute(0, 2, 3, 1)
    assert torch.equal(made, images.pixels[:, 1:5, 1:4])


def test_evaluation_keeps_the_order_of_images() -> None:
    split = Split(colourful(600), torch.arange(0, 600, 2))
    made = EvaluationLoader(split, Preparation.of(RECIPE, 3, CPU), CPU)
    batches = list(made)
    assert len(batches) == len(made) == 2
    assert labels_of(batches) == list(range(0, 600, 2))


def test_16_bit_grey_images_are_scaled(tmp_path: Path) -> None:
    values = np.array([[0, 4_000], [40_000, 65_535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert decode(tmp_path / "deep.png", (1, 2, 2)).flatten().tolist() == [0, 15, 156, 255]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ([[0.0, 0.2], [0.5, 1.0]], [0, 51, 128, 255]),
        ([[0.0, 1.5], [99.0, 255.0]], [0, 2, 99, 255]),
        ([[-0.1, 0.0], [0.0, 1.0]], "-0.1 to 1"),
        ([[0.0, 0.0], [1.0, 256.0]], "0 to 256"),
        ([[0.0, float("nan")], [1.0, 1.0]], "nan to nan"),
    ],
)
def test_float_images_are_bytes_or_fractions(tmp_path: Path, values: list[list[float]], read: list[int] | str) -> None:
    file = tmp_path / "fractions.tif"
    Image.fromarray(np.array(values, dtype=np.float32)).save(file)
    if isinstance(read, list):
        assert decode(file, (1, 2, 2)).flatten().tolist() == read
        return
    with pytest.raises(ImageError) as caught:
        decode(file, (1, 2, 2))
    assert str(caught.value) == f"cannot read the image {file}: its values must be from 0 to 255, got {read}"
