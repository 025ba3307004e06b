"""The loss to minimise: that of the logits, and of auxiliary heads."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph.diagnostics import SpecError
from cnngraph.recipe.model import Loss
from cnngraph.train.data.split import Split


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits: a network's output, or the first of several outputs."""
    return output if isinstance(output, Tensor) else output[0]


class Objective:
    """Computes a recipe's loss. `weights` are the class weights, if the recipe has any.

    With `every_head`, heads with weight 0 are part of the sum as well: DDP expects a gradient for every parameter.
    """

    def __init__(self, loss: Loss, weights: Tensor | None = None, every_head: bool = False) -> None:
        self.loss, self.weights, self.every_head = loss, weights, every_head
        self.plain = weights is None and not loss.label_smoothing

    def __call__(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss to minimise for a batch, and the plain cross-entropy of its logits, which metrics report.

        Labels are class indices (N), or probabilities (N×classes) of mixed images.
        """
        if self.plain and isinstance(output, Tensor) and output.dtype == torch.float32:  # fast path of the usual case
            objective = F.cross_entropy(output, labels)
            return objective, objective.detach()
        logits = logits_of(output).float()
        objective = self.criterion(logits, labels)
        reported = objective.detach() if self.plain else F.cross_entropy(logits.detach(), labels)
        auxiliary = self.auxiliary(output, labels)
        return objective if auxiliary is None else objective + auxiliary, reported

    def criterion(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy with the recipe's label smoothing and class weights.

        PyTorch divides the sum over a batch by the weights of its labels, which is 0/0 if all of them are 0. Here such
        a batch has loss and gradient 0. (The loss of mixed labels is divided by the number of images instead.)
        """
        smoothing = self.loss.label_smoothing
        if self.weights is None or labels.ndim == 2:
            return F.cross_entropy(logits, labels, self.weights, label_smoothing=smoothing)
        weightless = self.weights[labels].sum() == 0  # stays on the device, which is not synchronised
        loss = F.cross_entropy(logits, labels, self.weights + weightless, label_smoothing=smoothing)
        return loss * ~weightless

    def auxiliary(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> Tensor | None:
        """The weighted sum of the losses of all outputs after the first; None if there are none."""
        if isinstance(output, Tensor):
            return None
        names = getattr(output, "_fields", range(len(output)))
        weights = self.loss.auxiliary
        total: Tensor | None = None
        for name, logits in list(zip(names, output, strict=True))[1:]:
            weight = weights.get(name, 0.0) if isinstance(weights, Mapping) else weights
            if weight or self.every_head:
                loss = weight * self.criterion(logits.float(), labels)
                total = loss if total is None else total + loss
        return total


def class_weights(loss: Loss, split: Split, classes: int) -> Tensor | None:
    """The recipe's class weights; `balanced` ones are inversely proportional to the number of images of a class.

    Raises SpecError (E605) if every image of the training split has the weight 0.
    """
    match loss.class_weights:
        case None:
            return None
        case "balanced":
            counts = torch.bincount(split.images.labels[split.indices].cpu(), minlength=classes).float()
            weights = torch.where(counts > 0, counts.sum() / (classes * counts.clamp(min=1)), 0.0)
        case values:
            weights = torch.tensor(values, dtype=torch.float32)
    if not weights[split.images.labels[split.indices].cpu()].any():
        message = "`loss.class_weights` gives every training image the weight 0, so nothing would be learned"
        raise SpecError.of("E605", message)
    return weights
