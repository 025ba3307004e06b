"""Options for augmentation and evaluation: how they are read, and combinations that are errors."""

from __future__ import annotations

import pytest

from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.document import Table, parse
from cnngraph.recipe import Recipe, check_fit, read_recipe, to_yaml
from cnngraph.recipe.augment import (
    Augment,
    ColorJitter,
    Evaluation,
    RandAugment,
    RandomErasing,
    RandomResizedCrop,
    TrivialAugment,
)
from cnngraph.recipe.manual import recipe_manual
from cnngraph.tensor_type import TensorType

LEAST = "data: stl10\nepochs: 3\noptimizer: adam\n"


def read(text: str) -> tuple[Recipe | None, list[Diagnostic]]:
    table, _ = parse(Source("recipe.yaml", LEAST + text))
    assert isinstance(table, Table)
    return read_recipe(table, name="mine")


def valid(text: str) -> Recipe:
    recipe, found = read(text)
    assert not found
    assert recipe
    return recipe


SHORT = """\
augment:
  random_resized_crop: 64
  color_jitter: {brightness: 0.4, hue: 0.1}
  auto_augment: trivial_augment
  random_erasing: 0.25
  mixup: 0.2
evaluation: {resize: 72, crop: 64}
"""
LONG = """\
augment:
  random_resized_crop: {size: [64, 48], scale: [0.2, 1], ratio: [1, 1]}
  rotation: 15
  auto_augment: {name: rand_augment, magnitude: 5}
  random_erasing: {p: 0.5, scale: [0.1, 0.2]}
  cutmix: 1
evaluation: [64, 48]
"""


def test_short_and_long() -> None:
    short, long = valid(SHORT), valid(LONG)
    assert short.augment == Augment(
        random_resized_crop=RandomResizedCrop(size=(64, 64)),
        color_jitter=ColorJitter(brightness=0.4, hue=0.1),
        auto_augment=TrivialAugment(),
        random_erasing=RandomErasing(p=0.25),
        mixup=0.2,
    )
    assert long.augment == Augment(
        random_resized_crop=RandomResizedCrop(size=(64, 48), scale=(0.2, 1.0), ratio=(1.0, 1.0)),
        rotation=15.0,
        auto_augment=RandAugment(magnitude=5),
        random_erasing=RandomErasing(p=0.5, scale=(0.1, 0.2)),
        cutmix=1.0,
    )
    assert short.evaluation == Evaluation(resize=72, crop=(64, 64))
    assert long.evaluation == Evaluation(crop=(64, 48))
    assert valid("augment: {auto_augment: null, random_erasing: null}\nevaluation: null").augment == Augment()


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_writing_and_reading_a_recipe_gives_the_same_recipe(text: str) -> None:
    recipe = valid(text)
    table, _ = parse(Source("again.yaml", to_yaml(recipe)))
    assert isinstance(table, Table)
    assert read_recipe(table, name="again")[0] == recipe


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("augment: {crop: 64, random_resized_crop: 64}", "E605", "has both `crop` and `random_resized_crop`"),
        ("augment: {random_resized_crop: big}", "E603", "`augment.random_resized_crop.size` must be an integer"),
        ("augment: {random_resized_crop: {scale: [0.1, 1]}}", "E604", "needs `size`"),
        (
            "augment: {random_resized_crop: {size: 64, scale: [1, 0.1]}}",
            "E605",
            "`scale` must be a minimum and a maximum, got 1 and 0.1",
        ),
        (
            "augment: {random_resized_crop: {size: 64, scale: [1, 2]}}",
            "E603",
            "scale` must be a number above 0 (from 1e-06 to 1), got `2`",
        ),
        ("augment: {random_erasing: 2}", "E603", "`augment.random_erasing.p` must be a number from 0 to 1"),
        ("augment: {auto_augment: trivial}", "E603", "must be trivial_augment or rand_augment"),
        ("augment: {color_jitter: 0.4}", "E603", "`augment.color_jitter` must be a mapping"),
        ("augment: {color_jitter: {hue: 0.6}}", "E603", "hue` must be a number from 0 to 0.5"),
        ("evaluation: {resize: 60, crop: 64}", "E605", "`evaluation.crop` 64×64 is larger than `evaluation.resize` 60"),
        ("evaluation: {crop: 100}", "E605", "`evaluation.crop` 100×100 is larger than the image 96×96"),
        ("evaluation: {resize: 60}", "E604", "`evaluation` needs `crop`"),
    ],
)
def test_invalid_options(text: str, code: str, message: str) -> None:
    recipe, (found,) = read(text)
    assert recipe is None
    assert found.code == code
    assert message in found.message


def test_the_size_of_the_networks_input() -> None:
    def reported(text: str, size: int) -> list[str]:
        image, output = {"in": TensorType.map(3, size, size)}, {"fc": TensorType.vector(10)}
        found = check_fit(valid(text), image, output)
        return [f"{diagnostic.code} {diagnostic.message}: {diagnostic.help}" for diagnostic in found]

    crop = "augment: {random_resized_crop: 64}\n"
    assert reported(crop, 64) == reported("evaluation: {resize: 100, crop: 96}", 96) == []
    (message,) = reported(crop, 96)
    assert "E610 the network expects 3×96×96 images, but those of STL-10 are 3×64×64" in message
    assert "train.augment.random_resized_crop.size=96" in message
    (message,) = reported(crop + "evaluation: 48", 64)
    assert "E605 images are cropped to 48×48 for evaluation, but to 64×64 for training" in message


def test_the_manual_has_a_section_for_each_mapping() -> None:
    manual = recipe_manual()
    for heading in ("augment.random_resized_crop", "augment.auto_augment: rand_augment", "augment.random_erasing"):
        assert f"### {heading}\n" in manual
    assert "## evaluation\n" in manual
