"""Every step of a fine-tuning run, resumed in a frozen phase, compared with SGD written by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

import cnngraph
from cnngraph.train.data.named_sets import read_named_set
from cnngraph.train.data.split import Splits

NET = """
cnngraph: 1
input: [1, 28, 28]
nodes:
  stem: {op: conv, out: 3, kernel: 4, stride: 4, bias: false}
  bn: batch_norm
  layer1: {repeat: 2, nodes: {conv: {op: conv, out: 3, kernel: 1}, bn: batch_norm, relu: relu}}
  pool: global_avg_pool
  fc: {op: linear, out: 10}
"""
EPOCHS, LR, MOMENTUM, DECAY = 4, 0.2, 0.9, 1e-3
FREEZE = [{"match": "**", "exclude": "head", "epochs": 2}, {"match": "layer1.1", "epochs": 1}, "stem"]
Snapshot = dict[str, tuple[torch.Tensor, torch.Tensor | None]]


def is_frozen(name: str, epoch: int) -> bool:
    if name.startswith("layer1.1"):
        return epoch < 1
    return name.startswith("stem") or (not name.startswith("fc") and epoch < 2)


def of_groups(name: str) -> tuple[float, float]:
    """Learning rate and weight decay with GROUPS."""
    if name.startswith("layer1.0"):
        return 0.01, 0.0
    return (LR if name.startswith("fc") else 0.05), DECAY


def of_depth(name: str) -> tuple[float, float]:
    """The same with `layer_decay: 0.5`."""
    depth = next((at for at, start in enumerate(("fc", "layer1.1", "layer1.0")) if name.startswith(start)), 3)
    return LR * 0.5**depth, DECAY


GROUPS = {
    "groups": [
        {"match": "**", "exclude": "head", "lr": 0.05},
        {"match": "layer1.0", "lr": 0.01, "weight_decay": 0.0},
    ]
}
LAYERS = {"layer_decay": 0.5}


def cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def one_cycle(done: float) -> float:
    return cosine(0.04, 1, done / 0.4) if done < 0.4 else cosine(1, 4e-6, (done - 0.4) / 0.6)


def plateau(losses: list[float]) -> float:
    """The factor by PyTorch's own scheduler."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=1 / 3, patience=0, threshold=0.5, eps=0)
    for loss in losses:
        scheduler.step(loss)
    rate: float = optimizer.param_groups[0]["lr"]
    return rate


Factor = Callable[[float, list[float]], float]  # of the epoch since the warm-up as a fraction, or of the losses
SCHEDULES: dict[str, tuple[dict[str, Any], Factor]] = {
    "constant": ({}, lambda done, _: 1.0),
    "exponential": ({"gamma": 0.5}, lambda done, _: 0.5 ** int(done * (EPOCHS - 1))),
    "step": ({"every": 2, "divide": 5.0}, lambda done, losses: 5.0 ** -(len(losses) // 2)),
    "cosine": ({"final": 0.1}, lambda done, _: cosine(1.0, 0.1, done)),
    "polynomial": ({"power": 2.0}, lambda done, _: (1 - done) ** 2),
    "one_cycle": ({"rise": 0.4}, lambda done, _: one_cycle(done)),
    "plateau": ({"patience": 0, "threshold": 0.5, "divide": 3.0}, lambda done, losses: plateau(losses)),
}


@pytest.fixture(autouse=True)
def few_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network, and a tenth of the digits."""

    def read(*arguments: Any) -> Splits:
        splits = read_named_set(*arguments)
        return replace(splits, train=replace(splits.train, indices=splits.train.indices[::10]))

    monkeypatch.setattr(import_module("cnngraph.train.data.load_splits"), "read_named_set", read)
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)


@pytest.mark.parametrize(("extra", "rates"), [(GROUPS, of_groups), (LAYERS, of_depth)], ids=["groups", "layers"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_step(name: str, extra: dict[str, Any], rates: Callable[[str], tuple[float, float]]) -> None:
    options, factor = SCHEDULES[name]
    recipe = {
        "data": "digits",
        "epochs": EPOCHS,
        "batch_size": 90,
        "optimizer": {"name": "sgd", "lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY, **extra},
        "schedule": {"name": name, **options},
        "warmup": {"epochs": 1, "start": 0.1},
        "freeze": FREEZE,
        "device": "cpu",
    }
    log: list[Snapshot] = []

    def record(training: Any) -> None:
        parameters = dict(training.model.named_parameters())

        def before(*_: object) -> None:
            grads = {key: None if tensor.grad is None else tensor.grad.clone() for key, tensor in parameters.items()}
            log.append({key: (tensor.detach().clone(), grads[key]) for key, tensor in parameters.items()})

        def stop(engine: Engine) -> None:
            if len(log) == 5:  # in the second epoch
                engine.interrupt()

        training.optimizer.register_step_pre_hook(before)
        training.trainer.add_event_handler(Events.ITERATION_COMPLETED, stop)

    assert cnngraph.train("net.yaml", recipe=recipe, out="run", handlers=[record]).interrupted
    cnngraph.train(resume="run", handlers=[record])
    rows = json.loads(Path("run/metrics.json").read_text())["epochs"]
    losses = [row["validation_loss"] for row in rows]
    steps = len(log) // EPOCHS
    assert len(log) == steps * EPOCHS
    momentum: dict[str, torch.Tensor] = {}
    for number, (snapshot, following) in enumerate(pairwise(log)):
        epoch = number / steps
        warm = 0.1 + 0.9 * epoch if epoch < 1 else factor((epoch - 1) / (EPOCHS - 1), losses[: int(epoch)])
        for key, (value, grad) in snapshot.items():
            if is_frozen(key, int(epoch)):
                assert grad is None
                assert torch.equal(following[key][0], value)
                continue
            assert grad is not None
            rate, decay = rates(key)
            step = grad + decay * value
            momentum[key] = MOMENTUM * momentum[key] + step if key in momentum else step
            torch.testing.assert_close(following[key][0], value - rate * warm * momentum[key], rtol=0, atol=1e-6)
