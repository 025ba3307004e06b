"""Images are read in the same way as the images of the run were evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from cnngraph.recipe.augment import Augment, Evaluation, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder, NamedSet
from cnngraph.runs.classifier import RunImageReader
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.images import Crops
from tests.train.support import CPU, RECIPE

CROP = replace(
    RECIPE,
    data=ImageFolder(),
    normalize=None,
    augment=Augment(random_resized_crop=RandomResizedCrop(size=(8, 8))),
    evaluation=Evaluation(resize=10, crop=(8, 8)),
)


def test_crops_equal_those_of_evaluation(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    reader = RunImageReader((3, 8, 8), Preparation.of(CROP, 3, CPU), Crops.of(CROP))
    usual = v2.Compose([v2.Resize(10), v2.CenterCrop(8), v2.PILToTensor()])
    with Image.open(tmp_path / "a.png") as image:
        assert torch.equal((reader.read(tmp_path / "a.png") * 255).round().byte(), usual(image))
    box = reader.visible_box(30, 20)
    seen = (box.left, box.top, box.right, box.bottom)
    assert np.allclose(seen, (30 * 3.5 / 15, 2, 30 * 11.5 / 15, 18), atol=1)


def test_images_of_one_size_are_not_cropped() -> None:
    assert Crops.of(CROP)
    assert Crops.of(replace(CROP, data=ImageFolder(resize=(20, 20)))) is None
    assert Crops.of(replace(CROP, data=NamedSet(name="stl10"))) is None
    assert Crops.of(replace(CROP, augment=Augment(crop=(8, 8)))) is None
