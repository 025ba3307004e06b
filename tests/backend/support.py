"""Networks for tests of the backend, and a plain interpreter of graphs to compare them with."""

from __future__ import annotations

import inspect
from textwrap import dedent
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.backend import lower
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from tests.library import LIBRARY

HEAD = "cnngraph: 1\nname: test_net\n"


def graph_of(text: str) -> Graph:
    """The graph of a spec's text; without `input`, the input is 4×6×6."""
    body = dedent(text)
    head = HEAD if "\ninput:" in f"\n{body}" else f"{HEAD}input: [4, 6, 6]\n"
    compilation = compile_text(Source("test.yaml", head + body), LIBRARY)
    assert compilation.ok, "\n\n".join(map(str, compilation.diagnostics))
    assert compilation.graph is not None
    return compilation.graph


def built(text: str) -> Any:
    """The network of a spec's text (Any, because type checkers do not know its modules as attributes)."""
    return lower(graph_of(text))


def inputs_of(graph: Graph, batch: int = 2) -> list[Tensor]:
    """Random inputs."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(batch, *shape, generator=generator) for shape in graph.input_shapes.values()]


def as_list(result: Any) -> list[Any]:
    """The outputs of a network as a list."""
    return list(result) if isinstance(result, tuple) else [result]


def evaluated(graph: Graph, model: nn.Module, node: Node, reads: list[Tensor]) -> Any:
    """The value of one operation of the graph, by the model's module or the op's code."""
    path = node.shares or node.path
    types = [graph.type_of(ref) for ref in node.reads]
    if "" in node.parameters:
        return model.get_parameter(path)
    if node.operation.layer(*types):
        return model.get_submodule(path)(*reads)
    names = [f"t{number}" for number in range(len(reads))]
    code = node.operation.code(tuple(names), *types)
    return eval(code, {"torch": torch, "F": F, **dict(zip(names, reads, strict=True))})


def interpret(graph: Graph, model: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
    """The expected outputs: every operation of the graph run in order with the model's modules."""
    tensors = {Ref(-1 - index): tensor for index, tensor in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or (node.training_only and not model.training):
            continue
        result = evaluated(graph, model, node, [tensors[ref] for ref in node.reads])
        for element, tensor in enumerate(result if node.is_list else [result]):
            tensors[Ref(index, element)] = tensor
    names = [name for name in graph.outputs if model.training or name not in graph.training_only]
    return {name: tensors[graph.outputs[name]] for name in names}


def body(module: nn.Module) -> str:
    """The body of the generated forward."""
    _, *lines = inspect.getsource(type(module).forward).splitlines()
    return dedent("\n".join(lines))


def check_forward(module: nn.Module, expected: str) -> None:
    assert body(module) == dedent(expected).strip()
