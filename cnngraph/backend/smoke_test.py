"""The proof that a built network runs: one forward pass in each mode, compared with what the graph foretells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnngraph.graph.graph import Graph

Shapes = dict[str, tuple[int, ...]]


class ProofError(Exception):
    """PyTorch refuses to run the network, or other shapes come out than the graph foretells."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What went in and what came out, with the batch."""

    inputs: Shapes
    eval: Shapes
    training: Shapes


def seed(number: int) -> None:
    """Seed the generator that initial weights are drawn from."""
    torch.manual_seed(number)


def prove(model: nn.Module, graph: Graph, batch: int = 2) -> Proof:
    """Run random images through the network in eval and in training mode. It stays as it was. Raises ProofError."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.randn(batch, *shape, generator=generator) for shape in graph.input_shapes.values()]
    inputs = {name: tuple(each.shape) for name, each in zip(graph.input_shapes, images, strict=True)}
    shapes = {}
    with _unchanged(model), torch.no_grad():
        for mode in ("eval", "training"):
            model.train(mode == "training")
            try:
                outputs = model(*images)
            except (RuntimeError, ValueError) as error:
                raise ProofError(f"PyTorch cannot run it in {mode} mode: {error}") from error
            shapes[mode] = _named(outputs, _expected(graph, mode))
            _compare(shapes[mode], graph, batch, mode)
    return Proof(inputs, shapes["eval"], shapes["training"])


def _expected(graph: Graph, mode: str) -> list[str]:
    return [name for name in graph.outputs if mode == "training" or name not in graph.training_only]


def _named(outputs: Any, names: list[str]) -> Shapes:
    """The outputs' shapes by name; one that a mode leaves out is None in the tuple."""
    values = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    given = [each for each in values if each is not None]
    return {name: tuple(each.shape) for name, each in zip(names, given, strict=True)}


def _compare(shapes: Shapes, graph: Graph, batch: int, mode: str) -> None:
    for name, found in shapes.items():
        foretold = (batch, *graph.output_shapes[name])
        if found != foretold:
            raise ProofError(f"in {mode} mode {name} came out as {found}, but {foretold} was foretold")


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Give the model its mode and its running statistics back in the end, and PyTorch the generator's state."""
    mode = model.training
    buffers = {name: each.clone() for name, each in model.named_buffers()}
    generator = torch.get_rng_state()
    try:
        yield
    finally:
        model.train(mode)
        torch.set_rng_state(generator)
        with torch.no_grad():
            for name, each in model.named_buffers():
                each.copy_(buffers[name])
