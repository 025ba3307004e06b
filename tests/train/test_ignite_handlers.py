"""ignite's own metrics, schedulers, profilers and checkpoints work as handlers of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ignite.engine import Events
from ignite.handlers import (
    BasicTimeProfiler,
    EarlyStopping,
    FastaiLRFinder,
    HandlersTimeProfiler,
    LinearCyclicalScheduler,
    ModelCheckpoint,
)
from ignite.metrics import Accuracy, RunningAverage

from cnngraph.recipe.optimizers import Sgd
from cnngraph.train import HandlerView
from tests.train.event_diary import STEPS, Diary
from tests.train.support import run


def test_metrics_of_ignite(tmp_path: Path) -> None:
    found: list[float] = []

    def attach(training: HandlerView) -> None:
        trainer, evaluator = training.trainer, training.evaluators["validation"]
        Accuracy().attach(evaluator, "top1")
        RunningAverage(output_transform=lambda output: output["loss"]).attach(trainer, "smooth_loss")
        Accuracy(output_transform=lambda output: (output["logits"], output["labels"])).attach(trainer, "learned")
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda engine: found.extend(engine.state.metrics[name] for name in ("validation_top1", "learned")),
        )
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda engine: found.append(engine.state.metrics["smooth_loss"])
        )

    result = run(tmp_path, handlers=(attach,), epochs=1)
    (epoch,) = result.epochs
    assert found[0] == epoch.evaluation.accuracy
    assert found[1] == pytest.approx(epoch.train.accuracy)
    assert 0 < found[2] < 10


def test_early_stopping_of_ignite(tmp_path: Path) -> None:
    def attach(training: HandlerView) -> None:
        stopping = EarlyStopping(2, lambda engine: engine.state.metrics["accuracy"], training.trainer)
        training.evaluators["validation"].add_event_handler(Events.COMPLETED, stopping)

    diary = Diary()
    result = run(tmp_path, handlers=(attach, diary), epochs=9, optimizer=Sgd(lr=1e-30))
    assert not result.interrupted
    assert len(result.epochs) == 3
    assert result.test
    assert diary.names[-3:] == ["EPOCH_COMPLETED", "TERMINATE", "COMPLETED"]
    assert json.loads((tmp_path / "metrics.json").read_text())["finished"]
    longer = run(tmp_path, resume=True, epochs=5, optimizer=Sgd(lr=1e-30))
    assert [epoch.number for epoch in longer.epochs] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("make", [BasicTimeProfiler, HandlersTimeProfiler])
def test_profilers_of_ignite(tmp_path: Path, make: Callable[[], Any]) -> None:
    profiler = make()
    run(tmp_path, handlers=(profiler, Diary()))
    results = profiler.get_results()
    assert results
    if make is BasicTimeProfiler:
        assert results["processing_stats"]["total"] > 0
        assert (profiler.max_epochs, profiler.total_num_iters) == (2, 2 * STEPS)
        assert (profiler.processing_times > 0).all()
    else:
        assert sum(row[1] == "ITERATION_COMPLETED" and row[2] != "not triggered" for row in results) >= 1


def test_a_schedule_of_ignite(tmp_path: Path) -> None:
    rates: list[float] = []

    def attach(training: HandlerView) -> None:
        scheduler = LinearCyclicalScheduler(training.optimizer, "lr", 0.1, 0.01, cycle_size=4 * STEPS)
        training.trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
        optimizer = training.optimizer
        training.trainer.add_event_handler(
            Events.ITERATION_COMPLETED, lambda: rates.append(optimizer.param_groups[0]["lr"])
        )

    result = run(tmp_path, handlers=(attach,))
    assert rates[0] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)
    assert [epoch.learning_rate for epoch in result.epochs] == pytest.approx([rates[STEPS - 1], rates[-1]])


def test_checkpoints_of_ignite(tmp_path: Path) -> None:
    def attach(training: HandlerView) -> None:
        saving = ModelCheckpoint(str(training.folder / "ignite"), n_saved=None, require_empty=False)
        training.trainer.add_event_handler(Events.EPOCH_COMPLETED, saving, {"model": training.model})

    run(tmp_path, handlers=(attach,))
    assert [path.name for path in sorted((tmp_path / "ignite").iterdir())] == ["model_10.pt", "model_5.pt"]


def test_a_search_for_the_learning_rate(tmp_path: Path) -> None:
    finder = FastaiLRFinder()

    def attach(training: HandlerView) -> None:
        kept = {"model": training.model, "optimizer": training.optimizer}
        options: dict[str, Any] = {"num_iter": 12, "end_lr": 10.0, "start_lr": 1e-4}
        training.enter(
            finder.attach(training.trainer, kept, output_transform=lambda output: output["loss"].item(), **options)
        )

    with pytest.warns(UserWarning, match="without loss diverging"):
        run(tmp_path, handlers=(attach,), epochs=20)
    rates = finder.get_results()["lr"]
    assert len(rates) == 13
    assert rates == sorted(rates)
    assert 1e-4 < finder.lr_suggestion() < 10
