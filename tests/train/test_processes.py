"""Training one network in several processes, as torchrun starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from ignite.engine import Events
from safetensors.torch import load_file
from torch.distributed.tensor import DTensor

from cnngraph import build
from cnngraph.backend import lower
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.freezing import Freeze
from cnngraph.recipe.optimizers import Adam, Sgd
from cnngraph.train import HandlerView, world
from cnngraph.train.loop.parallel import blocks_of
from cnngraph.train.loop.training_step import TrainingStep
from cnngraph.train.world import process_group
from tests.train.killable import (
    PROCESSES,
    RECIPE,
    SPEC,
    Death,
    finished,
    outcome,
    start,
    start_together,
    torchrun_environments,
)
from tests.train.support import CPU

PLAIN = """\
cnngraph: 1
name: mortal
input: [1, 8, 8]
nodes:
  conv: {op: conv, out: 4, kernel: 3, padding: half, stride: 2}
  relu: relu
  fc: [flatten, {op: linear, out: 4}]
"""  # without batch norm, dropout and mixup, the result does not depend on the distribution of images
BLOCKS = """\
cnngraph: 1
name: mortal
input: [1, 8, 8]
blocks:
  unit:
    params: {out: }
    nodes:
      conv: {op: conv, out: $out, kernel: 3, padding: half}
      relu: relu
nodes:
  block: {op: unit, out: 5}
  fc: [flatten, {op: linear, out: 4}]
"""
DEADLY = 20  # the index of a write in epoch 2
LEARNING = replace(
    RECIPE,
    batch_size=10,  # 36 images: 3 batches and 6 images, which 4 processes cannot share evenly
    optimizer=Sgd(lr=0.1, momentum=0.9),
    augment=Augment(pad=1, crop=(8, 8), flip=True),
)


def train(size: int, folder: Path, recipe: Recipe = LEARNING, spec: str = PLAIN) -> dict[str, Any]:
    """Train in several processes, or resume; returns the metrics."""
    for process in start_together(size, folder, recipe, spec=spec) if size > 1 else [start(folder, recipe, spec=spec)]:
        process.join(60)
        assert process.exitcode == 0
    return metrics_of(folder)


def metrics_of(folder: Path) -> dict[str, Any]:
    """The metrics of a run without times."""
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = {f"{row['epoch']} {key}": value for row in metrics["epochs"] for key, value in row.items()}
    test = {f"test {key}": tensor for key, tensor in metrics["test"].items()}
    return {key: value for key, value in (rows | test).items() if "second" not in key}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The metrics of a single process."""
    return train(1, tmp_path_factory.mktemp("alone") / "run")


@pytest.mark.parametrize("size", [2, 3, 4])
def test_several_processes_train_like_one(tmp_path: Path, alone: dict[str, Any], size: int) -> None:
    together = train(size, tmp_path / "run")
    assert together == pytest.approx(alone, rel=1e-5)
    assert alone["2 train_loss"] < alone["1 train_loss"]


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (2, 3)])
def test_a_run_can_be_resumed_with_another_number_of_processes(
    tmp_path: Path, alone: dict[str, Any], first: int, second: int
) -> None:
    """A run killed after its first epoch is resumed with another number of processes."""
    folder = tmp_path / "run"
    train_and_die(first, folder, LEARNING)
    assert train(second, folder) == pytest.approx(alone, rel=1e-5)


def train_and_die(size: int, folder: Path, recipe: Recipe, spec: str = PLAIN) -> None:
    """Train until the leader is killed in epoch 2; the other processes then exit."""
    death = Death(DEADLY, within=False)
    processes = start_together(size, folder, recipe, death, spec) if size > 1 else [start(folder, recipe, death, spec)]
    for number, process in enumerate(processes):
        process.join(60)
        assert process.exitcode == (1 if number else -signal.SIGKILL)
    assert not finished(folder)


def test_the_loss_of_another_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of one process simulates the remaining one, with the error that gloo raises if the other is gone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setattr(world, "is_launched", lambda: True)
    with pytest.raises(SpecError) as caught, process_group(CPU):
        raise RuntimeError("[../third_party/gloo/transport/tcp/pair.cc:553] Connection closed by peer")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E635"
    assert caught.value.speaks


def end_in_the_second_process(training: HandlerView) -> None:
    """A handler that terminates only in the second process."""
    if not training.leads:
        training.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=5), training.trainer.terminate)


def test_a_handler_of_one_process_ends_all_of_them(tmp_path: Path) -> None:
    folder, handlers = tmp_path / "run", (end_in_the_second_process,)
    for process in start_together(2, folder, RECIPE, spec=SPEC, handlers=handlers):
        process.join(60)
        assert process.exitcode == 0
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["finished"], len(metrics["epochs"])) == (True, 1)
    train(2, folder, RECIPE, SPEC)
    assert outcome(folder) == outcome_of_two(tmp_path / "whole")


def test_exact_resume(tmp_path: Path) -> None:
    """With batch norm, dropout, a moving average and mixup, a run of two processes is resumed exactly."""
    whole = outcome_of_two(tmp_path / "whole")
    train_and_die(2, tmp_path / "run", RECIPE, SPEC)
    assert outcome_of_two(tmp_path / "run") == whole


def outcome_of_two(folder: Path) -> dict[str, Any]:
    train(2, folder, RECIPE, SPEC)
    return outcome(folder)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_fsdp_trains_like_ddp(tmp_path: Path, ema: float | None) -> None:
    """FSDP trains the same weights as DDP, and a single process can resume the run."""
    recipe = replace(LEARNING, ema=ema, clip=Clip(norm=1.0), optimizer=Adam(lr=0.01), checkpoint="block")
    together = train(2, tmp_path / "whole", recipe, BLOCKS)
    sharded = replace(recipe, strategy="fsdp")
    assert train(2, tmp_path / "sharded", sharded, BLOCKS) == pytest.approx(together, rel=1e-3)
    train_and_die(2, tmp_path / "first", sharded, BLOCKS)
    assert train(1, tmp_path / "first", sharded, BLOCKS) == pytest.approx(together, rel=1e-3)
    train_and_die(1, tmp_path / "second", sharded, BLOCKS)
    assert train(2, tmp_path / "second", sharded, BLOCKS) == pytest.approx(together, rel=1e-3)


def hold(folder: Path, variables: dict[str, str]) -> None:
    """Record how many rows of each weight a process holds."""
    os.environ.update(variables)
    graph = compile_text(Source("blocks.yaml", BLOCKS), folder).graph
    assert graph
    with process_group(CPU) as world:
        training_step = TrainingStep(lower(graph), replace(LEARNING, strategy="fsdp"), CPU, world=world)
        parameters = {name: cast(DTensor, tensor) for name, tensor in training_step.model.named_parameters()}
        shard_sizes = {name: tensor.to_local().shape[0] for name, tensor in parameters.items()}
    (folder / f"{world.rank}.json").write_text(json.dumps(shard_sizes))


def test_fsdp_shards_every_weight(tmp_path: Path) -> None:
    processes = [
        PROCESSES.Process(target=hold, args=(tmp_path, environment)) for environment in torchrun_environments(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert {name: (first[name], second[name]) for name in first} == {
        "block.conv.weight": (3, 2),
        "block.conv.bias": (3, 2),
        "fc.1.weight": (2, 2),
        "fc.1.bias": (2, 2),
    }


def test_the_blocks_that_fsdp_wraps() -> None:
    network = build("resnet18")
    names = {module: name for name, module in network.named_modules()}
    assert [names[block] for block in blocks_of(network)] == [f"layer{n}.{m}" for n in range(1, 5) for m in range(2)]


NORMED = """\
cnngraph: 1
name: mortal
input: [1, 8, 8]
blocks:
  unit: {params: {out: }, nodes: {conv: {op: conv, out: $out, kernel: 3, padding: half}, bn: batch_norm, relu: relu}}
nodes:
  first: {op: unit, out: 5}
  second: {op: unit, out: 5}
  plain: {op: conv, out: 5, kernel: 3}
  fc: [flatten, {op: linear, out: 4}]
"""
FREEZE = (Freeze(match=("first", "second.bn")), Freeze(match=("second.conv", "plain"), epochs=1))


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_frozen_parameters_and_their_norms(tmp_path: Path, strategy: str) -> None:
    """Frozen batch norms normalise each image alone, so that several processes train like one."""
    recipe = replace(LEARNING, epochs=3, freeze=FREEZE, strategy=strategy, keep_every=1)
    alone = train(1, tmp_path / "alone", recipe, NORMED)
    assert train(2, tmp_path / "together", recipe, NORMED) == pytest.approx(alone, rel=1e-4)
    train_and_die(2, tmp_path / "half", recipe, NORMED)
    assert train(2, tmp_path / "half", recipe, NORMED) == pytest.approx(alone, rel=1e-4)
    first, _, last = (load_file(tmp_path / "together" / f"epoch-000{number}.safetensors") for number in (1, 2, 3))
    unchanged = {name for name, tensor in first.items() if torch.equal(tensor, last[name])}
    assert unchanged == {name for name in first if name.startswith(("first.", "second.bn."))}
