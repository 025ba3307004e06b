"""The PyTorch modules of single operations: `torch.nn.Conv2d` for a `conv`, and so on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import nn

from cnngraph.backend.modules import own_layers
from cnngraph.ops.op import Layer


def build_layer(layer: Layer) -> Any:
    """The module, or free parameter, that a layer describes."""
    return layer_class(layer.kind)(*layer.args, **layer.kwargs)


# The classes and functions of own_layers.py, by name.
OWN_LAYERS: dict[str, Callable[..., Any]] = {
    name: value for name, value in vars(own_layers).items() if getattr(value, "__module__", None) == own_layers.__name__
}


def layer_class(kind: str) -> Callable[..., Any]:
    """The class or function that `Layer.kind` names: of own_layers.py or torch.nn, or a full path with dots."""
    if kind in OWN_LAYERS:
        return OWN_LAYERS[kind]
    module, _, name = kind.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module) if module else nn, name)
    return found


def name_in_source(kind: str) -> str:
    """The class in generated source: `nn.Conv2d`, or a bare name if the source defines or imports it."""
    return kind.rpartition(".")[2] if "." in kind or kind in OWN_LAYERS else f"nn.{kind}"
