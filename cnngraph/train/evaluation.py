"""How good a network is on images that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.train.counters import Counters
from cnngraph.train.objective import logits_of
from cnngraph.train.records import Figures
from cnngraph.train.scores import Scores


@torch.inference_mode()
def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device, scores: Scores | None = None
) -> Figures:
    """Mean loss and accuracy over batches, in eval mode, with counters of their own; `scores` count class by class."""
    model.eval()
    counters = Counters(device)
    for images, labels in batches:
        logits = logits_of(model(images))
        loss = F.cross_entropy(logits.float(), labels)
        counters.add(loss, logits, labels)
        if scores:
            scores.add(loss, logits, labels)
    return counters.read()
