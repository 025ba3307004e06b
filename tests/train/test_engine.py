"""The training loop: learning, metrics, the best epoch, saving and resuming."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph import SpecError
from cnngraph.recipe.model import Loss
from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd
from cnngraph.recipe.schedules import Cosine, Step
from cnngraph.train import Result
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.data.images import InMemory
from cnngraph.train.loop.evaluation import Evaluator
from cnngraph.train.loop.loader import EvaluationLoader
from cnngraph.train.loop.objective import Objective
from cnngraph.train.loop.optimizers import make_optimizer
from tests.train.support import (
    CPU,
    RECIPE,
    RecordingReporter,
    at_batch,
    exploding,
    run,
    small_network,
    stripe_splits,
    stripes,
)


def metrics_of(result: Result) -> list[dict[str, float]]:
    """The metrics of a run without times."""
    times = {"seconds", "images_per_second"}
    return [{key: value for key, value in epoch.row().items() if key not in times} for epoch in result.epochs]


def same_weights(first: Path, second: Path) -> bool:
    one, other = load_file(first), load_file(second)
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


def test_it_learns(tmp_path: Path) -> None:
    result = run(tmp_path, epochs=8)
    assert result.test
    assert result.test.accuracy > 0.9
    assert result.epochs[-1].train.loss < result.epochs[0].train.loss
    assert result.accuracy == result.test.accuracy


def test_it_learns_in_bf16(tmp_path: Path) -> None:
    seen: list[torch.dtype] = []
    network = small_network()
    network[0].register_forward_hook(lambda module, images, output: seen.append(output.dtype))
    result = run(tmp_path, epochs=8, network=network, precision="bf16")
    assert set(seen) == {torch.bfloat16}
    assert result.test
    assert result.test.accuracy > 0.9
    assert {tensor.dtype for tensor in load_file(tmp_path / "best.safetensors").values()} == {
        torch.float32,
        torch.int64,
    }


def test_the_test_images_are_evaluated_once(tmp_path: Path) -> None:
    reporter = RecordingReporter()
    result = run(tmp_path, epochs=3, reporter=reporter)
    assert reporter.evaluated == ["validation", "validation", "validation", "test"]
    assert {epoch.evaluation_split for epoch in result.epochs} == {"validation"}
    assert result.best
    assert result.best.evaluation.accuracy == max(epoch.evaluation.accuracy for epoch in result.epochs)
    assert reporter.ended == [result]


def test_the_best_weights_are_saved_and_tested(tmp_path: Path) -> None:
    network = small_network()

    def forget() -> None:  # at the start of epoch 3, when the rate is too small to relearn
        with torch.no_grad():
            list(network.parameters())[-2].zero_()

    at_batch(11, forget, network)
    schedule = Step(at=(2,), divide=1e9)
    result = run(tmp_path, epochs=4, network=network, schedule=schedule, optimizer=Adam(lr=0.01))
    assert result.best
    assert result.best.number <= 2
    assert result.test
    splits = stripe_splits()
    assert splits.test
    again = small_network(1)
    again.load_state_dict(load_file(tmp_path / "best.safetensors"))
    loader = EvaluationLoader(splits.test, Preparation.of(RECIPE, 1, CPU), CPU)
    assert Evaluator(again, CPU).evaluate(loader) == result.test
    assert all(torch.equal(tensor, again.state_dict()[key]) for key, tensor in network.state_dict().items())
    assert not same_weights(tmp_path / "best.safetensors", tmp_path / "last.safetensors")


def test_without_validation_no_epoch_is_chosen(tmp_path: Path) -> None:
    reporter = RecordingReporter()
    result = run(tmp_path, epochs=3, splits=stripe_splits(validation=False), validation=None, reporter=reporter)
    assert reporter.evaluated == ["test"] * 3
    assert result.best is None
    assert result.test == result.epochs[-1].evaluation
    assert not any(best for _, best in reporter.epochs)
    assert not (tmp_path / "best.safetensors").exists()
    assert "test_accuracy" in (tmp_path / "metrics.csv").read_text()


def test_a_set_without_test_images(tmp_path: Path) -> None:
    splits = stripe_splits()
    result = run(tmp_path, splits=type(splits)(splits.classes, splits.train, splits.validation, None))
    assert result.test is None
    assert result.best
    assert result.accuracy == result.best.evaluation.accuracy


def test_the_files_of_a_run_folder(tmp_path: Path) -> None:
    result = run(tmp_path)
    names = {
        "best.safetensors", "classes_test.csv", "confusion_test.png", "curves.png", "last.safetensors", "metrics.csv",
        "metrics.json", "state.pt",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [float(row["validation_accuracy"]) for row in rows] == [epoch.evaluation.accuracy for epoch in result.epochs]
    assert list(rows[0]) == list(metrics["epochs"][0])
    assert result.best
    assert result.test
    assert metrics["finished"] is True
    assert metrics["best_epoch"] == result.best.number
    assert metrics["test"] == {"loss": result.test.loss, "accuracy": result.test.accuracy}
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with safe_open(tmp_path / "best.safetensors", "pt") as file:
        assert file.metadata()["network"] == "small"
        assert file.metadata()["epoch"] == str(result.best.number)


def test_counters_are_exact(tmp_path: Path) -> None:
    """With a negligible learning rate, training metrics equal an evaluation."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    splits = stripe_splits(train=35)
    result = run(tmp_path, network=network, splits=splits, epochs=1, optimizer=Sgd(lr=1e-30))
    exact = Evaluator(network, CPU).evaluate(EvaluationLoader(splits.train, Preparation.of(RECIPE, 1, CPU), CPU))
    assert result.epochs[0].train.accuracy == exact.accuracy
    assert result.epochs[0].train.loss == pytest.approx(exact.loss, rel=1e-5)


def test_the_seed_determines_a_run(tmp_path: Path) -> None:
    first, second, other = run(tmp_path / "a"), run(tmp_path / "b"), run(tmp_path / "c", seed=1)
    assert metrics_of(first) == metrics_of(second)
    assert same_weights(tmp_path / "a" / "last.safetensors", tmp_path / "b" / "last.safetensors")
    assert metrics_of(first) != metrics_of(other)


def test_evaluation_does_not_change_batch_norm(tmp_path: Path) -> None:
    network = small_network()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    splits = stripe_splits()
    Evaluator(network, CPU).evaluate(EvaluationLoader(splits.train, Preparation.of(RECIPE, 1, CPU), CPU))
    assert all(torch.equal(tensor, network.state_dict()[key]) for key, tensor in before.items())


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [1, 3, 5, 7, 10, 12, 15])  # 36 images in batches of 8: 5 steps per epoch
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    changes: dict[str, Any] = {"epochs": 3, "optimizer": Adam(lr=0.01), "schedule": Cosine()}
    whole = run(tmp_path / "whole", **changes)
    reporter = RecordingReporter()
    half = run(tmp_path / "half", network=at_batch(step, press_ctrl_c), reporter=reporter, **changes)
    assert half.interrupted
    assert half.test is None
    assert "stopping after writing a checkpoint" in reporter.notes[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = run(tmp_path / "half", network=small_network(5), resume=True, **changes)
    assert not done.interrupted
    assert metrics_of(done) == metrics_of(whole)
    assert done.test == whole.test
    for name in ("best.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "half" / name, tmp_path / "whole" / name)


def test_a_second_ctrl_c_stops_immediately(tmp_path: Path) -> None:
    def twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    whole = run(tmp_path / "whole", epochs=3)
    half = run(tmp_path / "half", network=at_batch(7, twice), epochs=3)
    assert half.interrupted
    assert len(half.epochs) == 1  # the checkpoint of the first epoch is kept
    done = run(tmp_path / "half", network=small_network(5), resume=True, epochs=3)
    assert metrics_of(done) == metrics_of(whole)


def test_a_second_ctrl_c_stops_the_drawing_of_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Path] = []

    def draw(path: Path, *facts: object) -> None:
        drawn.append(path)
        if len(drawn) == 1:
            press_ctrl_c()

    monkeypatch.setattr(import_module("cnngraph.train.record.run_folder"), "draw_curves", draw)
    reporter = RecordingReporter()
    half = run(tmp_path, network=at_batch(7, press_ctrl_c), reporter=reporter, epochs=3)
    assert half.interrupted
    assert reporter.ended == [half]
    assert len(drawn) == 1


def test_a_run_stopped_before_its_first_checkpoint(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    result = run(tmp_path, network=at_batch(2, stop))
    assert result.interrupted
    assert not (tmp_path / "state.pt").exists()


def test_a_run_can_be_extended(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", epochs=4)
    run(tmp_path / "half", epochs=2)
    done = run(tmp_path / "half", epochs=4, network=small_network(5), resume=True)
    assert metrics_of(done) == metrics_of(whole)
    assert "epochs: 4\n" in (tmp_path / "half" / "recipe.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4, "batch_size": 9}, "its recipe differs in batch_size and seed"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(64, 4))}, "its network differs in 1.weight"),
        ({"splits": stripe_splits(train=60)}, "its epochs had 5 steps but would now have 8"),
    ],
)
def test_a_run_with_other_settings_is_not_resumed(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    run(tmp_path)
    with pytest.raises(SpecError, match=message) as caught:
        run(tmp_path, resume=True, **changes)
    assert caught.value.diagnostics[0].code == "E631"


@pytest.mark.parametrize(("step", "kept"), [(2, "no epoch was finished"), (7, "keeps the weights of epoch 1")])
def test_a_non_finite_loss_ends_the_run(tmp_path: Path, step: int, kept: str) -> None:
    with pytest.raises(SpecError) as caught:
        run(tmp_path, network=exploding(step))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E630"
    assert "the loss became NaN or infinite" in diagnostic.message
    assert kept in diagnostic.notes[0]
    assert diagnostic.help == "lower the learning rate from 0.1 to 0.01: `--set train.optimizer.lr=0.01`"
    assert (tmp_path / "best.safetensors").exists() == (step > 5)


def test_a_loss_that_is_non_finite_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        run(tmp_path, network=exploding(1))
    (diagnostic,) = caught.value.diagnostics
    first, second = diagnostic.notes
    assert first.startswith("the loss of the first batch is not finite even before the first step")
    assert second == "no epoch was finished"
    assert "learning rate" not in (diagnostic.help or "")


def test_a_gpu_without_memory_ends_the_run(tmp_path: Path) -> None:
    def fill() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore of it")

    with pytest.raises(SpecError) as caught:
        run(tmp_path, network=at_batch(7, fill))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E633"
    assert diagnostic.notes == ("CUDA out of memory. Tried to allocate 2.00 GiB.",)
    assert "--set train.batch_size=" in (diagnostic.help or "")
    assert (tmp_path / "best.safetensors").exists()


def test_progress_is_reported(tmp_path: Path) -> None:
    reporter = RecordingReporter()
    run(tmp_path, reporter=reporter)
    last = reporter.steps[-1]
    assert (last.epoch, last.step, last.steps) == (2, 5, 5)
    assert last.rate > 0
    assert [epoch.number for epoch, _ in reporter.epochs] == [1, 2]
    assert reporter.epochs[0][1]


class Outputs(NamedTuple):
    logits: Tensor
    aux1: Tensor
    aux2: Tensor


class Branching(nn.Module):
    """Logits in eval mode; logits and two auxiliary outputs in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(64, 4) for _ in Outputs._fields)

    def forward(self, images: Tensor) -> Tensor | Outputs:
        flat = images.flatten(1)
        outputs = [head(flat) for head in self.heads]
        return Outputs(*outputs) if self.training else outputs[0]


def test_auxiliary_heads_are_trained(tmp_path: Path) -> None:
    network = Branching()
    before = [parameter.detach().clone() for parameter in network.parameters()][::2]
    result = run(tmp_path, network=network, loss=Loss(auxiliary={"aux1": 0.5}))
    moved = [not torch.equal(old, new) for old, new in zip(before, list(network.parameters())[::2], strict=True)]
    assert moved == [True, True, False]
    assert result.epochs[0].train.loss > 0


def test_auxiliary_weights() -> None:
    logits = [torch.randn(3, 4) for _ in range(3)]
    labels = torch.tensor([0, 1, 2])
    one, two = (F.cross_entropy(tensor, labels) for tensor in logits[1:])
    assert Objective(Loss()).auxiliary(logits[0], labels) is None
    both = Objective(Loss()).auxiliary(Outputs(*logits), labels)
    assert torch.equal(torch.as_tensor(both), 0.3 * one + 0.3 * two)
    named = Objective(Loss(auxiliary={"aux2": 0.7})).auxiliary(Outputs(*logits), labels)
    assert torch.equal(torch.as_tensor(named), 0.7 * two)


@pytest.mark.parametrize(
    ("optimizer", "same"),
    [
        (Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
         lambda own: torch.optim.SGD(own, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
        (Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.01),
         lambda own: torch.optim.Adam(own, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.01)),
        (AdamW(lr=0.1, amsgrad=True), lambda own: torch.optim.AdamW(own, lr=0.1, amsgrad=True)),
        (Sgd(lr=0.1, momentum=0.9, dampening=0.2), lambda own: torch.optim.SGD(own, 0.1, 0.9, 0.2)),
        (RmsProp(lr=0.1, alpha=0.9, eps=0.01, momentum=0.5, centered=True, weight_decay=0.1),
         lambda own: torch.optim.RMSprop(own, 0.1, 0.9, 0.01, 0.1, 0.5, True)),
    ],
)  # fmt: skip
def test_optimizers_equal_pytorch(optimizer: Optimizer, same: Callable[[Any], torch.optim.Optimizer]) -> None:
    network = small_network()
    made = make_optimizer(optimizer, network, dict.fromkeys(dict(network.named_parameters()), 0.0))
    expected = same(small_network().parameters())
    assert type(made) is type(expected)
    assert made.defaults == expected.defaults | ({} if isinstance(optimizer, RmsProp) else {"fused": True})


def test_images_are_channels_last(tmp_path: Path) -> None:
    seen: list[bool] = []
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 4))
    network.register_forward_pre_hook(
        lambda module, images: seen.append(images[0].is_contiguous(memory_format=torch.channels_last))
    )
    grey = stripes(24)
    colour = InMemory(grey.pixels.repeat(1, 1, 1, 3), grey.labels)
    splits = stripe_splits()
    split = type(splits.train).all_of(colour)
    run(tmp_path, network=network, splits=type(splits)(splits.classes, split, split, None), epochs=1)
    assert seen
    assert all(seen)
    assert next(network.parameters()).is_contiguous(memory_format=torch.channels_last)
