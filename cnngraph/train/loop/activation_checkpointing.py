"""Blocks that keep no activations for the backward pass, and compute them again instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from cnngraph.graph.path_patterns import matches_path


def checkpoint_blocks(model: nn.Module, matches: Sequence[str]) -> list[str]:
    """Let the modules at the paths be checkpointed, and give their paths. Results stay what they are, to the bit."""
    found: list[str] = []
    for path, module in model.named_modules():
        done = any(path == each or path.startswith(f"{each}.") for each in found)
        if path and not done and any(matches_path(match, path) for match in matches):
            found += _checkpoint(path, module)
    return found


def _checkpoint(path: str, module: nn.Module) -> list[str]:
    """Checkpoint a module; of a list of modules, which is never called itself, each one in it."""
    if isinstance(module, nn.ModuleList):
        return [each for name, child in module.named_children() for each in _checkpoint(f"{path}.{name}", child)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _unchanged(module)

    forward = partial(checkpoint, module.forward, use_reentrant=False, context_fn=contexts)
    module.forward = forward
    return [path]


@contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """Running statistics stay as they are: they have seen the batch already."""
    before = [each.clone() for each in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for each, was in zip(module.buffers(), before, strict=True):
                each.copy_(was)
