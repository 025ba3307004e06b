"""Parameter groups under every schedule and optimizer, compared with PyTorch's optimizers and schedulers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import lr_scheduler

from cnngraph.fields import fields_of
from cnngraph.recipe.optimizers import OPTIMIZERS, Adam, AdamW, Optimizer, ParameterGroup, RmsProp, Sgd
from cnngraph.recipe.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    Warmup,
)
from cnngraph.train import Result
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.loop.loader import TrainingLoader
from cnngraph.train.record.run_folder import RunFolder
from tests.train.support import CPU, RECIPE, at_batch, run, stripe_splits

EPOCHS, STEPS, WARM = 4, 5, 7  # 36 images in batches of 8

Groups = list[tuple[ParameterGroup, list[str]]]  # with the names of the parameters that it should have

ALL = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]
GROUPS: dict[str, Groups] = {
    "mixed": [
        (ParameterGroup(match="0", lr=0.0), ALL[:2]),
        (ParameterGroup(match="1.weight", lr=0.01), ["1.weight"]),
        (ParameterGroup(match="1.bias", weight_decay=0.3), ["1.bias"]),
        (ParameterGroup(match="3.bias", lr=0.03, weight_decay=0.0), ["3.bias"]),
    ],
    "none": [],
    "rate_0_first": [(ParameterGroup(match="**", lr=0.0), ALL[:4]), (ParameterGroup(match="3", lr=0.01), ALL[4:])],
    "rates": [
        (ParameterGroup(match="**", exclude="bias", lr=0.002), ["0.weight", "1.weight", "3.weight"]),
        (ParameterGroup(match="bias", lr=0.03), ["0.bias", "1.bias", "3.bias"]),
    ],
    "decays": [(ParameterGroup(match=("0", "1"), weight_decay=0.0), ALL[:4])],
    "both": [
        (ParameterGroup(match="**", lr=0.01, weight_decay=0.2), ALL[:4]),
        (ParameterGroup(match="3", weight_decay=0.0), ALL[4:]),
    ],
}

Scheduler = Callable[[torch.optim.Optimizer, int], Any]
SAME: list[tuple[Schedule, Scheduler]] = [  # counted in steps, after a warmup of `warm` steps
    (Constant(), lambda own, warm: lr_scheduler.LambdaLR(own, lambda step: 1.0)),
    (Step(every=1, divide=2), lambda own, warm: _at_epochs(own, warm, 0.5, 1, 2, 3)),
    (Step(at=(2, 3)), lambda own, warm: _at_epochs(own, warm, 0.1, 2, 3)),
    (Exponential(gamma=0.5), lambda own, warm: lr_scheduler.StepLR(own, STEPS, 0.5)),
    (Cosine(), lambda own, warm: lr_scheduler.CosineAnnealingLR(own, EPOCHS * STEPS - warm)),
    (Polynomial(power=2), lambda own, warm: lr_scheduler.PolynomialLR(own, EPOCHS * STEPS - warm, 2)),
]
OPTIMIZERS_OF_PYTORCH: list[tuple[Optimizer, Callable[[Any], torch.optim.Optimizer]]] = [
    (Sgd(lr=0.02, momentum=0.5, nesterov=True, weight_decay=0.01),
     lambda groups: torch.optim.SGD(groups, 0.02, 0.5, weight_decay=0.01, nesterov=True)),
    (Adam(lr=0.01, betas=(0.8, 0.9), weight_decay=0.01),
     lambda groups: torch.optim.Adam(groups, 0.01, (0.8, 0.9), weight_decay=0.01)),
    (AdamW(lr=0.01, weight_decay=0.1, amsgrad=True),
     lambda groups: torch.optim.AdamW(groups, 0.01, weight_decay=0.1, amsgrad=True)),
    (RmsProp(lr=0.001, alpha=0.9, eps=0.01, momentum=0.5, weight_decay=0.01),
     lambda groups: torch.optim.RMSprop(groups, 0.001, 0.9, 0.01, weight_decay=0.01, momentum=0.5)),
]  # fmt: skip


def _at_epochs(own: torch.optim.Optimizer, warm: int, gamma: float, *epochs: int) -> Any:
    """A scheduler with milestones in epochs, shifted by the steps of the warmup."""
    return lr_scheduler.LambdaLR(own, lambda step: gamma ** sum(step + warm >= STEPS * epoch for epoch in epochs))


def network() -> nn.Sequential:
    """A network without dropout, so that no random numbers are drawn."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 4))


def in_pytorch(
    make: Callable[[Any], torch.optim.Optimizer],
    step_rates: Callable[[torch.optim.Optimizer, int], None],
    groups: str = "mixed",
) -> tuple[dict[str, Tensor], list[float]]:
    """The weights after training on the same batches in plain PyTorch; `step_rates` is called before each step.

    Also the learning rate of the last step of each epoch: that of the parameters in no group, or else the highest.
    """
    model = network()
    parameters = dict(model.named_parameters())
    grouped: list[dict[str, Any]] = [
        {"params": [parameters.pop(name) for name in names]}
        | ({"lr": group.lr} if group.lr is not None else {})
        | ({"weight_decay": group.weight_decay} if group.weight_decay is not None else {})
        for group, names in GROUPS[groups]
    ]
    optimizer = make([*([{"params": list(parameters.values())}] if parameters else []), *grouped])
    rates = []
    splits = stripe_splits()
    batches = TrainingLoader(splits.train, Preparation.of(RECIPE, 1, CPU), 8, RECIPE.seed, CPU).batches()
    for number in range(EPOCHS * STEPS):
        step_rates(optimizer, number)
        images, labels = next(batches)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(images), labels))
        optimizer.step()
        if number % STEPS == STEPS - 1:
            now = [group["lr"] for group in optimizer.param_groups]
            rates.append(now[0] if parameters else max(now))
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}, rates


def with_groups(settings: Optimizer, groups: str = "mixed") -> Optimizer:
    """The optimizer with these groups."""
    return replace(settings, groups=tuple(group for group, _ in GROUPS[groups]))


def stepping(schedule: Scheduler, warmup: Warmup | None) -> Callable[[torch.optim.Optimizer, int], None]:
    """The rates of PyTorch's scheduler, after PyTorch's warmup if there is one."""
    made: list[Any] = []

    def step(optimizer: torch.optim.Optimizer, number: int) -> None:
        if made:
            made[0].step()
        elif warmup is None:
            made.append(schedule(optimizer, 0))
        else:
            made.append(
                lr_scheduler.SequentialLR(optimizer, [rising(optimizer, warmup), schedule(optimizer, WARM)], [WARM])
            )

    return step


def rising(optimizer: torch.optim.Optimizer, warmup: Warmup) -> Any:
    """PyTorch's warmup; LinearLR cannot start at 0."""
    if not warmup.start:
        return lr_scheduler.LambdaLR(optimizer, lambda step: step / WARM)
    shape = lr_scheduler.ConstantLR if warmup.shape == "constant" else lr_scheduler.LinearLR
    return shape(optimizer, warmup.start, total_iters=WARM)


def assert_same(model: nn.Module, result: Result, expected: tuple[dict[str, Tensor], list[float]]) -> None:
    found, (weights, rates) = model.state_dict(), expected
    for name, tensor in weights.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-6, msg=name)
    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx(rates)
    assert not torch.equal(found["3.bias"], network().state_dict()["3.bias"])


WARMUPS = [
    None,
    Warmup(steps=WARM, start=0.0),
    Warmup(steps=WARM, start=0.1),
    Warmup(steps=WARM, start=0.5, shape="constant"),
]


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("warmup", WARMUPS, ids=["plain", "from_0", "linear", "constant"])
@pytest.mark.parametrize(("schedule", "same"), SAME, ids=lambda value: getattr(value, "name", ""))
def test_groups_under_every_schedule(
    tmp_path: Path, schedule: Schedule, same: Scheduler, warmup: Warmup | None, groups: str
) -> None:
    settings, make = OPTIMIZERS_OF_PYTORCH[0]
    model, optimizer = network(), with_groups(settings, groups)
    result = run(tmp_path, network=model, optimizer=optimizer, schedule=schedule, warmup=warmup, epochs=EPOCHS)
    assert_same(model, result, in_pytorch(make, stepping(same, warmup), groups))


@pytest.mark.parametrize(("settings", "make"), OPTIMIZERS_OF_PYTORCH, ids=lambda value: getattr(value, "name", ""))
@pytest.mark.parametrize("schedule", [Constant(), Cosine()], ids=lambda value: value.name)
def test_groups_of_every_optimizer(
    tmp_path: Path, schedule: Schedule, settings: Optimizer, make: Callable[[Any], torch.optim.Optimizer]
) -> None:
    same = next(scheduler for known, scheduler in SAME if type(known) is type(schedule))
    model = network()
    result = run(tmp_path, network=model, optimizer=with_groups(settings), schedule=schedule, epochs=EPOCHS)
    assert_same(model, result, in_pytorch(make, stepping(same, None)))
    assert torch.equal(model.state_dict()["0.weight"], network().state_dict()["0.weight"])  # its rate is 0


@pytest.mark.parametrize("warmup", [None, Warmup(steps=WARM, start=0.5)], ids=["plain", "warmup"])
def test_groups_on_a_plateau(tmp_path: Path, warmup: Warmup | None) -> None:
    """Almost no epoch counts as an improvement, so the rate falls after every second epoch."""
    settings, make = OPTIMIZERS_OF_PYTORCH[0]
    schedule = Plateau(patience=0, threshold=1.0, divide=4)
    model = network()
    optimizer = with_groups(settings)
    result = run(tmp_path, network=model, optimizer=optimizer, schedule=schedule, warmup=warmup, epochs=EPOCHS)
    losses = [epoch.evaluation.loss for epoch in result.epochs]

    def rates(optimizer: torch.optim.Optimizer, number: int) -> None:
        if not number:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            plateau.append(lr_scheduler.ReduceLROnPlateau(dummy, factor=0.25, patience=0, threshold=1.0))
        elif number % STEPS == 0:
            plateau[0].step(losses[number // STEPS - 1])
        warm = 0.5 + 0.5 * number / WARM if warmup and number < WARM else None
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (warm if warm is not None else dummy.param_groups[0]["lr"])

    plateau: list[lr_scheduler.ReduceLROnPlateau] = []
    dummy = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    assert_same(model, result, in_pytorch(make, rates))
    assert result.epochs[-1].learning_rate < settings.lr / 4


def test_groups_in_one_cycle(tmp_path: Path) -> None:
    """PyTorch's cycle is one step shorter, because its last step reaches the end."""
    settings, make = OPTIMIZERS_OF_PYTORCH[3]  # without a momentum that OneCycleLR would change
    count = EPOCHS * STEPS

    def same(own: torch.optim.Optimizer, warm: int) -> Any:
        rates = [group["lr"] for group in own.param_groups]
        start = (0.3 * count + 1) / (count + 1)
        return lr_scheduler.OneCycleLR(own, rates, total_steps=count + 1, pct_start=start, cycle_momentum=False)

    model = network()
    result = run(tmp_path, network=model, optimizer=with_groups(settings), schedule=OneCycle(), epochs=EPOCHS)
    assert_same(model, result, in_pytorch(make, stepping(same, None)))


@pytest.mark.parametrize("schedule", [Constant(), Cosine(), Plateau(patience=0)], ids=lambda value: value.name)
def test_groups_after_a_resume(tmp_path: Path, schedule: Schedule) -> None:
    optimizer = with_groups(OPTIMIZERS_OF_PYTORCH[2][0])
    changes: dict[str, Any] = {"optimizer": optimizer, "schedule": schedule, "epochs": EPOCHS}
    whole, half = network(), network()
    run(tmp_path / "whole", network=whole, **changes)
    stopped = run(
        tmp_path / "half", network=at_batch(8, lambda: signal.raise_signal(signal.SIGINT), network()), **changes
    )
    assert stopped.interrupted
    run(tmp_path / "half", network=half, resume=True, **changes)
    assert all(torch.equal(tensor, half.state_dict()[key]) for key, tensor in whole.state_dict().items())
    assert torch.equal(half.state_dict()["0.weight"], network().state_dict()["0.weight"])


def test_every_key_schedule_and_optimizer_is_tested() -> None:
    """A new key of groups, optimizer or schedule needs a case above."""
    assert set(fields_of(ParameterGroup)) == {"match", "exclude", "lr", "weight_decay"}
    tested: Sequence[type[Any]] = [*(type(schedule) for schedule, _ in SAME), Plateau, OneCycle]
    assert set(tested) == set(SCHEDULES)
    assert {type(optimizer) for optimizer, _ in OPTIMIZERS_OF_PYTORCH} == set(OPTIMIZERS)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing, which would dominate the run time."""
    monkeypatch.setattr(RunFolder, "save_curves", lambda *arguments: None)
    monkeypatch.setattr(RunFolder, "save_scores", lambda *arguments: None)
