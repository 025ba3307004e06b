"""Learning-rate schedules, compared with PyTorch's schedulers where there are equivalent ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from cnngraph.recipe.schedules import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    Warmup,
    rate_factor,
)

EPOCHS, STEPS = 12, 5


def optimizer(lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)


def rates_of_pytorch(make: Callable[[torch.optim.Optimizer], Any], count: int) -> list[float]:
    own = optimizer()
    scheduler = make(own)
    rates = []
    for _ in range(count):
        rates.append(own.param_groups[0]["lr"])
        own.step()
        scheduler.step()
    return rates


def rates(schedule: Schedule, warmup: Warmup | None = None) -> list[float]:
    """The factor of the learning rate at every step."""
    return [rate_factor(schedule, warmup, step / STEPS, EPOCHS, STEPS) for step in range(EPOCHS * STEPS)]


@pytest.mark.parametrize(
    ("schedule", "same"),
    [
        (Step(every=3, divide=5), lambda own: lr_scheduler.StepLR(own, 3, 0.2)),
        (Step(at=(2, 7)), lambda own: lr_scheduler.MultiStepLR(own, [2, 7])),
        (Exponential(gamma=0.9), lambda own: lr_scheduler.ExponentialLR(own, 0.9)),
    ],
)
def test_schedules_by_epoch(schedule: Schedule, same: Callable[[torch.optim.Optimizer], Any]) -> None:
    expected = [rate for rate in rates_of_pytorch(same, EPOCHS) for _ in range(STEPS)]
    assert rates(schedule) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "same"),
    [
        (Cosine(final=0.1), lambda own: lr_scheduler.CosineAnnealingLR(own, EPOCHS * STEPS, 0.1)),
        (Polynomial(power=2), lambda own: lr_scheduler.PolynomialLR(own, EPOCHS * STEPS, 2)),
    ],
)
def test_schedules_by_step(schedule: Schedule, same: Callable[[torch.optim.Optimizer], Any]) -> None:
    assert rates(schedule) == pytest.approx(rates_of_pytorch(same, EPOCHS * STEPS))


def test_polynomial_with_a_final_rate() -> None:
    assert Polynomial(final=0.2).factor(6, 12) == pytest.approx(0.6)
    assert Polynomial(final=0.2).factor(13, 12) == pytest.approx(0.2)


def test_one_cycle_equals_that_of_pytorch() -> None:
    """PyTorch's last step reaches the end, so its cycle is one step shorter."""
    count = 60

    def same(own: torch.optim.Optimizer) -> Any:
        return lr_scheduler.OneCycleLR(own, 1.0, total_steps=count + 1, pct_start=(0.3 * count + 1) / (count + 1))

    found = [OneCycle().factor(step, count) for step in range(count + 1)]
    assert found == pytest.approx(rates_of_pytorch(same, count + 1)[: count + 1], abs=1e-9)


@pytest.mark.parametrize(
    ("plateau", "losses"),
    [
        (Plateau(patience=1), [3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1]),
        (Plateau(patience=0, divide=2), [1, 2, 0.5, 0.5, 0.5]),
        (Plateau(patience=1, cooldown=2), [1, 1, 1, 1, 1, 1, 1, 0.9, 1, 1, 1, 1]),
        (Plateau(patience=0, threshold=0.1), [1, 0.95, 0.85, 0.8, 0.7]),
    ],
)
def test_plateau_equals_that_of_pytorch(plateau: Plateau, losses: Sequence[float]) -> None:
    own = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(
        own,
        factor=1 / plateau.divide,
        patience=plateau.patience,
        threshold=plateau.threshold,
        cooldown=plateau.cooldown,
    )
    for count in range(len(losses)):
        scheduler.step(losses[count])
        assert plateau.factor(0, 1, losses[: count + 1]) == pytest.approx(own.param_groups[0]["lr"])
    assert own.param_groups[0]["lr"] < 1


def test_the_schedule_follows_the_warmup() -> None:
    found = rates(Cosine(), Warmup(epochs=2, start=0.1))
    assert found[:11] == pytest.approx([0.1 + 0.09 * step for step in range(10)] + [1.0])
    assert found[10:] == pytest.approx([Cosine().factor(step / STEPS, EPOCHS - 2) for step in range(50)])
    assert rates(Constant(), Warmup(steps=3, start=0.0))[:5] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert rates(Constant(), Warmup(steps=7, start=0.1, shape="constant"))[:9] == [0.1] * 7 + [1, 1]


def test_step_counts_epochs_from_the_start_of_the_run() -> None:
    found = rates(Step(at=(3,)), Warmup(epochs=2))
    assert found[10:15] == [1.0] * 5
    assert found[15] == pytest.approx(0.1)
    assert rates(Exponential(gamma=0.5), Warmup(epochs=2))[10:16] == [1.0] * 5 + [0.5]
