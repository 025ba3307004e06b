"""A small network, a tenth of the embedded digits, and a run trained on them through the API."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import cnngraph
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.named import read_named

SPEC = """
cnngraph: 1
name: spots
input: [1, 28, 28]
params: {classes: 10, input: 8}
train: {data: digits, epochs: 2, batch_size: 20, optimizer: {name: adam, lr: 0.01}, device: cpu}
nodes: [{op: max_pool, kernel: 4}, flatten, {op: linear, out: $input}, relu, {op: linear, out: $classes}]
"""


def tenth(part: Part | None) -> Part | None:
    return replace(part, indices=part.indices[::10]) if part else None


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the digits."""

    def read(*arguments: Any) -> Parts:
        parts = read_named(*arguments)
        train = tenth(parts.train)
        assert train
        return replace(parts, train=train, validation=tenth(parts.validation), test=tenth(parts.test))

    monkeypatch.setattr(import_module("cnngraph.train.data.open"), "read_named", read)


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
