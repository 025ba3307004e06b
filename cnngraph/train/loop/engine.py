"""The training loop. It reads from top to bottom: `train` sets it up, `Run` says what happens when."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.augment.seeds import mixed
from cnngraph.train.data.images import Parts
from cnngraph.train.loop.divergence import rate_help
from cnngraph.train.loop.evaluation import evaluate
from cnngraph.train.loop.interrupt import Interrupt
from cnngraph.train.loop.learner import Learner
from cnngraph.train.loop.loader import EvaluationLoader, TrainingLoader
from cnngraph.train.loop.machine import random_state, set_random_state
from cnngraph.train.loop.memory import keep_freed_memory
from cnngraph.train.loop.objective import class_weights
from cnngraph.train.record import files
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.progress import Reporter
from cnngraph.train.record.records import Epoch, Figures, Progress, Result, best_of, settled
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.record.scores import Scores
from cnngraph.train.record.state import STATE_VERSION, check_state, refusing_misfits
from cnngraph.train.world import ALONE, World

SHOWN_EVERY = 0.2  # seconds between two looks at the counters, which on a GPU wait for it


def train(
    model: nn.Module,
    recipe: Recipe,
    parts: Parts,
    folder: RunFolder,
    *,
    network: str,
    device: torch.device,
    reporter: Reporter,
    state: Mapping[str, Any] | None = None,
    world: World = ALONE,
    images: str | None = None,
    documents: Mapping[str, str] | None = None,
) -> Result:
    """Train a model on the images of a run, writing metrics and checkpoints to its folder.

    The model gives logits, or a tuple whose first item they are and whose others are auxiliary logits. With `state`
    (what the folder's state.pt holds) the run goes on where that was saved. Ctrl-C ends it after the step at work
    with a checkpoint, and the result says so. Every process of a world calls it. `images` is a digest of the images,
    which the state keeps.
    Raises SpecError (E630) where the loss is no number any more.
    """
    keep_freed_memory()
    run = Run(model, recipe, parts, folder, network, device, reporter, world, images, documents or {})
    if state:
        run.restore(state)
    run.learner.observes_first = run.done == 0
    trainer = Engine(run.learn)  # ignite's iteration is an epoch: its events would cost a small step some percent
    trainer.logger.disabled = True  # it tells of exceptions, which tell of themselves
    trainer.add_event_handler(Events.EPOCH_STARTED, run.begin_epoch)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, run.end_epoch)
    with Interrupt(reporter.note) as run.interrupt:
        try:
            if run.done < run.loader.steps * recipe.epochs and not settled(run.epochs, recipe.early_stopping):
                run.batches = run.loader.batches(run.done)
                trainer.load_state_dict({"epoch": len(run.epochs), "epoch_length": 1, "max_epochs": recipe.epochs})
                trainer.run()
            result = run.end()
        except KeyboardInterrupt:  # the second Ctrl-C: the weights may be half changed, the last checkpoint stands
            result = run.interrupted(draws=False)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(recipe, error) from None
    reporter.end(result)
    return result


class Run:
    """A run in motion: what it owns, and what happens at each turn."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        parts: Parts,
        folder: RunFolder,
        network: str,
        device: torch.device,
        reporter: Reporter,
        world: World,
        images: str | None,
        documents: Mapping[str, str],
    ) -> None:
        self.images, self.documents = images, dict(documents)
        self.recipe, self.folder, self.network, self.reporter = recipe, folder, network, reporter
        self.world = world
        self.parts = parts.to(device)
        weights = class_weights(recipe.loss, parts.train, len(parts.classes))
        self.learner = Learner(model, recipe, device, weights, world)
        self.model = self.learner.model
        self.preparation = Preparation.of(recipe, parts.shape[0], device)
        self.loader = TrainingLoader(
            self.parts.train, self.preparation, recipe.batch_size, recipe.seed, device, len(parts.classes), world
        )
        self.device = device
        self.counters = Counters(device, world)
        self.scores: dict[str, Scores] = {}  # of the latest look at each part
        self.epochs: tuple[Epoch, ...] = ()
        self.done = 0  # steps
        self.seconds = 0.0  # of the finished epochs
        self.evaluation = 0.0  # seconds that the last one took
        self.clock = Clock()
        self.batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self.is_simple = world.size == 1 and recipe.accumulate == 1  # each batch is one step, and whole
        self.show_at = 0.0  # when progress is shown next, by the monotonic clock
        self.save_at = self.next_save()
        self.interrupt = Interrupt(reporter.note)
        self.stopping = False  # all processes do, since one was asked to
        torch.manual_seed(self.first_seed())

    # What happens, in order.

    def begin_epoch(self, engine: Engine) -> None:
        """Switch to training mode. Counters begin at 0, unless the epoch was begun by a run that was interrupted."""
        self.model.train()
        if self.done % self.loader.steps == 0:
            self.counters = Counters(self.device, self.world)
            self.clock = Clock()
        self.clock.start()
        self.show_at = time.monotonic() + SHOWN_EVERY

    def learn(self, engine: Engine, _: None) -> None:
        """Learn from the batches of an epoch, from where it stands on."""
        for step in range(self.done % self.loader.steps, self.loader.steps):
            self.step(step)
            self.end_step(step, engine)
            if engine.should_terminate:
                return

    def step(self, step: int) -> None:
        """Learn from the next batch."""
        images, labels = next(self.batches)
        if not self.learner.is_steady:
            self.set_rate(step)
        if self.is_simple:
            self.counters.add(*self.learner.learn(images, labels), labels)
            return
        part, last = self.turn(step)
        mine = self.loader.share(step)
        loss, logits = self.learner.learn(images, labels, part * mine.weight, last)
        if mine.counted:
            self.counters.add(loss, logits, labels)

    def end_step(self, step: int, engine: Engine) -> None:
        """Show progress now and then; save, and stop, where that is called for and the optimizer's step is whole."""
        self.done += 1
        now = time.monotonic()
        ends = step + 1 == self.loader.steps
        self.stopping, due, shown = self.world.agree(
            self.interrupt.asked, now > self.save_at, ends or now > self.show_at
        )
        if not (self.stopping or due or shown):
            return
        if shown:
            self.show_at = now + SHOWN_EVERY
            self.show(step + 1)
        if ends or not self.turn(step)[1]:
            return
        if self.stopping:
            self.save()
            engine.terminate()
        elif due:
            self.show(step + 1)  # which refuses a loss that is no number
            self.save()

    def end_epoch(self, engine: Engine) -> None:
        """Evaluate, note the figures, and write checkpoints."""
        trained = self.clock.seconds()
        part = "test" if self.parts.validation is None else "validation"
        held = self.evaluate(part)
        if not held.finite:
            raise self.diverged(f"on the {part} images")
        train, images = self.counters.read()
        epoch = Epoch(
            number=len(self.epochs) + 1,
            learning_rate=self.learner.rate,
            train=train,
            held=held,
            held_part=part,
            seconds=self.clock.seconds(),
            rate=images / trained,
        )
        self.epochs += (epoch,)
        self.seconds += epoch.seconds
        self.evaluation = epoch.seconds - trained
        self.save()
        self.reporter.epoch(epoch, best_of(self.epochs) is epoch)
        (self.stopping,) = self.world.agree(self.interrupt.asked)
        if self.stopping or settled(self.epochs, self.recipe.early_stopping):
            engine.terminate()

    def end(self) -> Result:
        """Look at the test images once, with the best weights; or keep the last ones, where nothing was chosen."""
        if self.stopping:
            return self.interrupted()
        best = best_of(self.epochs)
        test = self.epochs[-1].held if best is None else None
        kept = files.read_weights(self.folder.best) if best and self.world.leads else None
        self.learner.keep(self.world.from_leader(kept) or self.learner.weights())
        if best and self.parts.test:
            test = self.evaluate("test")
        self.folder.save_curves(self.network, self.epochs, test)
        self.save_scores("test" if test else "validation")
        # The last of all: once this is written, the run is finished, and nobody goes on with it.
        self.folder.save_metrics(self.epochs, test=test, finished=True, seconds=self.seconds)
        return Result(self.folder.path, self.epochs, best, test, False, self.seconds)

    def interrupted(self, draws: bool = True) -> Result:
        """The result of a run that may go on later."""
        if draws:
            self.folder.save_curves(self.network, self.epochs, None)
        return Result(self.folder.path, self.epochs, best_of(self.epochs), None, True, self.seconds)

    # What that takes.

    def evaluate(self, part: str) -> Figures:
        """The figures of a part, in eval mode."""
        self.reporter.evaluating(part)
        images = self.parts.test if part == "test" else self.parts.validation
        assert images is not None
        scores = self.scores[part] = Scores(self.parts.classes, self.device)
        batches = EvaluationLoader(images, self.preparation, self.device, self.world)
        self.learner.settle()
        with self.learner.precision():
            return evaluate(self.learner.judged, batches, self.device, scores, self.world)

    def save_scores(self, part: str) -> None:
        """Write how each class fares with the weights that are kept."""
        if part == "validation" or part not in self.scores:  # the latest look was at the last epoch, not the best one
            self.evaluate(part)
        self.folder.save_scores(self.network, part, self.scores[part].read())

    def set_rate(self, step: int) -> None:
        """Lay the schedule's learning rate on the optimizer, for a step of the epoch at work."""
        turns = -(-self.loader.steps // self.recipe.accumulate)  # of the optimizer in an epoch
        epoch = len(self.epochs) + step // self.recipe.accumulate / turns
        self.learner.set_rate(epoch, turns, [each.held.loss for each in self.epochs])

    def turn(self, step: int) -> tuple[float, bool]:
        """A batch's part of the images of an optimizer's step, and whether it is the last one of them."""
        each, size, count = self.recipe.accumulate, self.recipe.batch_size, len(self.parts.train)
        if each == 1:
            return 1.0, True
        first = step - step % each
        stop = min(first + each, self.loader.steps)
        images = min(stop * size, count) - first * size
        return (min(step * size + size, count) - step * size) / images, step + 1 == stop

    def show(self, step: int) -> None:
        """Tell how far the epoch is. Raises SpecError where the loss is no number."""
        figures, images = self.counters.read()
        if not figures.finite:
            raise self.diverged(f"after step {self.done:,}, in epoch {len(self.epochs) + 1}")
        steps, seconds = self.loader.steps, self.clock.seconds()
        left = steps * self.recipe.epochs - self.done
        seconds_left = left * seconds / step + (self.recipe.epochs - len(self.epochs)) * self.evaluation
        rate = images / seconds
        self.reporter.step(Progress(len(self.epochs) + 1, step, steps, figures, rate, seconds_left))

    def next_save(self) -> float:
        """When it is time for another checkpoint within an epoch, by the monotonic clock."""
        return time.monotonic() + (self.recipe.save_every or math.inf)

    def first_seed(self) -> int:
        """Of what is drawn in the network: each process has its own, the leader the one that it has alone."""
        return mixed(self.recipe.seed, *([self.world.rank] if self.world.rank else []))

    def diverged(self, where: str) -> SpecError:
        """The loss is NaN or infinite: what is known about the cause. All processes call it."""
        kept = best_of(self.epochs) or (self.epochs[-1] if self.epochs else None)
        note = f"{self.folder.path} keeps the weights of epoch {kept.number}" if kept else "no epoch was finished"
        first = self.learner.first
        problems = self.world.all(first.problem(self.recipe) if first else None)
        problem, help = next(filter(None, problems), (None, rate_help(self.recipe)))
        notes = (problem, note) if problem else (note,)
        return SpecError([Diagnostic("E630", f"the loss is not a number any more {where}", notes=notes, help=help)])

    def save(self) -> None:
        """Write all that is needed to go on from here, and then what follows from it.

        The state alone decides where a run goes on. Whoever dies right after writing it has the rest written by
        `restore`; whoever dies before learns the same again.
        """
        self.learner.settle()
        state = {
            "version": STATE_VERSION,
            "recipe": to_dict(self.recipe),
            "data": self.images,
            "documents": self.documents,
            "steps": self.loader.steps,
            "done": self.done,
            **self.learner.state(),
            "counters": self.counters.state(),
            "clock": self.clock.seconds(),
            "seconds": self.seconds,
            "threads": torch.get_num_threads(),
            "epochs": [each.plain() for each in self.epochs],
            "random": self.world.all(random_state(self.device)),
        }
        self.folder.save_state(state)
        self.publish()
        self.save_at = self.next_save()

    def publish(self) -> None:
        """Write what follows from the state: the latest weights; after an epoch its figures and the weights to keep."""
        weights, epoch = self.learner.weights(), self.epochs[-1] if self.epochs else None
        self.folder.save_weights(self.folder.last, weights, self.network, epoch, self.documents)
        if epoch is None or self.done != epoch.number * self.loader.steps:
            return
        if best_of(self.epochs) is epoch:
            self.folder.save_weights(self.folder.best, weights, self.network, epoch, self.documents)
        if self.recipe.keep_every and epoch.number % self.recipe.keep_every == 0:
            self.folder.save_weights(self.folder.kept(epoch.number), weights, self.network, epoch, self.documents)
        self.folder.save_metrics(self.epochs, seconds=self.seconds)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that was saved. Raises SpecError (E631) where it is another run's."""
        check_state(state, self.recipe, self.model, self.loader.steps)
        with refusing_misfits(self.folder.state):
            self.learner.load(state)
            self.counters = Counters(self.device, self.world, state["counters"])
            self.done, self.seconds = state["done"], state["seconds"]
            self.clock = Clock(state["clock"])
            self.epochs = tuple(map(Epoch.of, state["epochs"]))
            if self.world.rank < len(state["random"]):
                set_random_state(state["random"][self.world.rank], self.device)
            else:  # it had fewer processes then
                torch.manual_seed(mixed(self.first_seed(), self.done))
        self.folder.save_recipe(self.recipe)  # it may have more epochs now
        self.publish()


def _out_of_memory(recipe: Recipe, error: Exception) -> SpecError:
    help = f"halve the batch: --set train.batch_size={max(1, recipe.batch_size // 2)}"
    return SpecError([Diagnostic("E633", "the GPU's memory is full", notes=(str(error).splitlines()[0],), help=help)])
