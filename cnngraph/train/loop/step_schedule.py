"""The steps of an epoch: the learning rate of each, and which part of an optimizer's step a batch is."""

from __future__ import annotations

from torch import Tensor

from cnngraph.train.loop.job import Job, Position
from cnngraph.train.loop.loader import TrainingLoader
from cnngraph.train.loop.training_step import Learner


class Steps:
    """Learns from one batch after the other, and counts loss and hits at the run's position."""

    def __init__(self, job: Job, learner: Learner, loader: TrainingLoader, position: Position) -> None:
        self.learner, self.loader, self.position = learner, loader, position
        self.accumulate, self.batch_size, self.images = job.recipe.accumulate, job.recipe.batch_size, len(loader.split)
        self.is_simple = job.world.size == 1 and self.accumulate == 1  # each batch is a step of the optimizer

    def learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from the next batch; its loss and logits."""
        step, position = self.position.step, self.position
        if not self.learner.is_steady:
            self._set_rate(step)
        if self.is_simple:
            loss, logits = self.learner.learn(images, labels)
            position.counters.add(loss, logits, labels)
            return loss, logits
        mine = self.loader.share(step)
        share = self._fraction(step) * mine.weight
        loss, logits = self.learner.learn(images, labels, share, self.completes(step))
        if mine.counted:
            position.counters.add(loss, logits, labels)
        return loss, logits

    def completes(self, step: int) -> bool:
        """Whether the optimizer's step is complete with this batch of the epoch."""
        return step + 1 == self._batches(step).stop

    def _fraction(self, step: int) -> float:
        """A batch's fraction of the images of an optimizer's step."""
        if self.accumulate == 1:
            return 1.0
        batches = self._batches(step)
        images = min(batches.stop * self.batch_size, self.images) - batches.start * self.batch_size
        return (min((step + 1) * self.batch_size, self.images) - step * self.batch_size) / images

    def _batches(self, step: int) -> range:
        """The batches of the optimizer's step that a batch belongs to."""
        first = step - step % self.accumulate
        return range(first, min(first + self.accumulate, self.position.steps))

    def _set_rate(self, step: int) -> None:
        """Set the schedule's learning rate for a step of the epoch at work."""
        epochs = self.position.epochs
        turns = -(-self.position.steps // self.accumulate)  # of the optimizer in an epoch
        done = len(epochs) + step // self.accumulate / turns
        self.learner.set_rate(done, turns, [epoch.evaluation.loss for epoch in epochs])
