"""Mean and standard deviation of data without published values, and warnings about degenerate images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from cnngraph import SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import ImageFolder, NamedSet, Normalize
from cnngraph.recipe.sets import MEAN_AND_STD
from cnngraph.train.data import normalization
from cnngraph.train.data.images import InMemory, OnDisk
from cnngraph.train.data.normalization import measure, with_normalization
from cnngraph.train.data.split import Split
from tests.train.support import RECIPE


def colours(count: int) -> InMemory:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 6, 5, 3), generator=generator, dtype=torch.uint8)
    pixels[..., 1] //= 3
    return InMemory(pixels, torch.zeros(count, dtype=torch.long))


def files_of(images: InMemory, root: Path) -> OnDisk:
    for index, pixels in enumerate(images.pixels):
        Image.fromarray(np.asarray(pixels)).save(root / f"{index:02}.png")
    return OnDisk(tuple(map(str, sorted(root.iterdir()))), images.labels, images.shape, 0)


def test_images_in_memory_are_measured_completely() -> None:
    images = colours(700)
    split = Split(images, torch.arange(0, 700, 2))
    found = measure(split)
    values = images.pixels[::2].flatten(0, 2).double() / 255
    assert found.mean == pytest.approx(values.mean(0).tolist(), abs=1e-4)
    assert found.std == pytest.approx(values.std(0, correction=0).tolist(), abs=1e-4)
    usual = v2.Normalize(list(found.mean), list(found.std))
    normalized = usual(images.pixels[::2].permute(0, 3, 1, 2).float() / 255)
    assert normalized.mean((0, 2, 3)).abs().max() < 1e-3


def test_a_constant_channel() -> None:
    images = InMemory(torch.full((4, 2, 2, 1), 255, dtype=torch.uint8), torch.zeros(4))
    assert measure(Split.all_of(images)) == Normalize(mean=(1.0,), std=(1.0,))


def test_a_large_set_on_disk_is_measured_on_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = colours(20)
    split = Split.all_of(files_of(images, tmp_path))
    assert measure(split) == measure(Split.all_of(images))
    monkeypatch.setattr(normalization, "SAMPLE_SIZE", 5)
    chosen = torch.randperm(20, generator=torch.Generator().manual_seed(3))[:5]
    assert measure(split, seed=3) == measure(Split(images, chosen))
    assert measure(split, seed=3) != measure(split, seed=4)


@pytest.mark.parametrize(
    ("recipe", "measured"),
    [
        (replace(RECIPE, data=ImageFolder()), True),
        (replace(RECIPE, data=NamedSet(name="kmnist")), True),
        (replace(RECIPE, data=NamedSet(name="cifar10")), False),
        (replace(RECIPE, data=ImageFolder(), normalize=None), False),
        (replace(RECIPE, data=ImageFolder(), normalize="imagenet"), False),
        (replace(RECIPE, data=ImageFolder(), normalize=Normalize(mean=(0.5,), std=(0.5,))), False),
    ],
)
def test_known_values_are_not_measured(recipe: Recipe, measured: bool) -> None:
    notes: list[str] = []
    found = with_normalization(recipe, Split.all_of(colours(8)), notes.append)
    assert (found != recipe) == measured == bool(notes)
    if measured:
        assert isinstance(found.normalize, Normalize)
        assert found.mean_and_std(3) == (found.normalize.mean, found.normalize.std)
        assert f"mean {found.normalize.mean[0]}" in notes[0]
        assert with_normalization(found, Split.all_of(colours(4)), notes.append) is found


def test_published_values_have_one_number_per_channel() -> None:
    assert {"svhn", "stl10", "imagenet"} < set(MEAN_AND_STD)
    assert "kmnist" not in MEAN_AND_STD
    for mean, std in MEAN_AND_STD.values():
        assert len(mean) == len(std) in (1, 3)


def warned(pixels: torch.Tensor, figures: Normalize | None = None) -> list[str]:
    notes: list[str] = []
    split = Split.all_of(InMemory(pixels, torch.zeros(len(pixels), dtype=torch.long)))
    with_normalization(replace(RECIPE, normalize=figures), split, notes.append)
    return [note.removeprefix("warning[W620]: ").partition("\n")[0] for note in notes]


def test_ordinary_images_get_no_warning() -> None:
    assert warned(colours(40).pixels) == []
    assert warned(colours(1).pixels) == []
    some_flat = colours(40).pixels
    some_flat[::8] = 0
    assert warned(some_flat) == []


@pytest.mark.parametrize("value", [0, 77, 255])
def test_constant_images_get_a_warning(value: int) -> None:
    every = torch.full((40, 6, 5, 3), value, dtype=torch.uint8)
    assert warned(every) == ["32 of 32 checked training images have the same value at every pixel"]
    half = colours(40).pixels
    half[::2] = value
    (warning,) = warned(half)
    assert warning.endswith(" of 32 checked training images have the same value at every pixel")


def test_images_of_few_grey_levels_get_a_warning() -> None:
    dark = colours(40).pixels // 16
    assert warned(dark) == ["32 of 32 checked training images span fewer than 24 grey levels"]


def test_equal_images_get_a_warning() -> None:
    assert warned(colours(1).pixels.repeat(40, 1, 1, 1)) == ["all 32 checked training images are identical"]


def test_images_that_normalisation_makes_equal_get_a_warning() -> None:
    (warning,) = warned(colours(40).pixels, Normalize(mean=(0.5,) * 3, std=(1e3,) * 3))
    assert warning.startswith("after normalisation the values hardly differ: mean ")
    (warning,) = warned(colours(40).pixels, Normalize(mean=(0.5,) * 3, std=(1e-42,) * 3))
    assert warning == "after normalisation some values are not finite"


def test_files_on_disk_are_checked(tmp_path: Path) -> None:
    black = InMemory(torch.zeros(6, 4, 4, 3, dtype=torch.uint8), torch.zeros(6, dtype=torch.long))
    notes: list[str] = []
    with_normalization(replace(RECIPE, normalize="data"), Split.all_of(files_of(black, tmp_path)), notes.append)
    assert notes[-1].startswith("warning[W620]: 6 of 6 checked training images have the same value")


def test_unreadable_images_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    images = OnDisk((str(tmp_path / "a.png"),), torch.zeros(1, dtype=torch.long), (3, 4, 4), 0, skip_broken=True)
    with pytest.raises(SpecError, match="none of the 1 training images can be read"):
        measure(Split.all_of(images))
