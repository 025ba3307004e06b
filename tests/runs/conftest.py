"""A small network that is trained once, and its run folder, moved away from the original spec."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import cnngraph
from cnngraph.backend.weights.load import save_tensors
from cnngraph.recipe import Recipe, load_recipe
from cnngraph.train import Request, run_training
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.named_sets import BUNDLED
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.run import Tools
from tests.cli.conftest import cli, folder  # noqa: F401

SPEC = """
cnngraph: 1
name: spots
input: [1, 28, 28]
params: {classes: 10}
nodes:
  conv1: {op: conv, out: 12, kernel: 5, stride: 2, padding: half}
  relu1: relu
  conv2: {op: conv, out: 24, kernel: 3, stride: 2, padding: half}
  twice: {op: add, from: [conv2, conv2]}
  relu2: relu
  pool: global_avg_pool
  drop: {op: dropout, p: 0.1}
  fc: {op: linear, out: $classes}
"""


def tenth(split: Split | None) -> Split | None:
    """Every tenth image."""
    return replace(split, indices=split.indices[::10]) if split else None


def load_tenth(recipe: Recipe, *arguments: Any) -> Splits:
    """A tenth of each split of the embedded digits; all images of other data."""
    splits = load_splits(recipe, *arguments)
    if recipe.data.name != BUNDLED:
        return splits
    train = tenth(splits.train)
    assert train
    return replace(splits, train=train, validation=tenth(splits.validation), test=tenth(splits.test))


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a tenth of the embedded digits."""
    monkeypatch.setattr("cnngraph.runs.evaluation_images.load_splits", load_tenth)


def recipe() -> Recipe:
    """A short recipe for the embedded digits."""
    return replace(load_recipe("digits"), epochs=2, batch_size=20)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests must not write into it."""
    place = tmp_path_factory.mktemp("finished")
    (place / "spots.yaml").write_text(SPEC)
    graph = cnngraph.load(place / "spots.yaml")
    (place / "spots.yaml").unlink()
    request = Request(graph, recipe(), SPEC, out=place / "run", device="cpu")
    return run_training(request, tools=Tools(load_images=load_tenth)).folder


def without_facts(weights: Path) -> None:
    """Rewrite weights as an older version wrote them, without the checksums of documents."""
    save_tensors(load_file(weights), weights)


@pytest.fixture
def trained(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, which tests may change."""
    return Path(shutil.copytree(finished, tmp_path / "net-1"))
