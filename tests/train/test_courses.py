"""The learning rate in the course of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.recipe.optimizers import Sgd
from cnngraph.recipe.schedules import Cosine, Plateau, Warmup
from tests.train.support import run


def test_warmup_in_steps(tmp_path: Path) -> None:
    """Seven steps of warmup: five in epoch 1, two in epoch 2; the rate of an epoch is that of its last step."""
    result = run(tmp_path, warmup=Warmup(steps=7, start=0.5, shape="constant"), epochs=2)
    assert [epoch.learning_rate for epoch in result.epochs] == [0.05, 0.1]


def test_warmup_in_epochs(tmp_path: Path) -> None:
    result = run(tmp_path, warmup=Warmup(epochs=1, start=0), schedule=Cosine(), epochs=3)
    assert [epoch.learning_rate for epoch in result.epochs[:2]] == pytest.approx([0.08, 0.1 * Cosine().factor(4, 10)])


def test_plateau_follows_the_validation_loss(tmp_path: Path) -> None:
    """The loss never improves, so the rate is reduced after one epoch of patience."""
    optimizer = Sgd(lr=1e-30)
    result = run(tmp_path, optimizer=optimizer, schedule=Plateau(patience=1, threshold=0.5), epochs=5)
    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx([1e-30] * 3 + [1e-31] * 2)
