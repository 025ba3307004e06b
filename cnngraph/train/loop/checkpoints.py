"""The checkpoints of a run: what is saved, when, and how a run is resumed from them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch

from cnngraph.recipe import to_dict
from cnngraph.train.augment.seeds import mix_seeds
from cnngraph.train.loop.device import random_state, set_random_state
from cnngraph.train.loop.job import Job, Position
from cnngraph.train.loop.training_step import Learner
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.records import Epoch, best_of
from cnngraph.train.record.state import STATE_VERSION, check_state, reporting_mismatch


class Saver:
    """Writes the state of a run and what follows from it, and restores it. All processes call it together."""

    def __init__(self, job: Job, learner: Learner, position: Position) -> None:
        self.job, self.learner, self.position = job, learner, position
        self.due_at = self._next()

    def _next(self) -> float:
        """When another checkpoint within an epoch is due, by the monotonic clock."""
        return time.monotonic() + (self.job.recipe.save_every or math.inf)

    def save(self) -> None:
        """Write everything that is needed to resume here, and then what follows from it.

        The state alone decides where a run is resumed. A run that dies right after writing it has the rest written by
        `restore`; one that dies before learns the same again.
        """
        job, position = self.job, self.position
        self.learner.settle()
        state = {
            "version": STATE_VERSION,
            "recipe": to_dict(job.recipe),
            "data": job.images,
            "documents": dict(job.documents),
            "steps": position.steps,
            "done": position.done,
            **self.learner.state(),
            "counters": position.counters.state(),
            "clock": position.clock.seconds(),
            "seconds": position.seconds,
            "threads": torch.get_num_threads(),
            "epochs": [epoch.plain() for epoch in position.epochs],
            "random": job.world.gather(random_state(job.device)),
        }
        job.folder.save_state(state)
        self.publish()
        self.due_at = self._next()

    def publish(self) -> None:
        """Write what follows from the state: the latest weights; after an epoch its metrics and the weights to keep."""
        job, position = self.job, self.position
        weights, epochs = self.learner.weights(), position.epochs
        latest = epochs[-1] if epochs else None
        paths = [job.folder.last]
        if latest and not position.step:
            if best_of(epochs) is latest:
                paths.append(job.folder.best)
            if job.recipe.keep_every and latest.number % job.recipe.keep_every == 0:
                paths.append(job.folder.epoch_weights(latest.number))
        for path in paths:
            job.folder.save_weights(path, weights, job.network, latest, job.documents)
        if latest and not position.step:
            job.folder.save_metrics(epochs, seconds=position.seconds)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that was saved. Raises SpecError (E631) where it is another run's."""
        job, position = self.job, self.position
        check_state(state, job.recipe, self.learner.model, position.steps)
        with reporting_mismatch(job.folder.state):
            self.learner.load(state)
            position.counters = Counters(job.device, job.world, state["counters"])
            position.clock = Clock(state["clock"])
            position.done, position.seconds = state["done"], state["seconds"]
            position.epochs = tuple(map(Epoch.of, state["epochs"]))
            if job.world.rank < len(state["random"]):
                set_random_state(state["random"][job.world.rank], job.device)
            else:  # it had fewer processes then
                torch.manual_seed(mix_seeds(first_seed(job), position.done))
        job.folder.save_recipe(job.recipe)  # it may have more epochs now
        if position.step and position.epochs and job.folder.finished:  # a handler ended it within an epoch
            job.folder.save_metrics(position.epochs, seconds=position.seconds)
        self.publish()


def first_seed(job: Job) -> int:
    """The seed of random numbers within the network: each process has its own, the leader that of a single process."""
    return mix_seeds(job.recipe.seed, *([job.world.rank] if job.world.rank else []))
