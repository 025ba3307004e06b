"""Bundled recipes, and finding recipes by name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from cnngraph import SpecError
from cnngraph.document import read_file
from cnngraph.language.load import load_spec
from cnngraph.language.model import LocatedText
from cnngraph.recipe import find_recipe, load_recipe, recipe_names, recipe_schema, recipe_table, to_dict
from cnngraph.recipe.optimizers import Adam, Sgd
from cnngraph.recipe.schedules import Step, rate_factor
from tests.library import network


def test_bundled_recipes() -> None:
    assert {"cifar", "cifar2", "cifar2_l2", "digits", "mnist", "photos"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_bundled_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about
    jsonschema.validate(recipe_table(name).plain(), recipe_schema())
    jsonschema.validate(to_dict(recipe), recipe_schema())


def test_published_recipes() -> None:
    mnist, cifar2, l2, cifar = (load_recipe(name) for name in ("mnist", "cifar2", "cifar2_l2", "cifar"))
    assert mnist.optimizer == Sgd(lr=0.01, momentum=0.5)
    assert (mnist.epochs, mnist.batch_size, mnist.mean_and_std(1)) == (10, 64, ((0.1307,), (0.3081,)))
    assert (cifar2.optimizer, cifar2.epochs, cifar2.batch_size) == (Sgd(lr=0.01), 100, 64)
    assert l2.optimizer == Sgd(lr=0.01, weight_decay=0.002)
    assert (cifar.optimizer, cifar.schedule) == (Adam(lr=0.001), Step(every=20, divide=3))
    assert {recipe.validation for recipe in (mnist, cifar2, l2, cifar)} == {None}


def test_recipes_of_residual_networks() -> None:
    imagenet, cifar, deep = (load_recipe(name) for name in ("imagenet", "cifar_resnet", "cifar_resnet_deep"))
    assert imagenet.optimizer == Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert (imagenet.epochs, imagenet.batch_size, imagenet.schedule) == (90, 256, Step(every=30))
    assert replace(deep, about=cifar.about, warmup=None) == cifar
    steps = 391  # per epoch of CIFAR-10
    rates = [rate_factor(deep.schedule, deep.warmup, step / steps, deep.epochs, steps) for step in (0, 399, 400)]
    assert rates == [0.1, 0.1, 1.0]
    assert [rate_factor(deep.schedule, deep.warmup, epoch, 164, steps) for epoch in (81.9, 82)] == [1.0, 0.1]


@pytest.mark.parametrize(
    ("name", "train"),
    [("resnet_cifar_56", "cifar_resnet"), ("resnet_cifar_110", "cifar_resnet_deep"), ("resnet50", "imagenet")],
)
def test_bundled_networks_name_their_recipes(name: str, train: str) -> None:
    path = network(name)
    spec, _ = load_spec(read_file(path), path.parent)
    assert spec
    assert isinstance(spec.train, LocatedText)
    assert spec.train.text == train


@pytest.mark.parametrize(
    ("name", "message", "help"),
    [
        ("mnits", "there is no recipe called `mnits`", "did you mean `mnist`?"),
        ("x", "there is no recipe called `x`", "or the path of a .yaml file"),
        ("../recipes/mnist", "there is no recipe called `../recipes/mnist`", ""),
        ("x.yaml", "cannot read x.yaml: file not found", ""),
    ],
)
def test_missing_recipes(name: str, message: str, help: str) -> None:
    with pytest.raises(SpecError) as caught:
        find_recipe(name)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("E606", message)
    assert help in (diagnostic.help or "")


def test_a_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("data: digits\nepochs: 2\noptimizer: adam\n")
    assert load_recipe(str(path)).epochs == 2
    path.write_text("- data\n")
    with pytest.raises(SpecError, match="it must be a mapping"):
        load_recipe(str(path))
    path.write_text("data: digits\nepochs: 2\nepochs: 3\noptimizer: adam\n")
    with pytest.raises(SpecError, match="duplicate key `epochs`"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epoch": 3},
        {"optimizer": {"name": "sgd"}},
        {"optimizer": {"lr": 1}},
        {"data": "minst"},
        {"validation": 1},
        {"augment": {"flop": True}},
    ],
)
def test_the_schema_rejects_what_reading_rejects(wrong: dict[str, object]) -> None:
    least = {"data": "digits", "epochs": 1, "optimizer": "adam"}
    jsonschema.validate(least, recipe_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(least | wrong, recipe_schema())
