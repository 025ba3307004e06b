"""The training loop: `train` sets a run up, and the methods of `Run` are called at the events of ignite's engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.loop.batch_steps import BatchSteps
from cnngraph.train.loop.checkpoints import Checkpointer, process_seed
from cnngraph.train.loop.divergence import divergence_error
from cnngraph.train.loop.evaluation import Evaluator
from cnngraph.train.loop.handler_view import HandlerView
from cnngraph.train.loop.handlers import attach_handlers, handler_errors
from cnngraph.train.loop.ignite_engines import StopRequest, Trainer
from cnngraph.train.loop.interruption import SignalHandler
from cnngraph.train.loop.job import Job, Position
from cnngraph.train.loop.loader import EvaluationLoader, TrainingLoader
from cnngraph.train.loop.memory import keep_freed_memory
from cnngraph.train.loop.objective import class_weights
from cnngraph.train.loop.training_step import TrainingStep
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.records import (
    Epoch,
    InitialMetrics,
    Progress,
    Result,
    SplitMetrics,
    best_of,
    stopped_early,
)
from cnngraph.train.record.scores import Scores

REPORT_INTERVAL = 0.2  # seconds between two reads of the counters, each of which synchronises a GPU

Batch = tuple[Tensor, Tensor]  # images and labels


def train(job: Job, state: Mapping[str, Any] | None = None) -> Result:
    """Train a model, writing metrics and checkpoints to the run's folder. All processes must call it.

    With `state`, the content of the folder's state.pt, the run is resumed. Ctrl-C ends it with a checkpoint after the
    current step; the result is then `interrupted`.
    Raises SpecError: E630 if the loss becomes NaN or infinite, E633 if the GPU runs out of memory, E649 if a handler
    fails.
    """
    keep_freed_memory()
    run = Run(job)
    if state:
        run.checkpointer.restore(state)
    run.training_step.inspects_next_batch = run.position.steps_done == 0
    with SignalHandler(job.reporter.note) as run.signals, handler_errors(job.folder):
        try:
            result = run.run()
        except KeyboardInterrupt:  # the second Ctrl-C: weights may be half updated, so the last checkpoint is kept
            result = run.interrupted_result(draw=False)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(job.recipe, error) from None
    job.reporter.end(result)
    return result


class Run:
    """A run in progress: its parts, and what happens at each event of ignite's engine."""

    def __init__(self, job: Job) -> None:
        self.job, self.recipe, self.world, self.device = job, job.recipe, job.world, job.device
        self.splits = splits = job.splits.to(job.device)
        weights = class_weights(job.recipe.loss, job.splits.train, len(splits.classes))
        self.training_step = TrainingStep(job.model, job.recipe, job.device, weights, job.world)
        self.model = self.training_step.model
        self.preparation = Preparation.of(job.recipe, splits.shape[0], job.device)
        self.loader = TrainingLoader(
            splits.train, self.preparation, job.recipe.batch_size, job.recipe.seed, job.device, len(splits.classes),
            job.world,
        )  # fmt: skip
        self.position = Position(self.loader.steps, Counters(job.device, job.world))
        self.batch_steps = BatchSteps(job, self.training_step, self.loader, self.position)
        self.checkpointer = Checkpointer(job, self.training_step, self.position)
        self.batches = Batches(self.loader, self.position)
        self.trainer = Trainer(self.iterate)
        evaluated_splits = {"validation": splits.validation, "test": splits.test}
        self.evaluators = {
            split: Evaluator(self.training_step.evaluated_model, job.device, job.world, self.training_step.autocast)
            for split, images in evaluated_splits.items()
            if images
        }
        self.scores: dict[str, Scores] = {}  # of the latest evaluation of each split
        self.evaluation_seconds = 0.0  # of the last epoch
        self.next_report = 0.0  # by the monotonic clock
        self.signals = SignalHandler(job.reporter.note)
        self.iterations = 0  # ignite's iterations in the current epoch
        self.in_step = False  # between `train_on_batch` and `end_step`
        self.stopped = False  # with a checkpoint, to be resumed
        self.result: Result | None = None
        torch.manual_seed(process_seed(job))

    def run(self) -> Result:
        """Attach all handlers, and run the engine until the run ends."""
        position, epochs = self.position, self.recipe.epochs
        max_epochs = max(epochs, len(position.epochs))
        self.trainer.load_state_dict(
            {"iteration": position.steps_done, "epoch_length": position.steps_per_epoch, "max_epochs": max_epochs}
        )
        if self.job.has_weights and not position.steps_done:
            self.evaluate_initial_weights()  # before handlers listen: to them, an evaluation is the end of an epoch
        with ExitStack() as opened:
            self.attach(opened)
            steps = position.steps_per_epoch * epochs
            if position.steps_done < steps and not stopped_early(position.epochs, self.recipe.early_stopping):
                self.trainer.run(self.batches)
            else:  # the run was interrupted after its last epoch
                self.trainer.fire_event(Events.COMPLETED)
            return self.interrupted_result() if self.stopped else self.result or self.finish()

    def attach(self, opened: ExitStack) -> None:
        """Attach the run's own handlers, with the user's in between: they see metrics, and their changes are saved."""
        on = self.trainer.add_event_handler
        on(Events.EPOCH_STARTED, self.start_epoch)
        on(Events.EPOCH_COMPLETED, self.end_epoch)
        on(Events.COMPLETED, self.finish)
        attach_handlers(self.job.handlers, self.handler_view(opened))
        on(Events.ITERATION_COMPLETED, self.end_iteration)
        on(Events.EPOCH_COMPLETED, self.save_epoch)
        on(Events.TERMINATE_SINGLE_EPOCH, self.skip_rest_of_epoch)

    # Handlers of events, in the order of the events.

    def start_epoch(self) -> None:
        """Switch to training mode. Reset the counters, unless the run resumes within the epoch."""
        if self.training_step.start_epoch(len(self.position.epochs)):
            self.job.reporter.note(self.training_step.freezing.describe(len(self.position.epochs)))
        self.iterations = self.position.step
        if not self.position.step:
            self.position.counters = Counters(self.device, self.world)
            self.position.clock = Clock()
        self.position.clock.start()
        self.next_report = time.monotonic() + REPORT_INTERVAL

    def iterate(self, engine: Engine, batch: Batch) -> dict[str, Tensor]:
        """Train on the next batch, or while no handler listens to steps, on all remaining batches of the epoch.

        ignite's events cost some ten microseconds per step, which is a lot for a small network.
        """
        self.iterations += 1
        self.trainer.move_to_end(Events.ITERATION_COMPLETED, self.end_iteration)
        self.trainer.move_to_end(Events.EPOCH_COMPLETED, self.save_epoch)
        loss, logits = self.train_on_batch(batch)
        if not self.trainer.has_step_handlers():
            while self.position.step + 1 < self.position.steps_per_epoch and self.end_step():
                batch = next(self.batches.current)
                loss, logits = self.train_on_batch(batch)
            engine.state.batch = batch  # type: ignore[assignment]  # annotated as int by ignite
        return {"loss": loss, "logits": logits.detach(), "labels": batch[1]}

    def train_on_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Start a step, which `end_step` ends. Returns its loss and logits."""
        self.in_step = True
        return self.batch_steps.train_on_batch(*batch)

    def end_iteration(self) -> None:
        """End the iteration's last step. After the epoch's last step, make ignite end the epoch with this iteration."""
        if self.in_step and self.end_step() and not self.position.step:
            self.trainer.state.epoch_length = self.iterations  # `end_epoch` restores it

    def end_step(self) -> bool:
        """Report progress at intervals; save or stop if due, and if the optimizer step is complete.

        Returns whether the run continues.
        """
        step = self.position.step
        self.in_step = False
        self.position.steps_done += 1
        self.trainer.state.iteration = self.position.steps_done
        now = time.monotonic()
        last = step + 1 == self.position.steps_per_epoch
        request, save, report = self.world.max(
            self.stop_request(), now > self.checkpointer.due_at, last or now > self.next_report
        )
        if not (request or save or report):
            return True
        if report:
            self.next_report = now + REPORT_INTERVAL
            self.report_progress(step + 1)
        if last or not (request or save) or not self.batch_steps.completes_optimizer_step(step):
            return True
        self.report_progress(step + 1)  # raises if the loss is NaN, which must not be saved
        if request not in (StopRequest.EPOCH, StopRequest.EPOCH_WITHOUT_EVENT):
            self.checkpointer.save()
        self.stop(StopRequest(request))
        return not request

    def skip_rest_of_epoch(self, iter_counter: int) -> None:
        """Skip the remaining batches of an epoch that a handler has ended."""
        position = self.position
        position.steps_done = self.trainer.state.iteration = (len(position.epochs) + 1) * position.steps_per_epoch
        if self.trainer.should_terminate_single_epoch == "skip_epoch_completed":  # ignite does not call these two then
            self.end_epoch()
            self.save_epoch()

    def end_epoch(self) -> None:
        """Evaluate, and compute the epoch's metrics."""
        position = self.position
        self.trainer.state.epoch_length = position.steps_per_epoch
        training_seconds = position.clock.seconds()
        split = self.epoch_split
        evaluated = self.evaluate(split)
        if not evaluated.finite:
            raise self.divergence_error(f"on the {split} images")
        train, images = position.counters.read()
        epoch = Epoch(
            number=len(position.epochs) + 1,
            learning_rate=self.training_step.learning_rate,
            train=train,
            evaluation=evaluated,
            evaluation_split=split,
            seconds=position.clock.seconds(),
            rate=images / training_seconds,
        )
        position.add(epoch)
        self.evaluation_seconds = epoch.seconds - training_seconds
        self.trainer.state.metrics.update(epoch.metrics())

    def save_epoch(self) -> None:
        """Write checkpoints after all other handlers of the epoch. Stop the run if requested, or by early stopping."""
        epochs = self.position.epochs
        self.checkpointer.save()
        self.job.reporter.epoch(epochs[-1], best_of(epochs) is epochs[-1])
        (agreed,) = self.world.max(self.stop_request())
        request = StopRequest(agreed)
        if request < StopRequest.RUN:
            request = StopRequest.RUN if stopped_early(epochs, self.recipe.early_stopping) else StopRequest.NONE
        self.stop(request)

    def finish(self) -> Result:
        """Load the best weights, or the last ones if no epoch was chosen, and evaluate them on the test images."""
        job, epochs = self.job, self.position.epochs
        best = best_of(epochs)
        weights = run_file_formats.read_weights(job.folder.best) if best and self.world.leads else None
        if best:
            self.trainer.state.metrics["best_epoch"] = best.number
        self.training_step.load_final_weights(self.world.broadcast(weights) or self.training_step.evaluated_weights())
        test = self.test_metrics(best)
        job.folder.save_curves(job.network, epochs, test, self.position.initial)
        self.save_scores("test" if test else "validation")
        # Must be last: once this is written, the run is finished and cannot be resumed.
        seconds, initial = self.position.seconds, self.position.initial
        job.folder.save_metrics(epochs, test=test, finished=True, seconds=seconds, initial=initial)
        self.result = Result(job.folder.path, epochs, best, test, False, seconds, initial)
        return self.result

    def interrupted_result(self, draw: bool = True) -> Result:
        """The result of a run that can be resumed; `draw` writes its curves."""
        job, epochs, initial = self.job, self.position.epochs, self.position.initial
        if draw:
            job.folder.save_curves(job.network, epochs, None, initial)
        return Result(job.folder.path, epochs, best_of(epochs), None, True, self.position.seconds, initial)

    # Helpers of these.

    @property
    def epoch_split(self) -> str:
        """The split that is evaluated after every epoch."""
        return "test" if self.splits.validation is None else "validation"

    def evaluate_initial_weights(self) -> None:
        """Measure the weights that the run starts with. If their loss is not finite, the first step says why."""
        initial = InitialMetrics(self.epoch_split, self.evaluate(self.epoch_split))
        if initial.metrics.finite:
            self.position.initial = initial
            self.job.reporter.initial(initial)

    def handler_view(self, opened: ExitStack) -> HandlerView:
        """The view of this run for handlers."""
        job = self.job
        return HandlerView(
            trainer=self.trainer,
            evaluators=self.evaluators,
            model=self.model,
            optimizer=self.training_step.optimizer,
            recipe=self.recipe,
            network=job.network,
            folder=job.folder.path,
            device=self.device,
            leads=self.world.leads,
            evaluate=self.evaluate,
            opened=opened,
        )

    def stop_request(self) -> StopRequest:
        """What a signal or a handler has asked this process to stop."""
        return StopRequest.INTERRUPT if self.signals.requested else self.trainer.request

    def stop(self, request: StopRequest) -> None:
        """Make the engine stop what was requested. All processes call it with the same request."""
        if request == StopRequest.INTERRUPT:
            self.stopped = True
            self.trainer.fire_event(Events.INTERRUPT)
        self.trainer.stop(request)

    def evaluate(self, split: str) -> SplitMetrics:
        """Loss and accuracy on a split, in eval mode."""
        self.job.reporter.evaluating(split)
        images = self.splits.test if split == "test" else self.splits.validation
        assert images is not None
        scores = self.scores[split] = Scores(self.splits.classes, self.device)
        batches = EvaluationLoader(images, self.preparation, self.device, self.world)
        was_training = self.model.training
        self.training_step.sync_buffers()
        evaluator = self.evaluators[split]
        metrics = evaluator.evaluate(batches, scores)
        if was_training:
            self.training_step.train_mode()
        self.trainer.state.metrics.update({f"{split}_{name}": value for name, value in evaluator.state.metrics.items()})
        return metrics

    def test_metrics(self, best: Epoch | None) -> SplitMetrics | None:
        """The metrics of the final weights on the test images; None without test images."""
        if best is None and self.position.epochs and not self.position.step:
            return self.position.epochs[-1].evaluation  # of these weights, on the test images
        return self.evaluate("test") if self.splits.test else None

    def save_scores(self, split: str) -> None:
        """Write the scores by class of the final weights."""
        if split == "validation" or split not in self.scores:  # validation scores are the last epoch's, not the best's
            self.evaluate(split)
        self.job.folder.save_scores(self.job.network, split, self.scores[split].read())

    def report_progress(self, step: int) -> None:
        """Report the metrics of the epoch so far. Raises SpecError (E630) if the loss is NaN or infinite."""
        position, epochs = self.position, len(self.position.epochs)
        metrics, images = position.counters.read()
        if not metrics.finite:
            raise self.divergence_error(f"after step {position.steps_done:,}, in epoch {epochs + 1}")
        seconds = position.clock.seconds()
        steps = position.steps_per_epoch
        steps_left = steps * self.recipe.epochs - position.steps_done
        seconds_left = steps_left * seconds / step + (self.recipe.epochs - epochs) * self.evaluation_seconds
        self.job.reporter.step(Progress(epochs + 1, step, steps, metrics, images / seconds, seconds_left))

    def divergence_error(self, where: str) -> SpecError:
        """The error for a loss that is NaN or infinite. All processes call it together."""
        first = self.training_step.first_batch
        problems = self.world.gather(first.problem(self.recipe) if first else None)
        rate = max(group["initial_lr"] for group in self.training_step.optimizer.param_groups)
        return divergence_error(where, self.recipe, rate, self.job.folder.path, self.position.epochs, problems)


class Batches:
    """The endless batches from the run's position on, with the length of one epoch, as ignite expects its data."""

    def __init__(self, loader: TrainingLoader, position: Position) -> None:
        self.loader, self.position = loader, position
        self.current: Iterator[Batch] = iter(())

    def __len__(self) -> int:
        return self.position.steps_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        self.current = self.loader.batches(self.position.steps_done)
        return self.current


def _out_of_memory(recipe: Recipe, error: Exception) -> SpecError:
    help = f"halve the batch size: `--set train.batch_size={max(1, recipe.batch_size // 2)}`"
    return SpecError.of("E633", "the GPU is out of memory", notes=(str(error).splitlines()[0],), help=help)
