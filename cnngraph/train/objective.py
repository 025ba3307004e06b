"""What is made small: the loss of the logits, and that of auxiliary heads."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from cnngraph.recipe.model import Loss


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits: a network's output, or the first of several."""
    return output if isinstance(output, Tensor) else output[0]


def auxiliary_loss(output: Tensor | tuple[Tensor, ...], labels: Tensor, loss: Loss) -> Tensor | float:
    """The weighted losses of the outputs after the first."""
    if isinstance(output, Tensor):
        return 0.0
    names = getattr(output, "_fields", range(len(output)))
    total: Tensor | float = 0.0
    for name, logits in list(zip(names, output, strict=True))[1:]:
        weight = loss.auxiliary.get(name, 0.0) if isinstance(loss.auxiliary, Mapping) else loss.auxiliary
        if weight:
            total = total + weight * F.cross_entropy(logits.float(), labels)
    return total
