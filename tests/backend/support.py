"""Networks for the backend's tests, and a plain interpreter of graphs to compare them with."""

from __future__ import annotations

import random
from textwrap import dedent
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.api import compile_text
from cnngraph.backend import lower
from cnngraph.diagnostics import Source
from cnngraph.ir.graph import Graph, Ref
from tests.library import LIBRARY

HEAD = "cnngraph: 1\nname: test_net\n"


def graph_of(text: str) -> Graph:
    """The graph of a spec's text; without an `input` it reads 4×6×6 images."""
    body = dedent(text)
    head = HEAD if "\ninput:" in f"\n{body}" else f"{HEAD}input: [4, 6, 6]\n"
    compilation = compile_text(Source("test.yaml", head + body), LIBRARY)
    assert compilation.ok, "\n\n".join(map(str, compilation.diagnostics))
    assert compilation.graph is not None
    return compilation.graph


def built(text: str) -> Any:
    """The network of a spec's text (Any, since its modules are attributes that a type checker does not know)."""
    return lower(graph_of(text))


def random_graph(seed: int) -> Graph:
    """The graph of a random spec; where something in it happens to stay unread, that of the next one."""
    while True:
        try:
            return graph_of(RandomSpec(seed).text())
        except AssertionError:
            seed += 1000


def inputs_of(graph: Graph, batch: int = 2) -> list[Tensor]:
    """Random inputs."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(batch, *shape, generator=generator) for shape in graph.input_shapes.values()]


def as_list(result: Any) -> list[Any]:
    """What a network returns, one or several."""
    return list(result) if isinstance(result, tuple) else [result]


def interpret(graph: Graph, model: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
    """Run every operation of the graph in its order, with the model's modules: what its outputs must be."""
    tensors = {Ref(-1 - index): each for index, each in enumerate(inputs)}
    for index, node in enumerate(graph.nodes):
        if node.unused or (node.training_only and not model.training):
            continue
        path = node.shares or node.path
        reads = [tensors[ref] for ref in node.reads]
        types = [graph.type_of(ref) for ref in node.reads]
        if "" in node.parameters:
            result: Any = model.get_parameter(path)
        elif node.operation.layer(*types):
            result = model.get_submodule(path)(*reads)
        else:
            names = [f"t{number}" for number in range(len(reads))]
            code = node.operation.code(tuple(names), *types)
            result = eval(code, {"torch": torch, "F": F, **dict(zip(names, reads, strict=True))})
        for part, each in enumerate(result if node.is_list else [result]):
            tensors[Ref(index, part)] = each
    names = [name for name in graph.outputs if model.training or name not in graph.training_only]
    return {name: tensors[graph.outputs[name]] for name in names}


class RandomSpec:
    """A random network of small nodes over 4×6×6: scopes in scopes, taps, lists, sharing, repeats, free parameters."""

    KINDS = (
        "conv",
        "relu",
        "bn",
        "add",
        "scope",
        "scope",
        "chunk",
        "share",
        "scale",
        "unused",
        "none",
        "dense",
        "dotted",
    )

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.budget = self.random.randint(6, 40)

    def text(self) -> str:
        """The spec; some of its outputs exist in training mode only."""
        lines, names, _ = self.scope(0)
        outputs = [*dict.fromkeys([*self.random.sample(names, self.random.randint(1, 2)), names[-1]])]
        training = self.random.sample(outputs[:-1], self.random.randint(0, len(outputs) - 1))
        head = [f"outputs: {{{', '.join(f'o{number}: {name}' for number, name in enumerate(outputs))}}}"]
        head += [f"training_only: [{', '.join(f'o{outputs.index(name)}' for name in training)}]"] if training else []
        return "\n".join([*head, "nodes:", *(f"  {line}" for line in lines)])

    def scope(self, depth: int) -> tuple[list[str], list[str], list[str]]:
        """The lines of a scope's nodes, their names, and all paths that stand for a tensor of 4×6×6."""
        lines: list[str] = []
        names: list[str] = []
        paths = ["in"]
        modules: list[str] = []
        read: set[str] = set()
        for number in range(self.random.randint(2, 6)):
            self.budget -= 1
            name = f"n{number}"
            source = self.random.choice(paths if self.random.random() < 0.5 else paths[-1:])
            kind = self.random.choice(self.KINDS)
            inside: list[str] = []
            if kind == "scope" and depth < 3 and self.budget > 0:
                inner, _, inside = self.scope(depth + 1)
                times = self.random.choice(["", "", "  repeat: 2"])
                lines += [f"{name}:", f"  from: {source}", *filter(None, [times]), "  nodes:"]
                lines += [f"    {line}" for line in inner]
                inside = [f"{name}.1.{each}" if times else f"{name}.{each}" for each in inside if each != "in"]
                modules.append(name)
            elif kind == "add" and len(paths) > 1:
                others = self.random.sample(paths, min(len(paths), self.random.randint(2, 4)))
                lines.append(f"{name}: {{op: add, from: [{', '.join(others)}]}}")
                read |= {each.split(".")[0] for each in others}
                source = others[0]
            elif kind == "share" and modules:
                owner = self.random.choice(modules)
                lines.append(f"{name}: {{share: {owner}, from: {source}}}")
                inside = [each.replace(owner, name, 1) for each in paths if each.startswith(f"{owner}.")]
            else:
                lines += self.small(kind, name, source)
                modules += [name] if kind in ("conv", "relu", "bn") else []
            read.add(source.split(".")[0])
            paths += [*inside, name]
            names.append(name)
        left = [name for name in names[:-1] if name not in read]
        if left:
            lines.append(f"end: {{op: add, from: [{', '.join([*left, names[-1]])}]}}")
            names.append("end")
            paths.append("end")
        return lines, names, paths

    def small(self, kind: str, name: str, source: str) -> list[str]:
        """One node or a few."""
        conv = f"op: conv, from: {source}, out: 4, kernel: 3, padding: 1"
        texts = {
            "conv": f"{name}: {{{conv}}}",
            "bn": f"{name}: {{op: batch_norm, from: {source}}}",
            "relu": f"{name}: {{op: relu, from: {source}}}",
            "chunk": f"""{name}c: {{op: chunk, from: {source}, chunks: 2}}
                {name}: {{op: concat, from: [{name}c.1, {name}c.0]}}""",
            "scale": f"""{name}p: {{op: parameter, shape: [4, 1, 1], init: 0.5}}
                {name}: {{op: mul, from: [{source}, {name}p]}}""",
            "unused": f"""{name}u: {{from: {source}, unused: true, nodes: [{{op: conv, out: 2, kernel: 1}}, relu]}}
                {name}: {{op: relu, from: {source}}}""",
            "none": f"""{name}b: {{repeat: 2, carry: none, from: {source}, op: conv, out: 2, kernel: 1}}
                {name}: {{op: concat, from: {name}b}}""",
            "dense": f"""{name}d: {{repeat: 2, carry: concat, from: {source}, op: conv, out: 2, kernel: 1}}
                {name}: {{op: conv, out: 4, kernel: 1}}""",
            "dotted": f"""{name}c.0: {{{conv}}}
                {name}b.0: batch_norm
                {name}c.1: {{op: conv, out: 4, kernel: 1}}
                {name}: {{op: add, from: [{name}c.1, {name}b.0]}}""",
        }
        return [line.strip() for line in texts.get(kind, texts["relu"]).splitlines()]
