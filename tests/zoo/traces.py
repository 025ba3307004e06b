"""What a network computes, as a list of basic PyTorch operations with their settings, traced without computing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

# These operations only change the layout; equal networks may use different ones.
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
    """The number of calls of each basic operation, with settings and input shapes, in one forward pass."""
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
        arguments = [*args, *(value for _, value in sorted((kwargs or {}).items()))]
        if name not in LAYOUT and not (name == "cat" and len(arguments[0]) == 1):
            if name == "mean":  # the same axes, whether negative or not and kept or not
                arguments = [arguments[0], tuple(sorted(axis % arguments[0].ndim for axis in arguments[1]))]
            shapes = sorted(_shapes(arguments))  # sorted, because a·b is b·a
            self.operations[name, (tuple(shapes), *_settings(arguments))] += 1
        return func(*args, **(kwargs or {}))


def _shapes(arguments: Iterable[Any]) -> Iterator[tuple[int, ...]]:
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield tuple(argument.shape)
        elif isinstance(argument, (list, tuple)):
            yield from _shapes(argument)


def _settings(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield tuple(_settings(argument))
        elif not isinstance(argument, Tensor):
            yield argument


def multiply_accumulates(model: nn.Module, shape: tuple[int, ...]) -> int:
    """The multiply-accumulates of convolutions and linear layers for one image in eval mode."""
    counts: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        counts.append(output.numel() // len(weight) * weight.numel())  # every weight, at each position

    hooks = [
        module.register_forward_hook(count) for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        model.eval()(torch.empty((1, *shape), device="meta"))
    for hook in hooks:
        hook.remove()
    return sum(counts)
