"""Extreme values of every number of a recipe are errors, or the run trains.

The fields are found from their definitions, so new ones are tested automatically.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from cnngraph import SpecError
from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.document import Table, value_of
from cnngraph.fields import Kind, ListOf, fields_of
from cnngraph.recipe import Recipe, check_fit, read_recipe
from cnngraph.recipe.augment import Evaluation, RandomErasing, RandomResizedCrop
from cnngraph.recipe.data import Normalize
from cnngraph.recipe.freezing import Freeze
from cnngraph.recipe.kinds import Named, Record, names_of
from cnngraph.recipe.optimizers import ParameterGroup, Sgd
from cnngraph.recipe.reading import tables_in
from cnngraph.recipe.schedules import Exponential, Step, Warmup
from cnngraph.tensor_type import TensorType
from cnngraph.train.record.run_folder import RunFolder
from tests.train.support import run, stripe_splits

NUMBERS = (0, -1, 10**9, 10**12, 1e9, 1e12, 1e300, math.nan, math.inf, -math.inf, 1e-300, 1e-9, 1 - 1e-16)
PLACE = Span(Source("recipe.yaml", "recipe"), 1, 1, 1, 7)
LEAST: dict[str, Any] = {"data": "digits", "epochs": 3, "optimizer": {"name": "adam"}}
ALSO: dict[type[Any], dict[str, Any]] = {  # other required keys of a mapping
    Sgd: {"lr": 0.1},
    ParameterGroup: {"match": "bias"},
    Freeze: {"match": "bias"},
    Exponential: {"gamma": 0.9},
    RandomResizedCrop: {"size": 8},
    RandomErasing: {"p": 0.5},
    Normalize: {"mean": [0.5, 0.5], "std": [0.5, 0.5]},
    Evaluation: {"crop": 8},
}
BESIDE: dict[str, dict[str, Any]] = {  # keys that a field requires
    "optimizer.dampening": {"optimizer": {"momentum": 0.5}},
    "augment.pad": {"augment": {"crop": 8}},
}
ONE_OF = {Step: "every", Warmup: "steps"}  # mappings with exactly one of two keys


def tables(kind: Kind) -> Iterator[type[Any]]:
    """The classes of mappings that a kind reads."""
    found = tables_in(kind.item if isinstance(kind, ListOf) else kind)
    if isinstance(found, Record):
        yield found.cls
    elif isinstance(found, Named):
        yield from found.variants


def walk(cls: type[Any] = Recipe, base: dict[str, Any] = LEAST, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each scalar field by its path, with a function from its value to a recipe's plain values."""
    for name, field in fields_of(cls).items():
        inner = list(tables(field.kind))
        if not inner or getattr(tables_in(field.kind), "short", None):
            yield f"{path}{name}", lambda value, name=name, base=base: {**base, name: value}
        for table in inner:
            own = {"name": names_of(table)[0]} if "name" in fields_of(table) else {}
            own |= ALSO.get(table, {})
            for deeper, make in walk(table, own, f"{path}{name}({table.__name__})."):
                wraps = isinstance(field.kind, ListOf)

                def made(value: Any, name: str = name, base: Any = base, make: Any = make, wraps: bool = wraps) -> Any:
                    return {**base, name: [make(value)] if wraps else make(value)}

                yield deeper, made


FIELDS = dict(walk())
SHORT = {
    path for path in FIELDS if any(field.startswith(f"{path}(") for field in FIELDS)
}  # fields whose short form is a number


def read(values: dict[str, Any]) -> tuple[Recipe | None, list[Diagnostic]]:
    table = value_of(values, PLACE)
    assert isinstance(table, Table)
    return read_recipe(table, name="mine")


def completed(path: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the keys that this field requires."""
    word = path.replace("(Sgd)", "").replace("(Augment)", "")
    for table, others in BESIDE.get(word, {}).items():
        values = {**values, table: {**others, **values[table]}}
    for cls, other in ONE_OF.items():
        place = next((key for key in ("schedule", "warmup") if f"{key}({cls.__name__})" in path), None)
        if place and not {"every", "at", "epochs", "steps"} & set(values[place]):
            values = {**values, place: {**values[place], other: 1}}
    return values


@pytest.mark.parametrize("path", FIELDS)
def test_an_extreme_number_is_an_error_or_trains(path: str, tmp_path: Path) -> None:
    for number in NUMBERS:
        for value in (number, [number, number], *([] if path in SHORT else [{"output": number}])):
            recipe, found = read(completed(path, FIELDS[path](value)))
            assert not {diagnostic.code for diagnostic in found} - {"E603", "E605"}, (value, found)
            if recipe is not None and not misfits(recipe):
                trained(recipe, tmp_path / f"{number}-{type(value).__name__}")


def misfits(recipe: Recipe) -> list[Diagnostic]:
    """The errors that the network and the images cause."""
    image, output = TensorType.map(1, 8, 8), TensorType.vector(4)
    return check_fit(recipe, {"in": image}, {"output": output}, shape=(1, 8, 8), classes=4)


def trained(recipe: Recipe, folder: Path) -> None:
    """Train a few steps; a non-finite loss is an error, not an exception."""
    splits = stripe_splits(4, 4)
    normalize = Normalize(mean=(0.5,), std=(0.5,)) if recipe.measures else recipe.normalize
    with suppress(SpecError):
        run(folder, replace(recipe, normalize=normalize, compile=False), splits)


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip pictures and checkpoints, which would dominate the run time."""
    for name in ("save_curves", "save_scores", "save_state", "save_weights", "save_metrics"):
        monkeypatch.setattr(RunFolder, name, lambda *arguments, **options: None)
    monkeypatch.setattr(import_module("cnngraph.train.record.run_file_formats"), "read_weights", lambda path: None)


def test_every_mapping_is_found() -> None:
    assert {"epochs", "schedule(Step).at", "optimizer(Sgd).groups(ParameterGroup).lr", "augment(Augment).pad"} <= set(
        FIELDS
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schedule(Step).at", list(range(1, 100_000))),
        ("normalize(Normalize).std", [0.5] * 100_000),
        ("loss(Loss).class_weights", [1.0] * 200_000),
        ("data(ImageFolder).classes", ["a"] * 200_000),
        ("checkpoint", ["a"] * 10_000),
    ],
)
def test_long_lists(path: str, value: list[Any]) -> None:
    recipe, found = read(FIELDS[path](value))
    assert recipe is None
    assert "at most" in found[0].message


def test_many_groups() -> None:
    groups = [{"match": "bias"}] * 10_000
    _, (found,) = read({**LEAST, "optimizer": {"name": "adam", "groups": groups}})
    assert found.message == "`optimizer.groups` must be a list of at most 100 elements, got 10,000"
