"""A small network, a tenth of the embedded digits, and a run trained on them through the API."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import cnngraph
from cnngraph.train.data.named_sets import read_named_set
from cnngraph.train.data.split import Split, Splits

SPEC = """
cnngraph: 1
name: spots
input: [1, 28, 28]
params: {classes: 10, input: 8}
train: {data: digits, epochs: 2, batch_size: 20, optimizer: {name: adam, lr: 0.01}, device: cpu}
nodes: [{op: max_pool, kernel: 4}, flatten, {op: linear, out: $input}, relu, {op: linear, out: $classes}]
"""


def tenth(split: Split | None) -> Split | None:
    return replace(split, indices=split.indices[::10]) if split else None


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the digits."""

    def read(*arguments: Any) -> Splits:
        splits = read_named_set(*arguments)
        train = tenth(splits.train)
        assert train
        return replace(splits, train=train, validation=tenth(splits.validation), test=tenth(splits.test))

    monkeypatch.setattr(import_module("cnngraph.train.data.load_splits"), "read_named_set", read)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file name of a spec in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("spots.yaml").write_text(SPEC, encoding="utf-8")
    return "spots.yaml"


@pytest.fixture
def result(spec: str) -> cnngraph.TrainResult:
    """A finished run."""
    return cnngraph.train(spec, out="run")
