"""Which batches form an optimizer step, and the learning rate of each step."""

from __future__ import annotations

from torch import Tensor

from cnngraph.train.loop.job import Job, Position
from cnngraph.train.loop.loader import TrainingLoader
from cnngraph.train.loop.training_step import TrainingStep


class BatchSteps:
    """Trains on one batch after another: sets the learning rate, weighs the batch, and counts loss and hits."""

    def __init__(self, job: Job, training_step: TrainingStep, loader: TrainingLoader, position: Position) -> None:
        self.training_step, self.loader, self.position = training_step, loader, position
        self.accumulate, self.batch_size, self.images = job.recipe.accumulate, job.recipe.batch_size, len(loader.split)
        self.is_simple = job.world.size == 1 and self.accumulate == 1  # every batch is one optimizer step

    def train_on_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Train on the next batch, and return its loss and logits (N×classes)."""
        step, position = self.position.step, self.position
        if not self.training_step.has_constant_rate:
            self._set_learning_rate(step)
        if self.is_simple:
            loss, logits = self.training_step.train_on_batch(images, labels)
            position.counters.add(loss, logits, labels)
            return loss, logits
        mine = self.loader.share(step)
        weight = self._fraction(step) * mine.weight
        loss, logits = self.training_step.train_on_batch(images, labels, weight, self.completes_optimizer_step(step))
        if mine.counted:
            position.counters.add(loss, logits, labels)
        return loss, logits

    def completes_optimizer_step(self, step: int) -> bool:
        """Whether the batch of this step is the last one of its optimizer step."""
        return step + 1 == self._batches(step).stop

    def _fraction(self, step: int) -> float:
        """The fraction of the optimizer step's images that this batch has."""
        if self.accumulate == 1:
            return 1.0
        batches = self._batches(step)
        images = min(batches.stop * self.batch_size, self.images) - batches.start * self.batch_size
        return (min((step + 1) * self.batch_size, self.images) - step * self.batch_size) / images

    def _batches(self, step: int) -> range:
        """The batches of the optimizer step that this batch belongs to."""
        first = step - step % self.accumulate
        return range(first, min(first + self.accumulate, self.position.steps_per_epoch))

    def _set_learning_rate(self, step: int) -> None:
        """Set the schedule's learning rate for a step of the current epoch."""
        epochs = self.position.epochs
        optimizer_steps = -(-self.position.steps_per_epoch // self.accumulate)  # per epoch
        epochs_done = len(epochs) + step // self.accumulate / optimizer_steps
        self.training_step.set_learning_rate(epochs_done, optimizer_steps, [epoch.evaluation.loss for epoch in epochs])
