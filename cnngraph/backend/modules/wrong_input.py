"""Explains an error of a built network that was called with inputs of another shape, dtype or device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnngraph.backend.modules.input_check import check_inputs
from cnngraph.graph.graph import Graph
from cnngraph.numbers import show_sizes
from cnngraph.tensor_type import TensorType


def call_with_explanation(model: nn.Module, *inputs: Any, **named: Any) -> Any:
    """Call a network of `build`. Shapes that it was not built for are an error.

    An error for inputs that do not fit gets a note that says what is wrong with them.
    """
    try:
        if not (torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None):
            graph = getattr(model, "graph", None)
            if isinstance(graph, Graph):
                check_inputs(model, graph, inputs, named)
        return nn.Module.__call__(model, *inputs, **named)
    except Exception as error:
        graph = getattr(model, "graph", None)
        if isinstance(graph, Graph):
            for line in _differences(model, graph.inputs, inputs, named):
                error.add_note(f"{graph.name}: {line}")
        raise


def _differences(
    model: nn.Module, expected: Mapping[str, TensorType], inputs: tuple[Any, ...], named: Mapping[str, Any]
) -> Iterator[str]:
    given = {**dict(zip(expected, inputs, strict=False)), **named}
    if len(inputs) + len(named) != len(expected):
        yield f"the network takes {', '.join(expected)}: {len(expected)} inputs, got {len(inputs) + len(named)}"
    for name, type_ in expected.items():
        if name in given and (problem := _problem(model, type_, given[name])):
            what = "the input" if len(expected) == 1 else f"the input `{name}`"
            yield f"{what} must be N×{show_sizes(type_.sizes)}{problem}"


def _problem(model: nn.Module, type_: TensorType, value: Any) -> str | None:
    """What is wrong with an input, as the end of a sentence; None if it has the right shape, dtype and device."""
    if not isinstance(value, Tensor):
        return f", got a {type(value).__name__}: convert it with `torch.as_tensor`"
    got = f", got {show_sizes(tuple(value.shape))}"
    expected, shape = type_.sizes, tuple(value.shape)
    if shape == expected:
        return f"{got}: add the batch axis with `unsqueeze(0)`"
    if len(shape) != len(expected) + 1:
        return got
    if shape[1] != expected[0] and shape[-1] == expected[0]:
        return f"{got}: move the channels to the front with `permute(0, 3, 1, 2)`"
    if shape[1] != expected[0]:
        what = "channels" if len(expected) > 1 else "features"
        return f"{got}, which has {shape[1]} instead of {expected[0]} {what}"
    weight = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), None)
    if weight is not None and value.dtype != weight.dtype and not torch.is_autocast_enabled(value.device.type):
        return f" of {_name(weight.dtype)}, got {_name(value.dtype)}: convert it with `.to({weight.dtype})`"
    if weight is not None and value.device != weight.device:
        return f" on {weight.device}, got one on {value.device}"
    return got if shape[1:] != expected else None


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
