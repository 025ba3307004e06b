"""A smoke test of a built network: one forward pass in each mode, whose output shapes must be those of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph

Shapes = dict[str, tuple[int, ...]]


class SmokeTestError(Exception):
    """PyTorch cannot run the network, or its outputs do not have the shapes of the graph."""


@frozen
class SmokeTest:
    """The result: the shapes of the inputs, and of the outputs in each mode, including the batch."""

    inputs: Shapes
    eval: Shapes
    training: Shapes


def seed(number: int) -> None:
    """Seed PyTorch's generator, which draws the initial weights."""
    torch.manual_seed(number)


def smoke_test(model: nn.Module, graph: Graph, batch: int = 2) -> SmokeTest:
    """Run random images through the network in eval and training mode, without changing it. Raises SmokeTestError."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.randn(batch, *shape, generator=generator) for shape in graph.input_shapes.values()]
    inputs = {name: tuple(image.shape) for name, image in zip(graph.input_shapes, images, strict=True)}
    shapes = {}
    with _unchanged(model), torch.no_grad():
        for mode in ("eval", "training"):
            model.train(mode == "training")
            try:
                outputs = model(*images)
            except (RuntimeError, ValueError) as error:
                raise SmokeTestError(f"PyTorch cannot run the network in {mode} mode: {error}") from error
            shapes[mode] = _named(outputs, _expected(graph, mode))
            _compare(shapes[mode], graph, batch, mode)
    return SmokeTest(inputs, shapes["eval"], shapes["training"])


def _expected(graph: Graph, mode: str) -> list[str]:
    return [name for name in graph.outputs if mode == "training" or name not in graph.training_only]


def _named(outputs: Any, names: list[str]) -> Shapes:
    """The shapes of the outputs by name. An output that does not exist in this mode is None in the tuple."""
    values = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    present = [value for value in values if value is not None]
    return {name: tuple(output.shape) for name, output in zip(names, present, strict=True)}


def _compare(shapes: Shapes, graph: Graph, batch: int, mode: str) -> None:
    for name, found in shapes.items():
        expected = (batch, *graph.output_shapes[name])
        if found != expected:
            raise SmokeTestError(f"in {mode} mode `{name}` has shape {found}, expected {expected}")


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Restore the model's mode and buffers, and the state of PyTorch's generator."""
    mode = model.training
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    generator = torch.get_rng_state()
    try:
        yield
    finally:
        model.train(mode)
        torch.set_rng_state(generator)
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
