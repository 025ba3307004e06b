"""A network at other input sizes: it computes what a build at that size computes, or refuses the input."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnngraph.api.arguments import input_value
from cnngraph.backend import lower
from cnngraph.compilation import Compilation, compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from tests.fuzz.cases import Failure, draw, kind_of
from tests.fuzz.checks import LARGEST, MAIN, as_list, live, outcome, printed_model, same
from tests.fuzz.shrinking import shrunk, smaller_texts
from tests.fuzz.spec_tree import ScopeTree, spec_files

SIZES = 3  # per spec
Shapes = Mapping[str, tuple[int, ...]]


def run(seed: int, folder: Path, counts: Counter[str]) -> Failure | None:
    """Check the network of a seed at other sizes."""
    spec = draw(seed)[1]
    for scope in (spec.nodes, *(ScopeTree([block.body], False) for block in spec.blocks.values())):
        _forget_shapes(scope)
    files = spec_files(spec, MAIN)
    error = error_of(seed, files, folder, counts)
    if error is None:
        return None
    kind = kind_of(error)

    def fails(smaller: Mapping[str, str]) -> bool:
        other = error_of(seed, smaller, folder, Counter())
        return other is not None and kind_of(other) == kind

    return Failure(seed, error, shrunk(files, smaller_texts, fails))


def _forget_shapes(scope: ScopeTree) -> None:
    """Remove expected shapes, which are those of one size."""
    for node in scope.children:
        node.expect = None
        if node.nodes is not None:
            _forget_shapes(node.nodes)


def error_of(seed: int, files: Mapping[str, str], folder: Path, counts: Counter[str]) -> Exception | None:
    """What is wrong with the network at some size."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(random.Random(f"sizes {seed}"), files, folder, counts)
    except Exception as error:
        return error
    return None


def check(rng: random.Random, files: Mapping[str, str], folder: Path, counts: Counter[str]) -> None:
    """Assert the property for a few sizes."""
    result = _compiled(files, folder)
    graph = result.graph if result.ok else None
    if graph is None or graph.macs > LARGEST or graph.num_params > LARGEST:
        return
    torch.manual_seed(0)
    model, printed = lower(graph).eval(), printed_model(graph).eval()
    for _ in range(SIZES):
        shapes = {name: other_shape(rng, shape) for name, shape in graph.input_shapes.items()}
        result = _compiled(files, folder, shapes)
        fresh = result.graph if result.ok else None
        if fresh is None or fresh.macs < LARGEST:
            counts[compare(graph, model, printed, fresh, shapes)] += 1


def other_shape(rng: random.Random, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Another shape of an input: mostly another height and width, sometimes other channels."""
    channels = shape[0] + (rng.choice([1, 2, shape[0]]) if rng.random() < 0.1 else 0)
    return channels, *(max(1, size + rng.choice([-2, -1, 0, 1, 2, 3, size])) for size in shape[1:])


def compare(graph: Graph, model: nn.Module, printed: nn.Module, fresh: Graph | None, shapes: Shapes) -> str:
    """Compare a network with one that is built for other shapes, which is None if the spec does not allow them."""
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(2, *shape, generator=generator) for shape in shapes.values()]
    with torch.no_grad():
        found, of_source = outcome(lambda: model(*inputs)), outcome(lambda: printed(*inputs))
    if isinstance(found, Exception):
        assert "was built for" in str(found), f"unclear at {dict(shapes)}: {found!r}"
        refused = "input for which the spec has an error or other weights"
        return refused if fresh is None or _state(fresh) != _state(graph) else "input refused"
    assert fresh is not None or not _runs_completely(graph), f"{dict(shapes)} is an error, but the network runs"
    if fresh is None:
        return "error in what does not run"
    assert _state(fresh) == _state(graph), f"built for {dict(shapes)}, the network has other weights"
    other = lower(fresh).eval()
    needed = other.state_dict()
    state = {key: value for key, value in model.state_dict().items() if value.shape == needed[key].shape}
    other.load_state_dict(state, strict=False)
    with torch.no_grad():
        expected = as_list(other(*inputs))
    for kind, result in (("module", found), ("source", of_source)):
        if isinstance(result, Exception):
            continue
        values = as_list(result)
        assert len(values) == len(expected), f"{kind} at {dict(shapes)}: {len(values)} outputs, not {len(expected)}"
        assert all(map(same, values, expected)), f"{kind} at {dict(shapes)}: other values than a network built for it"
    return "equal"


def _runs_completely(graph: Graph) -> bool:
    """Whether every node runs in eval mode."""
    return not any(node.unused or node.training_only for node in graph.nodes)


def _state(graph: Graph) -> dict[str, Any]:
    """The weights that the outputs in eval mode depend on."""
    return {
        f"{node.shares or node.path}.{name}": shape
        for node in live(graph)
        if not (node.training_only or node.unused)
        for name, shape in node.parameters.items()
    }


def _compiled(files: Mapping[str, str], folder: Path, shapes: Shapes | None = None) -> Compilation:
    for name, text in files.items():
        if name != MAIN:
            (folder / name).write_text(text, encoding="utf-8")
    given: Any = shapes if shapes is None or list(shapes) != ["in"] else shapes["in"]
    return compile_text(Source(MAIN, files[MAIN]), folder, input=input_value(given))
