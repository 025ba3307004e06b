"""Saves the checkpoints of a run, and restores a run from them."""

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
from cnngraph.train.loop.training_step import TrainingStep
from cnngraph.train.record.counters import Clock, Counters
from cnngraph.train.record.records import Epoch, InitialMetrics, best_of
from cnngraph.train.record.resume_checks import STATE_VERSION, check_state, reporting_mismatch


class Checkpointer:
    """Writes the state of a run and the files derived from it, and restores them. All processes call it together."""

    def __init__(self, job: Job, training_step: TrainingStep, position: Position) -> None:
        self.job, self.training_step, self.position = job, training_step, position
        self.due_at = self._next_due()

    def _next_due(self) -> float:
        """When the next checkpoint within an epoch is due, by the monotonic clock."""
        return time.monotonic() + (self.job.recipe.save_every or math.inf)

    def save(self) -> None:
        """Write the state, then the files derived from it.

        The state alone decides where a run resumes. If the process dies after writing it, `restore` writes the other
        files; if it dies before, the steps since the previous state are repeated with the same results.
        """
        job, position = self.job, self.position
        self.training_step.sync_buffers()
        state = {
            "version": STATE_VERSION,
            "recipe": to_dict(job.recipe),
            "data": job.images,
            "documents": dict(job.documents),
            "steps": position.steps_per_epoch,
            "done": position.steps_done,
            **self.training_step.state_dict(),
            "counters": position.counters.state(),
            "clock": position.clock.seconds(),
            "seconds": position.seconds,
            "threads": torch.get_num_threads(),
            "epochs": [epoch.plain() for epoch in position.epochs],
            "initial": position.initial.plain() if position.initial else None,
            "random": job.world.gather(random_state(job.device)),
        }
        job.folder.save_state(state)
        self.write_derived_files()
        self.due_at = self._next_due()

    def write_derived_files(self) -> None:
        """Write the latest weights and, after an epoch, its metrics and the weights to keep."""
        job, position = self.job, self.position
        weights, epochs = self.training_step.evaluated_weights(), position.epochs
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
            job.folder.save_metrics(epochs, seconds=position.seconds, initial=position.initial)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a saved state. Raises SpecError (E631) if it belongs to another run."""
        job, position = self.job, self.position
        check_state(state, job.recipe, self.training_step.model, position.steps_per_epoch)
        with reporting_mismatch(job.folder.state):
            self.training_step.load_state_dict(state)
            position.counters = Counters(job.device, job.world, state["counters"])
            position.clock = Clock(state["clock"])
            position.steps_done, position.seconds = state["done"], state["seconds"]
            position.epochs = tuple(map(Epoch.of, state["epochs"]))
            position.initial = InitialMetrics.of(state.get("initial"))
            self.training_step.start_epoch(len(position.epochs))
            if job.world.rank < len(state["random"]):
                set_random_state(state["random"][job.world.rank], job.device)
            else:  # the run had fewer processes when it was saved
                torch.manual_seed(mix_seeds(process_seed(job), position.steps_done))
        job.folder.save_recipe(job.recipe)  # it may have more epochs now
        if position.step and position.epochs and job.folder.finished:  # a handler ended the run within an epoch
            job.folder.save_metrics(position.epochs, seconds=position.seconds, initial=position.initial)
        self.write_derived_files()


def process_seed(job: Job) -> int:
    """This process's seed of the random numbers drawn in the network, such as dropout's.

    The first process has the same seed as a run in a single process.
    """
    return mix_seeds(job.recipe.seed, *([job.world.rank] if job.world.rank else []))
