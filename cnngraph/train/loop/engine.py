"""The training loop. It reads from top to bottom: `train` sets it up, `Run` says what happens when."""

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
from cnngraph.train.loop.checkpoints import Saver, first_seed
from cnngraph.train.loop.divergence import diverged
from cnngraph.train.loop.evaluation import Evaluator
from cnngraph.train.loop.handler_view import Training
from cnngraph.train.loop.handlers import attach_handlers, failures_named
from cnngraph.train.loop.ignite_engines import Ending, Trainer
from cnngraph.train.loop.interruption import Interrupt
from cnngraph.train.loop.job import Job, Position
from cnngraph.train.loop.loader import EvaluationLoader, TrainingLoader
from cnngraph.train.loop.memory import keep_freed_memory
from cnngraph.train.loop.objective import class_weights
from cnngraph.train.loop.step_schedule import Steps
from cnngraph.train.loop.training_step import Learner
from cnngraph.train.record import files
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.records import Epoch, Progress, Result, SplitMetrics, best_of, stopped_early
from cnngraph.train.record.scores import Scores

SHOWN_EVERY = 0.2  # seconds between two reads of the counters, which on a GPU wait for it

Batch = tuple[Tensor, Tensor]  # images and labels


def train(job: Job, state: Mapping[str, Any] | None = None) -> Result:
    """Train a model, writing metrics and checkpoints to the run's folder. Every process of a world calls it.

    With `state` (what the folder's state.pt holds) the run is resumed. Ctrl-C ends it after the step at work with a
    checkpoint, and the result says so.
    Raises SpecError: E630 where the loss becomes NaN or infinite, E649 where a handler fails.
    """
    keep_freed_memory()
    run = Run(job)
    if state:
        run.saver.restore(state)
    run.learner.observes_first = run.position.done == 0
    with Interrupt(job.reporter.note) as run.interrupt, failures_named(job.folder):
        try:
            result = run.run()
        except KeyboardInterrupt:  # the second Ctrl-C: weights may be half changed, so the last checkpoint remains
            result = run.interrupted(draws=False)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(job.recipe, error) from None
    job.reporter.end(result)
    return result


class Run:
    """A run in motion: what it owns, and what happens at each event of ignite's."""

    def __init__(self, job: Job) -> None:
        self.job, self.recipe, self.world, self.device = job, job.recipe, job.world, job.device
        self.splits = splits = job.splits.to(job.device)
        weights = class_weights(job.recipe.loss, job.splits.train, len(splits.classes))
        self.learner = Learner(job.model, job.recipe, job.device, weights, job.world)
        self.model = self.learner.model
        self.preparation = Preparation.of(job.recipe, splits.shape[0], job.device)
        self.loader = TrainingLoader(
            splits.train, self.preparation, job.recipe.batch_size, job.recipe.seed, job.device, len(splits.classes),
            job.world,
        )  # fmt: skip
        self.position = Position(self.loader.steps, Counters(job.device, job.world))
        self.steps = Steps(job, self.learner, self.loader, self.position)
        self.saver = Saver(job, self.learner, self.position)
        self.batches = Batches(self.loader, self.position)
        self.trainer = Trainer(self.iterate)
        evaluated = {"validation": splits.validation, "test": splits.test}
        self.evaluators = {
            split: Evaluator(self.learner.judged, job.device, job.world, self.learner.precision)
            for split, images in evaluated.items()
            if images
        }
        self.scores: dict[str, Scores] = {}  # of the latest evaluation of each split
        self.evaluation = 0.0  # seconds that the last one took
        self.show_at = 0.0  # when progress is shown next, by the monotonic clock
        self.interrupt = Interrupt(job.reporter.note)
        self.iterations = 0  # of ignite's in the epoch at work
        self.is_open = False  # whether a step has not ended
        self.stopped = False  # with a checkpoint, to be resumed
        self.result: Result | None = None
        torch.manual_seed(first_seed(job))

    def run(self) -> Result:
        """Attach everything that listens, and let the engine fire its events until the run ends."""
        position, epochs = self.position, self.recipe.epochs
        longest = max(epochs, len(position.epochs))
        self.trainer.load_state_dict(
            {"iteration": position.done, "epoch_length": position.steps, "max_epochs": longest}
        )
        with ExitStack() as opened:
            self.attach(opened)
            if position.done < position.steps * epochs and not stopped_early(
                position.epochs, self.recipe.early_stopping
            ):
                self.trainer.run(self.batches)
            else:  # all that is left is the end
                self.trainer.fire_event(Events.COMPLETED)
            return self.interrupted() if self.stopped else self.result or self.finish()

    def attach(self, opened: ExitStack) -> None:
        """Attach what happens at each event. Other handlers come in between: they find metrics, and are saved too."""
        on = self.trainer.add_event_handler
        on(Events.EPOCH_STARTED, self.begin_epoch)
        on(Events.EPOCH_COMPLETED, self.end_epoch)
        on(Events.COMPLETED, self.finish)
        attach_handlers(self.job.handlers, self.training(opened))
        on(Events.ITERATION_COMPLETED, self.end_iteration)
        on(Events.EPOCH_COMPLETED, self.save_epoch)
        on(Events.TERMINATE_SINGLE_EPOCH, self.skip_rest)

    # What happens, in order.

    def begin_epoch(self) -> None:
        """Switch to training mode. Counters begin at 0, unless the epoch was begun by a run that was interrupted."""
        self.model.train()
        self.iterations = self.position.step
        if not self.position.step:
            self.position.counters = Counters(self.device, self.world)
            self.position.clock = Clock()
        self.position.clock.start()
        self.show_at = time.monotonic() + SHOWN_EVERY

    def iterate(self, engine: Engine, batch: Batch) -> dict[str, Tensor]:
        """Learn from the next batch; and while no handler listens to steps, from all others of the epoch.

        ignite's events cost some ten microseconds a step, which is much for a small network.
        """
        self.iterations += 1
        self.trainer.keep_last(Events.ITERATION_COMPLETED, self.end_iteration)
        self.trainer.keep_last(Events.EPOCH_COMPLETED, self.save_epoch)
        loss, logits = self.learn(batch)
        if not self.trainer.is_listened_to():
            while self.position.step + 1 < self.position.steps and self.end_step():
                batch = next(self.batches.current)
                loss, logits = self.learn(batch)
            engine.state.batch = batch  # type: ignore[assignment]  # ignite says that it is an integer
        return {"loss": loss, "logits": logits.detach(), "labels": batch[1]}

    def learn(self, batch: Batch) -> Batch:
        """Make a step, which `end_step` ends; its loss and logits."""
        self.is_open = True
        return self.steps.learn(*batch)

    def end_iteration(self) -> None:
        """End the iteration's last step. An epoch ends with it when ignite has counted as many iterations."""
        if self.is_open and self.end_step() and not self.position.step:
            self.trainer.state.epoch_length = self.iterations  # `end_epoch` restores it

    def end_step(self) -> bool:
        """Show progress now and then; save, or end, where that is due and the optimizer's step is complete.

        Returns whether the run continues.
        """
        step = self.position.step
        self.is_open = False
        self.position.done += 1
        self.trainer.state.iteration = self.position.done
        now = time.monotonic()
        ends = step + 1 == self.position.steps
        asked, due, shown = self.world.max(self.asked(), now > self.saver.due_at, ends or now > self.show_at)
        if not (asked or due or shown):
            return True
        if shown:
            self.show_at = now + SHOWN_EVERY
            self.show(step + 1)
        if ends or not (asked or due) or not self.steps.completes(step):
            return True
        self.show(step + 1)  # which refuses a loss that is NaN
        if asked not in (Ending.EPOCH, Ending.EPOCH_SILENTLY):
            self.saver.save()
        self.obey(Ending(asked))
        return not asked

    def skip_rest(self, iter_counter: int) -> None:
        """A handler ended the epoch early: its other batches are skipped."""
        position = self.position
        position.done = self.trainer.state.iteration = (len(position.epochs) + 1) * position.steps
        if self.trainer.should_terminate_single_epoch == "skip_epoch_completed":  # what other handlers are not told
            self.end_epoch()
            self.save_epoch()

    def end_epoch(self) -> None:
        """Evaluate, and add up the epoch's metrics."""
        position = self.position
        self.trainer.state.epoch_length = position.steps
        trained = position.clock.seconds()
        split = "test" if self.splits.validation is None else "validation"
        evaluation = self.evaluate(split)
        if not evaluation.finite:
            raise self.diverged(f"on the {split} images")
        train, images = position.counters.read()
        epoch = Epoch(
            number=len(position.epochs) + 1,
            learning_rate=self.learner.rate,
            train=train,
            evaluation=evaluation,
            evaluation_split=split,
            seconds=position.clock.seconds(),
            rate=images / trained,
        )
        position.add(epoch)
        self.evaluation = epoch.seconds - trained
        self.trainer.state.metrics.update(epoch.metrics())

    def save_epoch(self) -> None:
        """Write checkpoints after everyone has seen the epoch, and end the run where it is to end."""
        epochs = self.position.epochs
        self.saver.save()
        self.job.reporter.epoch(epochs[-1], best_of(epochs) is epochs[-1])
        (agreed,) = self.world.max(self.asked())
        ending = Ending(agreed)
        if ending < Ending.RUN:
            ending = Ending.RUN if stopped_early(epochs, self.recipe.early_stopping) else Ending.NOTHING
        self.obey(ending)

    def finish(self) -> Result:
        """Evaluate the test images once, with the best weights; or with the last ones, where nothing was chosen."""
        job, epochs = self.job, self.position.epochs
        best = best_of(epochs)
        kept = files.read_weights(job.folder.best) if best and self.world.leads else None
        if best:
            self.trainer.state.metrics["best_epoch"] = best.number
        self.learner.keep(self.world.broadcast(kept) or self.learner.weights())
        test = self.tested(best)
        job.folder.save_curves(job.network, epochs, test)
        self.save_scores("test" if test else "validation")
        # The last of all: once this is written, the run is finished, and is not resumed.
        job.folder.save_metrics(epochs, test=test, finished=True, seconds=self.position.seconds)
        self.result = Result(job.folder.path, epochs, best, test, False, self.position.seconds)
        return self.result

    def interrupted(self, draws: bool = True) -> Result:
        """The result of a run that may be resumed later."""
        job, epochs = self.job, self.position.epochs
        if draws:
            job.folder.save_curves(job.network, epochs, None)
        return Result(job.folder.path, epochs, best_of(epochs), None, True, self.position.seconds)

    # What that takes.

    def training(self, opened: ExitStack) -> Training:
        """The run as its handlers see it."""
        job = self.job
        return Training(
            trainer=self.trainer,
            evaluators=self.evaluators,
            model=self.model,
            optimizer=self.learner.optimizer,
            recipe=self.recipe,
            network=job.network,
            folder=job.folder.path,
            device=self.device,
            leads=self.world.leads,
            evaluate=self.evaluate,
            opened=opened,
        )

    def asked(self) -> Ending:
        """What this process was asked for."""
        return Ending.INTERRUPTED if self.interrupt.asked else self.trainer.asked

    def obey(self, ending: Ending) -> None:
        """Let the engine do what was asked for, by all processes at once."""
        if ending == Ending.INTERRUPTED:
            self.stopped = True
            self.trainer.fire_event(Events.INTERRUPT)
        self.trainer.obey(ending)

    def evaluate(self, split: str) -> SplitMetrics:
        """The metrics of a split, in eval mode."""
        self.job.reporter.evaluating(split)
        images = self.splits.test if split == "test" else self.splits.validation
        assert images is not None
        scores = self.scores[split] = Scores(self.splits.classes, self.device)
        batches = EvaluationLoader(images, self.preparation, self.device, self.world)
        training = self.model.training
        self.learner.settle()
        evaluator = self.evaluators[split]
        found = evaluator.measure(batches, scores)
        self.model.train(training)
        self.trainer.state.metrics.update({f"{split}_{name}": value for name, value in evaluator.state.metrics.items()})
        return found

    def tested(self, best: Epoch | None) -> SplitMetrics | None:
        """The metrics of the kept weights on the test images."""
        if best is None and self.position.epochs and not self.position.step:
            return self.position.epochs[-1].evaluation  # these are the weights that were evaluated
        return self.evaluate("test") if self.splits.test else None

    def save_scores(self, split: str) -> None:
        """Write the scores of each class with the weights that are kept."""
        if split == "validation" or split not in self.scores:  # the latest were those of the last epoch, not the best
            self.evaluate(split)
        self.job.folder.save_scores(self.job.network, split, self.scores[split].read())

    def show(self, step: int) -> None:
        """Report how far the epoch is. Raises SpecError where the loss is NaN or infinite."""
        position, epochs = self.position, len(self.position.epochs)
        metrics, images = position.counters.read()
        if not metrics.finite:
            raise self.diverged(f"after step {position.done:,}, in epoch {epochs + 1}")
        seconds = position.clock.seconds()
        left = position.steps * self.recipe.epochs - position.done
        seconds_left = left * seconds / step + (self.recipe.epochs - epochs) * self.evaluation
        self.job.reporter.step(Progress(epochs + 1, step, position.steps, metrics, images / seconds, seconds_left))

    def diverged(self, where: str) -> SpecError:
        """The loss is NaN or infinite. All processes call it."""
        first = self.learner.first
        problems = self.world.gather(first.problem(self.recipe) if first else None)
        return diverged(where, self.recipe, self.job.folder.path, self.position.epochs, problems)


class Batches:
    """The batches from the step on at which a run is, without end; an epoch has as many as it is long."""

    def __init__(self, loader: TrainingLoader, position: Position) -> None:
        self.loader, self.position = loader, position
        self.current: Iterator[Batch] = iter(())

    def __len__(self) -> int:
        return self.position.steps

    def __iter__(self) -> Iterator[Batch]:
        self.current = self.loader.batches(self.position.done)
        return self.current


def _out_of_memory(recipe: Recipe, error: Exception) -> SpecError:
    help = f"halve the batch: --set train.batch_size={max(1, recipe.batch_size // 2)}"
    return SpecError.of("E633", "the GPU's memory is full", notes=(str(error).splitlines()[0],), help=help)
