"""Activation checkpointing: modules whose activations are recomputed in the backward pass instead of stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cnngraph.graph.path_patterns import matches_path


def checkpoint_blocks(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Checkpoint the outermost modules whose paths match a pattern, and return their paths.

    The results are bitwise the same as without.
    """
    checkpointed: list[str] = []
    for path, module in model.named_modules():
        inside = any(path == outer or path.startswith(f"{outer}.") for outer in checkpointed)
        if path and not inside and any(matches_path(pattern, path) for pattern in patterns):
            checkpointed += _checkpoint(path, module)
    return checkpointed


def _checkpoint(path: str, module: nn.Module) -> list[str]:
    """Checkpoint a module; of a ModuleList, which is never called itself, each of its modules."""
    if isinstance(module, nn.ModuleList):
        return [inner for name, child in module.named_children() for inner in _checkpoint(f"{path}.{name}", child)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_buffers(module)

    forward = partial(checkpoint, module.forward, use_reentrant=False, context_fn=contexts)
    module.forward = forward
    return [path]


@contextmanager
def _frozen_buffers(module: nn.Module) -> Iterator[None]:
    """Restore running statistics after the recomputation: the first forward pass has already updated them."""
    saved = [buffer.clone() for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(module.buffers(), saved, strict=True):
                buffer.copy_(value)
