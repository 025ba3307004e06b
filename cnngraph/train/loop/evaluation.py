"""How good a network is on images that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.train.loop.objective import logits_of
from cnngraph.train.record.counters import Counters
from cnngraph.train.record.records import Figures
from cnngraph.train.record.scores import Scores
from cnngraph.train.world import ALONE, World


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    scores: Scores | None = None,
    world: World = ALONE,
) -> Figures:
    """Mean loss and accuracy over batches, in eval mode, with counters of their own; `scores` count class by class.

    Images without labels are run, and not counted. Each process counts its batches; the figures are those of all.
    """
    model.eval()
    counters = Counters(device, world)
    for images, labels in batches:
        logits = logits_of(model(images))
        if not len(labels):
            continue
        loss = F.cross_entropy(logits.float(), labels)
        counters.add(loss, logits, labels)
        if scores:
            scores.add(loss, logits, labels)
    if scores:
        scores.join(world)
    return counters.read().figures
