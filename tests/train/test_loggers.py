"""ignite's loggers: the values they log, and the error if a logger is not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ignite.handlers.base_logger import BaseLogger

from cnngraph import SpecError
from cnngraph.packages import PackageError
from cnngraph.train import HandlerView, Result
from cnngraph.train.loop.loggers import LOGGERS, LogHandler, attach_logger, check_loggers
from tests.train.support import run

STEPS = 5  # per epoch


class Notebook(BaseLogger):
    """A logger of ignite that records scalars by (name, step)."""

    def __init__(self) -> None:
        self.scalars: dict[tuple[str, int], float] = {}
        self.closed = False

    def _create_output_handler(self, *arguments: Any, **options: Any) -> Any:
        from ignite.handlers.base_logger import BaseOutputHandler

        class Handler(BaseOutputHandler):
            def __call__(self, engine: Any, logger: Any, event_name: Any) -> None:
                step = self.global_step_transform(engine, event_name)
                for key, value in self._setup_output_metrics_state_attrs(engine, key_tuple=False).items():
                    logger.scalars[key, step] = value

        return Handler(*arguments, **options)

    def _create_opt_params_handler(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


def expected(result: Result, scale: int = 1) -> dict[tuple[str, int], float]:
    """Every scalar of a run by epoch; `scale` is the number of steps per epoch if steps are counted."""
    scalars = {}
    for epoch in result.epochs:
        for split, metrics in (("train", epoch.train), (epoch.evaluation_split, epoch.evaluation)):
            scalars.update(
                {(f"{name}/{split}", epoch.number * scale): value for name, value in metrics._asdict().items()}
            )
        scalars["epoch/learning_rate", epoch.number * scale] = epoch.learning_rate
        scalars["epoch/images_per_second", epoch.number * scale] = epoch.metrics()["images_per_second"]
    assert result.test
    at = result.best.number if result.best else result.epochs[-1].number
    return scalars | {(f"{name}/test", at * scale): value for name, value in result.test._asdict().items()}


def test_logged_values(tmp_path: Path) -> None:
    logger = Notebook()
    result = run(tmp_path, handlers=(logger,))
    assert logger.scalars == expected(result)
    assert logger.closed


def test_the_loss_of_steps_is_logged_on_request(tmp_path: Path) -> None:
    logger = Notebook()
    result = run(tmp_path, handlers=(lambda training: attach_logger(training.enter(logger), training, 2),))
    steps = {key: value for key, value in logger.scalars.items() if key[0].startswith("step/")}
    assert set(steps) == {(f"step/{name}", step) for step in (2, 4, 6, 8, 10) for name in ("loss", "learning_rate")}
    assert steps["step/learning_rate", 2] == 0.1
    assert {key: value for key, value in logger.scalars.items() if key not in steps} == expected(result, STEPS)


def tensorboard(folder: Path) -> Any:
    """The scalars that TensorBoard reads."""
    accumulators: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulators.EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    return read


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, epochs=1, handlers=(LogHandler("tensorboard"),))
    result = run(tmp_path, epochs=3, resume=True, handlers=(LogHandler("tensorboard"),))
    read = tensorboard(tmp_path)
    found = {
        (name, event.step): event.value
        for name in read.Tags()["scalars"]
        for event in read.Scalars(name)
        if not name.endswith("/test")  # the first half logged its test metrics
    }
    assert found == pytest.approx({key: value for key, value in expected(result).items() if key[0][-5:] != "/test"})
    assert b"optimizer" in read.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0]


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow: Any = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    monkeypatch.chdir(tmp_path)
    try:
        run(tmp_path / "net-1", epochs=1, handlers=(LogHandler("mlflow", 2),))
        result = run(tmp_path / "net-1", epochs=2, resume=True, handlers=(LogHandler("mlflow", 2),))
        (kept,) = mlflow.search_runs(output_format="list")
        client = mlflow.MlflowClient()
        found = {
            (name.replace(" ", "/"), metric.step): metric.value
            for name in kept.data.metrics
            for metric in client.get_metric_history(kept.info.run_id, name)
        }
    finally:
        mlflow.set_tracking_uri(None)
    assert (kept.info.run_name, kept.info.status) == ("net-1", "FINISHED")
    assert kept.data.params["network"] == "small"
    assert kept.data.params["optimizer.name"] == "sgd"
    assert kept.data.params["batch_size"] == "8"
    known = expected(result, STEPS)
    assert {key: value for key, value in found.items() if key in known} == pytest.approx(known)
    assert {step for name, step in found if name == "step/loss"} == {2, 4, 6, 8, 10}


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb: Any = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    found: list[Any] = []

    def look(training: HandlerView) -> None:
        training.opened.callback(lambda: found.extend([dict(wandb.run.summary), dict(wandb.run.config)]))

    result = run(tmp_path, handlers=(LogHandler("wandb"), look))
    summary, config = found  # W&B logs the scalars of the last epoch when it is closed
    assert summary["loss/validation"] == result.epochs[-2].evaluation.loss
    assert summary["accuracy/train"] == result.epochs[-2].train.accuracy
    assert (config["network"], config["optimizer.name"]) == ("small", "sgd")
    assert list((tmp_path / "wandb").glob("offline-run-*"))


def test_a_logger_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnngraph.packages._is_there", lambda module: module != "mlflow")
    with pytest.raises(PackageError) as caught:
        check_loggers(["mlflow"])
    assert (caught.value.message, caught.value.help) == ("MLflow is not installed", "pip install mlflow")


def test_an_unknown_logger() -> None:
    with pytest.raises(SpecError, match="there is no logger `tensorbord`") as caught:
        check_loggers(["tensorbord"])
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("E643", "did you mean `tensorboard`?")


@pytest.mark.parametrize("name", LOGGERS)
def test_a_failing_logger_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.handlers." + LOGGERS[name].logger, None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SpecError, match=f"the logger `{name}` cannot be opened: ") as caught:
        run(tmp_path, handlers=(LogHandler(name),))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("E643", f"check the settings of {name}, or train without it")
    assert not list(tmp_path.iterdir())
