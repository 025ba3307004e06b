"""Recipes that extend another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cnngraph
from cnngraph.recipe import load_recipe, to_dict

BASE = """
about: the base
data: mnist
epochs: 10
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
schedule: cosine
augment: {pad: 2, crop: 28}
"""


def extended(folder: Path, text: str) -> dict[str, Any]:
    (folder / "base.yaml").write_text(BASE)
    path = folder / "derived.yaml"
    path.write_text(f"extends: base.yaml\n{text}\n")
    return to_dict(load_recipe(str(path)))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", {}),
        ("epochs: 3", {"epochs": 3}),
        ("seed: 7", {"seed": 7}),
        ("optimizer: {lr: 0.01}", {"optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9}}),
        ("optimizer: {name: sgd, lr: 0.01}", {"optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9}}),
        ("augment: {flip: true}", {"augment": {"pad": 2, "crop": [28, 28], "flip": True}}),
        ("data: fashion_mnist", {"data": "fashion_mnist"}),
    ],
)
def test_own_keys_take_precedence(tmp_path: Path, text: str, changes: dict[str, Any]) -> None:
    (tmp_path / "whole.yaml").write_text(BASE)
    expected = to_dict(load_recipe(str(tmp_path / "whole.yaml")))
    found = extended(tmp_path, text)
    for key, value in changes.items():
        if isinstance(value, dict):
            assert {name: found[key][name] for name in value} == value
            found[key] = expected[key]
        else:
            assert found.pop(key) != expected.pop(key)
    assert {**found, "about": ""} == {**expected, "about": ""}


@pytest.mark.parametrize("optimizer", ["adam", "{name: adam}"])
def test_another_optimizer_inherits_no_parameter(tmp_path: Path, optimizer: str) -> None:
    found = extended(tmp_path, f"optimizer: {optimizer}")["optimizer"]
    assert found["name"] == "adam"
    assert "momentum" not in found
    assert found["lr"] != 0.1


def test_a_short_form_is_extended(tmp_path: Path) -> None:
    found = extended(tmp_path, "schedule: {name: cosine}")
    assert found["schedule"] == extended(tmp_path, "")["schedule"]


def test_the_description_is_not_inherited(tmp_path: Path) -> None:
    assert extended(tmp_path, "").get("about", "") == ""


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "deep" / "middle.yaml").write_text("extends: ../base.yaml\nepochs: 5\n")
    (tmp_path / "top.yaml").write_text("extends: deep/middle.yaml\nbatch_size: 16\n")
    monkeypatch.chdir("/")
    recipe = load_recipe(str(tmp_path / "top.yaml"))
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer.lr) == (5, 16, 0.1)


@pytest.mark.parametrize("train", ["{recipe: base.yaml, epochs: 3}", "base.yaml"])
def test_a_spec_names_a_recipe_beside_it(tmp_path: Path, train: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    spec = tmp_path / "net.yaml"
    nodes = "[flatten, {op: linear, out: 10}]"
    spec.write_text(f"cnngraph: 1\ninput: [1, 28, 28]\nnodes: {nodes}\ntrain: {train}\n")
    monkeypatch.chdir("/")
    assert not cnngraph.check(spec)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("extends: [digits]", "E603", "`extends` must be the name or path of a recipe"),
        ("extends: digit", "E606", "there is no recipe called `digit`"),
        ("extends: nowhere.yaml", "E606", "cannot read"),
        ("extends: derived.yaml", "E615", "the recipe `derived.yaml` extends itself"),
        ("extends: digits\nepoch: 3", "E602", "a recipe has no key `epoch`"),
    ],
)
def test_errors(tmp_path: Path, text: str, code: str, message: str) -> None:
    path = tmp_path / "derived.yaml"
    path.write_text(f"{text}\n")
    (found,) = cnngraph.check(path)
    assert found.code == code
    assert found.message.startswith(message)
    assert found.file == str(path)
