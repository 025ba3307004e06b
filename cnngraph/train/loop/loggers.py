"""ignite's loggers: which ones are supported, where each writes the log of a run, and what is logged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ignite import handlers
from ignite.engine import Engine, Events
from ignite.handlers.base_logger import BaseLogger

from cnngraph import run_files
from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.packages import require
from cnngraph.recipe import to_dict, to_yaml
from cnngraph.train.loop.handler_view import HandlerView
from cnngraph.train.loop.optimizers import reported_group
from cnngraph.train.record.run_folder import RunFolder

PROJECT = "cnngraph"  # the default for loggers that have projects
TAG = "cnngraph.run"  # identifies a resumed run in MLflow
MAX_VALUE_LENGTH = 500  # characters; MLflow rejects parameters of some thousand
METRICS = ("loss", "accuracy")
RATES = ("learning_rate", "images_per_second")


def check_loggers(names: Iterable[str]) -> None:
    """Raise SpecError (E643) for an unknown logger, and PackageError if the package of a logger is missing."""
    for name in names:
        if name not in LOGGERS:
            help = did_you_mean(name, LOGGERS) or f"use one of {', '.join(LOGGERS)}"
            raise SpecError.of("E643", f"there is no logger `{name}`", help=help)
        require(LOGGERS[name].package)


@frozen
class LogHandler:
    """A handler that logs a run with one of LOGGERS; with `every` also every so many steps."""

    name: str
    every: int | None = None

    def __call__(self, training: HandlerView) -> None:
        """Open and attach the logger, in the first process only. Raises SpecError (E643) if it cannot be opened."""
        if not training.leads:
            return
        try:
            attach_logger(training.enter(LOGGERS[self.name].open(training, self.every)), training, self.every)
        except Exception as error:  # any exception of its package: no server, not logged in
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            message = (
                f"the logger `{self.name}` cannot be opened: {type(error).__name__}{f': {reason}' if reason else ''}"
            )
            raise SpecError.of(
                "E643", message, help=f"check the settings of {self.name}, or train without it"
            ) from error


def attach_logger(logger: BaseLogger, training: HandlerView, every: int | None = None) -> None:
    """Log the recipe, the metrics and rates of each epoch, and at the end the test metrics.

    The x-axis is the epoch; with `every` it is the step, and loss and learning rate are logged every so many steps.
    """
    trainer, metrics = training.trainer, training.trainer.state.metrics
    if kind := next((kind for kind in LOGGERS.values() if type(logger).__name__ == kind.logger), None):
        kind.write_recipe(logger, training)

    def current(engine: Engine, event: object) -> int:
        number: int = engine.state.iteration if every else engine.state.epoch
        return number

    def best(engine: Engine, event: object) -> int:
        """The epoch or step of the tested weights. W&B only accepts increasing steps, so it gets the current one."""
        if isinstance(logger, handlers.WandBLogger) or "best_epoch" not in metrics:
            return current(engine, event)
        return int(metrics["best_epoch"]) * ((trainer.state.epoch_length or 1) if every else 1)

    def log(event: Any, tag: str, values: Callable[[Any], Mapping[str, Any]], at: Callable[..., int] = current) -> None:
        logger.attach_output_handler(trainer, event, tag=tag, output_transform=values, global_step_transform=at)

    for name in METRICS:
        log(Events.EPOCH_COMPLETED, name, partial(_by_split, metrics, name))
        if "test" in training.evaluators:
            log(Events.COMPLETED, name, partial(_of_test, metrics, name), best)
    log(Events.EPOCH_COMPLETED, "epoch", lambda _: {name: metrics[name] for name in RATES})
    if every:
        log(Events.ITERATION_COMPLETED(every=every), "step", partial(_of_step, training))


def _of_step(training: HandlerView, output: Mapping[str, Any]) -> dict[str, Any]:
    """The loss and the learning rate of a step."""
    return {
        "loss": output["loss"],
        "learning_rate": reported_group(training.optimizer, training.recipe.optimizer)["lr"],
    }


def _by_split(metrics: Mapping[str, float], name: str, _: object) -> dict[str, float]:
    """A metric of the latest epoch, by split."""
    splits = ("train", "validation" if f"validation_{name}" in metrics else "test")
    return {split: metrics[f"{split}_{name}"] for split in splits}


def _of_test(metrics: Mapping[str, float], name: str, _: object) -> dict[str, float]:
    """A metric on the test images, at the end of a run."""
    return {"test": metrics[f"test_{name}"]}


# What each logger needs.


def _parameters(training: HandlerView) -> dict[str, str | int | float | bool]:
    """The network's name, and the recipe as plain values by dotted names."""
    return {"network": training.network, **dict(_flatten(to_dict(training.recipe)))}


def _flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flatten(item, f"{prefix}{key}.")
        else:
            yield prefix + key, item if isinstance(item, bool | int | float) else str(item)[:MAX_VALUE_LENGTH]


def _id(training: HandlerView) -> str:
    """An id of the run that stays the same when it is resumed."""
    folder = RunFolder(training.folder)
    return hashlib.sha256(f"{folder.path.resolve()} {folder.started_at}".encode(errors="replace")).hexdigest()[:16]


def _tensorboard(training: HandlerView, every: int | None) -> BaseLogger:
    """Event files in the run's folder. Events of steps that a resumed run repeats are purged."""
    state = training.trainer.state
    first = (state.iteration if every else state.epoch) + 1
    return handlers.TensorboardLogger(log_dir=str(training.folder / run_files.TENSORBOARD), purge_step=first)


def _mlflow(training: HandlerView, every: int | None) -> BaseLogger:
    """A run in the store of MLFLOW_TRACKING_URI; for a resumed run, the same one as before."""
    import mlflow

    if mlflow.active_run() is None:
        name = _id(training)
        found = mlflow.search_runs(filter_string=f"tags.`{TAG}` = '{name}'", output_format="list", max_results=1)
        if found:
            mlflow.start_run(run_id=found[0].info.run_id)
        else:
            mlflow.start_run(run_name=training.folder.name, tags={TAG: name})
    return handlers.MLflowLogger()


def _write_to_mlflow(logger: Any, training: HandlerView) -> None:
    """Log parameters that the run does not have yet: MLflow does not allow changes."""
    known = logger.get_run(logger.active_run.info.run_id).data.params
    logger.log_params({key: value for key, value in _parameters(training).items() if key not in known})


def _wandb(training: HandlerView, every: int | None) -> BaseLogger:
    project = os.environ.get("WANDB_PROJECT", PROJECT)
    return handlers.WandBLogger(
        project=project, name=training.folder.name, id=_id(training), resume="allow", dir=str(training.folder)
    )


def _clearml(training: HandlerView, every: int | None) -> BaseLogger:
    project = os.environ.get("CLEARML_PROJECT", PROJECT)
    return handlers.ClearMLLogger(project_name=project, task_name=training.folder.name)


def _neptune(training: HandlerView, every: int | None) -> BaseLogger:
    return handlers.NeptuneLogger(name=training.folder.name, custom_run_id=_id(training))


def _visdom(training: HandlerView, every: int | None) -> BaseLogger:
    return handlers.VisdomLogger(env=training.folder.name)


@frozen
class LoggerKind:
    """A logger for `--log`: its class in ignite, the package that it needs, how to open it and write the recipe."""

    logger: str
    package: str
    open: Callable[[HandlerView, int | None], BaseLogger]
    write_recipe: Callable[[Any, HandlerView], object]


LOGGERS = {
    "tensorboard": LoggerKind(
        "TensorboardLogger",
        "tensorboard",
        _tensorboard,
        lambda logger, training: logger.writer.add_text("recipe", f"```yaml\n{to_yaml(training.recipe)}```"),
    ),
    "mlflow": LoggerKind("MLflowLogger", "mlflow", _mlflow, _write_to_mlflow),
    "wandb": LoggerKind(
        "WandBLogger",
        "wandb",
        _wandb,
        lambda logger, training: logger.config.update(_parameters(training), allow_val_change=True),
    ),
    "clearml": LoggerKind(
        "ClearMLLogger",
        "clearml",
        _clearml,
        lambda logger, training: logger.get_task().connect(_parameters(training), name="recipe"),
    ),
    "neptune": LoggerKind(
        "NeptuneLogger",
        "neptune",
        _neptune,
        lambda logger, training: logger.experiment.__setitem__("recipe", _parameters(training)),
    ),
    "visdom": LoggerKind(
        "VisdomLogger",
        "visdom",
        _visdom,
        lambda logger, training: logger.vis.text(f"<pre>{to_yaml(training.recipe)}</pre>"),
    ),
}
