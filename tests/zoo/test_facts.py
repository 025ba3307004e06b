"""Networks that torchvision lacks, compared with an independent implementation: counts, shapes and logits.

`tests/data/architectures.json` has the facts. Its "state" lists modules with weights in state_dict order, as
`container: name shape, …`: a name means its weight, `norm` the five entries of a batch norm. A different name in the
other implementation follows after `as`, because the values of the probe depend on the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnngraph
from tests.library import DATA, network
from tests.zoo.probe import probe

FACTS: dict[str, dict[str, Any]] = json.loads((DATA / "architectures.json").read_text())
NORM = ("weight", "bias", "running_mean", "running_var")
LARGE_MACS = 2_000_000_000  # per image; networks above it run with `pytest -m zoo` only

each_network = pytest.mark.parametrize("name", FACTS)
each_built_network = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.zoo] * (facts["macs"] > LARGE_MACS)) for name, facts in FACTS.items()],
)


def entries(state: list[str]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """The key, the key in the other implementation and the shape of each entry of the state_dict."""
    for line in state:
        container, _, modules = line.rpartition(": ")
        for module in modules.split(", "):
            expected, _, other = module.partition(" as ")
            name, *sizes = expected.split()
            path = f"{container}.{name}" if container else name
            other = other or path
            if sizes[0] == "norm":
                yield from ((f"{path}.{key}", f"{other}.{key}", (int(sizes[1]),)) for key in NORM)
                yield f"{path}.num_batches_tracked", f"{other}.num_batches_tracked", ()
            else:
                end = "" if name.endswith(".bias") else ".weight"
                yield path + end, other + end, tuple(map(int, sizes))


@each_network
def test_counts_and_shapes_without_pytorch(name: str) -> None:
    graph, facts = cnngraph.load(network(name)), FACTS[name]
    assert list(graph.input_shapes.values()) == [tuple(facts["input"])]
    assert list(graph.output_shapes.values()) == [tuple(facts["output"])]
    assert graph.num_params == facts["params"]
    assert graph.macs == facts["macs"]
    assert list(graph.state.items()) == [(key, shape) for key, _, shape in entries(facts["state"])]


@each_network
def test_the_shape_before_the_head(name: str) -> None:
    shapes = [node.shape for node in cnngraph.load(network(name)).nodes if not node.unused]
    maps = [shape for shape in shapes if isinstance(shape, tuple) and len(shape) == 3 and shape[1:] != (1, 1)]
    assert maps[-1] == tuple(FACTS[name]["feature"])


@pytest.mark.parametrize("name", [name for name in FACTS if "dilations" in FACTS[name]])
def test_dilations(name: str) -> None:
    convolutions = [node for node in cnngraph.load(network(name)).nodes if node.op == "conv"]
    dilations = {node.path: vars(node.operation)["dilation"] for node in convolutions}
    dilated = {path: dilation for path, dilation in dilations.items() if dilation != (1, 1)}
    assert dilated == {path: (dilation, dilation) for path, dilation in FACTS[name]["dilations"].items()}


@each_built_network
def test_logits(name: str) -> None:
    model, facts = cnngraph.build(network(name)), FACTS[name]
    assert sum(parameter.numel() for parameter in model.parameters()) == facts["params"]
    state = [(key, tuple(entry.shape)) for key, entry in model.state_dict().items()]
    assert state == [(key, shape) for key, _, shape in entries(facts["state"])]
    if "probe" in facts:
        keys = {key: other for key, other, _ in entries(facts["state"])}
        logits = probe(model, keys, tuple(facts["input"]), batch=len(facts["probe"]))
        np.testing.assert_allclose(logits, facts["probe"], rtol=1e-8, atol=1e-9)
