"""Evaluates a network: loss and accuracy, in eval mode and without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.train.loop.ignite_engines import StrictEngine
from cnngraph.train.loop.objective import logits_of
from cnngraph.train.record.counters import Counters
from cnngraph.train.record.records import SplitMetrics
from cnngraph.train.record.scores import Scores
from cnngraph.train.world import SINGLE_PROCESS, World


class Evaluator(StrictEngine):
    """The engine that evaluates a network, in eval mode and without gradients. An iteration is one batch.

    `state.output` is (logits, labels), as ignite's metrics expect it. When EPOCH_COMPLETED is fired, `state.metrics`
    has the mean `loss` and the `accuracy` over all images of all processes, and what attached metrics add. `autocast`
    returns the context for the forward pass.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        world: World = SINGLE_PROCESS,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        super().__init__(self.evaluate_batch)
        self.model, self.device, self.world, self.autocast = model, device, world, autocast
        self.counters = Counters(device, world)
        self.scores: Scores | None = None
        self.add_event_handler(Events.EPOCH_COMPLETED, self.publish_metrics)

    def evaluate(self, batches: Iterable[tuple[Tensor, Tensor]], scores: Scores | None = None) -> SplitMetrics:
        """Mean loss and accuracy over batches; `scores` counts by class."""
        self.model.eval()
        self.counters, self.scores = Counters(self.device, self.world), scores
        self.run(batches)
        if scores:
            scores.reduce(self.world)
        return SplitMetrics(self.state.metrics["loss"], self.state.metrics["accuracy"])

    @torch.inference_mode()
    def evaluate_batch(self, engine: Engine, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Run and count one batch. Images beyond the labels are run, but not counted."""
        images, labels = batch
        with self.autocast():
            logits = logits_of(self.model(images))[: len(labels)]
            if len(labels):
                loss = F.cross_entropy(logits.float(), labels)
                self.counters.add(loss, logits, labels)
                if self.scores:
                    self.scores.add(loss, logits, labels)
        return logits, labels

    def publish_metrics(self) -> None:
        """Write the metrics to `state.metrics`, where handlers find them."""
        self.state.metrics.update(self.counters.read().metrics._asdict())
