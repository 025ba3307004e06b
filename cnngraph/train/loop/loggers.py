"""Loggers of ignite's: which there are, where each keeps the log of a run, and what is logged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ignite import handlers
from ignite.engine import Engine, Events
from ignite.handlers.base_logger import BaseLogger

from cnngraph import run_files
from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.packages import require
from cnngraph.recipe import to_dict, to_yaml
from cnngraph.train.loop.handler_view import Training
from cnngraph.train.record.run_folder import RunFolder

PROJECT = "cnngraph"  # in which loggers with projects keep runs, unless their own variables say otherwise
TAG = "cnngraph.run"  # what MLflow finds a run by when it is resumed
LONGEST = 500  # characters of a parameter's value; MLflow refuses those of some thousands
METRICS = ("loss", "accuracy")
RATES = ("learning_rate", "images_per_second")


def check_loggers(names: Iterable[str]) -> None:
    """Raise SpecError (E643) for a name that no logger has, and PackageError where the package of one is missing."""
    for name in names:
        if name not in LOGGERS:
            help = did_you_mean(name, LOGGERS) or f"use {', '.join(LOGGERS)}"
            raise SpecError.of("E643", f"there is no logger {name}", help=help)
        require(LOGGERS[name].package)


@dataclass(frozen=True, slots=True)
class Logging:
    """The handler that logs a run by the logger of a name; with `every` also every so many steps."""

    name: str
    every: int | None = None

    def __call__(self, training: Training) -> None:
        """Open the logger, and attach it. Of several processes the leader logs. Raises SpecError (E643)."""
        if not training.leads:
            return
        try:
            log_to(training.enter(LOGGERS[self.name].open(training, self.every)), training, self.every)
        except Exception as error:  # whatever its package raises: no server answers, nobody is logged in
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            message = (
                f"the logger {self.name} cannot be opened: {type(error).__name__}{f': {reason}' if reason else ''}"
            )
            raise SpecError.of("E643", message, help=f"check its settings, or leave out {self.name}") from error


def log_to(logger: BaseLogger, training: Training, every: int | None = None) -> None:
    """Log the recipe, the metrics and rates of each epoch, and at the end those on the test images.

    They are logged by epoch; with `every` by step, and then the loss and the learning rate of every so many steps are
    logged, too.
    """
    trainer, metrics = training.trainer, training.trainer.state.metrics
    if kind := next((kind for kind in LOGGERS.values() if type(logger).__name__ == kind.logger), None):
        kind.write_recipe(logger, training)

    def now(engine: Engine, event: object) -> int:
        found: int = engine.state.iteration if every else engine.state.epoch
        return found

    def best(engine: Engine, event: object) -> int:
        """Where the weights are from that were tested; W&B takes nothing that is earlier than what it has."""
        if isinstance(logger, handlers.WandBLogger) or "best_epoch" not in metrics:
            return now(engine, event)
        return int(metrics["best_epoch"]) * ((trainer.state.epoch_length or 1) if every else 1)

    def log(event: Any, tag: str, values: Callable[[Any], Mapping[str, Any]], at: Callable[..., int] = now) -> None:
        logger.attach_output_handler(trainer, event, tag=tag, output_transform=values, global_step_transform=at)

    for name in METRICS:
        log(Events.EPOCH_COMPLETED, name, partial(_by_split, metrics, name))
        if "test" in training.evaluators:
            log(Events.COMPLETED, name, partial(_of_test, metrics, name), best)
    log(Events.EPOCH_COMPLETED, "epoch", lambda _: {name: metrics[name] for name in RATES})
    if every:
        rates = training.optimizer.param_groups
        values = lambda output: {"loss": output["loss"], "learning_rate": rates[0]["lr"]}  # noqa: E731
        log(Events.ITERATION_COMPLETED(every=every), "step", values)


def _by_split(metrics: Mapping[str, float], name: str, _: object) -> dict[str, float]:
    """A metric on the splits of an epoch."""
    splits = ("train", "validation" if f"validation_{name}" in metrics else "test")
    return {split: metrics[f"{split}_{name}"] for split in splits}


def _of_test(metrics: Mapping[str, float], name: str, _: object) -> dict[str, float]:
    """A metric on the test images at the end of a run."""
    return {"test": metrics[f"test_{name}"]}


# What differs from logger to logger.


def _parameters(training: Training) -> dict[str, str | int | float | bool]:
    """The recipe as plain values by dotted names, with the network's."""
    return {"network": training.network, **dict(_flat(to_dict(training.recipe)))}


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{before}{key}.")
        else:
            yield before + key, item if isinstance(item, bool | int | float) else str(item)[:LONGEST]


def _id(training: Training) -> str:
    """The name by which a logger knows a run, before and after it is resumed."""
    folder = RunFolder(training.folder)
    return hashlib.sha256(f"{folder.path.resolve()} {folder.started_at}".encode(errors="replace")).hexdigest()[:16]


def _tensorboard(training: Training, every: int | None) -> BaseLogger:
    """Events in the run's folder; what an earlier half logged of steps that are learned again is void."""
    state = training.trainer.state
    first = (state.iteration if every else state.epoch) + 1
    return handlers.TensorboardLogger(log_dir=str(training.folder / run_files.TENSORBOARD), purge_step=first)


def _mlflow(training: Training, every: int | None) -> BaseLogger:
    """A run of MLflow's, in the store that MLFLOW_TRACKING_URI names; the one before, where a run is resumed."""
    import mlflow

    if mlflow.active_run() is None:
        name = _id(training)
        found = mlflow.search_runs(filter_string=f"tags.`{TAG}` = '{name}'", output_format="list", max_results=1)
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:
            mlflow.start_run(run_name=training.folder.name, tags={TAG: name})
    return handlers.MLflowLogger()


def _write_to_mlflow(logger: Any, training: Training) -> None:
    """MLflow refuses to change the parameters that a run began with."""
    known = logger.get_run(logger.active_run.info.run_id).data.params
    logger.log_params({key: value for key, value in _parameters(training).items() if key not in known})


def _wandb(training: Training, every: int | None) -> BaseLogger:
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    return handlers.WandBLogger(
        project=project, name=training.folder.name, id=_id(training), resume="allow", dir=str(training.folder)
    )


def _clearml(training: Training, every: int | None) -> BaseLogger:
    project = os.environ.get("CLEARML_PROJECT", PROJECT)
    return handlers.ClearMLLogger(project_name=project, task_name=training.folder.name)


def _neptune(training: Training, every: int | None) -> BaseLogger:
    return handlers.NeptuneLogger(name=training.folder.name, custom_run_id=_id(training))


def _visdom(training: Training, every: int | None) -> BaseLogger:
    return handlers.VisdomLogger(env=training.folder.name)


@dataclass(frozen=True, slots=True)
class Kind:
    """A logger that `--log` knows: its class in ignite, the package that it needs, and what is its own."""

    logger: str
    package: str
    open: Callable[[Training, int | None], BaseLogger]
    write_recipe: Callable[[Any, Training], object]


LOGGERS = {
    "tensorboard": Kind(
        "TensorboardLogger",
        "tensorboard",
        _tensorboard,
        lambda logger, training: logger.writer.add_text("recipe", f"```yaml\n{to_yaml(training.recipe)}```"),
    ),
    "mlflow": Kind("MLflowLogger", "mlflow", _mlflow, _write_to_mlflow),
    "wandb": Kind(
        "WandBLogger",
        "wandb",
        _wandb,
        lambda logger, training: logger.config.update(_parameters(training), allow_val_change=True),
    ),
    "clearml": Kind(
        "ClearMLLogger",
        "clearml",
        _clearml,
        lambda logger, training: logger.get_task().connect(_parameters(training), name="recipe"),
    ),
    "neptune": Kind(
        "NeptuneLogger",
        "neptune",
        _neptune,
        lambda logger, training: logger.experiment.__setitem__("recipe", _parameters(training)),
    ),
    "visdom": Kind(
        "VisdomLogger",
        "visdom",
        _visdom,
        lambda logger, training: logger.vis.text(f"<pre>{to_yaml(training.recipe)}</pre>"),
    ),
}
