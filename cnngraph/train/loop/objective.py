"""What is made small: the loss of the logits, and that of auxiliary heads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.diagnostics import SpecError
from cnngraph.recipe.model import Loss
from cnngraph.train.data.images import Split


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits: a network's output, or the first of several."""
    return output if isinstance(output, Tensor) else output[0]


class Objective:
    """The loss of a recipe. `weights` are those of the classes, where the recipe has any.

    With `every_head` those that weigh nothing have their part, which is 0: DDP waits for every gradient.
    """

    def __init__(self, loss: Loss, weights: Tensor | None = None, every_head: bool = False) -> None:
        self.loss, self.weights, self.every_head = loss, weights, every_head
        self.plain = weights is None and not loss.label_smoothing

    def __call__(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """What is made small for a batch, and the plain cross-entropy of its logits, which is what runs report."""
        if self.plain and isinstance(output, Tensor) and output.dtype == torch.float32:  # the usual case, the short way
            objective = F.cross_entropy(output, labels)
            return objective, objective.detach()
        logits = logits_of(output).float()
        objective = self.criterion(logits, labels)
        reported = objective.detach() if self.plain else F.cross_entropy(logits.detach(), labels)
        heads = self.auxiliary(output, labels)
        return objective if heads is None else objective + heads, reported

    def criterion(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy with the recipe's smoothing and weights.

        PyTorch divides the sum over a batch by the weights of its labels, which is 0/0 where all of them weigh 0. Such
        a batch has no loss and no gradient here. (Mixed labels are divided by the number of images, which is never 0.)
        """
        smoothing = self.loss.label_smoothing
        if self.weights is None or labels.ndim == 2:
            return F.cross_entropy(logits, labels, self.weights, label_smoothing=smoothing)
        weightless = self.weights[labels].sum() == 0  # stays on the device: nothing waits for it
        loss = F.cross_entropy(logits, labels, self.weights + weightless, label_smoothing=smoothing)
        return loss * ~weightless

    def auxiliary(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> Tensor | None:
        """The weighted losses of the outputs after the first, where there are any."""
        if isinstance(output, Tensor):
            return None
        names = getattr(output, "_fields", range(len(output)))
        given = self.loss.auxiliary
        total: Tensor | None = None
        for name, logits in list(zip(names, output, strict=True))[1:]:
            weight = given.get(name, 0.0) if isinstance(given, Mapping) else given
            if weight or self.every_head:
                loss = weight * self.criterion(logits.float(), labels)
                total = loss if total is None else total + loss
        return total


def class_weights(loss: Loss, split: Split, classes: int) -> Tensor | None:
    """The weights of the classes: as given, or `balanced`, which is the same sum for each class of a part.

    Raises SpecError (E605) where no image of the part would count.
    """
    match loss.class_weights:
        case None:
            return None
        case "balanced":
            counts = torch.bincount(split.images.labels[split.indices].cpu(), minlength=classes).float()
            weights = torch.where(counts > 0, counts.sum() / (classes * counts.clamp(min=1)), 0.0)
        case given:
            weights = torch.tensor(given, dtype=torch.float32)
    if not weights[split.images.labels[split.indices].cpu()].any():
        message = "loss.class_weights gives every training image the weight 0: nothing would be learned"
        raise SpecError.of("E605", message)
    return weights
