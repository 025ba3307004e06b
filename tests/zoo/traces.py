"""What a network computes, as a list of PyTorch's basic operations with all their settings, found without computing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# They lay numbers out and change none; two networks may do that differently and be one.
LAYOUT = {
    *(
        "alias",
        "clone",
        "contiguous",
        "detach",
        "empty",
        "expand",
        "new_empty",
        "permute",
        "reshape",
        "select",
        "slice",
    ),
    *("split", "split_with_sizes", "squeeze", "t", "transpose", "unsafe_split", "unsqueeze", "view", "_unsafe_view"),
    *("unbind", "chunk", "movedim", "empty_strided", "_to_copy", "_reshape_alias", "channel_shuffle"),
}

Operation = tuple[str, tuple[Any, ...]]


def operations(model: nn.Module, shape: tuple[int, ...]) -> Counter[Operation]:
    """How often each basic operation, with its settings and the shapes it reads, runs in a pass of the model."""
    recorder = _Recorder()
    with torch.no_grad(), recorder:
        model(torch.empty(shape, device="meta"))
    return recorder.operations


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[Operation] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.removesuffix("_")
        words = [*args, *(value for _, value in sorted((kwargs or {}).items()))]
        if name not in LAYOUT and not (name == "cat" and len(words[0]) == 1):
            if name == "mean":  # over the same axes, whether counted from the end or not, and kept or not
                words = [words[0], tuple(sorted(axis % words[0].ndim for axis in words[1]))]
            shapes = sorted(_shapes(words))  # sorted, since a·b is b·a
            self.operations[name, (tuple(shapes), *_settings(words))] += 1
        return func(*args, **(kwargs or {}))


def _shapes(words: Iterable[Any]) -> Iterator[tuple[int, ...]]:
    for word in words:
        if isinstance(word, Tensor):
            yield tuple(word.shape)
        elif isinstance(word, (list, tuple)):
            yield from _shapes(word)


def _settings(words: Iterable[Any]) -> Iterator[Any]:
    for word in words:
        if isinstance(word, (list, tuple)):
            yield tuple(_settings(word))
        elif not isinstance(word, Tensor):
            yield word


def multiply_accumulates(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Those of the convolutions and linear layers that run for one image in eval mode."""
    counts: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        counts.append(output.numel() // len(weight) * weight.numel())  # at each position, all of the weight

    hooks = [
        module.register_forward_hook(count) for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        model.eval()(torch.empty((1, *shape), device="meta"))
    for hook in hooks:
        hook.remove()
    return sum(counts)
